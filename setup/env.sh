# Sourced by every script here: where things are kept. Needs $root, the clone's folder; installs nothing.
# shellcheck shell=sh
# shellcheck disable=SC2154,SC2034 # root is set, and the rest used, by whoever sources this

cache="${XDG_CACHE_HOME:-$HOME/.cache}/weir"
kafka_version=4.3.1
kafka_home="$cache/kafka-$kafka_version"
apicurio_version=3.0.9 # from 3.3 on it asks for Java 21
apicurio_home="$cache/apicurio-$apicurio_version"
tools="$cache/tools"
deny_version=0.20.2
java_least=17
python_least=11 # of Python 3: what kpops and schemathesis ask for
# Another list of packages is another environment.
python_home="$cache/python-$(cksum <"$root/setup/python-packages.txt" | cut -d ' ' -f 1)"

PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$tools/bin:$PATH"
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
WEIR_GUESTS_DIR="$root/out/guests" # the server embeds its stock plugins from here
WEIR_KAFKA_HOME="$kafka_home"      # libs/*.jar and log4j2.properties, for the tests
WEIR_APICURIO_HOME="$apicurio_home" # a schema registry, for the tests
WEIR_PYTHON="$python_home/bin/python" # with the clients of tests/clients
export PATH CARGO_TARGET_DIR WEIR_GUESTS_DIR WEIR_KAFKA_HOME WEIR_APICURIO_HOME WEIR_PYTHON

# toolchain_value KEY: the words of one key of rust-toolchain.toml, comma separated.
toolchain_value() {
    sed -n "s/^$1 *= *//p" "$root/rust-toolchain.toml" | tr -d '[]" '
}

# java_version HOME: the major version of the JDK there; nothing when none is there.
java_version() {
    [ -x "$1/bin/javac" ] && [ -r "$1/release" ] &&
        sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release"
}

# Prints the home of a JDK that is new enough: JAVA_HOME, then the one on PATH, then the system's others.
find_java() {
    on_path=$(command -v javac) && on_path=$(readlink -f "$on_path") && on_path=${on_path%/bin/javac}
    for home in "${JAVA_HOME:-}" "$on_path" /usr/lib/jvm/*; do
        version=$(java_version "$home") || continue
        [ "${version:-0}" -ge "$java_least" ] && echo "$home" && return
    done
    return 1
}

# Prints a Python that is new enough and can make environments.
find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        "$python" -c "import ensurepip, sys; sys.exit(sys.version_info < (3, $python_least))" 2>/dev/null || continue
        command -v "$python"
        return
    done
    return 1
}

if java_home=$(find_java); then
    JAVA_HOME=$java_home
    PATH="$JAVA_HOME/bin:$PATH"
    export JAVA_HOME PATH
fi
