//! Pure. The requests of a member and their answers, in the versions before Kafka's compact encoding: every broker since
//! 2.2 speaks them, and they say all that a member asks.

use std::ops::RangeInclusive;

use super::frame::{Malformed, Reader, Writer};

/// The protocol type of worker groups.
const PROTOCOL_TYPE: &str = "connect";
/// The kind of key that a group's id is when a coordinator is looked for.
const GROUP: i8 = 0;

/// A kind of request, by Kafka's name.
#[allow(clippy::enum_variant_names, reason = "Kafka calls one of them ApiVersions")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    LeaveGroup = 13,
    SyncGroup = 14,
    SaslHandshake = 17,
    ApiVersions = 18,
    SaslAuthenticate = 36,
}

impl Api {
    /// The versions that are written and read here.
    pub(super) fn versions(self) -> RangeInclusive<i16> {
        match self {
            Api::ApiVersions => 0..=0,
            Api::FindCoordinator | Api::LeaveGroup => 1..=2,
            // From 4 on a member is told its id before it joins.
            Api::JoinGroup => 4..=5,
            Api::Heartbeat | Api::SyncGroup => 1..=3,
            Api::SaslHandshake => 1..=1,
            Api::SaslAuthenticate => 0..=1,
        }
    }
}

/// A request and how its answer is read.
pub(super) trait Request: Sync {
    const API: Api;
    type Answer: Send;
    fn write(&self, version: i16, to: &mut Writer);
    fn read(version: i16, from: &mut Reader<'_>) -> Result<Self::Answer, Malformed>;
}

pub(super) struct ApiVersions;

/// Kafka's code of an error, 0 for none, and what each kind of request is understood in: key, least and highest version.
pub(super) struct VersionsKnown {
    pub(super) error: i16,
    pub(super) versions: Vec<(i16, i16, i16)>,
}

impl Request for ApiVersions {
    const API: Api = Api::ApiVersions;
    type Answer = VersionsKnown;

    fn write(&self, _version: i16, _to: &mut Writer) {}

    fn read(_version: i16, from: &mut Reader<'_>) -> Result<VersionsKnown, Malformed> {
        let error = from.i16()?;
        let versions = from.elements(|from| Ok((from.i16()?, from.i16()?, from.i16()?)))?;
        Ok(VersionsKnown { error, versions })
    }
}

pub(super) struct SaslHandshake {
    pub(super) mechanism: &'static str,
}

pub(super) struct Handshaken {
    pub(super) error: i16,
    pub(super) mechanisms: Vec<String>,
}

impl Request for SaslHandshake {
    const API: Api = Api::SaslHandshake;
    type Answer = Handshaken;

    fn write(&self, _version: i16, to: &mut Writer) {
        to.string(self.mechanism);
    }

    fn read(_version: i16, from: &mut Reader<'_>) -> Result<Handshaken, Malformed> {
        Ok(Handshaken { error: from.i16()?, mechanisms: from.elements(Reader::string)? })
    }
}

pub(super) struct SaslAuthenticate {
    pub(super) token: Vec<u8>,
}

pub(super) struct Authenticated {
    pub(super) error: i16,
    pub(super) message: String,
    pub(super) token: Vec<u8>,
    /// For how long the login is good, in milliseconds; 0 for ever.
    pub(super) lifetime_ms: i64,
}

impl Request for SaslAuthenticate {
    const API: Api = Api::SaslAuthenticate;
    type Answer = Authenticated;

    fn write(&self, _version: i16, to: &mut Writer) {
        to.bytes(&self.token);
    }

    fn read(version: i16, from: &mut Reader<'_>) -> Result<Authenticated, Malformed> {
        let (error, message, token) = (from.i16()?, from.string()?, from.bytes()?);
        let lifetime_ms = if version >= 1 { from.i64()? } else { 0 };
        Ok(Authenticated { error, message, token, lifetime_ms })
    }
}

pub(super) struct FindCoordinator<'a> {
    pub(super) group: &'a str,
}

pub(super) struct CoordinatorFound {
    pub(super) error: i16,
    pub(super) node: i32,
    pub(super) host: String,
    pub(super) port: i32,
}

impl Request for FindCoordinator<'_> {
    const API: Api = Api::FindCoordinator;
    type Answer = CoordinatorFound;

    fn write(&self, _version: i16, to: &mut Writer) {
        to.string(self.group);
        to.i8(GROUP);
    }

    fn read(_version: i16, from: &mut Reader<'_>) -> Result<CoordinatorFound, Malformed> {
        let (_throttled, error, _message, node) = (from.i32()?, from.i16()?, from.string()?, from.i32()?);
        Ok(CoordinatorFound { error, node, host: from.string()?, port: from.i32()? })
    }
}

pub(super) struct JoinGroup<'a> {
    pub(super) group: &'a str,
    pub(super) session_ms: i32,
    pub(super) rebalance_ms: i32,
    pub(super) member: &'a str,
    pub(super) protocols: &'a [(String, Vec<u8>)],
}

pub(super) struct GroupJoined {
    pub(super) error: i16,
    pub(super) generation: i32,
    pub(super) protocol: String,
    pub(super) leader: String,
    pub(super) member: String,
    pub(super) members: Vec<(String, Vec<u8>)>,
}

impl Request for JoinGroup<'_> {
    const API: Api = Api::JoinGroup;
    type Answer = GroupJoined;

    fn write(&self, version: i16, to: &mut Writer) {
        to.string(self.group);
        to.i32(self.session_ms);
        to.i32(self.rebalance_ms);
        to.string(self.member);
        if version >= 5 {
            to.no_string(); // of a static member
        }
        to.string(PROTOCOL_TYPE);
        to.pairs(self.protocols);
    }

    fn read(version: i16, from: &mut Reader<'_>) -> Result<GroupJoined, Malformed> {
        let (_throttled, error, generation) = (from.i32()?, from.i16()?, from.i32()?);
        let (protocol, leader, member) = (from.string()?, from.string()?, from.string()?);
        let members = from.elements(|from| {
            let member = from.string()?;
            if version >= 5 {
                from.string()?;
            }
            Ok((member, from.bytes()?))
        })?;
        Ok(GroupJoined { error, generation, protocol, leader, member, members })
    }
}

pub(super) struct SyncGroup<'a> {
    pub(super) group: &'a str,
    pub(super) generation: i32,
    pub(super) member: &'a str,
    pub(super) assignments: &'a [(String, Vec<u8>)],
}

pub(super) struct GroupSynced {
    pub(super) error: i16,
    pub(super) assignment: Vec<u8>,
}

impl Request for SyncGroup<'_> {
    const API: Api = Api::SyncGroup;
    type Answer = GroupSynced;

    fn write(&self, version: i16, to: &mut Writer) {
        let Self { group, generation, member, assignments } = *self;
        Heartbeat { group, generation, member }.write(version, to);
        to.pairs(assignments);
    }

    fn read(_version: i16, from: &mut Reader<'_>) -> Result<GroupSynced, Malformed> {
        let _throttled = from.i32()?;
        Ok(GroupSynced { error: from.i16()?, assignment: from.bytes()? })
    }
}

pub(super) struct Heartbeat<'a> {
    pub(super) group: &'a str,
    pub(super) generation: i32,
    pub(super) member: &'a str,
}

impl Request for Heartbeat<'_> {
    const API: Api = Api::Heartbeat;
    type Answer = i16;

    fn write(&self, version: i16, to: &mut Writer) {
        to.string(self.group);
        to.i32(self.generation);
        to.string(self.member);
        if version >= 3 {
            to.no_string(); // no static member
        }
    }

    fn read(_version: i16, from: &mut Reader<'_>) -> Result<i16, Malformed> {
        let _throttled = from.i32()?;
        from.i16()
    }
}

pub(super) struct LeaveGroup<'a> {
    pub(super) group: &'a str,
    pub(super) member: &'a str,
}

impl Request for LeaveGroup<'_> {
    const API: Api = Api::LeaveGroup;
    type Answer = i16;

    fn write(&self, _version: i16, to: &mut Writer) {
        to.string(self.group);
        to.string(self.member);
    }

    fn read(_version: i16, from: &mut Reader<'_>) -> Result<i16, Malformed> {
        let _throttled = from.i32()?;
        from.i16()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(request: &impl Request, version: i16) -> Vec<u8> {
        let mut writer = Writer::new();
        request.write(version, &mut writer);
        writer.finish().unwrap().split_off(4)
    }

    #[test]
    fn later_versions_name_a_static_member_that_is_not_there() {
        let heartbeat = Heartbeat { group: "g", generation: 3, member: "m" };
        assert_eq!(written(&heartbeat, 2), [0, 1, b'g', 0, 0, 0, 3, 0, 1, b'm']);
        assert_eq!(written(&heartbeat, 3), [0, 1, b'g', 0, 0, 0, 3, 0, 1, b'm', 0xff, 0xff]);
    }

    #[test]
    fn a_join_is_answered_with_its_members_in_either_version() {
        let head = [0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, b'p', 0, 1, b'l', 0, 1, b'm', 0, 0, 0, 1, 0, 1, b'x'];
        for (version, rest) in [(4, &[0, 0, 0, 1, 5][..]), (5, &[0xff, 0xff, 0, 0, 0, 1, 5][..])] {
            let bytes = [&head[..], rest].concat();
            let joined = JoinGroup::read(version, &mut Reader(&bytes)).unwrap_or_else(|_| panic!("version {version}"));
            assert_eq!((joined.generation, joined.protocol.as_str(), joined.leader.as_str()), (9, "p", "l"));
            assert_eq!(joined.members, [("x".to_string(), vec![5])]);
            assert!(JoinGroup::read(version, &mut Reader(&bytes[..bytes.len() - 1])).is_err());
        }
    }
}
