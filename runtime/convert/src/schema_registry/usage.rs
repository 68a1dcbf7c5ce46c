//! Pure. What converters do with a registry, whatever the format of their records is.

use weir_core::model::{Config, Problem};

use super::settings::boolean;
use super::subject::SubjectStrategy;
use crate::settings::integer;

/// Which schema records are written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Their own, which is registered.
    Registered,
    /// Their own, which has to be there.
    Known,
    /// The subject's latest.
    Latest,
    /// That of this id.
    Id(u32),
}

/// How a converter uses a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) writing: Writing,
    pub(crate) normalize: bool,
    pub(crate) strategy: SubjectStrategy,
}

/// A value that a key does not take.
pub(crate) fn invalid(key: &str, value: &str, why: &str) -> Problem {
    Problem { key: key.into(), message: format!("Invalid value {value} for configuration {key}: {why}") }
}

impl Usage {
    /// Parses a converter's configuration.
    pub(crate) fn parse(config: &Config, is_key: bool, problems: &mut Vec<Problem>) -> Usage {
        let register = boolean(config, "auto.register.schemas", true, problems);
        let latest = boolean(config, "use.latest.version", false, problems);
        let id = integer(config, "use.schema.id", -1, problems);
        let writing = match (register, u32::try_from(id), latest) {
            (true, ..) => Writing::Registered,
            (false, Ok(id), _) => Writing::Id(id),
            (false, Err(_), true) => Writing::Latest,
            (false, Err(_), false) => Writing::Known,
        };
        let key = if is_key { "key.subject.name.strategy" } else { "value.subject.name.strategy" };
        let given = config.get(key).map(|class| class.trim()).filter(|class| !class.is_empty());
        let found = given.map(|class| (class, SubjectStrategy::find(class)));
        if let Some((class, None)) = found {
            let why = "Name TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy";
            problems.push(invalid(key, class, why));
        }
        let strategy = found.and_then(|(_, strategy)| strategy).unwrap_or(SubjectStrategy::Topic);
        const GENERALIZED: &str = "generalized.sum.type.support";
        if boolean(config, GENERALIZED, false, problems) {
            problems.push(invalid(GENERALIZED, "true", "Only false is supported; leave the key out"));
        }
        Usage { writing, normalize: boolean(config, "normalize.schemas", false, problems), strategy }
    }
}

/// How many converted schemas are kept each way.
pub(crate) fn cache_size(config: &Config, problems: &mut Vec<Problem>) -> usize {
    usize::try_from(integer(config, "schemas.cache.config", 1000, problems)).unwrap_or(0).max(1)
}
