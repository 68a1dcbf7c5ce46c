/** Kafka's AclCommand, once for each argument, whose words are its own arguments: one JVM for all of them. */
class Acls {
    public static void main(String[] commands) {
        for (String command : commands) {
            org.apache.kafka.tools.AclCommand.main(command.split(" "));
        }
    }
}
