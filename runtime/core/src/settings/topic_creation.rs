//! Pure. How the topics of a source connector are to be made (`topic.creation.*`, KIP-158).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Config, Problem};

use super::reader::{Reader, below};

const GROUPS: &str = "topic.creation.groups";
const DEFAULT: &str = "default";

/// How topics of a group are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicGroup {
    /// Its name.
    pub name: String,
    /// Patterns of the topics that are in it; none for every topic.
    pub include: Option<String>,
    /// Patterns of the topics that are not, whatever else.
    pub exclude: Option<String>,
    /// How many partitions; -1 for the broker's default.
    pub partitions: i32,
    /// How many replicas; -1 for the broker's default.
    pub replication_factor: i16,
    /// Settings of the topic.
    pub config: BTreeMap<String, String>,
}

impl TopicGroup {
    /// The key that says something of it.
    pub fn key(&self, rest: &str) -> String {
        key(&self.name, rest)
    }
}

fn key(group: &str, rest: &str) -> String {
    format!("topic.creation.{group}.{rest}")
}

/// The groups of a connector in their order, the default group last; none when it says nothing of topics
/// (TopicCreationGroup.configuredGroups).
pub fn topic_groups(config: &Config) -> Result<Vec<TopicGroup>, Vec<Problem>> {
    if below(config, "topic.creation.").next().is_none() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(config);
    aliases_once(&mut reader);
    let (replication_factor, partitions) =
        (count(&mut reader, DEFAULT, "replication.factor", None), count(&mut reader, DEFAULT, "partitions", None));
    let mut seen = BTreeSet::new();
    let named = reader.list(GROUPS).into_iter().filter(|name| name != DEFAULT && seen.insert(name.clone()));
    let mut groups: Vec<TopicGroup> = Vec::new();
    for name in named.collect::<Vec<_>>() {
        let patterns = |rest: &str| {
            let listed = reader.list(&key(&name, rest));
            listed.join("|")
        };
        let (include, exclude) = (Some(patterns("include")), Some(patterns("exclude")));
        groups.push(TopicGroup {
            include,
            exclude,
            replication_factor: count(&mut reader, &name, "replication.factor", Some(replication_factor)),
            partitions: count(&mut reader, &name, "partitions", Some(partitions)),
            config: others(config, &name),
            name,
        });
    }
    groups.push(TopicGroup {
        name: DEFAULT.into(),
        include: None,
        exclude: None,
        partitions,
        replication_factor,
        config: others(config, DEFAULT),
    });
    reader.finish().map(|()| groups)
}

/// Says that a group is named twice, which is wrong even where no topics are made.
pub fn check_topic_groups(config: &Config) -> Result<(), Vec<Problem>> {
    let mut reader = Reader::new(config);
    aliases_once(&mut reader);
    reader.finish()
}

fn aliases_once(reader: &mut Reader) {
    let names = reader.list(GROUPS);
    if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        let message =
            format!("Invalid value [{}] for configuration {GROUPS}: Duplicate alias provided.", names.join(", "));
        reader.problem(GROUPS, message);
    }
}

/// A number of partitions or replicas.
trait Count: std::str::FromStr + Copy + From<i8> + PartialOrd {
    const TYPE: &'static str;
    const RULE: &'static str;
}

impl Count for i32 {
    const TYPE: &'static str = "INT";
    const RULE: &'static str = "Number of partitions must be positive, or -1 to use the broker's default";
}

impl Count for i16 {
    const TYPE: &'static str = "SHORT";
    const RULE: &'static str = "Replication factor must be positive and not larger than the number of brokers in the \
                                Kafka cluster, or -1 to use the broker's default";
}

/// A number that must be positive or -1; without a default it must be given.
fn count<T: Count>(reader: &mut Reader, group: &str, rest: &str, default: Option<T>) -> T {
    let (key, none) = (key(group, rest), T::from(-1));
    let Some(text) = reader.get(&key) else {
        return default.unwrap_or_else(|| {
            reader.required(&key);
            none
        });
    };
    let wrong = |what: String| format!("Invalid value {text} for configuration {key}: {what}");
    match text.parse::<T>() {
        Ok(number) if number >= T::from(1) || number == none => return number,
        Ok(_) => reader.problem(&key, wrong(T::RULE.to_owned())),
        Err(_) => reader.problem(&key, wrong(format!("Not a number of type {}", T::TYPE))),
    }
    none
}

/// What a group says beside what says which topics are in it and how large they are.
fn others(config: &Config, group: &str) -> BTreeMap<String, String> {
    let own = ["include", "exclude", "replication.factor", "partitions"];
    let prefix = key(group, "");
    let others = below(config, &prefix).filter(|(rest, ..)| !own.contains(rest));
    others.map(|(rest, _, value)| (rest.to_owned(), value.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    fn said(entries: &[(&str, &str)]) -> Vec<String> {
        let problems = topic_groups(&config(entries)).unwrap_err();
        problems.into_iter().map(|problem| problem.message).collect()
    }

    const PARTITIONS: (&str, &str) = ("topic.creation.default.partitions", "3");
    const REPLICAS: (&str, &str) = ("topic.creation.default.replication.factor", "-1");

    #[test]
    fn a_connector_that_says_nothing_of_topics_has_no_groups() {
        assert_eq!(topic_groups(&config(&[("topic", "t")])), Ok(vec![]));
    }

    #[test]
    fn groups_keep_their_order_take_over_from_the_default_group_and_that_comes_last() {
        let groups = topic_groups(&config(&[
            ("topic.creation.groups", "slow, fast,default"),
            PARTITIONS,
            REPLICAS,
            ("topic.creation.default.cleanup.policy", " compact "),
            ("topic.creation.default.include", "ignored"),
            ("topic.creation.slow.include", "a.*, b"),
            ("topic.creation.slow.exclude", "a1"),
            ("topic.creation.slow.replication.factor", "2"),
            ("topic.creation.slow.retention.ms", "1"),
            ("topic.creation.fast.partitions", "9"),
        ]));
        let group =
            |name: &str, include: Option<&str>, exclude: Option<&str>, sizes: (i32, i16), own: &[(&str, &str)]| {
                TopicGroup {
                    name: name.into(),
                    include: include.map(str::to_owned),
                    exclude: exclude.map(str::to_owned),
                    partitions: sizes.0,
                    replication_factor: sizes.1,
                    config: config(own),
                }
            };
        let expected = [
            group("slow", Some("a.*|b"), Some("a1"), (3, 2), &[("retention.ms", "1")]),
            group("fast", Some(""), Some(""), (9, -1), &[]),
            group("default", None, None, (3, -1), &[("cleanup.policy", "compact")]),
        ];
        assert_eq!(groups.unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_key() {
        let rule = "Number of partitions must be positive, or -1 to use the broker's default";
        for (entries, expected) in [
            (
                &[("topic.creation.groups", "a")][..],
                vec![
                    "Missing required configuration \"topic.creation.default.replication.factor\" which has no default value."
                        .to_owned(),
                    "Missing required configuration \"topic.creation.default.partitions\" which has no default value.".into(),
                ],
            ),
            (
                &[PARTITIONS, ("topic.creation.default.replication.factor", "x")],
                vec![
                    "Invalid value x for configuration topic.creation.default.replication.factor: Not a number of type SHORT"
                        .into(),
                ],
            ),
            (
                &[REPLICAS, ("topic.creation.default.partitions", "0")],
                vec![format!("Invalid value 0 for configuration topic.creation.default.partitions: {rule}")],
            ),
            (
                &[PARTITIONS, REPLICAS, ("topic.creation.groups", "a"), ("topic.creation.a.partitions", "-2")],
                vec![format!("Invalid value -2 for configuration topic.creation.a.partitions: {rule}")],
            ),
            (
                &[PARTITIONS, REPLICAS, ("topic.creation.groups", "a,a")],
                vec!["Invalid value [a, a] for configuration topic.creation.groups: Duplicate alias provided.".into()],
            ),
        ] {
            assert_eq!(said(entries), expected, "{entries:?}");
        }
        assert_eq!(check_topic_groups(&config(&[("topic.creation.groups", "a")])), Ok(()));
        assert!(check_topic_groups(&config(&[("topic.creation.groups", "a,a")])).is_err());
    }
}
