//! What every broker must do with topics.

use std::sync::Arc;

use super::steps::topic;
use crate::port::{Broker, BrokerError, Created};

/// Making a topic twice makes it once; descriptions tell partitions and policy; what cannot be is refused.
pub async fn topics_are_made_once_and_described(broker: Arc<dyn Broker>) {
    let wanted = topic("made", 3, &[("cleanup.policy", "compact")]);
    assert_eq!(broker.create_topic(&wanted).await, Ok(Created::New));
    assert_eq!(broker.create_topic(&wanted).await, Ok(Created::Existed));
    assert_eq!(broker.create_topic(&topic("by-default", -1, &[])).await, Ok(Created::New));
    let described = broker.describe_topics(&["made", "nowhere", "by-default"]).await.unwrap();
    let made = described[0].clone().unwrap();
    assert_eq!((&*made.name, made.partitions, made.cleanup_policy.as_deref()), ("made", 3, Some("compact")));
    assert_eq!(described[1], None);
    assert_eq!(described[2].as_ref().map(|topic| topic.partitions > 0), Some(true));
    for refused in [topic("a/b", 1, &[]), topic("none", 0, &[]), topic("odd", 1, &[("cleanup.policy", "burn")])] {
        assert!(matches!(broker.create_topic(&refused).await, Err(BrokerError::Rejected(_))), "{refused:?}");
    }
    let id = broker.cluster_id().await.unwrap();
    assert_eq!((id.is_empty(), broker.cluster_id().await.unwrap()), (false, id));
}
