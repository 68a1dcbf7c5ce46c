//! Topics as an admin client describes and makes them. Every call here waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaErrorCode as Code;
use weir_core::model::{Position, TopicPartition};
use weir_core::port::{BrokerError, Created, NewTopic, TopicDescription};

use crate::errors::classified;
use crate::native::{Admin, KafkaError, Place};

/// How long a topic that was made may stay unknown to brokers.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);
const VISIBLE_PAUSE: Duration = Duration::from_millis(10);

/// Topics as brokers describe them; none for one that does not exist.
pub(crate) fn describe(admin: Admin<'_>, names: &[String]) -> Result<Vec<Option<TopicDescription>>, KafkaError> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut described = vec![None; names.len()];
    for (name, found) in admin.describe(&names)? {
        let place = names.iter().position(|wanted| **wanted == *name);
        match (found, place) {
            (Ok(partitions), Some(place)) => {
                described[place] =
                    Some(TopicDescription { name: name.as_str().into(), partitions, cleanup_policy: None });
            }
            (Err(e), _) if matches!(e.code, Code::UnknownTopicOrPartition | Code::InvalidTopic) => {}
            (Err(e), _) => return Err(KafkaError { message: format!("topic {name}: {}", e.message), ..e }),
            (Ok(_), None) => {}
        }
    }
    let there: Vec<&str> =
        names.iter().zip(&described).filter(|(_, found)| found.is_some()).map(|(name, _)| *name).collect();
    if there.is_empty() {
        return Ok(described);
    }
    let policies = match admin.topic_setting(&there, "cleanup.policy") {
        Ok(policies) => policies,
        Err(e) if matches!(classified(e.clone()), BrokerError::Denied(_)) => vec![None; there.len()],
        Err(e) => return Err(e),
    };
    for (topic, policy) in described.iter_mut().flatten().zip(policies) {
        topic.cleanup_policy = policy;
    }
    Ok(described)
}

/// Where the partitions of a topic end.
pub(crate) fn ends(admin: Admin<'_>, topic: &str) -> Result<Vec<Position>, KafkaError> {
    let partitions = match admin.describe(&[topic])?.into_iter().next() {
        Some((_, found)) => found.map_err(|e| KafkaError { message: format!("topic {topic}: {}", e.message), ..e })?,
        None => 0,
    };
    let name: Arc<str> = topic.into();
    let places: Vec<_> = (0..partitions).map(|partition| TopicPartition { topic: name.clone(), partition }).collect();
    admin.offsets(&places, Place::End, false)
}

/// Makes a topic, or finds that it exists; returns when brokers know it.
pub(crate) fn create(admin: Admin<'_>, topic: &NewTopic) -> Result<Created, KafkaError> {
    match admin.create(topic) {
        Ok(()) => {}
        Err(e) if e.code == Code::TopicAlreadyExists => return Ok(Created::Existed),
        Err(e) => return Err(KafkaError { message: format!("topic {}: {}", topic.name, e.message), ..e }),
    }
    // The controller made it; whoever uses it next asks another broker, which hears of it a moment later.
    let until = Instant::now() + VISIBLE_WITHIN;
    while Instant::now() < until {
        if matches!(admin.describe(&[&topic.name])?.first(), Some((_, Ok(1..)))) {
            break;
        }
        std::thread::sleep(VISIBLE_PAUSE);
    }
    Ok(Created::New)
}
