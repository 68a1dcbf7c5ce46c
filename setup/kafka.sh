#!/bin/sh
# Brings the jars of Apache Kafka and Kafka Connect through Maven into the cache: a broker and a reference for the tests.
# The folder appears whole or not at all; nothing is done when it is there.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"

[ -e "$kafka_home" ] && exit 0

echo "weir set-up: fetching Kafka $kafka_version with Maven"
mkdir -p "$cache"
work=$(mktemp -d "$cache/kafka.XXXXXX")
trap 'rm -rf "$work"' EXIT

dependency() {
    echo "    <dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version></dependency>"
}

{
    cat <<EOF
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>weir</groupId>
  <artifactId>kafka</artifactId>
  <version>$kafka_version</version>
  <packaging>pom</packaging>
  <dependencies>
EOF
    for artifact in kafka_2.13 kafka-tools connect-runtime connect-file connect-json connect-transforms; do
        dependency org.apache.kafka "$artifact" "$kafka_version"
    done
    # What Kafka's own archive adds for its log; Maven does not know of it.
    for artifact in log4j-slf4j-impl log4j-core log4j-api; do
        dependency org.apache.logging.log4j "$artifact" 2.25.3
    done
    echo "  </dependencies>"
    echo "</project>"
} >"$work/pom.xml"

mkdir "$work/home"
mvn -q -B -f "$work/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$work/home/libs" >"$work/mvn.log" 2>&1 || {
    cat "$work/mvn.log" >&2
    echo "weir set-up: Maven could not fetch Kafka. Check that mvn reaches its repository (a proxy or mirror belongs in ~/.m2/settings.xml), then run make again" >&2
    exit 1
}

cat >"$work/home/log4j2.properties" <<'EOF'
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = ${sys:weir.log.level:-warn}
rootLogger.appenderRef.out.ref = out
EOF
chmod 755 "$work/home"
# Whoever comes second finds the folder there and leaves it.
mv -T "$work/home" "$kafka_home" 2>/dev/null || [ -e "$kafka_home" ]
