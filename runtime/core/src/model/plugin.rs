//! Pure. What a plugin is.

use super::ConfigKey;

/// What a class is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClassKind {
    /// A source connector with its tasks.
    Source,
    /// A sink connector with its tasks.
    Sink,
    /// A transformation.
    Transformation,
    /// A predicate.
    Predicate,
}

/// Calls that are made only where a class wants them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionalCalls {
    /// `validate` of the connector or transformation.
    pub validate: bool,
    /// `watch` of the connector.
    pub watch: bool,
    /// `alter-offsets` of the connector.
    pub alter_offsets: bool,
    /// `acknowledged` of the source task.
    pub acknowledged: bool,
    /// `committed` of the source task.
    pub committed: bool,
    /// `pre-commit` of the sink task.
    pub pre_commit: bool,
    /// `recommend` of the plugin.
    pub recommend: bool,
}

/// A class of a component, as its `describe` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Further names it answers to.
    pub aliases: Vec<String>,
    /// What it is.
    pub kind: ClassKind,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub documentation: String,
    /// Its configuration definition.
    pub config: Vec<ConfigKey>,
    /// The optional calls it wants.
    pub wants: OptionalCalls,
}

impl Class {
    /// The name of its tasks' class in stored task configurations. A class that stands for one of Apache's connectors
    /// names Apache's task, by its convention, so that Apache's workers can run what weir's made.
    pub fn task_class(&self) -> String {
        let apaches = self.aliases.iter().filter(|alias| alias.starts_with("org.apache.kafka."));
        let stem = apaches.filter_map(|alias| alias.strip_suffix("Connector")).next();
        stem.map_or_else(|| self.name.clone(), |stem| format!("{stem}Task"))
    }

    /// The names under which it is listed: its own, and the long ones of what it replaces.
    pub fn listed_names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str())
            .chain(self.aliases.iter().map(String::as_str).filter(|name| name.contains('.')))
    }
}

/// Parts of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The key and its schema.
    pub key: bool,
    /// The value and its schema.
    pub value: bool,
    /// The headers.
    pub headers: bool,
    /// The topic.
    pub topic: bool,
    /// The partition.
    pub partition: bool,
    /// The timestamp.
    pub timestamp: bool,
    /// The Kafka offset.
    pub offset: bool,
}

impl Parts {
    /// The parts in either.
    pub fn or(self, other: Parts) -> Parts {
        Parts {
            key: self.key | other.key,
            value: self.value | other.value,
            headers: self.headers | other.headers,
            topic: self.topic | other.topic,
            partition: self.partition | other.partition,
            timestamp: self.timestamp | other.timestamp,
            offset: self.offset | other.offset,
        }
    }
}

/// What a transformation step touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepParts {
    /// Parts it looks at.
    pub reads: Parts,
    /// Parts it may change.
    pub writes: Parts,
}

/// Why bytes are not taken as a plugin, by whose move is next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are not a component that weir runs; the text says why.
    #[error("{0}")]
    Unfit(String),
    /// Larger than allowed.
    #[error("the plugin has {size} bytes, plugin.upload.max.bytes allows {limit} bytes")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A name that is taken or reserved.
    #[error("{0}")]
    Conflict(String),
    /// The worker could not look at it; trying again may help.
    #[error("{0}")]
    Unavailable(String),
}
