//! Pure. Configuration definitions, as Connect's ConfigDef, with the grants that values are.

/// Types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// 32-bit integer.
    Int,
    /// 16-bit integer.
    Short,
    /// 64-bit integer.
    Long,
    /// Double.
    Double,
    /// Comma-separated list.
    List,
    /// Name of a plugin class.
    Class,
    /// Text that is never shown.
    Password,
}

/// How much a key matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Must be looked at.
    High,
    /// Worth a look.
    Medium,
    /// Rarely needed.
    Low,
}

/// How wide a form shows the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// No preference.
    None,
    /// A few characters.
    Short,
    /// A word.
    Medium,
    /// A line.
    Long,
}

/// What a key holds when it is not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// The key must be given.
    Required,
    /// Nothing.
    Null,
    /// This text.
    Value(String),
}

/// A check on a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Validator {
    /// Not empty, with one character that is not blank.
    NonEmpty,
    /// One of these.
    OneOf(Vec<String>),
    /// One of these in any case.
    OneOfIgnoringCase(Vec<String>),
    /// A number not below this.
    AtLeast(f64),
    /// A number between these, both included.
    Between(f64, f64),
    /// A regular expression in Java's syntax.
    Regex,
}

/// What a guest may do with a granted path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathAccess {
    /// Read it.
    Read,
    /// Read and write it, and make it.
    Write,
}

/// How a value names endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// `host:port`.
    HostPort,
    /// A comma-separated list of `host:port`.
    HostPorts,
    /// A URL.
    Url,
    /// A comma-separated list of URLs.
    Urls,
    /// A JDBC URL.
    JdbcUrl,
    /// A template over other keys.
    Template(String),
}

/// What a key's value opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// The value is a path; without a value, the standard stream where `stdio_when_unset` says so.
    Path {
        /// What may be done.
        access: PathAccess,
        /// Standard input (read) or output (write) when the key has no value.
        stdio_when_unset: bool,
    },
    /// The value names endpoints.
    Endpoint(EndpointKind),
}

/// A configuration key.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigKey {
    /// The key.
    pub name: String,
    /// The type of its value.
    pub kind: ConfigType,
    /// What it holds when not given.
    pub default: DefaultValue,
    /// How much it matters.
    pub importance: Importance,
    /// What it is for.
    pub documentation: String,
    /// Checks on its value.
    pub validators: Vec<Validator>,
    /// The group it is shown in.
    pub group: Option<String>,
    /// Its place in the group; -1 for none.
    pub order: i32,
    /// How wide a form shows it.
    pub width: Width,
    /// Its name for people.
    pub display_name: String,
    /// Keys whose recommendations depend on this one.
    pub dependents: Vec<String>,
    /// Whether the plugin is asked for a [`Recommendation`].
    pub recommended: bool,
    /// What its value opens.
    pub grant: Option<GrantKind>,
}

/// What a plugin offers for a key under a configuration (ConfigDef.Recommender).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// The key.
    pub key: String,
    /// Values to choose from.
    pub values: Vec<String>,
    /// Whether a form shows the key.
    pub visible: bool,
}
