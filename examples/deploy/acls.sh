#!/bin/sh
# Allows a worker's principal what a group of workers needs of Kafka, and what its connectors need.
# usage: BOOTSTRAP=host:port [ADMIN_CONFIG=client.properties] acls.sh PRINCIPAL ...      such as User:weir
# KAFKA_ACLS is the command that changes ACLs, else kafka-acls.sh.
# Names that differ from worker.properties: GROUP, CONFIGS, OFFSETS, STATUS. Topics of connectors: SOURCE_TOPICS (written),
# SINK_TOPICS (read); a group of a sink is called connect-NAME, so SINKS names the connectors. ONCE names the sources that deliver
# exactly once. Lists have blanks in between.
set -eu
[ $# -gt 0 ] || {
    sed -n '2,7s/^# //p' "$0" >&2
    exit 1
}
principals=
for principal; do principals="$principals --allow-principal $principal"; done

# allow OPERATIONS OPTION NAMES: one call for all of them; none for no names.
allow() {
    [ -n "$3" ] || return 0
    operations= resources=
    for operation in $1; do operations="$operations --operation $operation"; done
    for name in $3; do resources="$resources $2 $name"; done
    # shellcheck disable=SC2086 # one word per principal, operation and name
    ${KAFKA_ACLS:-kafka-acls.sh} --bootstrap-server "$BOOTSTRAP" ${ADMIN_CONFIG:+--command-config "$ADMIN_CONFIG"} \
        --add $principals $operations $resources
}

# The workers: membership, and the three topics. Create: only until the topics are there. DescribeConfigs: with it a worker
# checks when it starts that the topics are compacted; without it, it trusts that they are.
allow Read --group "${GROUP:-weir}"
allow "Create DescribeConfigs Read Write" --topic "${CONFIGS:-weir-configs} ${OFFSETS:-weir-offsets} ${STATUS:-weir-status}"

# The connectors. Create: only for topics that a source makes (topic.creation). Delete: only to reset a sink's offsets over REST.
allow "Create Write" --topic "${SOURCE_TOPICS:-}"
allow Read --topic "${SINK_TOPICS:-}"
groups=
for sink in ${SINKS:-}; do groups="$groups connect-$sink"; done
allow "Delete Read" --group "$groups"

# With exactly.once.source.support: the leader's transactions, and those of the tasks of such sources.
allow "Describe Write" --transactional-id "${ONCE:+connect-cluster-${GROUP:-weir}}"
for source in ${ONCE:-}; do
    allow "Describe Write" "--resource-pattern-type prefixed --transactional-id" "${GROUP:-weir}-$source-"
done

# Dead letter queues (LETTERS), and the groups in which those of connectors (REDRIVEN) are read to go back; names of groups for dry
# runs begin so. Create: only until the topic is there.
allow "Create Read Write" --topic "${LETTERS:-}"
for connector in ${REDRIVEN:-}; do
    allow Read "--resource-pattern-type prefixed --group" "weir-redrive-$connector"
done
