import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.source.ExactlyOnceSupport;
import org.apache.kafka.connect.source.SourceConnector;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;

/** A source whose offsets are of every kind that Connect can store, and that fails where its configuration says so. */
public class RecordedSource extends SourceConnector {
    private Map<String, String> properties;

    @Override
    public String version() {
        return "1.0";
    }

    @Override
    public void start(Map<String, String> properties) {
        this.properties = properties;
        if ("connector".equals(properties.get("fails"))) {
            throw new ConnectException("the connector does as it was told");
        }
    }

    @Override
    public Class<? extends Task> taskClass() {
        return RecordedTask.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int maxTasks) {
        List<Map<String, String>> configs = new ArrayList<>();
        for (int task = 0; task < maxTasks; task++) {
            Map<String, String> config = new LinkedHashMap<>(properties);
            config.put("task", String.valueOf(task));
            configs.add(config);
        }
        return configs;
    }

    @Override
    public void stop() {}

    @Override
    public ConfigDef config() {
        return new ConfigDef();
    }

    @Override
    public ExactlyOnceSupport exactlyOnceSupport(Map<String, String> properties) {
        return ExactlyOnceSupport.SUPPORTED;
    }

    /** Brings its records once. */
    public static class RecordedTask extends SourceTask {
        private Map<String, String> properties;
        private boolean brought;

        @Override
        public String version() {
            return "1.0";
        }

        @Override
        public void start(Map<String, String> properties) {
            this.properties = properties;
        }

        @Override
        public List<SourceRecord> poll() throws InterruptedException {
            if (brought) {
                Thread.sleep(50);
                return null;
            }
            if ("task".equals(properties.get("fails"))) {
                throw new ConnectException("the task does as it was told\n\t\"twice\"", new RuntimeException("\u00fcber"));
            }
            brought = true;
            String task = properties.get("task");
            List<SourceRecord> records = new ArrayList<>();
            records.add(record(map("file", "in-" + task + ".txt"), map("position", 12L)));
            records.add(record(map("table", "orders", "shard", 1, "task", task), map("lsn", 12345678901L, "snapshot", true)));
            records.add(record(map("task", task, "shard", 1, "table", "orders"), map("lsn", -1L, "snapshot", false)));
            records.add(record(map("task", task, "none", null, "ratio", 0.5, "whole", 2.0), map()));
            records.add(record(
                    map("task", task, "path", "C:\\a/b \"c\" \u00fc\u20ac\ud83d\ude00\u2028\t\u0001\u001f\u007f"),
                    map("text", "\n\r\b\f</script>", "bytes", new byte[] {0, 1, (byte) 0xff}, "none", null)));
            records.add(record(
                    map("task", task, "numbers", true),
                    map("byte", (byte) -1, "short", (short) 300, "int", Integer.MIN_VALUE, "long", Long.MAX_VALUE,
                            "float", 0.1f, "double", 1.0E300, "small", 1.0E-5, "large", 1.0E7, "zero", -0.0)));
            records.add(record(map("task", task, "given", "up"), null));
            return records;
        }

        private SourceRecord record(Map<String, Object> partition, Map<String, Object> offset) {
            return new SourceRecord(partition, offset, properties.get("topic"), Schema.STRING_SCHEMA, "row");
        }

        private static Map<String, Object> map(Object... entries) {
            Map<String, Object> map = new LinkedHashMap<>();
            for (int at = 0; at < entries.length; at += 2) {
                map.put((String) entries[at], entries[at + 1]);
            }
            return map;
        }

        @Override
        public void stop() {}
    }
}
