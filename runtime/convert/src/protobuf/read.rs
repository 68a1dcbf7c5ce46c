//! Pure. Protobuf's wire format to cells, by the plan of a message. Reading is bounded: never past the end, and no more
//! than a batch may grow to.

use prost_reflect::Kind;
use weir_data::cbor::{self, major};

use super::calendar;
use super::to_connect::{Message, Read, Readable, Slot};
use super::wire::{Reader, Wire, unzigzag};
use crate::json::keep_last;
use crate::{decimal, java_text};

/// A value of a field on its way.
struct Found<'a> {
    slot: usize,
    inner: usize,
    value: Wire<'a>,
}

impl Readable {
    /// Appends the cell of a record to a batch that is to take `most` bytes.
    pub(crate) fn cell(&self, bytes: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let start = out.len();
        value(&self.root, Wire::Bytes(bytes), most, out)?;
        if self.schema.is_raw() {
            let head = cbor::read_head(out, start).map_err(|malformed| malformed.to_string())?;
            out.drain(start..head.end);
        }
        Ok(())
    }
}

fn room(out: &[u8], most: usize) -> Result<(), String> {
    java_text::room(out, most).map_err(|too_large| too_large.to_string())
}

/// Whether a value stands as its kind does; one that does not is left alone, as Protobuf's own readers do.
fn fits(read: &Read, wire: Wire<'_>) -> bool {
    match (read, wire) {
        (Read::Number(kind, _), wire) => match kind {
            Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => matches!(wire, Wire::Fixed32(_)),
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => matches!(wire, Wire::Fixed64(_)),
            _ => matches!(wire, Wire::Varint(_)),
        },
        (Read::Symbol(_), wire) => matches!(wire, Wire::Varint(_)),
        (_, wire) => matches!(wire, Wire::Bytes(_)),
    }
}

fn message(plan: &Message, bytes: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
    room(out, most)?;
    let mut reader = Reader::new(bytes);
    let mut found: Vec<Found<'_>> = Vec::new();
    while !reader.is_empty() {
        let (number, value) = reader.field()?;
        if let Some(&(slot, inner)) = plan.by_number.get(&number) {
            found.push(Found { slot, inner, value });
        }
    }
    // The values of a field come together, in the order in which they came.
    found.sort_by_key(|found| found.slot);
    cbor::head(out, major::ARRAY, plan.slots.len() as u64);
    let mut rest = &found[..];
    for (at, slot) in plan.slots.iter().enumerate() {
        let count = rest.iter().take_while(|found| found.slot == at).count();
        let (own, behind) = rest.split_at(count);
        rest = behind;
        self::slot(slot, own, most, out)?;
    }
    Ok(())
}

fn slot(slot: &Slot, found: &[Found<'_>], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
    match slot {
        Slot::One(read, absent) => {
            let fitting: Vec<Wire<'_>> =
                found.iter().map(|found| found.value).filter(|wire| fits(read, *wire)).collect();
            one(read, absent, &fitting, most, out)
        }
        Slot::Union(reads) => cbor_union(reads, found, most, out),
        Slot::Many(read) => many(read, found, most, out),
        Slot::Entries(key, value) => {
            let start = out.len();
            out.push(0);
            let mut count = 0;
            for entry in found {
                let Wire::Bytes(bytes) = entry.value else { continue };
                room(out, most)?;
                let mut reader = Reader::new(bytes);
                let (mut keys, mut values) = (Vec::new(), Vec::new());
                while !reader.is_empty() {
                    match reader.field()? {
                        (1, wire) if fits(&key.0, wire) => keys.push(wire),
                        (2, wire) if fits(&value.0, wire) => values.push(wire),
                        _ => {} // nothing of an entry's
                    }
                }
                one(&key.0, &key.1, &keys, most, out)?;
                one(&value.0, &value.1, &values, most, out)?;
                count += 1;
            }
            if count > 1 {
                count = keep_last(out, start + 1, count);
            }
            cbor::patch_head(out, start, major::MAP, count);
            Ok(())
        }
    }
}

/// The last value counts; messages that come in parts are put together.
fn one(read: &Read, absent: &[u8], found: &[Wire<'_>], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
    match (read, found) {
        (_, []) => {
            room(out, most)?;
            cbor::put(out, absent);
            Ok(())
        }
        (Read::Message(_), [_, _, ..]) => {
            let parts = found.iter().filter_map(|wire| if let Wire::Bytes(part) = wire { Some(*part) } else { None });
            let whole: Vec<u8> = parts.flatten().copied().collect();
            value(read, Wire::Bytes(&whole), most, out)
        }
        (_, [.., last]) => value(read, *last, most, out),
    }
}

fn cbor_union(reads: &[Read], found: &[Found<'_>], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
    room(out, most)?;
    let mut fitting = found.iter().filter(|found| fits(&reads[found.inner], found.value));
    let Some(last) = fitting.next_back() else {
        out.push(cbor::NULL);
        return Ok(());
    };
    cbor::head(out, major::ARRAY, reads.len() as u64);
    out.resize(out.len() + last.inner, cbor::NULL);
    let same = found.iter().filter(|found| found.inner == last.inner).map(|found| found.value);
    let same: Vec<Wire<'_>> = same.filter(|wire| fits(&reads[last.inner], *wire)).collect();
    one(&reads[last.inner], &[cbor::NULL], &same, most, out)?;
    out.resize(out.len() + reads.len() - last.inner - 1, cbor::NULL);
    Ok(())
}

fn many(read: &Read, found: &[Found<'_>], most: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    out.push(0);
    let mut count = 0;
    for one in found {
        if fits(read, one.value) {
            room(out, most)?;
            value(read, one.value, most, out)?;
            count += 1;
        } else if let (Wire::Bytes(packed), Read::Number(..) | Read::Symbol(_)) = (one.value, read) {
            let mut reader = Reader::new(packed);
            while !reader.is_empty() {
                let wire = match read {
                    Read::Number(Kind::Fixed32 | Kind::Sfixed32 | Kind::Float, _) => Wire::Fixed32(reader.fixed32()?),
                    Read::Number(Kind::Fixed64 | Kind::Sfixed64 | Kind::Double, _) => Wire::Fixed64(reader.fixed64()?),
                    _ => Wire::Varint(reader.varint()?),
                };
                room(out, most)?;
                value(read, wire, most, out)?;
                count += 1;
            }
        }
    }
    cbor::patch_head(out, start, major::ARRAY, count);
    Ok(())
}

fn number(kind: &Kind, bits: u32, wire: Wire<'_>, out: &mut Vec<u8>) {
    let integer = match (kind, wire) {
        (Kind::Bool, Wire::Varint(value)) => return out.push(if value == 0 { cbor::FALSE } else { cbor::TRUE }),
        (Kind::Float, Wire::Fixed32(value)) => return cbor::float32(out, f32::from_bits(value)),
        (Kind::Double, Wire::Fixed64(value)) => return cbor::float64(out, f64::from_bits(value)),
        (Kind::Sint32 | Kind::Sint64, Wire::Varint(value)) => unzigzag(value),
        (Kind::Uint32, Wire::Varint(value)) => i64::from(value as u32),
        (Kind::Int32, Wire::Varint(value)) => i64::from(value as i32),
        (Kind::Sfixed32, Wire::Fixed32(value)) => i64::from(value as i32),
        (_, Wire::Fixed32(value)) => i64::from(value),
        (_, Wire::Varint(value) | Wire::Fixed64(value)) => value as i64,
        (_, Wire::Bytes(_)) => 0, // does not fit, so it does not come here
    };
    cbor::integer(out, integer << (64 - bits) >> (64 - bits));
}

fn value(read: &Read, wire: Wire<'_>, most: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let bytes = if let Wire::Bytes(bytes) = wire { bytes } else { &[] };
    match read {
        Read::Number(kind, bits) => number(kind, (*bits).max(1), wire, out),
        Read::Symbol(texts) => {
            let Wire::Varint(number) = wire else { return Err("an enum that is no number".into()) };
            match texts.get(&(number as i32)) {
                Some(text) => cbor::put(out, text),
                // As Java names what its enum does not know.
                None => cbor::text(out, format!("UNKNOWN_ENUM_VALUE_{}", number as i32).as_bytes()),
            }
        }
        Read::Text => {
            std::str::from_utf8(bytes).map_err(|_| "Protocol message had invalid UTF-8.")?;
            cbor::text(out, bytes);
        }
        Read::Bytes => cbor::bytes(out, bytes),
        Read::Message(plan) => message(plan, bytes, most, out)?,
        Read::Wrapped(inner, absent) => {
            let found = numbered(bytes, 1)?;
            let fitting: Vec<Wire<'_>> = found.into_iter().filter(|wire| fits(inner, *wire)).collect();
            one(inner, absent, &fitting, most, out)?;
        }
        Read::Decimal(scale) => decimal_value(bytes, *scale, out)?,
        Read::Date => {
            let [year, month, day, _] = numbers(bytes)?;
            cbor::integer(
                out,
                calendar::days(year, month, day).ok_or_else(|| format!("there is no day {year}-{month}-{day}"))?,
            );
        }
        Read::Time => {
            let [hours, minutes, seconds, nanos] = numbers(bytes)?;
            let valid = (0..24).contains(&hours)
                && (0..60).contains(&minutes)
                && (0..60).contains(&seconds)
                && (0..1_000_000_000).contains(&nanos);
            if !valid {
                return Err(format!("there is no time {hours}:{minutes}:{seconds} and {nanos} nanoseconds"));
            }
            cbor::integer(out, ((hours * 60 + minutes) * 60 + seconds) * 1_000 + nanos / 1_000_000);
        }
        Read::Timestamp => {
            let [seconds, nanos, ..] = numbers(bytes)?;
            let millis = seconds.checked_mul(1_000).and_then(|millis| millis.checked_add(nanos.div_euclid(1_000_000)));
            cbor::integer(out, millis.ok_or_else(|| format!("a timestamp of {seconds} seconds is out of range"))?);
        }
    }
    Ok(())
}

fn numbered(bytes: &[u8], wanted: u32) -> Result<Vec<Wire<'_>>, String> {
    let mut reader = Reader::new(bytes);
    let mut found = Vec::new();
    while !reader.is_empty() {
        let (number, wire) = reader.field()?;
        if number == wanted {
            found.push(wire);
        }
    }
    Ok(found)
}

/// The first four fields of a message of integers.
fn numbers(bytes: &[u8]) -> Result<[i64; 4], String> {
    let mut reader = Reader::new(bytes);
    let mut numbers = [0; 4];
    while !reader.is_empty() {
        if let (number @ 1..=4, Wire::Varint(value)) = reader.field()? {
            numbers[number as usize - 1] = value as i64;
        }
    }
    Ok(numbers)
}

fn decimal_value(bytes: &[u8], scale: i32, out: &mut Vec<u8>) -> Result<(), String> {
    let mut reader = Reader::new(bytes);
    let (mut unscaled, mut own) = (&[][..], 0);
    while !reader.is_empty() {
        match reader.field()? {
            (1, Wire::Bytes(value)) => unscaled = value,
            (3, Wire::Varint(value)) => own = value as i32,
            _ => {} // the precision
        }
    }
    let unscaled = decimal::shortest(unscaled);
    if own == scale {
        cbor::bytes(out, unscaled);
        return Ok(());
    }
    let unfit = || format!("a decimal of scale {own} does not fit the scale {scale} of its schema");
    let fill = if unscaled[0] >= 0x80 { [0xff; 16] } else { [0; 16] };
    let mut wide = fill;
    wide.get_mut(16usize.saturating_sub(unscaled.len())..).ok_or_else(unfit)?;
    if unscaled.len() > 16 {
        return Err(unfit());
    }
    wide[16 - unscaled.len()..].copy_from_slice(unscaled);
    let number = i128::from_be_bytes(wide);
    let power = 10i128.checked_pow(own.abs_diff(scale)).ok_or_else(unfit)?;
    let scaled = match own < scale {
        true => number.checked_mul(power).ok_or_else(unfit)?,
        false if number % power == 0 => number / power,
        false => return Err(unfit()),
    };
    cbor::bytes(out, decimal::shortest(&scaled.to_be_bytes()));
    Ok(())
}
