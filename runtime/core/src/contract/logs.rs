//! What every compacted log must do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::steps::{SOON, topic};
use crate::port::{Broker, BrokerError, LogEntry, LogRecord, StoreError};

/// A compacted log is read to its end, then followed.
pub async fn logs_are_read_to_the_end_and_followed(broker: Arc<dyn Broker>) {
    let log = broker.compacted_log(&topic("config-log", 3, &[])).await.unwrap();
    let mut reader = log.reader().await.unwrap();
    assert_eq!(reader.read_to_end().await.unwrap(), []);
    let record = |key: &str, value: Option<&str>| LogRecord {
        key: Some(key.as_bytes().to_vec()),
        value: value.map(|value| value.as_bytes().to_vec()),
    };
    let (appended, changed) = tokio::join!(
        log.append(vec![record("a", Some("1")), record("b", Some("1")), record("a", None)]),
        tokio::time::timeout(SOON, reader.changed()),
    );
    appended.unwrap();
    changed.expect("changed in time").unwrap();
    let read = reader.read_to_end().await.unwrap();
    let mut last = BTreeMap::new();
    for entry in read.iter().cloned() {
        last.insert(entry.record.key.clone().unwrap(), entry.record.value);
    }
    assert_eq!(read.len(), 3);
    assert_eq!(last, BTreeMap::from([(b"a".to_vec(), None), (b"b".to_vec(), Some(b"1".to_vec()))]));
    assert_eq!(reader.read_to_end().await.unwrap(), []);
    // Between partitions there is no order.
    let sorted = |mut entries: Vec<LogEntry>| {
        entries.sort_by_key(|entry| (entry.partition, entry.offset));
        entries
    };
    assert_eq!(sorted(log.reader().await.unwrap().read_to_end().await.unwrap()), sorted(read));
    let again = broker.compacted_log(&topic("config-log", 3, &[])).await.unwrap();
    assert_eq!(again.reader().await.unwrap().read_to_end().await.unwrap().len(), 3);
    broker.create_topic(&topic("not-compacted", 1, &[])).await.unwrap();
    assert!(matches!(broker.compacted_log(&topic("not-compacted", 1, &[])).await, Err(BrokerError::Rejected(_))));
    let nameless = log.append(vec![LogRecord { key: None, value: None }]).await;
    assert!(matches!(nameless, Err(StoreError::Unusable(_))), "{nameless:?}");
}
