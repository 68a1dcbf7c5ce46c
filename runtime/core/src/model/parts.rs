//! Pure. Which part of a record a converter is for, and what a sink reads.

/// Which part of a record a converter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConverterRole {
    /// Keys: `key.converter`.
    Key,
    /// Values: `value.converter`.
    Value,
    /// Header values: `header.converter`.
    Header,
}

impl ConverterRole {
    /// The property that names the converter, and with a dot the prefix of its settings.
    pub fn property(self) -> &'static str {
        match self {
            ConverterRole::Key => "key.converter",
            ConverterRole::Value => "value.converter",
            ConverterRole::Header => "header.converter",
        }
    }
}

/// What a consumer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// These topics.
    Topics(Vec<String>),
    /// Every topic whose whole name matches this Java regular expression, now or later.
    Pattern(String),
}
