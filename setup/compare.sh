#!/bin/sh
# Plays the REST scenarios to Apache Kafka Connect and writes its answers, has its workers write records and an offsets
# file, and writes down what its clients define; weir's tests compare with all of them. SCENARIO=word plays only those
# scenarios whose names hold it.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"
. "$root/setup/claim.sh"
cd "$root"
WEIR_COMPARE=apache WEIR_SCENARIO=${SCENARIO:-} cargo test --workspace --test scenarios -- weir_answers --nocapture 9>&-
[ -n "${SCENARIO:-}" ] || cargo test --workspace --test distributed -- --ignored recorded:: 9>&-
if [ -z "${SCENARIO:-}" ]; then
    keys=runtime/core/src/settings/client_keys-$kafka_version.jsonl
    java -cp "$kafka_home/libs/*" setup/ClientKeys.java > "$keys.new"
    mv "$keys.new" "$keys"
fi
git --no-pager diff --stat -- tests/scenarios runtime/core
