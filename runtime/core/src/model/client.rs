//! Pure. Which of Java's clients settings are for.

/// Which of Java's clients settings are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// A producer.
    Producer,
    /// A consumer.
    Consumer,
    /// An admin client.
    Admin,
}

impl ClientKind {
    /// Each of them, in the order in which Connect checks them.
    pub const ALL: [ClientKind; 3] = [ClientKind::Producer, ClientKind::Consumer, ClientKind::Admin];

    /// What a worker's file writes in front of the keys that are for tasks' clients of this kind.
    pub fn prefix(self) -> &'static str {
        match self {
            ClientKind::Producer => "producer.",
            ClientKind::Consumer => "consumer.",
            ClientKind::Admin => "admin.",
        }
    }

    /// What a connector's configuration writes in front of them.
    pub fn override_prefix(self) -> &'static str {
        match self {
            ClientKind::Producer => "producer.override.",
            ClientKind::Consumer => "consumer.override.",
            ClientKind::Admin => "admin.override.",
        }
    }
}
