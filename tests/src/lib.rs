//! Whole-system tests, hostile guests and benchmarks.
