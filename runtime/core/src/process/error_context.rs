//! Pure. What is told of a record that failed: a line, and the headers of its dead letter (ProcessingContext,
//! DeadLetterQueueReporter).

use crate::model::{Fault, RawRecords, Records, TaskId, TimestampType, TopicPartition};

use super::stage::StageFault;

/// What every header of a dead letter that says something of its error begins with.
pub const PREFIX: &str = "__connect.errors.";

/// The header, behind the prefix, of a letter that is not its whole record.
pub const INCOMPLETE: &str = "incomplete";

/// The names, behind the prefix, of what a letter may say.
pub const NAMES: [&str; 13] = [
    "topic",
    "partition",
    "offset",
    "source.partition",
    "source.offset",
    "connector.name",
    "task.id",
    "stage",
    "class.name",
    "exception.class.name",
    "exception.message",
    "exception.stacktrace",
    INCOMPLETE,
];

/// The most of an error's words that a letter holds, in bytes.
const WORDS_MAX: usize = 8 << 10;

fn cut(mut words: String) -> String {
    if words.len() > WORDS_MAX {
        words.truncate(words.floor_char_boundary(WORDS_MAX));
        words.push_str("...");
    }
    words
}

/// Where a record that failed came from, as headers name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The topic that it was read from, or was to be written to.
    pub topic: Option<String>,
    /// Its partition there.
    pub partition: Option<i32>,
    /// Its offset there.
    pub offset: Option<i64>,
    /// Its source partition and source offset, as JSON text.
    pub source: Option<(String, String)>,
}

impl Origin {
    /// Where a row was consumed.
    pub fn consumed(raw: &RawRecords, row: usize) -> Origin {
        Origin {
            topic: Some(raw.topic_of(row).to_string()),
            partition: raw.partition_of(row),
            offset: raw.offset.get(row).copied(),
            source: None,
        }
    }

    /// Where a row was polled, with its source partition and source offset.
    pub fn polled(records: &Records, row: usize, source: (String, String)) -> Origin {
        let topic = Some(records.topic_of(row).to_string());
        Origin { topic, partition: records.partition_of(row), offset: None, source: Some(source) }
    }
}

/// A consumed row as traces name it.
pub fn consumed_at(TopicPartition { topic, partition }: &TopicPartition, offset: i64) -> String {
    format!("consumed record is {{topic='{topic}', partition={partition}, offset={offset}}}")
}

/// A consumed row as a line names it.
pub fn consumed(raw: &RawRecords, row: usize) -> String {
    let (topic, partition) = (raw.topic_of(row), raw.partition_of(row).unwrap_or(-1));
    let offset = raw.offset.get(row).copied().unwrap_or(-1);
    let kind = match raw.timestamp_type {
        TimestampType::None => None,
        TimestampType::CreateTime => Some("CreateTime"),
        TimestampType::LogAppendTime => Some("LogAppendTime"),
    };
    let timestamp = kind.map_or(String::new(), |kind| {
        let timestamp = raw.timestamp.get(row).copied().unwrap_or(-1);
        format!(", timestamp={timestamp}, timestampType={kind}")
    });
    format!("consumed record is {{topic='{topic}', partition={partition}, offset={offset}{timestamp}}}")
}

/// The line about a record that failed; `record` names it, where it may be named.
pub fn line(task: &TaskId, fault: &StageFault, record: Option<&str>) -> String {
    let record = record.map_or(String::new(), |record| format!(", where {record}"));
    format!(
        "Error encountered in task {task}. Executing stage '{}' with class '{}'{record}.",
        fault.stage.name(),
        fault.class
    )
}

/// The class of Java's that says the same as a fault.
fn exception(fault: &Fault) -> &'static str {
    match fault {
        Fault::Retriable(_) => "org.apache.kafka.connect.errors.RetriableException",
        Fault::Data(_) => "org.apache.kafka.connect.errors.DataException",
        Fault::Config(_) => "org.apache.kafka.common.config.ConfigException",
        Fault::Fatal(_) | Fault::Trapped(_) | Fault::Limited { .. } | Fault::Denied(_) | Fault::Abandoned(_) => {
            "org.apache.kafka.connect.errors.ConnectException"
        }
    }
}

/// The headers that a dead letter has beside its record's own, in Connect's order.
pub fn headers(task: &TaskId, fault: &StageFault, origin: &Origin) -> Vec<(String, String)> {
    let whole = fault.fault.to_string();
    let message = cut(whole.split("\nCaused by: ").next().unwrap_or_default().to_owned());
    let exception = exception(&fault.fault);
    let (source_partition, source_offset) = origin.source.clone().unzip();
    let named = [
        ("topic", origin.topic.clone()),
        ("partition", origin.partition.map(|partition| partition.to_string())),
        ("offset", origin.offset.map(|offset| offset.to_string())),
        ("source.partition", source_partition),
        ("source.offset", source_offset),
        ("connector.name", Some(task.connector.clone())),
        ("task.id", Some(task.index.to_string())),
        ("stage", Some(fault.stage.name().to_owned())),
        ("class.name", Some(fault.class.clone())),
        ("exception.class.name", Some(exception.to_owned())),
        ("exception.message", Some(message)),
        ("exception.stacktrace", Some(cut(format!("{exception}: {whole}")))),
    ];
    named.into_iter().filter_map(|(name, value)| Some((format!("{PREFIX}{name}"), value?))).collect()
}

#[cfg(test)]
mod tests {
    use crate::process::Stage;

    use super::*;

    fn task() -> TaskId {
        TaskId { connector: "c".into(), index: 3 }
    }

    fn raw(timestamp_type: TimestampType) -> RawRecords {
        RawRecords {
            rows: 2,
            topics: vec!["t".into()],
            partitions: vec![Some(7)],
            offset: vec![41, 42],
            timestamp: if timestamp_type == TimestampType::None { vec![] } else { vec![-1, 1_000] },
            timestamp_type,
            ..RawRecords::default()
        }
    }

    fn fault(fault: Fault) -> StageFault {
        StageFault { row: 1, stage: Stage::ValueConverter, class: "C".into(), fault }
    }

    #[test]
    fn a_line_says_what_connects_says() {
        let fault = fault(Fault::Data("bad".into()));
        let plain = "Error encountered in task c-3. Executing stage 'VALUE_CONVERTER' with class 'C'.";
        assert_eq!(line(&task(), &fault, None), plain);
        let named = consumed(&raw(TimestampType::CreateTime), 1);
        let whole = "Error encountered in task c-3. Executing stage 'VALUE_CONVERTER' with class 'C', where consumed record \
                     is {topic='t', partition=7, offset=42, timestamp=1000, timestampType=CreateTime}.";
        assert_eq!(line(&task(), &fault, Some(&named)), whole);
        let none = "consumed record is {topic='t', partition=7, offset=41}";
        assert_eq!(consumed(&raw(TimestampType::None), 0), none);
    }

    #[test]
    fn headers_stand_in_connects_order_and_name_everything() {
        let fault = fault(Fault::Data("bad\nCaused by: worse".into()));
        let origin = Origin::consumed(&raw(TimestampType::None), 1);
        let got = headers(&task(), &fault, &origin);
        let expected = [
            ("topic", "t"),
            ("partition", "7"),
            ("offset", "42"),
            ("connector.name", "c"),
            ("task.id", "3"),
            ("stage", "VALUE_CONVERTER"),
            ("class.name", "C"),
            ("exception.class.name", "org.apache.kafka.connect.errors.DataException"),
            ("exception.message", "bad"),
            ("exception.stacktrace", "org.apache.kafka.connect.errors.DataException: bad\nCaused by: worse"),
        ];
        let expected: Vec<_> = expected.map(|(name, value)| (format!("{PREFIX}{name}"), value.to_owned())).into();
        assert_eq!(got, expected);
    }

    #[test]
    fn words_without_end_are_cut() {
        let got = headers(&task(), &fault(Fault::Data("é".repeat(WORDS_MAX))), &Origin::default());
        assert!(got.iter().all(|(_, value)| value.len() <= WORDS_MAX + 3));
        let names: Vec<String> = got.iter().map(|(name, _)| name.clone()).collect();
        assert!(names.iter().all(|name| NAMES.contains(&name.strip_prefix(PREFIX).unwrap())), "{names:?}");
    }

    #[test]
    fn of_a_polled_record_headers_name_where_it_was_in_the_source() {
        let source = Some(("{\"file\":\"f\"}".to_owned(), "{\"line\":4}".to_owned()));
        let origin = Origin { topic: Some("t".into()), source, ..Origin::default() };
        let got = headers(&task(), &fault(Fault::Retriable("later".into())), &origin);
        let names: Vec<&str> = got.iter().take(4).map(|(name, _)| name.strip_prefix(PREFIX).unwrap()).collect();
        assert_eq!(names, ["topic", "source.partition", "source.offset", "connector.name"]);
        assert_eq!(got[2].1, "{\"line\":4}");
        assert!(got.iter().any(|(_, value)| value.ends_with("RetriableException")));
    }
}
