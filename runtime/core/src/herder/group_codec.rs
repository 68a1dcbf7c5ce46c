//! Pure. What members and leader of a worker group tell each other through the coordinator, in Connect's bytes: Kafka's
//! old primitive types, big endian (ConnectProtocol, IncrementalCooperativeConnectProtocol).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Assignment, GroupProtocol, MemberState, TaskId, Work};

/// The task number that stands for the connector itself.
const CONNECTOR: i32 = -1;
const NO_ERROR: i16 = 0;
const CONFIG_MISMATCH: i16 = 1;

/// Bytes that the names of a message's tasks may take together: four bytes name another task of the same connector.
const NAMES_MAX: usize = 16 << 20;

/// Bytes that are none of this protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at} is not Connect's group protocol")]
pub struct Malformed {
    what: &'static str,
    at: usize,
}

/// A member's metadata.
pub fn encode_state(state: &MemberState, protocol: GroupProtocol, leader: Option<&Assignment>) -> Vec<u8> {
    let mut out = Vec::new();
    put_i16(&mut out, version(protocol));
    put_text(&mut out, &state.url);
    out.extend(state.offset.to_be_bytes());
    if protocol > GroupProtocol::Eager {
        // A member tells what it runs as an assignment that holds just that.
        let told = leader.filter(|_| !state.runs.is_empty()).map(|leader| {
            let holds = Assignment { assigned: state.runs.clone(), revoked: Work::default(), ..leader.clone() };
            encode_assignment(&holds, protocol)
        });
        match told {
            None => put_i32(&mut out, -1),
            Some(told) => {
                put_i32(&mut out, told.len() as i32);
                out.extend(told);
            }
        }
    }
    out
}

/// Reads a member's metadata.
pub fn decode_state(bytes: &[u8]) -> Result<MemberState, Malformed> {
    let mut read = Reading { bytes, at: 0, names: 0 };
    let version = read.version()?;
    let (url, offset) = (read.text()?, read.i64()?);
    let mut runs = Work::default();
    if version > 0 {
        let length = read.i32()?;
        if length >= 0 {
            let held = read.take(length as usize, "assignment")?;
            runs = decode_assignment(held)?.assigned;
        }
    }
    Ok(MemberState { url, offset, runs })
}

/// An assignment.
pub fn encode_assignment(assignment: &Assignment, protocol: GroupProtocol) -> Vec<u8> {
    let mut out = Vec::new();
    put_i16(&mut out, version(protocol));
    put_i16(&mut out, if assignment.mismatch { CONFIG_MISMATCH } else { NO_ERROR });
    put_text(&mut out, &assignment.leader);
    put_text(&mut out, &assignment.leader_url);
    out.extend(assignment.offset.to_be_bytes());
    put_work(&mut out, &assignment.assigned);
    if protocol > GroupProtocol::Eager {
        put_work(&mut out, &assignment.revoked);
        put_i32(&mut out, i32::try_from(assignment.delay.as_millis()).unwrap_or(i32::MAX));
    }
    out
}

/// Reads an assignment.
pub fn decode_assignment(bytes: &[u8]) -> Result<Assignment, Malformed> {
    let mut read = Reading { bytes, at: 0, names: 0 };
    let version = read.version()?;
    let error = read.i16()?;
    let (leader, leader_url, offset, assigned) = (read.text()?, read.text()?, read.i64()?, read.work()?);
    let (revoked, delay) = if version > 0 { (read.work()?, read.i32()?) } else { (Work::default(), 0) };
    Ok(Assignment {
        leader,
        leader_url,
        offset,
        mismatch: error != NO_ERROR,
        assigned,
        revoked,
        delay: Duration::from_millis(delay.max(0) as u64),
    })
}

fn version(protocol: GroupProtocol) -> i16 {
    match protocol {
        GroupProtocol::Eager => 0,
        GroupProtocol::Compatible => 1,
        GroupProtocol::Sessioned => 2,
    }
}

fn put_i16(out: &mut Vec<u8>, value: i16) {
    out.extend(value.to_be_bytes());
}

fn put_i32(out: &mut Vec<u8>, value: i32) {
    out.extend(value.to_be_bytes());
}

/// Text of more than 32,767 bytes, which the protocol cannot say, is cut: no name or address gets there.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(i16::MAX as usize);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    put_i16(out, end as i16);
    out.extend(&text.as_bytes()[..end]);
}

fn put_work(out: &mut Vec<u8>, work: &Work) {
    let mut numbers: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for connector in &work.connectors {
        numbers.entry(connector).or_default().push(CONNECTOR);
    }
    for task in &work.tasks {
        numbers.entry(&task.connector).or_default().push(task.index as i32);
    }
    put_i32(out, numbers.len() as i32);
    for (connector, numbers) in numbers {
        put_text(out, connector);
        put_i32(out, numbers.len() as i32);
        numbers.into_iter().for_each(|number| put_i32(out, number));
    }
}

struct Reading<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes that the names of tasks take so far.
    names: usize,
}

impl<'a> Reading<'a> {
    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let taken = self.bytes[self.at..].get(..length).ok_or(Malformed { what, at: self.at })?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let at = self.at;
        self.take(N, what)?.try_into().map_err(|_| Malformed { what, at })
    }

    fn i16(&mut self) -> Result<i16, Malformed> {
        Ok(i16::from_be_bytes(self.array("a short")?))
    }

    fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array("an int")?))
    }

    fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array("a long")?))
    }

    /// Newer versions are read as far as they are known, as Connect does.
    fn version(&mut self) -> Result<i16, Malformed> {
        let version = self.i16()?;
        if version < 0 { Err(Malformed { what: "a version below 0", at: 0 }) } else { Ok(version) }
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let at = self.at;
        let length = usize::try_from(self.i16()?).map_err(|_| Malformed { what: "a text's length", at })?;
        let text = self.take(length, "text")?;
        String::from_utf8(text.to_vec()).map_err(|_| Malformed { what: "text that is not UTF-8", at })
    }

    /// Null is read as nothing.
    fn work(&mut self) -> Result<Work, Malformed> {
        let mut work = Work::default();
        for _ in 0..self.i32()? {
            let connector = self.text()?;
            for _ in 0..self.i32()? {
                let at = self.at;
                self.names += connector.len();
                if self.names > NAMES_MAX {
                    return Err(Malformed { what: "more tasks than fit in memory", at });
                }
                match self.i32()? {
                    CONNECTOR => {
                        work.connectors.insert(connector.clone());
                    }
                    number => {
                        let index = u32::try_from(number).map_err(|_| Malformed { what: "a task's number", at })?;
                        work.tasks.insert(TaskId { connector: connector.clone(), index });
                    }
                }
            }
        }
        Ok(work)
    }
}
