#!/bin/sh
# Makes this clone the owner of the target directory. Cargo names its files by paths inside the workspace and
# compares times only, so after another clone built there it would take that clone's code for ours.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"

owner="$CARGO_TARGET_DIR/weir.owner"
[ "$(cat "$owner" 2>/dev/null)" = "$root" ] && exit 0
mkdir -p "$CARGO_TARGET_DIR"
if [ -e "$owner" ]; then
    find "$root" \( -name .git -o -path "$root/out" \) -prune -o -type f -exec touch {} +
fi
echo "$root" >"$owner"
