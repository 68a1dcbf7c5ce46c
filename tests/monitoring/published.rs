//! What published dashboards ask for, panel by panel (published.jsonl), as queries and as series of a scrape.

use std::collections::BTreeMap;

use serde_json::Value;

/// A metric that a panel of a published dashboard asks for.
pub struct Asked {
    pub board: String,
    pub panel: String,
    pub metric: String,
    /// Labels of the worker's own that the panel chooses or shows by; `name=value` where it wants that value.
    labels: Vec<String>,
    /// Labels that the scrape configuration sets.
    scraped: Vec<String>,
    /// Whether the panel shows only what is not zero.
    nonzero: bool,
    /// Whether the panel shows the rate.
    rate: bool,
    /// Why weir has nothing for it.
    aside: Option<String>,
}

/// All that weir is to have an answer for.
pub fn asked() -> Vec<Asked> {
    let lines = include_str!("published.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let all: Vec<Asked> = lines.map(|line: Value| Asked::of(&line)).collect();
    for one in all.iter().filter(|one| one.aside.is_some()) {
        assert!(["jvm_", "container_"].iter().any(|other| one.metric.starts_with(other)), "{} is weir's", one.metric);
    }
    all.into_iter().filter(|one| one.aside.is_none()).collect()
}

impl Asked {
    fn of(line: &Value) -> Asked {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let texts = |name: &str| -> Vec<String> {
            line[name].as_array().into_iter().flatten().filter_map(|one| Some(one.as_str()?.to_owned())).collect()
        };
        Asked {
            board: text("board").expect("a board"),
            panel: text("panel").expect("a panel"),
            metric: text("metric").expect("a metric"),
            labels: texts("labels"),
            scraped: texts("scrape"),
            nonzero: line["nonzero"] == true,
            rate: line["rate"] == true,
            aside: text("aside"),
        }
    }

    /// The query, with what the variables of the board stand for in examples/monitoring/prometheus.yml.
    pub fn query(&self) -> String {
        let scraped = self.scraped.iter().map(|label| match label.as_str() {
            "job" => "job=\"kafka-connect\"",
            "env" => "env=\"production\"",
            "instance" => "instance=~\".+\"",
            "kafka_connect_cluster_id" => "kafka_connect_cluster_id=~\"weir\"",
            "namespace" => "namespace=\"default\"",
            "strimzi_io_kind" => "strimzi_io_kind=~\"KafkaConnect.*\"",
            "strimzi_io_cluster" => "strimzi_io_cluster=\"weir\"",
            "kubernetes_pod_name" => "kubernetes_pod_name!=\"\"",
            "pod" => "pod=~\"weir-connect-.+\"",
            "container" => "container=\"weir-connect\"",
            other => panic!("{other} is a label that no scrape configuration sets"),
        });
        let own = self.labels().map(|(label, value)| match value {
            Some(value) => format!("{label}=\"{value}\""),
            None => format!("{label}!=\"\""),
        });
        let matchers: Vec<String> = scraped.map(str::to_owned).chain(own).collect();
        let series = format!("{}{{{}}}", self.metric, matchers.join(","));
        match (self.rate, self.nonzero) {
            (true, _) => format!("rate({series}[5m])"),
            (_, true) => format!("sum by (connector) ({series}) != 0"),
            _ => series,
        }
    }

    fn labels(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.labels.iter().map(|label| label.split_once('=').map_or((label.as_str(), None), |(of, to)| (of, Some(to))))
    }

    /// Whether a scrape has a series for it.
    pub fn is_in(&self, scrape: &Scrape) -> bool {
        let fits = |series: &BTreeMap<String, String>| {
            self.labels().all(|(label, wanted)| match (series.get(label), wanted) {
                (Some(is), Some(wanted)) => is == wanted,
                (Some(is), None) => !is.is_empty(),
                (None, _) => false,
            })
        };
        scrape.0.get(&self.metric).is_some_and(|series| series.iter().any(fits))
    }
}

/// The labels of every series of a text in the format 0.0.4, by name.
pub struct Scrape(BTreeMap<String, Vec<BTreeMap<String, String>>>);

impl Scrape {
    pub fn of(text: &str) -> Scrape {
        let mut all: BTreeMap<String, Vec<BTreeMap<String, String>>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            all.entry(name.to_owned()).or_default().push(labels(&line[name.len()..]));
        }
        Scrape(all)
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
}

/// The labels that stand before a value, if any do.
fn labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text.strip_prefix('{').unwrap_or_default();
    while let Some((name, after)) = rest.split_once("=\"") {
        let end = after.char_indices().scan(false, |escaped, (at, letter)| {
            let ends = letter == '"' && !*escaped;
            *escaped = letter == '\\' && !*escaped;
            Some((at, ends))
        });
        let end = end.filter(|(_, ends)| *ends).map(|(at, _)| at).next().expect("a label's value ends");
        labels.insert(name.to_owned(), after[..end].to_owned());
        rest = after[end + 1..].trim_start_matches(',');
        if rest.starts_with('}') {
            break;
        }
    }
    labels
}

#[test]
fn labels_are_read_whatever_stands_in_their_values() {
    let scrape = Scrape::of("# HELP a b\na{x=\"1\",y=\"p\\\"},q=\\\\\",z=\"\"} 1\nb 2 3\n");
    assert_eq!(scrape.names().collect::<Vec<_>>(), ["a", "b"]);
    let series = &scrape.0["a"][0];
    assert_eq!((series["x"].as_str(), series["y"].as_str(), series["z"].as_str()), ("1", "p\\\"},q=\\\\", ""));
    assert_eq!(series.len(), 3);
    assert!(scrape.0["b"][0].is_empty());
}
