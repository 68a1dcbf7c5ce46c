#!/bin/sh
# The main job on the embedded store: a file of weather observations, through a transformation into a topic, and out of
# the topic into a file. Prints what arrived and checks it. Run by make demo, after the build.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
weir=$root/out/weir
dir=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo.XXXXXX")
observations=$root/examples/weather/data/seattle-weather.csv
days=$dir/observations.csv
rainy=$dir/rainy-days.txt
mkdir "$dir/plugins"
cp "$root/out/guests/weather.wasm" "$dir/plugins/"
cp "$observations" "$days"

cat >"$dir/worker.properties" <<END
bootstrap.servers=local:$dir/data
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
offset.flush.interval.ms=1000
plugin.path=$dir/plugins
END
sed "s|/tmp/seattle-weather.csv|$days|" "$root/examples/weather/connector.json" >"$dir/source.json"
cat >"$dir/sink.json" <<END
{"name": "rainy-days", "config": {"connector.class": "FileStreamSink", "topics": "rainy-days", "file": "$rainy",
 "value.converter": "org.apache.kafka.connect.storage.StringConverter"}}
END

expected=$(awk -F, 'NR > 1 && $2 > 0' "$observations" | wc -l | tr -d ' ')
echo "$weir standalone $dir/worker.properties $dir/source.json $dir/sink.json"
"$weir" standalone "$dir/worker.properties" "$dir/source.json" "$dir/sink.json" 2>"$dir/weir.log" &
worker=$!
trap 'kill "$worker" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

# arrived N: waits until N lines stand in the sink's file.
arrived() {
    left=300
    while [ "$(cat "$rainy" 2>/dev/null | wc -l)" -lt "$1" ]; do
        left=$((left - 1))
        if [ "$left" -eq 0 ] || ! kill -0 "$worker" 2>/dev/null; then
            echo "demo: waited in vain for $1 lines in $rainy; the worker said:" >&2
            cat "$dir/weir.log" >&2
            exit 1
        fi
        sleep 0.1
    done
}

arrived "$expected"
echo "2016-01-01,7.6,6.1,2.2,4.1,rain" >>"$days"
echo "2016-01-02,0.0,5.0,1.1,2.9,sun" >>"$days"
echo "2016-01-03,1.3,4.4,0.6,3.3,rain" >>"$days"
arrived $((expected + 2))

total=$(wc -l <"$rainy" | tr -d ' ')
first='{"date":"2012-01-02","rain_inches":0.43,"warmest_fahrenheit":51.08,"coldest_fahrenheit":37.04,"wind_miles_per_hour":10.07,"weather":"rain"}'
last='{"date":"2016-01-03","rain_inches":0.05,"warmest_fahrenheit":39.92,"coldest_fahrenheit":33.08,"wind_miles_per_hour":7.38,"weather":"rain"}'
echo
echo "of $(awk 'END { print NR - 1 }' "$days") days $total had rain; the first and last in $rainy:"
head -n 1 "$rainy"
tail -n 1 "$rainy"
[ "$total" -eq $((expected + 2)) ] || { echo "demo: $total lines, $((expected + 2)) were expected" >&2; exit 1; }
[ "$(head -n 1 "$rainy")" = "$first" ] || { echo "demo: expected first: $first" >&2; exit 1; }
[ "$(tail -n 1 "$rainy")" = "$last" ] || { echo "demo: expected last: $last" >&2; exit 1; }

if [ -t 1 ] && [ -z "${CI:-}" ]; then
    echo
    echo "The worker runs on (process $worker, log $dir/weir.log): append lines to $days and look at $rainy."
    echo "Ctrl-C stops it."
    wait "$worker" || true
else
    kill "$worker"
    wait "$worker" || true
    rm -rf "$dir"
fi
