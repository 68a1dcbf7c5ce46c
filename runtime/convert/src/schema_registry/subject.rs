//! Pure. Under which subject a schema stands in a registry.

/// Confluent's subject name strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubjectStrategy {
    /// The topic, and whether it is the key or the value.
    Topic,
    /// The record's full name.
    Record,
    /// The topic and the record's full name.
    TopicRecord,
}

const PACKAGE: &str = "io.confluent.kafka.serializers.subject.";

impl SubjectStrategy {
    /// The strategy of a class name, long or short.
    pub(crate) fn find(class: &str) -> Option<SubjectStrategy> {
        match class.strip_prefix(PACKAGE).unwrap_or(class) {
            "TopicNameStrategy" => Some(SubjectStrategy::Topic),
            "RecordNameStrategy" => Some(SubjectStrategy::Record),
            "TopicRecordNameStrategy" => Some(SubjectStrategy::TopicRecord),
            _ => None, // a class of one's own
        }
    }

    /// The subject; `name` is the full name of the record's schema.
    pub(crate) fn subject(self, topic: &str, is_key: bool, name: &str) -> String {
        match self {
            SubjectStrategy::Topic => format!("{topic}-{}", if is_key { "key" } else { "value" }),
            SubjectStrategy::Record => name.to_owned(),
            SubjectStrategy::TopicRecord => format!("{topic}-{name}"),
        }
    }

    /// The subject, where it takes no schema to tell.
    pub(crate) fn known(self, topic: &str, is_key: bool) -> Option<String> {
        (self == SubjectStrategy::Topic).then(|| self.subject(topic, is_key, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_named_by_topic_by_record_or_by_both() {
        let all = [
            ("io.confluent.kafka.serializers.subject.TopicNameStrategy", "t-key"),
            ("RecordNameStrategy", "a.B"),
            ("TopicRecordNameStrategy", "t-a.B"),
        ];
        for (class, subject) in all {
            assert_eq!(SubjectStrategy::find(class).unwrap().subject("t", true, "a.B"), subject);
        }
        assert_eq!(SubjectStrategy::Topic.known("t", false).as_deref(), Some("t-value"));
        assert_eq!(SubjectStrategy::find("com.acme.Strategy"), None);
    }
}
