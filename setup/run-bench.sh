#!/bin/sh
# Runs the workspace's benchmarks against the release build. BENCH='word ...' narrows.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"
cd "$root"
mkdir -p out
# shellcheck disable=SC2086 # one word per filter
cargo bench --workspace --benches -- ${BENCH:-}
