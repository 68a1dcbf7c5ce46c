//! The metrics: the one table that defines them held against Connect's own list, the page that documents them, and what
//! a group of workers serves through the life of its connectors.

mod clients;
mod group;
mod names;
mod page;
mod semantics;
mod served;
mod startups;
mod walk;
