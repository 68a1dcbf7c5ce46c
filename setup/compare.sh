#!/bin/sh
# Plays the REST scenarios to Apache Kafka Connect and writes its answers, and has its workers write records and an
# offsets file; the tests compare weir's with all of them. SCENARIO=word plays only those whose names hold it.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"
. "$root/setup/claim.sh"
cd "$root"
WEIR_COMPARE=apache WEIR_SCENARIO=${SCENARIO:-} cargo test --workspace --test scenarios -- weir_answers --nocapture 9>&-
[ -n "${SCENARIO:-}" ] || cargo test --workspace --test distributed -- --ignored recorded:: 9>&-
git --no-pager diff --stat -- tests/scenarios runtime/core/tests/golden
