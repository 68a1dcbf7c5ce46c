//! Pure. The names with which Connect's and Protobuf's schemas speak of each other (ProtobufData's constants).

/// The beginning of names of structs that stand for a oneof.
pub(crate) const UNION: &str = "io.confluent.connect.protobuf.Union";
/// The parameter with the name of an enum; with a dot behind it, the beginning of those with its symbols.
pub(crate) const ENUM: &str = "io.confluent.connect.protobuf.Enum";
/// The parameter with the number of a field.
pub(crate) const TAG: &str = "io.confluent.connect.protobuf.Tag";
/// The parameter with Protobuf's type of a number.
pub(crate) const TYPE: &str = "io.confluent.connect.protobuf.Type";
/// The name of messages whose Connect schema has none.
pub(crate) const DEFAULT_NAME: &str = "ConnectDefault";
/// Messages that stand for Connect's logical types.
pub(crate) const DECIMAL_TYPE: &str = "confluent.type.Decimal";
pub(crate) const DATE_TYPE: &str = "google.type.Date";
pub(crate) const TIME_TYPE: &str = "google.type.TimeOfDay";
pub(crate) const TIMESTAMP_TYPE: &str = "google.protobuf.Timestamp";
