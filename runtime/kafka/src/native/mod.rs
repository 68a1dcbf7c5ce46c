//! The only unsafe code of this crate: librdkafka's C interface made safe. Knows calls and their lifetimes, no ports.
//!
//! Every call that waits for a broker, or for one of librdkafka's threads, says so; callers run those beside tokio.
#![allow(unsafe_code)]

mod admin;
mod client;
mod counted;
mod group;
mod group_offsets;
mod intake;
mod partitions;
mod produce;
mod transactions;

use std::ffi::{CStr, CString, c_char};

use rdkafka::bindings as sys;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

pub(crate) use admin::{Admin, Place};
pub(crate) use client::{Client, Kind, Rebalance, refusals};
pub(crate) use intake::Intake;
pub(crate) use produce::{Delivery, Payload, Topics};

/// What librdkafka or a broker said, with where it said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KafkaError {
    pub code: RDKafkaErrorCode,
    pub message: String,
}

impl KafkaError {
    fn new(code: RDKafkaRespErr, message: String) -> KafkaError {
        KafkaError { code: code.into(), message }
    }

    fn of(code: RDKafkaRespErr) -> KafkaError {
        // SAFETY: the strings of error codes are static.
        let message = unsafe { text(sys::rd_kafka_err2str(code)) };
        KafkaError::new(code, message)
    }

    fn check(code: RDKafkaRespErr) -> Result<(), KafkaError> {
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(KafkaError::of(code)) }
    }

    /// Takes an error object that librdkafka made; null is success.
    ///
    /// # Safety
    /// The pointer is null or owned by the caller, who does not use it again.
    unsafe fn take(error: *mut sys::rd_kafka_error_t) -> Result<(), KafkaError> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: by this function's contract.
        unsafe {
            let taken = KafkaError::new(sys::rd_kafka_error_code(error), text(sys::rd_kafka_error_string(error)));
            sys::rd_kafka_error_destroy(error);
            Err(taken)
        }
    }
}

/// A C string as text; empty for null.
///
/// # Safety
/// The pointer is null or points to a C string that lives during the call.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: by this function's contract.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// Text for C. A NUL, which no name that Kafka knows has, becomes a character that no name has either.
fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}
