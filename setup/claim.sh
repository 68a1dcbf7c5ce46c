# Sourced after env.sh: takes part in the target directory, which all clones share, until the script ends (descriptor 9).
# shellcheck shell=sh
# shellcheck disable=SC2154 # root is set by whoever sources this

# Cargo names its files by paths inside the workspace and compares times only: after another clone built there, it
# would take that clone's code for ours, and running tests would see their binaries replaced. So one clone owns the
# directory at a time; its scripts share a lock, and a change of owner waits for them and makes all sources look new.
owner="$CARGO_TARGET_DIR/weir.owner"
mkdir -p "$CARGO_TARGET_DIR"
exec 9>"$CARGO_TARGET_DIR/weir.lock"
flock -s 9
while [ "$(cat "$owner" 2>/dev/null)" != "$root" ]; do
    flock -u 9
    flock -n -x 9 || {
        echo "weir: waiting for a run of $(cat "$owner"). To build beside it, set CARGO_TARGET_DIR to another folder" >&2
        flock -x 9
    }
    find "$root" \( -name .git -o -path "$root/out" -o -path "$CARGO_TARGET_DIR" \) -prune -o -type f -exec touch {} +
    echo "$root" >"$owner"
    flock -s 9
done
