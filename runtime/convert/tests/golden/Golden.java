// Prints what Apache Connect's own converters answer. Reads cases as JSON lines, writes them back with the answers.
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.*;
import java.io.*;
import java.math.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.connect.converters.*;
import org.apache.kafka.connect.data.*;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.storage.*;

public class Golden {
    static final JsonMapper M = JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();
    static final JsonNodeFactory F = JsonNodeFactory.instance;

    public static void main(String[] args) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            ObjectNode c = (ObjectNode) M.readTree(line);
            if (c.has("double")) {
                double d = Double.longBitsToDouble(Long.parseUnsignedLong(c.get("double").asText(), 16));
                c.put("text", Double.toString(d));
            } else if (c.has("float")) {
                c.put("text", Float.toString(Float.intBitsToFloat(Integer.parseUnsignedInt(c.get("float").asText(), 16))));
            } else if (c.has("in")) {
                to(c);
            } else {
                from(c);
            }
            out.println(M.writeValueAsString(c));
        }
        out.flush();
    }

    static Map<String, Object> config(JsonNode c) {
        Map<String, Object> m = new HashMap<>();
        if (c.has("config")) c.get("config").properties().forEach(e -> m.put(e.getKey(), e.getValue().asText()));
        m.put("converter.type", "header");
        return m;
    }

    static HeaderConverter converter(JsonNode c) {
        HeaderConverter h = switch (c.path("class").asText("json")) {
            case "json" -> new JsonConverter();
            case "string" -> new StringConverter();
            case "bytes" -> new ByteArrayConverter();
            case "boolean" -> new BooleanConverter();
            case "short" -> new ShortConverter();
            case "integer" -> new IntegerConverter();
            case "long" -> new LongConverter();
            case "float" -> new FloatConverter();
            case "double" -> new DoubleConverter();
            default -> new SimpleHeaderConverter();
        };
        h.configure(config(c));
        return h;
    }

    static void to(ObjectNode c) throws Exception {
        try {
            SchemaAndValue v = converter(c).toConnectHeader("t", "h", c.get("in").isNull() ? null : c.get("in").binaryValue());
            c.set("schema", schema(v.schema()));
            c.set("value", typed(v.value()));
        } catch (Throwable t) {
            error(c, t);
        }
    }

    static void from(ObjectNode c) throws Exception {
        try {
            JsonConverter j = new JsonConverter();
            j.configure(Map.of("converter.type", "value"));
            Schema s = j.asConnectSchema(c.get("schema"));
            Object v = value(s, c.get("value"));
            byte[] out = converter(c).fromConnectHeader("t", "h", s, v);
            if (out == null) c.putNull("out"); else c.put("out", out);
        } catch (Throwable t) {
            error(c, t);
        }
    }

    static void error(ObjectNode c, Throwable t) {
        c.put("error", t.getMessage());
        c.put("exception", t.getClass().getSimpleName());
        Throwable cause = t;
        while (cause.getCause() != null) cause = cause.getCause();
        if (cause != t) c.put("cause", cause.getMessage());
    }

    static JsonNode schema(Schema s) {
        if (s == null) return F.nullNode();
        JsonConverter j = new JsonConverter();
        j.configure(Map.of("converter.type", "value"));
        return F.textNode(j.asJsonSchema(s).toString());
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
        if (v instanceof String s) return o.put("s", new String(s.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8));
        if (v instanceof byte[] b) return o.put("b", b);
        if (v instanceof java.nio.ByteBuffer b) return o.put("b", Arrays.copyOfRange(b.array(), b.arrayOffset() + b.position(), b.arrayOffset() + b.limit()));
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
                Map<Object, Object> m = new LinkedHashMap<>();
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
