//! Pure. What a step does to rows of one shape, worked out once.

use std::rc::Rc;

use weir_data::cbor;

use super::row::Row;
use super::shape::{Expect, Shape};
use crate::error::{Error, Result};

/// What a step does to rows of one shape.
#[derive(Debug)]
pub(crate) struct Plan {
    pub expects: Vec<Expect>,
    pub works: Vec<Work>,
    pub shape: Rc<Shape>,
    pub headers: Vec<HeaderPlan>,
}

/// A header that each row gets.
#[derive(Debug)]
pub(crate) struct HeaderPlan {
    pub name: Rc<str>,
    pub shape: Shape,
}

/// A value to be filled for each row.
#[derive(Debug)]
pub(crate) struct Work {
    pub tag: u32,
    pub was: Option<Was>,
    pub place: Place,
}

/// What a value was before.
#[derive(Debug)]
pub(crate) enum Was {
    Slot(u32),
    Written(Box<Shape>),
}

impl Plan {
    /// Adds to a row that meets the expectations what the plan has filled.
    #[inline(always)]
    pub fn fill(
        &self,
        cell: &[u8],
        row: &mut Row,
        scratch: &mut Vec<u8>,
        fill: &mut impl FnMut(u32, Option<&[u8]>, &mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        for work in &self.works {
            scratch.clear();
            match &work.was {
                None => fill(work.tag, None, scratch)?,
                Some(Was::Slot(slot)) => fill(work.tag, Some(row.get(cell, *slot)), scratch)?,
                Some(Was::Written(was)) => {
                    let mut written = Vec::new();
                    was.write(cell, row, &mut written);
                    fill(work.tag, Some(&written), scratch)?;
                }
            }
            match work.place {
                Place::Field => row.push_own(scratch),
                _ if scratch[..] == [cbor::NULL] => return Err(Error::fatal("a key or value was filled with null")),
                Place::All => row.push_own(scratch),
                Place::Raw => row.push_own(body(scratch)?),
            }
        }
        Ok(())
    }
}

/// Where a filled value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Field,
    /// All of the key or value.
    All,
    /// All of it, as text or bytes without head.
    Raw,
}

/// The body of text or bytes.
pub(super) fn body(cbor: &[u8]) -> Result<&[u8]> {
    let head = cbor::read_head(cbor, 0).map_err(Error::data)?;
    Ok(cbor::string_body(cbor, &head).map_err(Error::data)?.0)
}
