//! Pure. What can go wrong between a member and its coordinator, by the member's next move, as Java's
//! AbstractCoordinator takes it.

use weir_core::port::Refused;

use super::messages::Api;

/// Why a connection could not be made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// It is not there, or no longer: later or elsewhere it may work.
    #[error("{0}")]
    Unreachable(String),
    /// Whoever answers there is no broker that understands us.
    #[error("{0}")]
    NotKafka(String),
    /// It refuses us, or we it, until something is configured otherwise.
    #[error("{0}")]
    Denied(String),
}

pub(super) const NONE: i16 = 0;
pub(super) const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
pub(super) const ILLEGAL_SASL_STATE: i16 = 34;
pub(super) const MEMBER_ID_REQUIRED: i16 = 79;

/// Kafka's name of an error's code.
pub(super) fn name(code: i16) -> String {
    let known = match code {
        -1 => "UNKNOWN_SERVER_ERROR",
        7 => "REQUEST_TIMED_OUT",
        13 => "NETWORK_EXCEPTION",
        14 => "COORDINATOR_LOAD_IN_PROGRESS",
        15 => "COORDINATOR_NOT_AVAILABLE",
        16 => "NOT_COORDINATOR",
        22 => "ILLEGAL_GENERATION",
        23 => "INCONSISTENT_GROUP_PROTOCOL",
        24 => "INVALID_GROUP_ID",
        25 => "UNKNOWN_MEMBER_ID",
        26 => "INVALID_SESSION_TIMEOUT",
        27 => "REBALANCE_IN_PROGRESS",
        29 => "TOPIC_AUTHORIZATION_FAILED",
        30 => "GROUP_AUTHORIZATION_FAILED",
        31 => "CLUSTER_AUTHORIZATION_FAILED",
        UNSUPPORTED_SASL_MECHANISM => "UNSUPPORTED_SASL_MECHANISM",
        ILLEGAL_SASL_STATE => "ILLEGAL_SASL_STATE",
        35 => "UNSUPPORTED_VERSION",
        42 => "INVALID_REQUEST",
        58 => "SASL_AUTHENTICATION_FAILED",
        MEMBER_ID_REQUIRED => "MEMBER_ID_REQUIRED",
        81 => "GROUP_MAX_SIZE_REACHED",
        82 => "FENCED_INSTANCE_ID",
        _ => return format!("error {code}"),
    };
    known.to_string()
}

/// What an error in an answer means for a member of the group.
pub(super) fn refused(api: Api, code: i16, group: &str) -> Refused {
    match code {
        // In flight on the broker's side, or between brokers.
        7 | 13 | 14 => Refused::Loading,
        15 | 16 => Refused::NoCoordinator,
        22 | 25 => Refused::Expelled,
        27 => Refused::Rebalancing,
        23 | 24 | 26 | 29..=31 | 35 | 42 | 81 | 82 => Refused::Fatal(fatal(api, code, group)),
        // Java, too, counts this as a beat that failed: the session ends soon enough, if it has to.
        _ if api == Api::Heartbeat => Refused::Loading,
        _ => Refused::Fatal(fatal(api, code, group)),
    }
}

fn fatal(api: Api, code: i16, group: &str) -> String {
    let remedy = match code {
        23 => {
            "other members of the group agree on no protocol with this worker; see that group.id names no group of consumers, and that connect.protocol is the same on all workers"
        }
        24 => "set group.id to a name that brokers take",
        26 => {
            "set session.timeout.ms between the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms"
        }
        29..=31 => {
            "allow the worker's user to read the group: kafka-acls.sh --add --allow-principal User:NAME --operation Read --group GROUP"
        }
        35 => "the broker is too old or too new for this worker",
        81 => "the group is as large as the brokers' group.max.size allows; raise it, or run fewer workers",
        82 => "another member took its place",
        _ => "the coordinator's own log says why",
    };
    format!("group {group}: {api:?} was refused with {}: {remedy}", name(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_the_members_next_move() {
        for (code, move_) in [
            (14, Refused::Loading),
            (15, Refused::NoCoordinator),
            (16, Refused::NoCoordinator),
            (22, Refused::Expelled),
            (25, Refused::Expelled),
            (27, Refused::Rebalancing),
        ] {
            for api in [Api::JoinGroup, Api::SyncGroup, Api::Heartbeat, Api::FindCoordinator] {
                assert_eq!(refused(api, code, "g"), move_, "{api:?} {code}");
            }
        }
    }

    #[test]
    fn what_only_another_configuration_mends_says_its_name_and_a_remedy() {
        for (code, words) in [
            (23, ["INCONSISTENT_GROUP_PROTOCOL", "group.id"]),
            (26, ["INVALID_SESSION_TIMEOUT", "session.timeout.ms"]),
            (30, ["GROUP_AUTHORIZATION_FAILED", "kafka-acls.sh"]),
            (-1, ["UNKNOWN_SERVER_ERROR", "log"]),
            (9999, ["error 9999", "log"]),
        ] {
            let Refused::Fatal(said) = refused(Api::JoinGroup, code, "workers") else { panic!("{code} is not fatal") };
            assert!(words.iter().all(|word| said.contains(word)) && said.contains("group workers"), "{said}");
        }
    }

    #[test]
    fn a_beat_that_fails_for_an_unknown_reason_is_a_beat_that_failed() {
        assert_eq!(refused(Api::Heartbeat, -1, "g"), Refused::Loading);
        assert!(matches!(refused(Api::Heartbeat, 30, "g"), Refused::Fatal(_)));
    }
}
