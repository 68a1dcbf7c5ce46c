#!/bin/sh
# Brings Apicurio Registry through Maven into the cache: a schema registry for the tests. The folder appears whole or not
# at all; nothing is done when it is there.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"

[ -e "$apicurio_home" ] && exit 0

echo "weir set-up: fetching Apicurio Registry $apicurio_version with Maven"
mkdir -p "$cache"
work=$(mktemp -d "$cache/apicurio.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The archive alone, as the parent of its pom is not in every repository: only this old version of the plugin does not
# look for the parent of what it is told to take without dependencies.
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:2.8:get -Dtransitive=false \
    -Dartifact="io.apicurio:apicurio-registry-app:$apicurio_version:tar.gz:all" -Ddest="$work/apicurio.tar.gz" \
    >"$work/mvn.log" 2>&1 || {
    cat "$work/mvn.log" >&2
    echo "weir set-up: Maven could not fetch Apicurio. Check that mvn reaches its repository (a proxy or mirror belongs in ~/.m2/settings.xml), then run make again" >&2
    exit 1
}
mkdir "$work/home"
tar -xzf "$work/apicurio.tar.gz" -C "$work/home"
chmod 755 "$work/home"
# Whoever comes second finds the folder there and leaves it.
mv -T "$work/home" "$apicurio_home" 2>/dev/null || [ -e "$apicurio_home" ]
