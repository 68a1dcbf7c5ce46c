// Prints what Apache Connect's own classes make of group membership: rounds of its assignor, and its bytes.
package org.apache.kafka.connect.runtime.distributed;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.*;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.common.utils.*;
import org.apache.kafka.connect.runtime.distributed.WorkerCoordinator.ConnectorsAndTasks;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.util.ConnectorTaskId;

public class GroupGolden {
    static final ObjectMapper M = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        if (args[0].equals("bytes")) bytes();
        else for (long seed = 0; seed < Long.parseLong(args[1]); seed++) System.out.println(M.writeValueAsString(history(seed)));
    }

    static class Work {
        TreeSet<String> connectors = new TreeSet<>();
        TreeSet<ConnectorTaskId> tasks = new TreeSet<>();
    }

    static ObjectNode json(Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
        ObjectNode n = M.createObjectNode();
        new TreeSet<>(connectors).forEach(n.putArray("connectors")::add);
        new TreeSet<>(tasks).forEach(t -> n.withArray("/tasks").add(t.toString()));
        if (!n.has("tasks")) n.putArray("tasks");
        return n;
    }

    // Members come, go, come back empty, miss assignments or keep what was revoked; connectors come, go and change size.
    static ObjectNode history(long seed) {
        Random r = new Random(seed);
        long[] now = {1_000_000};
        Time time = (Time) Proxy.newProxyInstance(Time.class.getClassLoader(), new Class[] {Time.class}, (p, m, a) -> {
            if (m.getName().equals("milliseconds")) return now[0];
            throw new UnsupportedOperationException(m.getName());
        });
        int maxDelay = new int[] {0, 300_000, 5_000}[r.nextInt(3)];
        var assignor = new IncrementalCooperativeAssignor(new LogContext(), time, maxDelay);
        // Names whose order by hash is their order by letter, so that Java's hash sets do not decide.
        List<String> names = List.of("a", "b", "c", "d", "e", "f");
        TreeMap<String, Work> members = new TreeMap<>();
        TreeMap<String, Integer> connectors = new TreeMap<>();
        for (int i = r.nextInt(4); i >= 0; i--) members.put(names.get(i), new Work());
        for (int i = r.nextInt(5); i >= 0; i--) connectors.put("c" + i, r.nextInt(5));
        ObjectNode out = M.createObjectNode().put("max_delay", maxDelay);
        ArrayNode rounds = out.putArray("rounds");
        int generation = 0, completed = -1;
        for (int round = 0; round < 10; round++) {
            generation++;
            ObjectNode n = rounds.addObject().put("now", now[0]).put("completed", completed).put("generation", generation);
            connectors.forEach(n.putObject("configured")::put);
            ObjectNode came = n.putObject("members");
            TreeMap<String, ConnectorsAndTasks> active = new TreeMap<>();
            members.forEach((m, w) -> {
                came.set(m, json(w.connectors, w.tasks));
                active.put(m, new ConnectorsAndTasks.Builder().with(w.connectors, w.tasks).build());
            });
            Map<ConnectorTaskId, Map<String, String>> tasks = new HashMap<>();
            Map<String, Map<String, String>> configs = new HashMap<>();
            connectors.forEach((c, t) -> {
                configs.put(c, Map.of());
                for (int i = 0; i < t; i++) tasks.put(new ConnectorTaskId(c, i), Map.of());
            });
            var state = new ClusterConfigState(0, null, connectors, configs, Map.of(), tasks, Map.of(), Map.of(), Map.of(), Set.of(), Set.of());
            var made = assignor.performTaskAssignment(state, completed, generation, active);
            n.put("delay", assignor.delay);
            ObjectNode assigned = n.putObject("assigned"), revoked = n.putObject("revoked");
            boolean lostSync = r.nextInt(8) == 0;
            if (!lostSync) completed = generation;
            for (String m : List.copyOf(members.keySet())) {
                assigned.set(m, json(made.newlyAssignedConnectors(m), made.newlyAssignedTasks(m)));
                revoked.set(m, json(made.newlyRevokedConnectors(m), made.newlyRevokedTasks(m)));
                Work w = members.get(m);
                if (lostSync || r.nextInt(12) == 0) continue; // it never heard
                if (r.nextInt(15) != 0) {
                    w.connectors.removeAll(made.newlyRevokedConnectors(m));
                    w.tasks.removeAll(made.newlyRevokedTasks(m));
                }
                w.connectors.addAll(made.newlyAssignedConnectors(m));
                w.tasks.addAll(made.newlyAssignedTasks(m));
            }
            switch (r.nextInt(7)) {
                case 0 -> members.put(names.get(r.nextInt(names.size())), new Work());
                case 1 -> { if (members.size() > 1) members.remove(List.copyOf(members.keySet()).get(r.nextInt(members.size()))); }
                case 2 -> connectors.put("c" + r.nextInt(7), r.nextInt(6));
                case 3 -> { if (connectors.size() > 0) connectors.remove(List.copyOf(connectors.keySet()).get(r.nextInt(connectors.size()))); }
                default -> { }
            }
            now[0] += new long[] {10, 500, 6_000, 310_000}[r.nextInt(4)];
        }
        return out;
    }

    static String hex(ByteBuffer b) {
        StringBuilder s = new StringBuilder();
        while (b.hasRemaining()) s.append(String.format("%02x", b.get()));
        return s.toString();
    }

    static void bytes() throws Exception {
        List<ConnectorTaskId> tasks = List.of(new ConnectorTaskId("one", 0), new ConnectorTaskId("one", 1), new ConnectorTaskId("two", 3));
        for (short version = 0; version <= 2; version++) {
            for (int shape = 0; shape < 4; shape++) {
                List<String> connectors = shape == 0 ? List.of() : List.of("d\u00e9j\u00e0", "one");
                List<ConnectorTaskId> some = shape == 0 ? List.of() : tasks;
                List<String> gone = shape < 2 ? List.of() : List.of("gone");
                List<ConnectorTaskId> goneTasks = shape < 2 ? List.of() : List.of(new ConnectorTaskId("gone", 0), new ConnectorTaskId("kept", 2));
                short error = (short) (shape == 3 ? 1 : 0);
                int delay = shape == 2 ? 299_999 : 0;
                String leader = "connect-1-uuid", url = "http://h:8083/";
                var a = new ExtendedAssignment(version, error, leader, url, 42L, connectors, some, gone, goneTasks, delay);
                ObjectNode n = M.createObjectNode().put("version", version).put("error", error).put("leader", leader).put("url", url).put("offset", 42).put("delay", version == 0 ? 0 : delay);
                n.set("assigned", json(connectors, some));
                n.set("revoked", version == 0 ? json(List.of(), List.of()) : json(gone, goneTasks));
                n.put("assignment", hex(version == 0 ? ConnectProtocol.serializeAssignment(a) : IncrementalCooperativeConnectProtocol.serializeAssignment(a, version == 2)));
                var held = shape == 0 ? ExtendedAssignment.empty() : a;
                n.put("held", shape != 0);
                n.put("metadata", hex(version == 0
                        ? ConnectProtocol.serializeMetadata(new ConnectProtocol.WorkerState(url, 7L))
                        : IncrementalCooperativeConnectProtocol.serializeMetadata(new ExtendedWorkerState(url, 7L, held), version == 2)));
                System.out.println(M.writeValueAsString(n));
            }
        }
    }
}
