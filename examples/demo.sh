#!/bin/sh
# The main job on the embedded store, over REST: a worker that knows nothing of weather gets the weather plugin uploaded,
# then runs file -> weather -> topic -> transformation -> file. Prints what arrived, the status and a few metrics, and
# checks them. Run by make demo, after the build. At a terminal the worker runs on, and what it made stays until the next
# demo; elsewhere nothing stays, however it ends.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
weir=$root/out/weir
interactive=
if [ -t 1 ] && [ -z "${CI:-}" ]; then
    interactive=yes
    dir=${XDG_CACHE_HOME:-$HOME/.cache}/weir/demo
    mkdir -p "$dir"
    exec 7<"$dir" # the worker holds it, too
    flock -n 7 || {
        echo "demo: the worker of another demo runs on $dir: stop it first" >&2
        exit 1
    }
    rm -rf "${dir:?}"/*
else
    dir=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo.XXXXXX")
fi
worker=
finish() {
    if [ -n "$worker" ]; then
        kill "$worker" 2>/dev/null || true
        wait "$worker" || true
    fi
    [ -n "$interactive" ] || rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM
observations=$root/examples/weather/data/seattle-weather.csv
days=$dir/observations.csv
rainy=$dir/rainy-days.txt
cp "$observations" "$days"

cat >"$dir/worker.properties" <<END
bootstrap.servers=local:$dir/data
listeners=http://127.0.0.1:${DEMO_PORT:-0}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
offset.flush.interval.ms=1000
sandbox.path.ceiling=$dir
END
sed "s|/tmp/seattle-weather.csv|$days|" "$root/examples/weather/connector.json" >"$dir/source.json"
cat >"$dir/sink.json" <<END
{"name": "rainy-days", "config": {"connector.class": "FileStreamSink", "topics": "rainy-days", "file": "$rainy",
 "value.converter": "org.apache.kafka.connect.storage.StringConverter",
 "transforms": "unwanted,day",
 "transforms.unwanted.type": "org.apache.kafka.connect.transforms.Filter",
 "transforms.unwanted.predicate": "elsewhere",
 "transforms.day.type": "RegexRouter", "transforms.day.regex": "(.*)-days", "transforms.day.replacement": "\$1",
 "predicates": "elsewhere",
 "predicates.elsewhere.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
 "predicates.elsewhere.pattern": "snowy-.*"}}
END

say() {
    printf '\n%s\n' "$*"
}

"$weir" standalone "$dir/worker.properties" 2>"$dir/weir.log" &
worker=$!

give_up() {
    echo "demo: $*; the worker said:" >&2
    cat "$dir/weir.log" >&2
    exit 1
}

# until WHAT COMMAND...: waits until the command succeeds, half a minute at most.
until_holds() {
    what=$1
    shift
    left=300
    until "$@"; do
        left=$((left - 1))
        if [ "$left" -eq 0 ] || ! kill -0 "$worker" 2>/dev/null; then
            give_up "waited in vain for $what"
        fi
        sleep 0.1
    done
}

listens() {
    port=$(sed -n 's/.*REST listens.*address=[^ ]*:\([0-9]*\).*/\1/p' "$dir/weir.log" | tail -n 1)
    [ -n "$port" ] && url=http://127.0.0.1:$port && curl -sf "$url/health" >/dev/null
}

arrived() {
    [ "$(cat "$rainy" 2>/dev/null | wc -l)" -ge "$1" ]
}

# ask ARGUMENTS...: a request that must succeed; what was answered is printed.
ask() {
    curl -sS --fail-with-body "$@" || give_up "curl $*"
    echo
}

# The beginning of a long answer.
shorten() {
    sed 's/^\(.\{200\}\).*/\1.../'
}

until_holds "the worker" listens
say "The worker serves $url and knows nothing of weather. Uploading examples/weather:"
echo "curl -X POST -H 'Content-Type: application/wasm' --data-binary @out/guests/weather.wasm $url/connector-plugins"
ask -X POST -H 'Content-Type: application/wasm' --data-binary "@$root/out/guests/weather.wasm" "$url/connector-plugins" |
    shorten
say "Creating a source with that transformation, and a sink:"
for connector in source sink; do
    echo "curl -X POST -H 'Content-Type: application/json' -d @$connector.json $url/connectors"
    ask -X POST -H 'Content-Type: application/json' -d "@$dir/$connector.json" "$url/connectors" | shorten
done

expected=$(awk -F, 'NR > 1 && $2 > 0' "$observations" | wc -l | tr -d ' ')
until_holds "$expected lines in $rainy" arrived "$expected"
echo "2016-01-01,7.6,6.1,2.2,4.1,rain" >>"$days"
echo "2016-01-02,0.0,5.0,1.1,2.9,sun" >>"$days"
echo "2016-01-03,1.3,4.4,0.6,3.3,rain" >>"$days"
until_holds "two more lines in $rainy" arrived $((expected + 2))

total=$(wc -l <"$rainy" | tr -d ' ')
first='{"date":"2012-01-02","rain_inches":0.43,"warmest_fahrenheit":51.08,"coldest_fahrenheit":37.04,"wind_miles_per_hour":10.07,"weather":"rain"}'
last='{"date":"2016-01-03","rain_inches":0.05,"warmest_fahrenheit":39.92,"coldest_fahrenheit":33.08,"wind_miles_per_hour":7.38,"weather":"rain"}'
say "Of $(awk 'END { print NR - 1 }' "$days") days $total had rain; the first and last in $rainy:"
head -n 1 "$rainy"
tail -n 1 "$rainy"
say "curl $url/connectors/rainy-days/status"
status=$(ask "$url/connectors/rainy-days/status")
echo "$status"
say "curl $url/metrics (some of it)"
metrics=$(ask "$url/metrics")
echo "$metrics" | grep -E '^(kafka_connect_s(ource|ink)_task_metrics_.*record_.*_total|weir_guest_|weir_task_guest_(cpu|memory_peak)|process_resident)'

[ "$total" -eq $((expected + 2)) ] || give_up "$total lines, $((expected + 2)) were expected"
[ "$(head -n 1 "$rainy")" = "$first" ] || give_up "expected first: $first"
[ "$(tail -n 1 "$rainy")" = "$last" ] || give_up "expected last: $last"
case $status in
    *'"connector":{"state":"RUNNING"'*'"tasks":[{"id":0,"state":"RUNNING"'*) ;;
    *) give_up "the sink does not run" ;;
esac
echo "$metrics" | grep -q "sink_record_send_total{connector=\"rainy-days\",task=\"0\"} $total\$" ||
    give_up "the metrics do not count $total records"
dry=$(($(wc -l <"$days") - 1 - total))
echo "$metrics" | grep -q "guest_counter_dry_days_total{connector=\"weather\",task=\"0\",tenant=\"\"} $dry\$" ||
    give_up "the plugin's own metrics do not count $dry dry days"

if [ -n "$interactive" ]; then
    say "The worker runs on (process $worker, log $dir/weir.log): append lines to $days and look at $rainy."
    echo "Try: curl -X PUT $url/connectors/rainy-days/pause, or open $url/metrics. Ctrl-C stops it."
    wait "$worker" || true
fi
