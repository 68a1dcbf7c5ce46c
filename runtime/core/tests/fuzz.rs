//! Fuzz targets of what reads Connect's topics, the group protocol, offsets files, dead letters on their way back and the
//! texts of configurations.

#[path = "../../../tests/fuzz/mod.rs"]
mod fuzzing;

use std::sync::Arc;

use fuzzing::fuzz;
use serde_json::Value;
use weir_core::herder::group_codec::{decode_assignment, decode_state, encode_assignment, encode_state};
use weir_core::model::{Assignment, Config, GroupProtocol, Pattern, RawRecords, VersionRange, compare_versions};
use weir_core::process::{Way, taken_back, way};
use weir_core::settings::{Values, parse_properties, resolved, variables_of};
use weir_core::store::{
    Passed, Status, StatusKey, decode_config, decode_key, decode_offset_file, encode_config, encode_key,
    encode_offset_file,
};

fn unhex(text: &str) -> Vec<u8> {
    let text = text.trim();
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// What Apache's workers wrote: keys and values of one topic, with a zero between them.
fn recorded(topic: &str) -> Vec<Vec<u8>> {
    let lines = include_str!("golden/store_records-4.3.1.jsonl").lines();
    let records = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_topic = records.filter(|record| record["topic"] == topic);
    let joined =
        |record: Value| [record["key"].as_str().unwrap(), record["value"].as_str().unwrap_or_default()].join("\0");
    of_topic.map(|record| joined(record).into_bytes()).collect()
}

/// A key and a value; no value where there is no zero.
fn split(record: &[u8]) -> (&[u8], Option<&[u8]>) {
    match record.iter().position(|byte| *byte == 0) {
        Some(at) => (&record[..at], Some(&record[at + 1..])),
        None => (record, None),
    }
}

const JSON: [&str; 12] = ["{", "}", "[", "]", ":", ",", "\"", "null", "\\u0000", "\"properties\"", "\"state.v2\"", "1"];

#[test]
fn records_of_the_config_topic() {
    fuzz("config_topic", recorded("config"), &JSON, |record| {
        let (key, value) = split(record);
        match decode_config(key, value) {
            Ok(known) => {
                let (key, value) = encode_config(&known);
                assert_eq!(decode_config(key.as_bytes(), value.as_deref()), Ok(known));
                "fine".into()
            }
            Err(Passed::NotOurs) => "not ours".into(),
            Err(Passed::NotJson(why) | Passed::Unreadable(why)) => {
                why.rsplit_once(": ").map_or(String::new(), |(_, why)| why.into())
            }
        }
    });
}

#[test]
fn records_of_the_status_topic() {
    fuzz("status_topic", recorded("status"), &JSON, |record| {
        let (key, value) = split(record);
        let key = StatusKey::decode(key);
        if let Some(key) = &key {
            assert_eq!(StatusKey::decode(key.encode().as_bytes()).as_ref(), Some(key));
        }
        let status = value.and_then(Status::decode);
        if let Some(status) = &status {
            assert_eq!(Status::decode(&status.encode()).as_ref(), Some(status));
        }
        format!("{:?} {}", key.map(|key| std::mem::discriminant(&key)), status.is_some())
    });
}

#[test]
fn keys_of_the_offsets_topic() {
    fuzz("offsets_topic", recorded("offset"), &JSON, |record| {
        let (key, _) = split(record);
        let Some((known, written)) = decode_key(key) else { return String::new() };
        let again = encode_key(&known.connector, &written).unwrap();
        let (back, _) = decode_key(&again).unwrap();
        assert_eq!(back, known);
        assert_eq!(encode_key(&known.connector, &known.partition).and_then(|key| decode_key(&key)).unwrap().0, known);
        "fine".into()
    });
}

#[test]
fn offsets_files() {
    let seed = unhex(include_str!("golden/offsets_file-4.3.1.hex"));
    fuzz("offsets_file", [seed], &["q\u{0}~\u{0}\u{3}", "u", "p", "x"], |bytes| match decode_offset_file(bytes) {
        Ok(entries) => {
            let held: usize = entries.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum();
            assert!(held <= (16 << 20) + bytes.len(), "{held} bytes out of {}", bytes.len());
            let borrowed: Vec<_> = entries.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
            assert_eq!(decode_offset_file(&encode_offset_file(borrowed.into_iter())), Ok(entries));
            "fine".into()
        }
        Err(why) => why.to_string(),
    });
}

fn group_bytes(member: &str) -> Vec<Vec<u8>> {
    let lines = include_str!("golden/group_bytes.jsonl").lines();
    lines.map(|line| unhex(serde_json::from_str::<Value>(line).unwrap()[member].as_str().unwrap_or_default())).collect()
}

/// About how many bytes an assignment holds.
fn held(assignment: &Assignment) -> usize {
    let works = [&assignment.assigned, &assignment.revoked];
    let of_tasks = works.iter().flat_map(|work| &work.tasks).map(|task| task.connector.len());
    of_tasks.chain(works.iter().flat_map(|work| &work.connectors).map(String::len)).sum()
}

/// An assignment of nothing by nobody.
const NOBODY: &str = "0000000000000000000000000000000000000000";

#[test]
fn what_members_of_a_group_say() {
    let seeds = group_bytes("metadata").into_iter().chain(group_bytes("assignment"));
    fuzz("group_protocol", seeds, &["\u{0}\u{1}a\u{0}\u{0}\u{0}\u{1}"], |bytes| {
        let (state, assignment) = (decode_state(bytes), decode_assignment(bytes));
        if let Ok(assignment) = &assignment {
            assert!(held(assignment) <= 16 << 20, "{} bytes out of {}", held(assignment), bytes.len());
            let again = encode_assignment(assignment, GroupProtocol::Sessioned);
            assert_eq!(decode_assignment(&again).as_ref(), Ok(assignment));
        }
        if let Ok(state) = &state {
            let leader = decode_assignment(&unhex(NOBODY)).unwrap();
            let again = encode_state(state, GroupProtocol::Sessioned, Some(&leader));
            assert_eq!(decode_state(&again).as_ref(), Ok(state));
        }
        format!("{:?} {:?}", state.err(), assignment.err())
    });
}

#[test]
fn properties_files_and_variables() {
    let seeds = ["a=b\n#c\n d\\ e : f\\\n  g\\u00e4", "key=${file:/a:b} ${env:C}", "\\\\=\\\r\n"];
    let words = ["\\", "\\u", "=", ":", "\n", "\r", "#", "${", "}", "${file:/a:b}", "${x:y}", "\u{c}", "é"];
    fuzz("properties", seeds.map(|seed| seed.as_bytes().to_vec()), &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let config = match parse_properties(&text) {
            Ok(config) => config,
            Err(why) => return why,
        };
        // Written with everything escaped, it means the same.
        let escaped = |text: &str| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        let written: String =
            config.iter().map(|(key, value)| format!("{}={}\n", escaped(key), escaped(value))).collect();
        assert_eq!(parse_properties(&written).as_ref(), Ok(&config));
        let variables = variables_of(&config, |_| true);
        let values: Values = variables.iter().map(|variable| (variable.clone(), "v".to_owned())).collect();
        let whole: Config = resolved(&config, &values);
        assert!(whole.values().map(String::len).sum::<usize>() <= config.values().map(String::len).sum());
        assert!(resolved(&config, &Values::new()) == config);
        format!("{} {}", config.len().min(5), variables.len().min(5))
    });
}

#[test]
fn versions_and_patterns() {
    let seeds = ["[1.0,2.0)\0topic-.*", "1.2.3-SNAPSHOT\0(a|b)+", "(,1.0],[1.2,)\0[^a-z]{2,5}"];
    let words = ["[", "]", "(", ")", ",", ".", "-", "1", "alpha", "SNAPSHOT", "*", "+", "{9}", "\\d", "(?i)", "&&"];
    fuzz("versions_and_patterns", seeds.map(|seed| seed.as_bytes().to_vec()), &words, |bytes| {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]).into_owned();
        let (version, pattern) = text.split_once('\0').unwrap_or((&text, &text));
        assert_eq!(compare_versions(version, pattern), compare_versions(pattern, version).reverse());
        let range = VersionRange::parse(version);
        let holds = range.as_ref().ok().and_then(Option::as_ref).map(|range| range.holds("1.1"));
        let made = Pattern::new(pattern);
        let matches = made.as_ref().map(|made| made.matches("topic-1"));
        format!("{holds:?} {:?} {:?}", range.is_err(), matches.ok())
    });
}

/// Letters out of lines: a header's name and its value, or a name alone; an empty line ends a letter.
fn letters(bytes: &[u8]) -> RawRecords {
    let mut letters = RawRecords { topics: vec!["dead".into()], ..RawRecords::default() };
    for line in bytes.split(|byte| *byte == b'\n').chain([&b""[..]]) {
        let headers = &mut letters.headers;
        if line.is_empty() {
            headers.ends.push(headers.name.len() as u32);
            letters.value.push(letters.rows.to_string().as_bytes());
            letters.rows += 1;
            continue;
        }
        let (name, value) = match line.iter().position(|byte| *byte == b'=') {
            Some(at) => (&line[..at], Some(&line[at + 1..])),
            None => (line, None),
        };
        headers.name.push(headers.names.len() as u32);
        headers.names.push(Arc::from(&*String::from_utf8_lossy(name)));
        headers.value.push_option(value);
    }
    letters
}

/// The headers of a row, without the last of each name that says something of an error where they are to be left out.
fn headers_of(records: &RawRecords, row: usize, without: &[&str]) -> Vec<(String, Option<Vec<u8>>)> {
    let owned = |(name, value): (&str, Option<&[u8]>)| (name.to_owned(), value.map(<[u8]>::to_vec));
    let mut headers: Vec<_> = records.headers.of(row).map(owned).collect();
    for left_out in without {
        if let Some(last) = headers.iter().rposition(|(name, _)| name == left_out) {
            headers.remove(last);
        }
    }
    headers
}

/// Letters that anybody may have written: what goes back is their record, with no header less and none more than it had.
#[test]
fn dead_letters_on_their_way_back() {
    let names = [
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
        "incomplete",
    ];
    let names = names.map(|name| format!("__connect.errors.{name}"));
    let names = names.each_ref().map(String::as_str);
    let seeds = [
        "own=1\n__connect.errors.topic=t\n__connect.errors.partition=3\n__connect.errors.connector.name=c\n",
        "__connect.errors.connector.name=d\n__connect.errors.connector.name=c\n\nown\n\n__connect.errors.incomplete=true",
    ];
    let words = ["=t", "=c", "=3", "=-1", "=2147483648", "=true", "\n", "\n\n", "__connect.errors.", "own=1"];
    let words = [&names[..], &words].concat();
    let only: Arc<str> = "only".into();
    fuzz("dead_letters", seeds.map(|seed| seed.as_bytes().to_vec()), &words, |bytes| {
        let letters = letters(bytes);
        let ways: Vec<Way> = (0..letters.rows).map(|row| way(&letters, row, "c", Some(&only))).collect();
        let back = (0u32..).zip(&ways).filter_map(|(row, way)| match way {
            Way::Back(topic, partition) => Some((row, (topic.clone(), *partition))),
            Way::OfAnother | Way::Unknown => None,
        });
        let (rows, places): (Vec<u32>, Vec<_>) = back.unzip();
        let records = taken_back(&letters, &rows, &places);
        assert_eq!(records.rows, rows.len());
        for (at, (row, (topic, partition))) in rows.iter().zip(&places).enumerate() {
            let row = *row as usize;
            assert_eq!((records.topic_of(at), records.partition_of(at)), (topic, *partition));
            assert!(partition.is_none_or(|partition| partition >= 0), "{partition:?}");
            assert_eq!(records.value.get(at), letters.value.get(row));
            assert_eq!(headers_of(&records, at, &[]), headers_of(&letters, row, &names));
        }
        let kinds = ways.iter().take(8).map(|way| match way {
            Way::Back(_, None) => 'b',
            Way::Back(_, Some(_)) => 'p',
            Way::OfAnother => 'o',
            Way::Unknown => 'u',
        });
        kinds.collect()
    });
}
