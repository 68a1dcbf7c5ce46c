#!/bin/sh
# Builds and copies into out/: guests (always), and after them the rest of the workspace.
# usage: setup/build.sh guests | dev | release | uncounted
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"
. "$root/setup/claim.sh"
cd "$root"

what=${1:-dev}
guest_target=$(toolchain_value targets)
mkdir -p "$WEIR_GUESTS_DIR"
exec 8>out/build.lock # what a build made is copied before the next one of this clone begins
flock 8

# copy FROM TO: only when it differs, and never half: a worker may be running from it.
copy() {
    cmp -s "$1" "$2" && return
    cp "$1" "$2.$$"
    mv -f "$2.$$" "$2"
}

has_benches() {
    cargo metadata --no-deps --format-version 1 | grep -q '"kind":\["bench"\]'
}

# name_in SECTION MANIFEST: the name that section of the manifest gives, if any.
name_in() {
    awk -v section="[$1]" '
        /^\[/ { inside = ($1 == section) }
        inside && /^name *=/ { split($0, part, "\""); print part[2]; exit }' "$2"
}

# wasm_file MANIFEST: what cargo calls the component.
wasm_file() {
    name=$(name_in lib "$1")
    [ -n "$name" ] || name=$(name_in package "$1" | tr - _)
    echo "$name.wasm"
}

set --
for manifest in runtime/plugins/*/Cargo.toml examples/*/Cargo.toml tests/guests/*/Cargo.toml; do
    [ -e "$manifest" ] && set -- "$@" -p "$(name_in package "$manifest")"
done
if [ $# -gt 0 ]; then
    cargo build --profile guest --target "$guest_target" "$@"
fi
kept=
for manifest in runtime/plugins/*/Cargo.toml examples/*/Cargo.toml tests/guests/*/Cargo.toml; do
    [ -e "$manifest" ] || continue
    file=$(wasm_file "$manifest")
    built="$CARGO_TARGET_DIR/$guest_target/guest/$file"
    [ -e "$built" ] || {
        echo "weir build: ${manifest%/Cargo.toml} made no $file. Add crate-type = [\"cdylib\", \"rlib\"] to [lib] in $manifest" >&2
        exit 1
    }
    copy "$built" "$WEIR_GUESTS_DIR/$file"
    kept="$kept $file "
done
# A guest that was renamed or removed must not live on in out/.
for file in "$WEIR_GUESTS_DIR"/*.wasm; do
    case $kept in
        *" ${file##*/} "*) ;;
        *) rm -f "$file" ;;
    esac
done

# What GET / and weir --version call this build, as Apache's do. A clone inside of another's folder is not that other one.
WEIR_COMMIT=unknown
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ] && commit=$(git rev-parse --verify HEAD 2>/dev/null); then
    WEIR_COMMIT=$(echo "$commit" | cut -c 1-16)
fi
export WEIR_COMMIT

case $what in
    guests) ;;
    dev)
        cargo build --workspace --all-targets
        copy "$CARGO_TARGET_DIR/debug/weir" out/weir
        ;;
    release)
        # Not --all-targets: nobody runs optimised unit tests, and each would be linked whole.
        if has_benches; then set -- --bench '*'; else set --; fi
        cargo build --workspace --release --bins --example yardstick "$@"
        mkdir -p out/release
        copy "$CARGO_TARGET_DIR/release/weir" out/release/weir
        copy "$CARGO_TARGET_DIR/release/examples/yardstick" out/release/yardstick
        ;;
    uncounted)
        # What counting costs is the difference to this one. With an example, so that dependencies have the same features.
        cargo build --workspace --release --bin weir --example yardstick --features weir/uncounted
        mkdir -p out/release
        copy "$CARGO_TARGET_DIR/release/weir" out/release/weir-uncounted
        ;;
    *)
        echo "weir build: no such build: $what. Say guests, dev, release or uncounted" >&2
        exit 1
        ;;
esac
