// What Java's producers, consumers and admin clients define as their settings, one JSON object a line: the clients that
// define it (P, C, A), and its ConfigDef entry. `make compare` writes it where weir reads it.

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

import com.fasterxml.jackson.databind.ObjectMapper;

import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;

public class ClientKeys {
    public static void main(String[] arguments) throws Exception {
        Map<String, ConfigDef> clients = new LinkedHashMap<>();
        clients.put("P", ProducerConfig.configDef());
        clients.put("C", ConsumerConfig.configDef());
        clients.put("A", AdminClientConfig.configDef());
        ObjectMapper json = new ObjectMapper();
        // By name, then by what is said of it: the clients that say the same stand in one line.
        Map<String, Map<String, String>> keys = new TreeMap<>();
        for (Map.Entry<String, ConfigDef> client : clients.entrySet()) {
            for (ConfigDef.ConfigKey key : client.getValue().configKeys().values()) {
                String text = json.writeValueAsString(entry(key));
                keys.computeIfAbsent(key.name, name -> new LinkedHashMap<>()).merge(text, client.getKey(), String::concat);
            }
        }
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (Map<String, String> same : keys.values()) {
            same.forEach((text, of) -> out.println("{\"clients\":\"" + of + "\"," + text.substring(1)));
        }
    }

    private static Map<String, Object> entry(ConfigDef.ConfigKey key) {
        boolean required = ConfigDef.NO_DEFAULT_VALUE.equals(key.defaultValue);
        if (key.orderInGroup != -1 || key.width != ConfigDef.Width.NONE
                || !key.displayName.equals(key.name) || !key.dependents.isEmpty()) {
            throw new IllegalStateException(key.name + " has an order, width, display name or dependents");
        }
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("name", key.name);
        entry.put("type", key.type.name());
        entry.put("importance", key.importance.name());
        if (required) {
            entry.put("required", true);
        } else {
            entry.put("default", ConfigDef.convertToString(key.defaultValue, key.type));
        }
        entry.put("documentation", key.documentation);
        if (key.group != null) {
            entry.put("group", key.group);
        }
        return entry;
    }
}
