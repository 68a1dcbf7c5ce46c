//! Pure. What Kafka's errors mean for whoever made the call: try again, give up, step down, ask for rights.

use rdkafka::types::RDKafkaErrorCode as Code;
use weir_core::port::{BrokerError, StoreError};

use crate::native::KafkaError;

/// An error by the caller's next move.
pub(crate) fn classified(error: KafkaError) -> BrokerError {
    let said = format!("{} ({:?})", error.message, error.code);
    match error.code {
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::SecurityDisabled => BrokerError::Denied(said),
        Code::Authentication => {
            BrokerError::Denied(format!("{said}: check sasl.mechanism, and username and password in sasl.jaas.config"))
        }
        Code::InvalidProducerEpoch
        | Code::ProducerFenced
        | Code::Fenced
        | Code::FencedInstanceId
        | Code::FencedMemberEpoch
        | Code::StaleMemberEpoch
        | Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::NonEmptyGroup
        | Code::GroupSubscribedToTopic
        | Code::AssignmentLost => BrokerError::Fenced(said),
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::InvalidRecord | Code::InvalidTimestamp => {
            BrokerError::BadRecord(said)
        }
        Code::InvalidMessage
        | Code::MessageBatchTooLarge
        | Code::UnsupportedCompressionType
        | Code::UnsupportedForMessageFormat
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::UnknownTopic
        | Code::UnknownTopicOrPartition
        | Code::UnknownPartition
        | Code::InvalidTopic
        | Code::TopicAlreadyExists
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::InvalidReplicaAssignment
        | Code::InvalidConfig
        | Code::PolicyViolation
        | Code::InvalidRequest
        | Code::InvalidRequiredAcks
        | Code::InvalidGroupId
        | Code::InvalidSessionTimeout
        | Code::InconsistentGroupProtocol
        | Code::OffsetMetadataTooLarge
        | Code::AutoOffsetReset
        | Code::InvalidArgument
        | Code::NotImplemented
        | Code::Fatal
        | Code::OutOfOrderSequenceNumber
        | Code::UnknownProducerId => BrokerError::Rejected(said),
        // Brokers that went away, elections, time-outs, and whatever newer brokers say: later it may work.
        _ => BrokerError::Unavailable(said),
    }
}

/// The same for a store that is kept in a topic.
pub(crate) fn store_error(topic: &str, error: BrokerError) -> StoreError {
    match error {
        BrokerError::Unavailable(why) => StoreError::Unavailable(why),
        BrokerError::Fenced(_) => StoreError::Fenced,
        BrokerError::Rejected(why) | BrokerError::BadRecord(why) => StoreError::Unusable(why),
        BrokerError::Denied(why) => StoreError::Unusable(format!(
            "topic {topic}: {why}: the worker's user has to be allowed to read and write it: kafka-acls.sh --add \
             --allow-principal User:NAME --operation Read --operation Write --topic {topic}"
        )),
    }
}

/// Whether a consumer that reads this can go on as if nothing was said: librdkafka tries again by itself.
pub(crate) fn passes_by_itself(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::PollExceeded
            | Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
            | Code::RebalanceInProgress
            | Code::UnknownMemberId
            | Code::IllegalGeneration
            | Code::PartitionEOF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do_next() {
        let of = |code| classified(KafkaError { code, message: "m".into() });
        assert!(matches!(of(Code::TopicAuthorizationFailed), BrokerError::Denied(_)));
        assert!(matches!(of(Code::IllegalGeneration), BrokerError::Fenced(_)));
        assert!(matches!(of(Code::MessageSizeTooLarge), BrokerError::BadRecord(_)));
        assert!(matches!(of(Code::UnknownTopicOrPartition), BrokerError::Rejected(_)));
        assert!(matches!(of(Code::MessageTimedOut), BrokerError::Unavailable(_)));
        assert!(matches!(of(Code::NotEnoughReplicas), BrokerError::Unavailable(_)));
    }
}
