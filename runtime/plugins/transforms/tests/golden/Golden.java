// Prints what Apache Connect's own transformations answer. Reads cases as JSON lines, writes them back with the answers.
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.*;
import java.io.*;
import java.math.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.*;
import org.apache.kafka.connect.header.*;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

public class Golden {
    static final JsonMapper M = JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();
    static final JsonNodeFactory F = JsonNodeFactory.instance;

    public static void main(String[] args) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        Locale.setDefault(Locale.US);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            ObjectNode c = (ObjectNode) M.readTree(line);
            c.remove(List.of("out", "error", "exception", "config_error", "test"));
            if (c.has("define")) define(c); else if (c.has("pattern")) dates(c); else answer(c);
            out.println(M.writeValueAsString(c));
        }
        out.flush();
    }

    static void define(ObjectNode c) throws Exception {
        ConfigDef def = (ConfigDef) Class.forName(c.get("define").asText()).getField("CONFIG_DEF").get(null);
        c.put("doc", (String) Class.forName(c.get("define").asText()).getField("OVERVIEW_DOC").get(null));
        ArrayNode keys = c.putArray("keys");
        for (String name : def.names()) {
            ConfigDef.ConfigKey k = def.configKeys().get(name);
            ObjectNode o = keys.addObject().put("name", k.name).put("type", k.type.name()).put("importance", k.importance.name());
            o.put("required", k.defaultValue == ConfigDef.NO_DEFAULT_VALUE);
            if (k.defaultValue != ConfigDef.NO_DEFAULT_VALUE)
                o.put("default", ConfigDef.convertToString(k.defaultValue, k.type));
            o.put("doc", k.documentation);
            if (k.validator != null) o.put("validator", k.validator.toString());
        }
    }

    static void dates(ObjectNode c) {
        java.text.SimpleDateFormat format;
        try { format = new java.text.SimpleDateFormat(c.get("pattern").asText()); } catch (IllegalArgumentException e) {
            c.put("config_error", e.getMessage());
            return;
        }
        format.setTimeZone(TimeZone.getTimeZone("UTC"));
        ArrayNode printed = c.putArray("printed"), parsed = c.putArray("parsed");
        for (JsonNode millis : c.get("millis")) printed.add(format.format(new java.util.Date(millis.longValue())));
        for (JsonNode text : c.get("texts")) {
            try { parsed.add(format.parse(text.asText()).getTime()); } catch (java.text.ParseException e) { parsed.addNull(); }
        }
    }

    static void answer(ObjectNode c) throws Exception {
        ConnectRecord<?> r = record(c);
        for (JsonNode step : c.get("steps")) {
            Map<String, Object> config = new HashMap<>();
            step.get("config").properties().forEach(e -> config.put(e.getKey(), e.getValue().asText()));
            Object made = Class.forName(step.get("class").asText()).getDeclaredConstructor().newInstance();
            if (made instanceof Predicate<?> p) {
                try { p.configure(config); } catch (Throwable t) { c.put("config_error", t.getMessage()); return; }
                c.put("test", test(p, r));
                return;
            }
            Transformation<?> x = (Transformation<?>) made;
            try { x.configure(config); } catch (Throwable t) { c.put("config_error", t.getMessage()); return; }
            try {
                r = apply(x, r);
            } catch (Throwable t) {
                c.put("error", t.getMessage());
                c.put("exception", t.getClass().getSimpleName());
                return;
            }
            if (r == null) { c.putNull("out"); return; }
        }
        ObjectNode o = c.putObject("out");
        o.put("topic", r.topic());
        o.set("key_schema", schema(r.keySchema()));
        o.set("key", typed(r.key()));
        o.set("schema", schema(r.valueSchema()));
        o.set("value", typed(r.value()));
        if (r.headers().isEmpty()) return;
        ArrayNode headers = o.putArray("headers");
        for (Header h : r.headers()) headers.addArray().add(h.key()).add(schema(h.schema())).add(typed(h.value()));
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static ConnectRecord<?> apply(Transformation x, ConnectRecord r) { return x.apply(r); }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static boolean test(Predicate p, ConnectRecord r) { return p.test(r); }

    static ConnectRecord<?> record(JsonNode c) throws Exception {
        Schema ks = c.path("key_schema").isObject() ? schema(c.get("key_schema")) : null;
        Schema vs = c.path("schema").isObject() ? schema(c.get("schema")) : null;
        Object k = c.has("key") ? value(ks, c.get("key")) : null;
        Object v = c.has("value") ? value(vs, c.get("value")) : null;
        Integer p = c.has("partition") ? c.get("partition").intValue() : null;
        Long t = c.has("timestamp") ? c.get("timestamp").longValue() : null;
        String topic = c.path("topic").asText("topic");
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode h : c.path("headers")) {
            Schema schema = h.get(1).isNull() ? null : schema(h.get(1));
            headers.add(h.get(0).asText(), value(schema, h.get(2)), schema);
        }
        if (!c.has("offset")) return new SourceRecord(Map.of(), Map.of(), topic, p, ks, k, vs, v, t, headers);
        long offset = c.get("offset").longValue();
        return new SinkRecord(topic, p, ks, k, vs, v, offset, t, TimestampType.CREATE_TIME, headers);
    }

    static Schema schema(JsonNode n) throws Exception {
        Schema.Type type = Schema.Type.valueOf(n.get("type").asText().toUpperCase(Locale.ROOT));
        SchemaBuilder b = switch (type) {
            case ARRAY -> SchemaBuilder.array(schema(n.get("items")));
            case MAP -> SchemaBuilder.map(schema(n.get("keys")), schema(n.get("values")));
            default -> new SchemaBuilder(type);
        };
        if (type == Schema.Type.STRUCT) for (JsonNode f : n.get("fields")) b.field(f.get("field").asText(), schema(f));
        if (n.path("optional").booleanValue()) b.optional();
        if (n.has("name")) b.name(n.get("name").asText());
        if (n.has("version")) b.version(n.get("version").intValue());
        if (n.has("doc")) b.doc(n.get("doc").asText());
        if (n.has("parameters")) n.get("parameters").properties().forEach(e -> b.parameter(e.getKey(), e.getValue().asText()));
        if (n.has("default")) b.defaultValue(value(b, n.get("default")));
        return b.build();
    }

    static JsonNode schema(Schema s) {
        if (s == null) return F.nullNode();
        ObjectNode n = F.objectNode().put("type", s.type().getName()).put("optional", s.isOptional());
        if (s.type() == Schema.Type.ARRAY) n.set("items", schema(s.valueSchema()));
        if (s.type() == Schema.Type.MAP) n.<ObjectNode>set("keys", schema(s.keySchema())).set("values", schema(s.valueSchema()));
        if (s.type() == Schema.Type.STRUCT) {
            ArrayNode fields = n.putArray("fields");
            for (Field f : s.fields()) fields.add(((ObjectNode) schema(f.schema())).put("field", f.name()));
        }
        if (s.name() != null) n.put("name", s.name());
        if (s.version() != null) n.put("version", s.version());
        if (s.doc() != null) n.put("doc", s.doc());
        if (s.parameters() != null) s.parameters().forEach(n.putObject("parameters")::put);
        if (s.defaultValue() != null) n.set("default", typed(s.defaultValue()));
        return n;
    }

    static JsonNode typed(Object v) {
        ObjectNode o = F.objectNode();
        if (v == null) return F.nullNode();
        if (v instanceof Boolean b) return F.booleanNode(b);
        if (v instanceof Byte n) return o.put("i8", n.intValue());
        if (v instanceof Short n) return o.put("i16", n.intValue());
        if (v instanceof Integer n) return o.put("i32", n);
        if (v instanceof Long n) return o.put("i64", n);
        if (v instanceof Float n) return o.put("f32", String.format("%08x", Float.floatToIntBits(n)));
        if (v instanceof Double n) return o.put("f64", String.format("%016x", Double.doubleToLongBits(n)));
        if (v instanceof String s) return o.put("s", s);
        if (v instanceof byte[] b) return o.put("b", b);
        if (v instanceof BigDecimal d) return o.put("dec", d.unscaledValue().toString()).put("scale", d.scale());
        if (v instanceof java.util.Date d) return o.put("date", d.getTime());
        if (v instanceof List<?> l) { ArrayNode a = o.putArray("a"); l.forEach(e -> a.add(typed(e))); return o; }
        if (v instanceof Map<?, ?> m) {
            ArrayNode a = o.putArray("m");
            m.forEach((k, e) -> a.add(F.arrayNode().add(typed(k)).add(typed(e))));
            return o;
        }
        Struct s = (Struct) v;
        ArrayNode a = o.putArray("st");
        for (Field f : s.schema().fields()) a.add(typed(s.getWithoutDefault(f.name())));
        return o;
    }

    static Object value(Schema s, JsonNode n) throws Exception {
        if (n.isNull()) return null;
        if (n.isBoolean()) return n.booleanValue();
        Map.Entry<String, JsonNode> e = n.properties().iterator().next();
        JsonNode v = e.getValue();
        switch (e.getKey()) {
            case "i8": return (byte) v.intValue();
            case "i16": return (short) v.intValue();
            case "i32": return v.intValue();
            case "i64": return v.longValue();
            case "f32": return Float.intBitsToFloat(Integer.parseUnsignedInt(v.asText(), 16));
            case "f64": return Double.longBitsToDouble(Long.parseUnsignedLong(v.asText(), 16));
            case "s": return v.asText();
            case "b": return v.binaryValue();
            case "dec": return new BigDecimal(new BigInteger(v.asText()), n.get("scale").intValue());
            case "date": return new java.util.Date(v.longValue());
            case "a": { List<Object> l = new ArrayList<>(); for (JsonNode x : v) l.add(value(s == null ? null : s.valueSchema(), x)); return l; }
            case "m": {
                Map<Object, Object> m = new HashMap<>();
                for (JsonNode x : v) m.put(value(s == null ? null : s.keySchema(), x.get(0)), value(s == null ? null : s.valueSchema(), x.get(1)));
                return m;
            }
            default: {
                Struct st = new Struct(s);
                int i = 0;
                for (Field f : s.fields()) { Object x = value(f.schema(), v.get(i++)); if (x != null) st.put(f, x); }
                return st;
            }
        }
    }
}
