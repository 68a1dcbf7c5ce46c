//! `weir topic …`: topics of an embedded store, while a worker runs on it or not.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Duration;

use weir_core::model::{Position, RawRecords, TopicPartition};
use weir_core::port::{Created, NewTopic};
use weir_local::{LocalClient, TopicAdmin, TopicDetails};

/// Records that `produce` hands over at a time.
const PRODUCE_ROWS: usize = 1_000;
/// Bytes that `tail` asks for at a time, and how long it waits for them.
const TAIL_BYTES: usize = 1 << 20;
const TAIL_WAIT: Duration = Duration::from_secs(1);

/// What can be asked about topics.
#[derive(clap::Args)]
pub struct TopicCommand {
    /// The store: local:DIR, as the worker's bootstrap.servers says.
    #[arg(long, value_name = "local:DIR")]
    bootstrap_server: String,
    #[command(subcommand)]
    operation: Operation,
}

#[derive(clap::Subcommand)]
enum Operation {
    /// Name every topic.
    List,
    /// Make a topic.
    Create {
        /// Its name.
        topic: String,
        /// How many partitions; the store's default unless said.
        #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
        partitions: i32,
        /// A setting of the topic, as cleanup.policy=compact; may be given again.
        #[arg(long, value_name = "KEY=VALUE")]
        config: Vec<String>,
    },
    /// Show a topic's partitions.
    Describe {
        /// Its name.
        topic: String,
    },
    /// Print a topic's records, a line each, and wait for more.
    Tail {
        /// Its name.
        topic: String,
        /// Begin with the first record that is there instead of the next that comes.
        #[arg(long)]
        from_beginning: bool,
        /// End after this many records.
        #[arg(long, value_name = "N")]
        max_messages: Option<u64>,
        /// Print the key and a tab in front of the value.
        #[arg(long)]
        print_key: bool,
        /// Print the headers and a tab in front of that, as name:value, with commas in between.
        #[arg(long)]
        print_headers: bool,
    },
    /// Write the lines of standard input into a topic.
    Produce {
        /// Its name.
        topic: String,
        /// Split a line into key and value at the first such text.
        #[arg(long, value_name = "TEXT")]
        key_separator: Option<String>,
    },
    /// Delete a topic and everything in it.
    Delete {
        /// Its name.
        topic: String,
        /// Delete a compacted one, too, in which a worker may keep its connectors, their offsets and states.
        #[arg(long)]
        force: bool,
    },
}

fn directory(bootstrap_server: &str) -> Result<PathBuf, String> {
    match bootstrap_server.strip_prefix("local:") {
        Some("memory") => Err("local:memory is inside its worker and cannot be reached from outside".into()),
        Some(dir) if !dir.is_empty() => Ok(dir.into()),
        _ => Err(format!("{bootstrap_server} is no embedded store: say --bootstrap-server local:DIR")),
    }
}

/// Does what was asked; answers the text to print at the end.
pub async fn run(command: TopicCommand) -> Result<String, String> {
    let dir = directory(&command.bootstrap_server)?;
    let client = match command.operation {
        Operation::Create { .. } => LocalClient::connect_or_make(&dir).await,
        _ => LocalClient::connect(&dir).await,
    };
    let client = client.map_err(|error| error.to_string())?;
    let failed = |error: weir_core::port::BrokerError| error.to_string();
    let missing = |topic: &str| format!("topic {topic} does not exist: weir topic list names those that do");
    match command.operation {
        Operation::List => {
            let topics = client.list().await.map_err(failed)?;
            Ok(topics.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>().join("\n"))
        }
        Operation::Create { topic, partitions, config } => {
            let config = config
                .iter()
                .map(|entry| {
                    let (key, value) = entry.split_once('=').ok_or_else(|| format!("{entry:?} is not KEY=VALUE"))?;
                    Ok((key.to_owned(), value.to_owned()))
                })
                .collect::<Result<_, String>>()?;
            let wanted = NewTopic { name: topic.clone(), partitions, replication_factor: -1, config };
            match client.create(&wanted).await.map_err(failed)? {
                Created::New => Ok(format!("created {topic}")),
                Created::Existed => Err(format!("topic {topic} exists")),
            }
        }
        Operation::Describe { topic } => {
            let found = client.describe(&topic).await.map_err(failed)?.ok_or_else(|| missing(&topic))?;
            Ok(described(&found))
        }
        Operation::Tail { topic, from_beginning, max_messages, print_key, print_headers } => {
            let found = client.describe(&topic).await.map_err(failed)?.ok_or_else(|| missing(&topic))?;
            tail(&client, &found, from_beginning, max_messages, (print_headers, print_key)).await
        }
        Operation::Produce { topic, key_separator } => {
            client.describe(&topic).await.map_err(failed)?.ok_or_else(|| missing(&topic))?;
            produce(&client, &topic, key_separator.as_deref()).await
        }
        Operation::Delete { topic, force } => {
            let found = client.describe(&topic).await.map_err(failed)?.ok_or_else(|| missing(&topic))?;
            if !force && found.config.get("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
                return Err(format!(
                    "topic {topic} is compacted: a worker that keeps its connectors, their offsets or states in it loses them \
                     for good. Say --force where none does"
                ));
            }
            match client.delete(&topic).await.map_err(failed)? {
                true => Ok(format!("deleted {topic}")),
                false => Err(missing(&topic)),
            }
        }
    }
}

fn described(topic: &TopicDetails) -> String {
    let mut lines = vec![format!("topic {} with {} partitions", topic.name, topic.partitions.len())];
    lines.extend(topic.config.iter().map(|(key, value)| format!("  {key}={value}")));
    for (number, partition) in topic.partitions.iter().enumerate() {
        let (start, end, bytes) = (partition.start, partition.end, partition.bytes);
        lines.push(format!("  partition {number}: offsets {start} to {end}, {bytes} bytes"));
    }
    lines.join("\n")
}

async fn tail(
    client: &LocalClient,
    topic: &TopicDetails,
    from_beginning: bool,
    max_messages: Option<u64>,
    (print_headers, print_key): (bool, bool),
) -> Result<String, String> {
    let name: std::sync::Arc<str> = topic.name.as_str().into();
    let mut positions: Vec<Position> = topic
        .partitions
        .iter()
        .enumerate()
        .map(|(number, partition)| Position {
            partition: TopicPartition { topic: name.clone(), partition: number as i32 },
            offset: if from_beginning { partition.start } else { partition.end },
        })
        .collect();
    let mut left = max_messages.unwrap_or(u64::MAX);
    while left > 0 {
        let (records, next) =
            client.read(&positions, TAIL_WAIT, TAIL_BYTES).await.map_err(|error| error.to_string())?;
        positions = next;
        let mut out = Vec::with_capacity(records.bytes());
        for row in 0..records.rows.min(usize::try_from(left).unwrap_or(usize::MAX)) {
            if print_headers {
                out.extend_from_slice(headers(&records, row).as_bytes());
                out.push(b'\t');
            }
            if print_key {
                out.extend_from_slice(records.key.get(row).unwrap_or(b"null"));
                out.push(b'\t');
            }
            out.extend_from_slice(records.value.get(row).unwrap_or(b"null"));
            out.push(b'\n');
            left -= 1;
        }
        let mut stdout = std::io::stdout().lock();
        // Whoever read the lines has seen enough: that is how a tail ends.
        if stdout.write_all(&out).and_then(|()| stdout.flush()).is_err() {
            break;
        }
    }
    Ok(String::new())
}

/// The headers of a row, in one line.
fn headers(records: &RawRecords, row: usize) -> String {
    let value = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or(b"null")).replace('\n', "\\n");
    let headers = records.headers.of(row).map(|(name, bytes)| format!("{name}:{}", value(bytes)));
    headers.collect::<Vec<_>>().join(",")
}

async fn produce(client: &LocalClient, topic: &str, separator: Option<&str>) -> Result<String, String> {
    let mut written = 0u64;
    let mut lines = std::io::stdin().lock().lines();
    loop {
        let mut records = RawRecords { topics: vec![topic.into()], ..RawRecords::default() };
        for line in lines.by_ref().take(PRODUCE_ROWS) {
            let line = line.map_err(|error| format!("standard input: {error}"))?;
            let (key, value) = match separator {
                None => (None, line.as_str()),
                Some(separator) => {
                    let (key, value) = line
                        .split_once(separator)
                        .ok_or_else(|| format!("line {:?} has no {separator:?}; {written} were written", line))?;
                    (Some(key), value)
                }
            };
            records.key.push_option(key.map(str::as_bytes));
            records.value.push(value.as_bytes());
            records.rows += 1;
        }
        if records.rows == 0 {
            return Ok(format!("{written} records written"));
        }
        for outcome in client.produce(records).await.map_err(|error| error.to_string())? {
            outcome.map_err(|error| format!("{error}; {written} were written"))?;
            written += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_directory_can_be_reached() {
        assert_eq!(directory("local:/x/y"), Ok("/x/y".into()));
        for other in ["local:memory", "local:", "localhost:9092", ""] {
            assert!(directory(other).is_err(), "{other}");
        }
    }
}
