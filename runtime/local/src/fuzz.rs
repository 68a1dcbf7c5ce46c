//! Fuzz targets of what the store's files hold and what other processes send.

#[path = "../../../tests/fuzz/mod.rs"]
mod fuzzing;

use weir_core::model::RawRecords;
use weir_data::Column;

use crate::codec::{decode, encode};
use crate::exchange::{Chunk, Request, from_chunks, to_chunks};
use fuzzing::fuzz;

fn records() -> RawRecords {
    let mut records =
        RawRecords { rows: 3, topics: vec!["t".into()], partitions: vec![Some(1)], ..RawRecords::default() };
    [Some("a"), None, Some("")].iter().for_each(|cell| records.value.push_option(cell.map(str::as_bytes)));
    records.headers.names = vec!["h".into(), "ü".into()];
    records.headers.ends = vec![1, 1, 2];
    records.headers.name = vec![0, 1];
    records.headers.value = Column::default();
    records.timestamp = vec![1, -1, i64::MAX];
    records
}

/// Frames of the store, under a checksum that fits: a broken one is refused before anything is read.
#[test]
fn frames_of_the_store() {
    let (_, frame, _) = to_chunks(&records());
    fuzz("store_frame", [frame], &[], |bytes| {
        let mut bytes = bytes.to_vec();
        if bytes.len() > 9 {
            let length = u32::from_le_bytes(bytes[1..5].try_into().unwrap()) as usize;
            let crc = crc32fast::hash(&bytes[9..length.clamp(9, bytes.len())]);
            bytes[5..9].copy_from_slice(&crc.to_le_bytes());
        }
        match decode(&bytes) {
            Ok((_, batch)) => {
                let (mut once, mut twice) = (Vec::new(), Vec::new());
                encode(&batch, &mut once);
                encode(&decode(&once).unwrap().1, &mut twice);
                assert_eq!(once, twice);
                "fine".into()
            }
            Err(why) => why.to_string(),
        }
    });
}

/// What comes over the socket: a header in JSON, a zero, and the frames it speaks of.
#[test]
fn requests_of_other_processes() {
    let (chunks, body, _) = to_chunks(&records());
    let seed = [&serde_json::to_vec(&chunks).unwrap()[..], b"\0", &body].concat();
    let words = ["\"topic\"", "\"partition\"", "\"offset\"", "\"bytes\"", "null", "[", "{", "}", "]", ",", ":"];
    fuzz("socket", [seed], &words, |bytes| {
        let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let (header, body) = (&bytes[..at], bytes.get(at + 1..).unwrap_or_default());
        let request = serde_json::from_slice::<Request>(header).map(|_| ()).map_err(|error| error.to_string());
        let Ok(chunks) = serde_json::from_slice::<Vec<Chunk>>(header) else { return format!("{request:?}") };
        match from_chunks(&chunks, body) {
            Ok(records) => {
                records.value.check(records.rows, "values").unwrap();
                let (chunks, body, _) = to_chunks(&records);
                assert_eq!(from_chunks(&chunks, &body).unwrap().rows, records.rows);
                "fine".into()
            }
            Err(why) => why.to_string(),
        }
    });
}
