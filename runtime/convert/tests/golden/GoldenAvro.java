// Prints what Confluent's AvroData answers. Reads cases as JSON lines, writes them back with the answers.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.confluent.connect.avro.*;
import io.confluent.kafka.serializers.NonRecordContainer;
import java.io.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.avro.generic.*;
import org.apache.avro.io.*;
import org.apache.kafka.connect.data.*;
import org.apache.kafka.connect.json.JsonConverter;

public class GoldenAvro {
    public static void main(String[] args) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            ObjectNode c = (ObjectNode) Golden.M.readTree(line);
            try {
                if (c.has("in")) to(c); else from(c);
            } catch (Throwable t) {
                Golden.error(c, t);
            }
            out.println(Golden.M.writeValueAsString(c));
        }
        out.flush();
    }

    static AvroData data(JsonNode c) {
        Map<String, Object> m = new HashMap<>();
        if (c.has("config")) c.get("config").properties().forEach(e -> m.put(e.getKey(), e.getValue().asText()));
        return new AvroData(new AvroDataConfig(m));
    }

    // As AvroConverter and its deserializer read a record's bytes behind the schema id.
    static void to(ObjectNode c) throws Exception {
        org.apache.avro.Schema s = new org.apache.avro.Schema.Parser().setValidateDefaults(false).parse(c.get("avro").toString());
        byte[] bytes = c.get("in").binaryValue();
        Object value = s.getType() == org.apache.avro.Schema.Type.BYTES
            ? ByteBuffer.wrap(bytes)
            : new GenericDatumReader<>(s).read(null, DecoderFactory.get().binaryDecoder(bytes, null));
        Integer version = c.has("version") ? c.get("version").asInt() : null;
        SchemaAndValue v = data(c).toConnectData(s, value, version);
        c.set("schema", Golden.schema(v == null ? null : v.schema()));
        c.set("value", Golden.typed(v == null ? null : v.value()));
    }

    // The same schema with equal names as the same object, as connectors have them whose names are constants: AvroData
    // looks for names by identity.
    static Schema interned(Schema s) {
        if (s == null) return null;
        List<Field> fields = null;
        if (s.type() == Schema.Type.STRUCT) {
            fields = new ArrayList<>();
            for (Field f : s.fields()) fields.add(new Field(f.name(), f.index(), interned(f.schema())));
        }
        boolean isMap = s.type() == Schema.Type.MAP, isArray = s.type() == Schema.Type.ARRAY;
        return new ConnectSchema(s.type(), s.isOptional(), s.defaultValue(), s.name() == null ? null : s.name().intern(),
            s.version(), s.doc(), s.parameters(), fields, isMap ? interned(s.keySchema()) : null,
            isMap || isArray ? interned(s.valueSchema()) : null);
    }

    static void from(ObjectNode c) throws Exception {
        JsonConverter j = new JsonConverter();
        j.configure(Map.of("converter.type", "value"));
        Schema s = j.asConnectSchema(c.get("schema"));
        if (c.has("interned")) s = interned(s);
        AvroData d = data(c);
        org.apache.avro.Schema a = d.fromConnectSchema(s);
        c.put("avro", a.toString());
        Object v = d.fromConnectData(s, Golden.value(s, c.get("value")));
        if (v instanceof NonRecordContainer n) v = n.getValue();
        if (v == null) { c.putNull("out"); return; }
        ByteArrayOutputStream b = new ByteArrayOutputStream();
        if (a.getType() == org.apache.avro.Schema.Type.BYTES) {
            b.write(((ByteBuffer) v).array());
        } else {
            BinaryEncoder e = EncoderFactory.get().binaryEncoder(b, null);
            new GenericDatumWriter<>(a).write(v, e);
            e.flush();
        }
        c.put("out", b.toByteArray());
    }
}
