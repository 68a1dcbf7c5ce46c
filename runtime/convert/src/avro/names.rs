//! Pure. The names with which Connect's and Avro's schemas speak of each other (AvroData's constants), and what of the
//! mapping is configured.

/// Where Connect's own types live.
pub(crate) const NAMESPACE: &str = "io.confluent.connect.avro";
/// The name of records whose Connect schema has none.
pub(crate) const DEFAULT_NAME: &str = "ConnectDefault";
/// The record that is an entry of a map with keys other than text.
pub(crate) const MAP_ENTRY: &str = "MapEntry";
/// The struct that stands for a union.
pub(crate) const UNION: &str = "io.confluent.connect.avro.Union";
/// The parameter with the name of an enum; with a dot behind it, the beginning of those with its symbols.
pub(crate) const ENUM: &str = "io.confluent.connect.avro.Enum";
/// The record that holds values without schema.
pub(crate) const ANYTHING: &str = "io.confluent.connect.avro.Anything";
/// The parameter with a record's documentation.
pub(crate) const RECORD_DOC: &str = "io.confluent.connect.avro.record.doc";
/// The beginning of the parameters with documentation of enums.
pub(crate) const ENUM_DOC: &str = "io.confluent.connect.avro.enum.doc.";
/// The beginning of the parameters with default symbols of enums.
pub(crate) const ENUM_DEFAULT: &str = "io.confluent.connect.avro.enum.default.";
/// The beginning of the parameters with documentation of fields.
pub(crate) const FIELD_DOC: &str = "io.confluent.connect.avro.field.doc.";
/// The parameter that says that a default is the Avro field's.
pub(crate) const FIELD_DEFAULT: &str = "io.confluent.connect.avro.field.default";
/// Properties of Avro schemas that say what Connect's were.
pub(crate) const CONNECT_NAME: &str = "connect.name";
pub(crate) const CONNECT_DOC: &str = "connect.doc";
pub(crate) const CONNECT_RECORD_DOC: &str = "connect.record.doc";
pub(crate) const CONNECT_ENUM_DOC: &str = "connect.enum.doc";
pub(crate) const CONNECT_VERSION: &str = "connect.version";
pub(crate) const CONNECT_DEFAULT: &str = "connect.default";
pub(crate) const CONNECT_PARAMETERS: &str = "connect.parameters";
pub(crate) const CONNECT_TYPE: &str = "connect.type";
pub(crate) const CONNECT_INTERNAL_TYPE: &str = "connect.internal.type";
/// Parameters of bytes.
pub(crate) const FIXED_SIZE: &str = "connect.fixed.size";
pub(crate) const DECIMAL_PRECISION: &str = "connect.decimal.precision";
/// The precision of decimals that state none.
pub(crate) const PRECISION: i64 = 64;

/// Settings of AvroData.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataSettings {
    pub(crate) enhanced: bool,
    pub(crate) connect_meta_data: bool,
    pub(crate) scrub_invalid_names: bool,
    pub(crate) discard_type_doc_default: bool,
    pub(crate) allow_optional_map_keys: bool,
    pub(crate) flatten_singleton_unions: bool,
    pub(crate) ignore_default_for_nullables: bool,
}

impl Default for DataSettings {
    fn default() -> DataSettings {
        DataSettings {
            enhanced: false,
            connect_meta_data: true,
            scrub_invalid_names: false,
            discard_type_doc_default: false,
            allow_optional_map_keys: false,
            flatten_singleton_unions: true,
            ignore_default_for_nullables: false,
        }
    }
}

/// The name of a part of a name or of a field, with what Avro does not allow replaced where that is asked for.
pub(crate) fn scrub(name: &str, settings: &DataSettings) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins_well = !name.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if !settings.scrub_invalid_names || name.is_empty() || (begins_well && name.bytes().all(allowed)) {
        return name.to_owned();
    }
    // As URLs encode it, with `%`, `+` and what they leave alone becoming `_`.
    let mut scrubbed = String::new();
    for byte in name.bytes() {
        match byte {
            _ if allowed(byte) => scrubbed.push(byte as char),
            b' ' | b'-' | b'.' | b'*' => scrubbed.push('_'),
            _ => scrubbed.push_str(&format!("_{byte:02X}")),
        }
    }
    if scrubbed.starts_with(|first: char| first.is_ascii_digit()) { format!("x{scrubbed}") } else { scrubbed }
}

/// A full name in its parts, scrubbed.
pub(crate) fn split(full: &str, settings: &DataSettings) -> super::schema::Name {
    let parts: Vec<String> = full.split('.').map(|part| scrub(part, settings)).collect();
    super::schema::Name::of(&parts.join("."), None)
}
