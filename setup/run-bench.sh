#!/bin/sh
# Runs the workspace's benchmarks against the release build. BENCH='word ...' narrows.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"
. "$root/setup/claim.sh"
cd "$root"
# shellcheck disable=SC2086 # one word per filter
cargo bench --workspace --bench '*' -- ${BENCH:-} 9>&-
