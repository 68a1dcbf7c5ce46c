//! Core's broker ports over Kafka: topics, producers, consumers in groups, compacted logs.
