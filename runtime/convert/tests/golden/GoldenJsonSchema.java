// Prints what Confluent's JsonSchemaData answers. Reads cases as JSON lines, writes them back with the answers.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.confluent.connect.json.*;
import io.confluent.kafka.schemaregistry.json.JsonSchema;
import io.confluent.kafka.schemaregistry.json.jackson.Jackson;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.connect.data.*;
import org.apache.kafka.connect.json.JsonConverter;
import org.everit.json.schema.loader.SchemaLoader;
import org.json.JSONObject;

public class GoldenJsonSchema {
    static final ObjectMapper MAPPER = Jackson.newObjectMapper();

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

    static JsonSchemaData data(JsonNode c) {
        Map<String, Object> m = new HashMap<>();
        if (c.has("config")) c.get("config").properties().forEach(e -> m.put(e.getKey(), e.getValue().asText()));
        return new JsonSchemaData(new JsonSchemaDataConfig(m));
    }

    // As JsonSchemaConverter and its deserializer read a record's bytes behind the schema id.
    static void to(ObjectNode c) throws Exception {
        JSONObject json = new JSONObject(c.get("json_schema").toString());
        Integer version = c.has("version") ? c.get("version").asInt() : null;
        JsonSchema s = new JsonSchema(
            SchemaLoader.builder().useDefaults(true).draftV7Support().schemaJson(json).build().load().build(), version);
        JsonSchemaData d = data(c);
        Schema schema = d.toConnectSchema(s);
        Object value = d.toConnectData(schema, MAPPER.readTree(c.get("in").asText()));
        c.set("schema", Golden.schema(schema));
        c.set("value", Golden.typed(value));
    }

    static void from(ObjectNode c) throws Exception {
        JsonConverter j = new JsonConverter();
        j.configure(Map.of("converter.type", "value"));
        Schema s = j.asConnectSchema(c.get("schema"));
        JsonSchemaData d = data(c);
        c.set("json_schema", Golden.M.readTree(d.fromConnectSchema(s).rawSchema().toString()));
        JsonNode value = d.fromConnectData(s, Golden.value(s, c.get("value")));
        if (value == null) c.putNull("out"); else c.put("out", MAPPER.writeValueAsString(value));
    }
}
