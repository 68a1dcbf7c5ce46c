//! What is asked of brokers: topics, configurations, offsets. Every call here waits.

use std::collections::BTreeSet;
use std::ffi::c_char;
use std::ptr;
use std::time::{Duration, Instant};

use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_admin_op_t as Op;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use weir_core::model::{Position, TopicPartition};
use weir_core::port::NewTopic;

use super::client::Client;
use super::partitions::PartitionList;
use super::{KafkaError, c_string, text};

/// How long leaders of partitions may be on the move, as those of a new topic are.
const LEADERS_WITHIN: Duration = Duration::from_secs(10);
const LEADERS_PAUSE: Duration = Duration::from_millis(20);

/// Whether somebody else answers, or will in a moment.
fn moves(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::UnknownTopicOrPartition
    )
}

/// A topic: its partitions, or why they are not known.
pub(crate) type TopicInfo = (String, Result<i32, KafkaError>);

/// An end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Beginning,
    End,
}

/// Requests, each bounded in time.
#[derive(Clone, Copy)]
pub(crate) struct Admin<'a> {
    pub client: &'a Client,
    pub wait: Duration,
}

/// An event with its options and queue, destroyed together.
pub(super) struct Answer {
    pub event: *mut sys::rd_kafka_event_t,
    queue: *mut sys::rd_kafka_queue_t,
    options: *mut sys::rd_kafka_AdminOptions_t,
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: all three are owned here and not used after.
        unsafe {
            if !self.event.is_null() {
                sys::rd_kafka_event_destroy(self.event);
            }
            sys::rd_kafka_queue_destroy(self.queue);
            sys::rd_kafka_AdminOptions_destroy(self.options);
        }
    }
}

impl Admin<'_> {
    fn wait_ms(&self) -> i32 {
        i32::try_from(self.wait.as_millis()).unwrap_or(i32::MAX)
    }

    pub(super) fn ask(
        &self,
        op: Op,
        start: impl FnOnce(*mut sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
    ) -> Result<Answer, KafkaError> {
        let mut why = [0 as c_char; 256];
        // SAFETY: options, queue and event are owned by the answer; `start` gets them alive.
        unsafe {
            let rk = self.client.rk();
            let (options, queue) = (sys::rd_kafka_AdminOptions_new(rk, op), sys::rd_kafka_queue_new(rk));
            let mut answer = Answer { event: ptr::null_mut(), queue, options };
            let wait_ms = self.wait_ms();
            sys::rd_kafka_AdminOptions_set_request_timeout(options, wait_ms, why.as_mut_ptr(), why.len());
            start(options, queue);
            answer.event = sys::rd_kafka_queue_poll(queue, wait_ms.saturating_add(1000));
            if answer.event.is_null() {
                return Err(KafkaError::of(RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT));
            }
            let code = sys::rd_kafka_event_error(answer.event);
            if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(KafkaError::new(code, text(sys::rd_kafka_event_error_string(answer.event))));
            }
            Ok(answer)
        }
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> Result<String, KafkaError> {
        // SAFETY: the client is alive; the string is owned here.
        unsafe {
            let id = sys::rd_kafka_clusterid(self.client.rk(), self.wait_ms());
            if id.is_null() {
                return Err(KafkaError::of(RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT));
            }
            let copy = text(id);
            sys::rd_kafka_mem_free(self.client.rk(), id.cast());
            Ok(copy)
        }
    }

    /// The names of all topics that the principal may see.
    pub fn topics(&self) -> Result<Vec<String>, KafkaError> {
        let mut metadata = ptr::null();
        // SAFETY: the client is alive; the metadata is owned here and holds `topic_cnt` topics.
        unsafe {
            let asked = sys::rd_kafka_metadata(self.client.rk(), 1, ptr::null_mut(), &mut metadata, self.wait_ms());
            KafkaError::check(asked)?;
            let count = (*metadata).topic_cnt as usize;
            let topics = if count == 0 { &[] } else { std::slice::from_raw_parts((*metadata).topics, count) };
            let names = topics.iter().map(|topic| text(topic.topic)).collect();
            sys::rd_kafka_metadata_destroy(metadata);
            Ok(names)
        }
    }

    /// Topics as brokers know them; none is made.
    pub fn describe(&self, names: &[&str]) -> Result<Vec<TopicInfo>, KafkaError> {
        let strings: Vec<_> = names.iter().map(|name| c_string(name)).collect();
        let mut pointers: Vec<_> = strings.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: names live during the call; results live as long as the answer.
        unsafe {
            let wanted = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, |options, queue| {
                sys::rd_kafka_DescribeTopics(self.client.rk(), wanted, options, queue);
            });
            sys::rd_kafka_TopicCollection_destroy(wanted);
            let answer = answer?;
            let mut count = 0;
            let result = sys::rd_kafka_event_DescribeTopics_result(answer.event);
            let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            let described = (0..count).map(|at| {
                let topic = *topics.add(at);
                let name = text(sys::rd_kafka_TopicDescription_name(topic));
                let error = sys::rd_kafka_TopicDescription_error(topic);
                let code = sys::rd_kafka_error_code(error);
                if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return (name, Err(KafkaError::new(code, text(sys::rd_kafka_error_string(error)))));
                }
                let mut partitions = 0;
                sys::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
                (name, Ok(partitions as i32))
            });
            Ok(described.collect())
        }
    }

    /// One setting of each topic, in their order; none where it may not be read.
    pub fn topic_setting(&self, names: &[&str], setting: &str) -> Result<Vec<Option<String>>, KafkaError> {
        // SAFETY: resources are owned here; results live as long as the answer.
        unsafe {
            let of_topic = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
            let resource = |name: &&str| sys::rd_kafka_ConfigResource_new(of_topic, c_string(name).as_ptr());
            let mut wanted: Vec<_> = names.iter().map(resource).collect();
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, |options, queue| {
                sys::rd_kafka_DescribeConfigs(self.client.rk(), wanted.as_mut_ptr(), wanted.len(), options, queue);
            });
            wanted.iter().for_each(|resource| sys::rd_kafka_ConfigResource_destroy(*resource));
            let answer = answer?;
            let mut count = 0;
            let result = sys::rd_kafka_event_DescribeConfigs_result(answer.event);
            let resources = sys::rd_kafka_DescribeConfigs_result_resources(result, &mut count);
            let mut found = vec![None; names.len()];
            for at in 0..count {
                let resource = *resources.add(at);
                let name = text(sys::rd_kafka_ConfigResource_name(resource));
                let mut count = 0;
                let configs = sys::rd_kafka_ConfigResource_configs(resource, &mut count);
                let configs = (0..count).map(|at| *configs.add(at));
                let value = configs
                    .filter(|config| text(sys::rd_kafka_ConfigEntry_name(*config)) == setting)
                    .map(|config| text(sys::rd_kafka_ConfigEntry_value(config)))
                    .next();
                if let Some(place) = names.iter().position(|wanted| **wanted == name) {
                    found[place] = value;
                }
            }
            Ok(found)
        }
    }

    /// Makes a topic.
    pub fn create(&self, topic: &NewTopic) -> Result<(), KafkaError> {
        let mut why = [0 as c_char; 256];
        // SAFETY: strings live during the calls; the topic is owned here; results live as long as the answer.
        unsafe {
            let (name, replicas) = (c_string(&topic.name), i32::from(topic.replication_factor));
            let new =
                sys::rd_kafka_NewTopic_new(name.as_ptr(), topic.partitions, replicas, why.as_mut_ptr(), why.len());
            if new.is_null() {
                return Err(KafkaError { code: RDKafkaErrorCode::InvalidArgument, message: text(why.as_ptr()) });
            }
            for (key, value) in &topic.config {
                sys::rd_kafka_NewTopic_set_config(new, c_string(key).as_ptr(), c_string(value).as_ptr());
            }
            let mut all = [new];
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_CREATETOPICS, |options, queue| {
                let mut why = [0 as c_char; 256];
                let wait_ms = self.wait_ms();
                sys::rd_kafka_AdminOptions_set_operation_timeout(options, wait_ms, why.as_mut_ptr(), why.len());
                sys::rd_kafka_CreateTopics(self.client.rk(), all.as_mut_ptr(), all.len(), options, queue);
            });
            sys::rd_kafka_NewTopic_destroy(new);
            let answer = answer?;
            let mut count = 0;
            let result = sys::rd_kafka_event_CreateTopics_result(answer.event);
            let topics = sys::rd_kafka_CreateTopics_result_topics(result, &mut count);
            for at in 0..count {
                let made = *topics.add(at);
                let code = sys::rd_kafka_topic_result_error(made);
                if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return Err(KafkaError::new(code, text(sys::rd_kafka_topic_result_error_string(made))));
                }
            }
            Ok(())
        }
    }

    /// Where partitions begin or end; the end as transactions that are not committed leave it, where asked.
    pub fn offsets(
        &self,
        partitions: &[TopicPartition],
        place: Place,
        committed: bool,
    ) -> Result<Vec<Position>, KafkaError> {
        let until = Instant::now() + self.wait.min(LEADERS_WITHIN);
        loop {
            match self.offsets_once(partitions, place, committed) {
                Err(e) if moves(e.code) && Instant::now() < until => {
                    std::thread::sleep(LEADERS_PAUSE);
                    self.look_for_leaders(partitions, until);
                }
                answered => return answered,
            }
        }
    }

    /// Has the client ask anew who leads partitions. Where it asks for offsets only, it goes for minutes by what it knows,
    /// though the leaders that it asks turn it away.
    fn look_for_leaders(&self, partitions: &[TopicPartition], until: Instant) {
        let topics: BTreeSet<&str> = partitions.iter().map(|at| &*at.topic).collect();
        for topic in topics {
            let (name, mut metadata) = (c_string(topic), ptr::null());
            let wait_ms =
                i32::try_from(until.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(i32::MAX);
            // SAFETY: the client is alive; name, topic and metadata are owned here.
            unsafe {
                let topic = sys::rd_kafka_topic_new(self.client.rk(), name.as_ptr(), ptr::null_mut());
                if topic.is_null() {
                    continue;
                }
                // What cannot be asked now is asked again after the next refusal.
                let asked = sys::rd_kafka_metadata(self.client.rk(), 0, topic, &mut metadata, wait_ms);
                if asked == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    sys::rd_kafka_metadata_destroy(metadata);
                }
                sys::rd_kafka_topic_destroy(topic);
            }
        }
    }

    fn offsets_once(
        &self,
        partitions: &[TopicPartition],
        place: Place,
        committed: bool,
    ) -> Result<Vec<Position>, KafkaError> {
        let spec = match place {
            Place::Beginning => sys::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_EARLIEST,
            Place::End => sys::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_LATEST,
        };
        let list = PartitionList::new(partitions.iter().map(|at| (at, Some(spec as i64))));
        let level = match committed {
            true => sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
            false => sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
        };
        // SAFETY: the list lives during the call; results live as long as the answer.
        unsafe {
            let answer = self.ask(Op::RD_KAFKA_ADMIN_OP_LISTOFFSETS, |options, queue| {
                let _ = KafkaError::take(sys::rd_kafka_AdminOptions_set_isolation_level(options, level));
                sys::rd_kafka_ListOffsets(self.client.rk(), list.as_ptr(), options, queue);
            })?;
            let mut count = 0;
            let result = sys::rd_kafka_event_ListOffsets_result(answer.event);
            let infos = sys::rd_kafka_ListOffsets_result_infos(result, &mut count);
            let mut found = Vec::with_capacity(count);
            for at in 0..count {
                let entry = &*sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(at));
                KafkaError::check(entry.err)?;
                let partition = TopicPartition { topic: text(entry.topic).into(), partition: entry.partition };
                found.push(Position { partition, offset: entry.offset });
            }
            Ok(found)
        }
    }
}
