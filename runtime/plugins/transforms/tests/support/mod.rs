//! What golden cases say, and the component they are asked of.

pub mod cases;
pub mod component;
