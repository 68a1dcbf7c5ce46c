#!/bin/sh
# Installs what is missing of the named pieces, or says how to: build, java, kafka, registry, python, prometheus, deny.
# As root on Debian or Ubuntu it installs; elsewhere it names the command and fails. Quick when nothing is missing.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"

fail() {
    echo "weir set-up: $*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

want() {
    for piece in "$@"; do
        case " $wanted " in
            *" $piece "*) return 0 ;;
        esac
    done
    return 1
}

wanted="$*"
[ -n "$wanted" ] || fail "name the pieces: build, java, kafka, registry, python, prometheus, deny"
for piece; do
    case $piece in
        build | java | kafka | registry | python | prometheus | deny) ;;
        *) fail "no piece is called $piece; there are build, java, kafka, registry, python, prometheus, deny" ;;
    esac
done
if want kafka registry; then wanted="$wanted java"; fi
if want deny; then wanted="$wanted build"; fi

# System packages: all in one apt-get call, so that a bare system updates its lists once.
missing=
lack() { missing="$missing $*"; }
if want build; then
    { have cc && have c++ && have make; } || lack build-essential
    have cmake || lack cmake
    have perl || lack perl
    have curl || lack curl
    have git || lack git
    have flock || lack util-linux
    [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -n "${SSL_CERT_FILE:-}" ] || lack ca-certificates
    # For librdkafka; it includes libcurl's header even when it is built without it.
    for library in openssl:libssl-dev zlib:zlib1g-dev libcurl:libcurl4-openssl-dev; do
        { have pkg-config && pkg-config --exists "${library%:*}"; } || lack "${library#*:}"
    done
    have pkg-config || lack pkg-config
fi
if want java; then
    find_java >/dev/null || lack jdk
    have mvn || lack maven
fi
if want python; then
    find_python >/dev/null || lack venv
fi
if want prometheus; then
    { have prometheus && have promtool; } || lack prometheus
fi

# jdk_package: the oldest packaged JDK that Kafka takes; newer releases of Debian no longer have 17.
jdk_package() {
    for version in 17 21 25; do
        if apt-cache show "openjdk-$version-jdk-headless" >/dev/null 2>&1; then
            echo "openjdk-$version-jdk-headless"
            return
        fi
    done
    echo default-jdk-headless
}

# venv_package: what brings a Python that is new enough, with its module venv; older releases have a second one.
venv_package() {
    case $(apt-cache policy python3 2>/dev/null | sed -n 's/ *Candidate: 3\.\([0-9]*\).*/\1/p') in
        [0-9] | 10) echo "python3.$python_least-venv" ;;
        *) echo python3-venv ;;
    esac
}

# packages: what is missing, by the names that this system's packages have.
packages() {
    echo "$missing" | sed "s/ jdk/ $(jdk_package)/; s/ venv/ $(venv_package)/"
}

if [ -n "$missing" ]; then
    if ! have apt-get; then
        fail "missing:$missing (names of Debian's packages; jdk is a JDK of version $java_least or newer, venv is Python 3.$python_least or newer with its module venv). Install them with your system's package manager, then run make again"
    fi
    if [ "$(id -u)" != 0 ]; then
        fail "missing:$(packages). Install with: sudo apt-get update && sudo apt-get install -y --no-install-recommends$(packages)"
    fi
    echo "weir set-up: installing$missing"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get update -q || fail "apt-get update failed. Mend /etc/apt/sources.list or the network, then run make again"
    # shellcheck disable=SC2046 # one word per package
    apt-get install -y -q --no-install-recommends $(packages) ||
        fail "apt-get could not install$missing. Run the command above by hand to see why"
    case " $missing " in
        # Debian starts what it installs, and again with the system. The tests start their own.
        *" prometheus "*) { service prometheus stop && update-rc.d prometheus disable; } >/dev/null 2>&1 || true ;;
    esac
fi

if want build; then
    installer="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain none --no-modify-path"
    if ! have rustup; then
        if [ "$(id -u)" != 0 ] || ! have apt-get; then
            fail "rustup is missing. Install with: $installer"
        fi
        echo "weir set-up: installing rustup"
        { sh -c "$installer" && have rustup; } ||
            fail "rustup could not be installed. Install it by hand, then run make again: $installer"
    fi

    channel=$(toolchain_value channel)
    target=$(toolchain_value targets)
    ready=
    for home in "${RUSTUP_HOME:-$HOME/.rustup}/toolchains/$channel"-*; do
        [ -x "$home/bin/cargo-clippy" ] && [ -x "$home/bin/rustfmt" ] && [ -d "$home/lib/rustlib/$target" ] && ready=1
    done
    if [ -z "$ready" ]; then
        echo "weir set-up: installing Rust $channel"
        set -- rustup toolchain install "$channel" --no-self-update --profile "$(toolchain_value profile)" \
            --component "$(toolchain_value components)" --target "$target"
        "$@" || fail "Rust $channel could not be installed. See the message above; the command was: $*"
    fi
fi

if want kafka; then
    "$root/setup/kafka.sh"
fi

if want registry; then
    "$root/setup/registry.sh"
fi

if want python; then
    "$root/setup/python.sh"
fi

if want deny && [ ! -e "$tools/cargo-deny-$deny_version" ]; then
    echo "weir set-up: installing cargo-deny $deny_version (a few minutes, once)"
    # A target directory of its own, and optimised just enough: it runs for seconds and would build for many minutes.
    (cd "$root" && export CARGO_TARGET_DIR="$tools/target" CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=false &&
        cargo install --locked --quiet --force --root "$tools" "cargo-deny@$deny_version") ||
        fail "cargo-deny could not be built. See the message above; the command was: cargo install --locked cargo-deny@$deny_version"
    rm -rf "$tools/target"
    touch "$tools/cargo-deny-$deny_version"
fi
