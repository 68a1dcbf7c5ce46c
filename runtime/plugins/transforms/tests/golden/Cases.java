// Prints random cases for Golden.java: java -cp 'libs/*' Cases.java <file> <seed> <how many>. The same seed, the same cases.
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.*;
import java.util.*;

public class Cases {
    static final JsonMapper M = JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();
    static final JsonNodeFactory F = JsonNodeFactory.instance;
    static final String T = "org.apache.kafka.connect.transforms.", D = "org.apache.kafka.connect.data.";
    static final String[] NAMES = {"a", "b", "c", "a.b", "`a`", "ts"}, HEADERS = {"h", "a", "\u00e4"};
    static final String[] TYPES = {"int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string", "bytes"};
    static final String[] TEXTS = {"", "x", "0", "1", "-1", "+7", "127", "128", "-129", "40000", "2147483648", "1.5", " 2 ", "1e3",
        "NaN", "-Infinity", "true", "TRUE", "0x10", "9223372036854775807", "9223372036854775808", "1f", "2D", "0x1p3", "-", ".",
        "1e400", "4.9e-325", "1.", ".5", "1970-01-01 00:00:00", "2024-02-29 23:59:59", "2024-13-01", "b\u00e9"};
    static final long[] LONGS = {0, 1, -1, 7, 127, 128, 255, -128, -129, 32768, 65536, 2147483647L, 2147483648L, -2147483649L,
        1L << 53, Long.MAX_VALUE, Long.MIN_VALUE, 1700000000123L, 1700000000L, -62135596800000L, 1709251199999L};
    static final double[] DOUBLES = {0, -0.0, 1, -1, 0.5, -3.99, 128, 1e10, -1e10, 1e19, -1e300, 1e-7, 3.4e38, 1e39, 0.1,
        Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.MIN_VALUE, 123456789.125};
    static final String[] FILES = {"cast", "extract_field", "headers", "schema_metadata", "timestamp_converter", "value_to_key",
        "value_to_key", "flatten", "hoist_field", "insert_field", "mask_field", "replace_field"};
    static boolean chain;
    static Random r;
    static int depth;

    public static void main(String[] args) {
        r = new Random(Long.parseLong(args[1]));
        chain = args[0].equals("random_chains");
        for (int i = Integer.parseInt(args[2]); i > 0; i--) {
            ObjectNode c = F.objectNode();
            ArrayNode steps = c.putArray("steps");
            if (chain) for (int n = r.nextInt(3) + 2; n > 0; n--) config(pick(FILES), steps.addObject());
            else config(args[0], steps.addObject());
            record(c);
            try { System.out.println(M.writeValueAsString(c)); } catch (Exception e) { throw new RuntimeException(e); }
        }
    }

    static boolean one(int of) { return r.nextInt(of) == 0; }

    static String pick(String... of) { return of[r.nextInt(of.length)]; }

    static String names(int most, String... of) {
        StringJoiner names = new StringJoiner(",");
        for (int i = r.nextInt(most) + 1; i > 0; i--) names.add(pick(of));
        return names.toString();
    }

    static String half() { return one(5) ? "$Key" : "$Value"; }

    static void config(String file, ObjectNode step) {
        String name = switch (file) {
            case "cast" -> "Cast" + half();
            case "extract_field" -> "ExtractField" + half();
            case "headers" -> chain ? pick("InsertHeader", "HeaderFrom" + half()) : pick("DropHeaders", "InsertHeader", "HeaderFrom" + half(), "predicates.HasHeaderKey");
            case "schema_metadata" -> "SetSchemaMetadata" + half();
            case "timestamp_converter" -> "TimestampConverter" + half();
            case "flatten" -> "Flatten" + half();
            case "hoist_field" -> "HoistField" + half();
            case "insert_field" -> "InsertField" + half();
            case "mask_field" -> "MaskField" + half();
            case "replace_field" -> "ReplaceField" + half();
            case "topics" -> pick("TimestampRouter", "predicates.RecordIsTombstone");
            default -> "ValueToKey";
        };
        ObjectNode c = step.put("class", T + name).putObject("config");
        switch (name.replaceAll("\\$.*", "")) {
            case "Cast" -> {
                if (one(4)) c.put("spec", pick(TYPES));
                else {
                    StringJoiner spec = new StringJoiner(",");
                    for (int i = r.nextInt(3) + 1; i > 0; i--) spec.add(pick(NAMES) + ":" + pick(Arrays.copyOf(TYPES, one(20) ? 9 : 8)));
                    c.put("spec", spec.toString());
                }
            }
            case "ExtractField" -> {
                boolean nested = one(2);
                c.put("field", nested ? pick("a.b", "a.a", "b.c", "a.b.c", "`a.b`.c", "a", "c.`a.b`", "`\\`a\\``", "a.ts") : pick(NAMES));
                if (nested) c.put("field.syntax.version", pick("V2", "v2"));
            }
            case "DropHeaders" -> c.put("headers", names(2, HEADERS));
            case "InsertHeader" -> c.put("header", pick(HEADERS)).put("value.literal", one(3) ? pick("[1, 2]", "{\"k\": 1.5}",
                "null", "2024-02-29", "12:00:00.000Z", "[1, \"x\"]", "1e2", "12345678901234567890", "false", "[]") : pick(TEXTS));
            case "HeaderFrom" -> {
                int n = r.nextInt(2) + 1;
                StringJoiner fields = new StringJoiner(","), headers = new StringJoiner(",");
                for (int i = 0; i < n; i++) { fields.add(NAMES[(r.nextInt(2) + 2 * i)]); headers.add(pick(HEADERS)); }
                c.put("fields", fields.toString()).put("headers", headers.toString()).put("operation", pick("move", "copy"));
            }
            case "SetSchemaMetadata" -> {
                if (!one(3)) c.put("schema.name", pick("N", "n.s.Name"));
                if (!one(3) || !c.has("schema.name")) c.put("schema.version", pick("1", "7", "-1"));
            }
            case "TimestampConverter" -> {
                if (!one(4)) c.put("field", pick("ts", "ts", "a"));
                c.put("target.type", pick("string", "unix", "Date", "Time", "Timestamp"));
                if (!one(6)) c.put("format", pick("yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd", "EEE, d MMM yyyy HH:mm:ss Z", "yyyyMMddHHmmssSSS"));
                if (one(2)) c.put("unix.precision", pick("seconds", "milliseconds", "microseconds", "nanoseconds"));
            }
            case "TimestampRouter" -> {
                if (one(2)) c.put("topic.format", pick("x-${timestamp}", "${topic}", "${timestamp}.${topic}.${topic}", "t-$1\\"));
                if (one(2)) c.put("timestamp.format", pick("yyyy.MM.dd.HH", "YYYY-'w'ww", "yyyyMM", "D"));
            }
            case "ValueToKey" -> c.put("fields", names(3, NAMES));
            case "HoistField" -> c.put("field", pick(NAMES));
            case "InsertField" -> c.put("static.field", pick(NAMES) + pick("", "!", "?")).put("static.value", pick(TEXTS));
            case "MaskField" -> c.put("fields", names(2, NAMES));
            case "ReplaceField" -> c.put("exclude", one(3) ? "" : pick(NAMES)).put("renames", one(2) ? "" : pick(NAMES) + ":x");
            case "predicates.HasHeaderKey" -> c.put("name", pick(HEADERS));
            default -> { }
        }
        if (one(4) && !name.contains("predicates") && !name.matches("DropHeaders|InsertHeader|TimestampRouter|(Flatten|HoistField).*"))
            c.put("replace.null.with.default", pick("true", "false"));
    }

    static void record(ObjectNode c) {
        if (c.at("/steps/0/class").asText().endsWith("Router")) {
            if (one(3)) c.put("topic", "to.p-1");
            if (!one(8)) c.put("timestamp", Math.abs(LONGS[r.nextInt(LONGS.length)] >> 12) & 0xffffffffffL);
        }
        String name = c.at("/steps/0/class").asText();
        depth = chain || name.contains("ExtractField") ? 2 : 1;
        if (name.endsWith("$Key")) datum(c, "key_schema", "key"); else datum(c, "schema", "value");
        if (chain || !name.contains("Header")) return;
        ArrayNode headers = c.putArray("headers");
        for (int i = r.nextInt(4); i > 0; i--) {
            ObjectNode schema = one(2) ? schema(1, false) : null;
            headers.addArray().add(pick(HEADERS)).add(schema == null ? F.nullNode() : schema)
                .add(schema == null ? free(2) : value(schema));
        }
    }

    static void datum(ObjectNode c, String schemaName, String valueName) {
        if (one(2)) {
            c.set(valueName, one(8) ? free(1) : map(depth - 1));
            return;
        }
        ObjectNode schema = one(5) ? schema(1, true) : struct(depth - 1);
        c.set(schemaName, schema);
        c.set(valueName, value(schema));
    }

    static JsonNode free(int depth) {
        return switch (r.nextInt(depth > 0 ? 9 : 7)) {
            case 0 -> F.nullNode();
            case 1 -> F.booleanNode(one(2));
            case 2, 3 -> F.objectNode().put("i64", LONGS[r.nextInt(LONGS.length)]);
            case 4 -> number("f64");
            case 5, 6 -> F.objectNode().put("s", pick(TEXTS));
            case 7 -> { ObjectNode o = F.objectNode(); o.putArray("a").add(free(0)).add(free(0)); yield o; }
            default -> map(depth - 1);
        };
    }

    static ObjectNode map(int depth) {
        ObjectNode o = F.objectNode();
        ArrayNode entries = o.putArray("m");
        for (String name : NAMES) if (!one(3)) entries.addArray().add(F.objectNode().put("s", name)).add(free(depth));
        return o;
    }

    static ObjectNode number(String type) {
        double d = DOUBLES[r.nextInt(DOUBLES.length)];
        if (type.equals("f32")) return F.objectNode().put(type, String.format("%08x", Float.floatToIntBits((float) d)));
        return F.objectNode().put(type, String.format("%016x", Double.doubleToLongBits(d)));
    }

    static ObjectNode struct(int depth) {
        ObjectNode s = F.objectNode().put("type", "struct").put("optional", one(4));
        if (one(2)) s.put("name", "S").put("version", r.nextInt(3)).put("doc", "d");
        ArrayNode fields = s.putArray("fields");
        for (String name : NAMES) if (!one(3)) fields.add(schema(depth, true).put("field", name));
        return s;
    }

    static ObjectNode schema(int depth, boolean defaults) {
        int kind = r.nextInt(depth > 0 ? 17 : 13);
        if (kind >= 15) return struct(depth - 1);
        ObjectNode s = F.objectNode();
        if (kind < 9) s.put("type", TYPES[kind]);
        else if (kind == 9) s.put("type", "int32").put("name", D + "Date").put("version", 1);
        else if (kind == 10) s.put("type", "int32").put("name", D + "Time").put("version", 1);
        else if (kind == 11) s.put("type", "int64").put("name", D + "Timestamp").put("version", 1);
        else if (kind == 12) s.put("type", "bytes").put("name", D + "Decimal").put("version", 1).putObject("parameters").put("scale", "2");
        else if (kind == 13) s.put("type", "array").set("items", schema(0, false));
        else {
            s.put("type", "map").set("keys", F.objectNode().put("type", "string").put("optional", false));
            s.set("values", schema(0, false));
        }
        s.put("optional", one(2));
        if (defaults && kind < 13 && one(3)) s.set("default", value(s.deepCopy().put("optional", false)));
        return s;
    }

    static JsonNode value(ObjectNode s) {
        if (s.get("optional").booleanValue() && one(4)) return F.nullNode();
        ObjectNode o = F.objectNode();
        long n = LONGS[r.nextInt(LONGS.length)];
        switch (s.path("name").asText().replace(D, "")) {
            case "Date": return o.put("date", (n % 40000) * 86400000L);
            case "Time": return o.put("date", Math.floorMod(n, 86400000L));
            case "Timestamp": return o.put("date", n >> 12);
            case "Decimal": return o.put("dec", Long.toString(n)).put("scale", 2);
            default: break;
        }
        switch (s.get("type").asText()) {
            case "int8": return o.put("i8", (byte) n);
            case "int16": return o.put("i16", (short) n);
            case "int32": return o.put("i32", (int) n);
            case "int64": return o.put("i64", n);
            case "float32": return number("f32");
            case "float64": return number("f64");
            case "boolean": return F.booleanNode(one(2));
            case "string": return o.put("s", pick(TEXTS));
            case "bytes": return o.put("b", pick("", "AA==", "3q2+7w==", "AQID"));
            case "array": { ArrayNode a = o.putArray("a"); while (!one(3)) a.add(value((ObjectNode) s.get("items"))); return o; }
            case "map": {
                ArrayNode a = o.putArray("m");
                for (String k : NAMES) if (one(3)) a.addArray().add(F.objectNode().put("s", k)).add(value((ObjectNode) s.get("values")));
                return o;
            }
            default: {
                ArrayNode a = o.putArray("st");
                for (JsonNode f : s.get("fields")) a.add(value((ObjectNode) f));
                return o;
            }
        }
    }
}
