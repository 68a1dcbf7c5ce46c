#!/bin/sh
# A Kafka broker to try weir with, on localhost until Ctrl-C; then nothing of it is left. PORT=9092 and the next above are its.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"

port=${PORT:-9092}
case $port in
    '' | *[!0-9]*) echo "try-kafka: PORT=$port is no port: say a number, as PORT=9092" >&2; exit 1 ;;
esac
controller=$((port + 1))
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 0' INT TERM

cat >"$folder/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://localhost:$port,CONTROLLER://localhost:$controller
advertised.listeners=PLAINTEXT://localhost:$port
log.dirs=$folder/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
END

kafka() {
    class=$1
    shift
    java -Xmx512m -cp "$kafka_home/libs/*" -Dlog4j2.configurationFile="$kafka_home/log4j2.properties" "$class" "$@"
}

kafka kafka.tools.StorageTool format --standalone --cluster-id weirTryCluster00000000 \
    -c "$folder/server.properties" >"$folder/format.log" 2>&1 || {
    cat "$folder/format.log" >&2
    exit 1
}
echo "Kafka $kafka_version is coming up on localhost:$port; Ctrl-C ends it and forgets what is in it"
kafka kafka.Kafka "$folder/server.properties" &
broker=$!
trap 'kill "$broker" 2>/dev/null; wait "$broker"; exit 0' INT TERM
wait "$broker"
