//! Pure. The config providers of a worker's file (KIP-297): `config.providers` and what is below it.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Config, Problem};

use super::reader::Reader;

/// Where a provider looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// Keys of properties files.
    File,
    /// Files of a directory, each a key.
    Directory,
    /// Variables of the worker's environment; those whose names match a pattern, where there is one.
    Environment(Option<String>),
}

/// A config provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSettings {
    /// Its name in variables.
    pub name: String,
    /// Where it looks.
    pub kind: ProviderKind,
    /// `param.allowed.paths`: where it may look; none where it says nothing.
    pub allowed: Option<Vec<PathBuf>>,
    /// `param.ttl.ms`, weir's own: how long what it says holds before it is looked at again.
    pub ttl: Option<Duration>,
}

const CLASSES: &str = "org.apache.kafka.common.config.provider.";

/// Reads the providers of a worker's file, or says everything that is wrong with them.
pub fn providers(config: &Config) -> Result<Vec<ProviderSettings>, Vec<Problem>> {
    let mut reader = Reader::new(config);
    let names = reader.list("config.providers");
    let found = names.into_iter().filter_map(|name| provider(&mut reader, name)).collect();
    reader.finish().map(|()| found)
}

fn provider(reader: &mut Reader, name: String) -> Option<ProviderSettings> {
    let at = |rest: &str| format!("config.providers.{name}.{rest}");
    let key = at("class");
    let class = reader.required(&key);
    let kind = match class.strip_prefix(CLASSES).unwrap_or(&class) {
        "" => return None,
        "FileConfigProvider" | "File" => ProviderKind::File,
        "DirectoryConfigProvider" | "Directory" => ProviderKind::Directory,
        "EnvVarConfigProvider" | "EnvVar" => {
            ProviderKind::Environment(reader.get(&at("param.allowlist.pattern")).map(str::to_owned))
        }
        _ => {
            let message = format!(
                "Invalid value {class} for configuration {key}: classes of Java cannot be loaded here. Say \
                 {CLASSES}FileConfigProvider, DirectoryConfigProvider or EnvVarConfigProvider"
            );
            reader.problem(&key, message);
            return None;
        }
    };
    let allowed_key = at("param.allowed.paths");
    let allowed = reader.get(&allowed_key).filter(|paths| !paths.is_empty()).map(|_| reader.list(&allowed_key));
    for path in allowed.iter().flatten().filter(|path| !path.starts_with('/')) {
        let message = format!("Invalid value {path} for configuration {allowed_key}: say an absolute path");
        reader.problem(&allowed_key, message);
    }
    let ttl_key = at("param.ttl.ms");
    let ttl = reader.get(&ttl_key).is_some().then(|| reader.millis(&ttl_key, Duration::ZERO));
    if ttl.is_some_and(|ttl| ttl < Duration::from_secs(1)) {
        let message = format!("Invalid value for configuration {ttl_key}: Value must be at least 1000");
        reader.problem(&ttl_key, message);
    }
    let allowed = allowed.map(|paths| paths.into_iter().map(PathBuf::from).collect());
    Some(ProviderSettings { name, kind, allowed, ttl })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, &str)]) -> Result<Vec<ProviderSettings>, Vec<String>> {
        let config = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        providers(&config).map_err(|problems| problems.into_iter().map(|problem| problem.key).collect())
    }

    #[test]
    fn providers_are_read_by_their_classes_and_aliases() {
        let found = read(&[
            ("config.providers", "f, d,e"),
            ("config.providers.f.class", "org.apache.kafka.common.config.provider.FileConfigProvider"),
            ("config.providers.f.param.allowed.paths", "/a,/b"),
            ("config.providers.f.param.ttl.ms", "5000"),
            ("config.providers.d.class", "DirectoryConfigProvider"),
            ("config.providers.e.class", "EnvVar"),
            ("config.providers.e.param.allowlist.pattern", "^WEIR_.*"),
        ])
        .unwrap();
        let provider = |name: &str, kind, allowed, ttl| ProviderSettings { name: name.into(), kind, allowed, ttl };
        let expected = [
            provider("f", ProviderKind::File, Some(vec!["/a".into(), "/b".into()]), Some(Duration::from_secs(5))),
            provider("d", ProviderKind::Directory, None, None),
            provider("e", ProviderKind::Environment(Some("^WEIR_.*".into())), None, None),
        ];
        assert_eq!(found, expected);
        assert_eq!(read(&[("config.providers", "")]), Ok(vec![]));
    }

    #[test]
    fn every_problem_is_said_at_once() {
        let wrong = read(&[
            ("config.providers", "a,b,c"),
            ("config.providers.a.class", "com.example.Vault"),
            ("config.providers.c.class", "File"),
            ("config.providers.c.param.allowed.paths", "here"),
            ("config.providers.c.param.ttl.ms", "5"),
        ]);
        let keys = [
            "config.providers.a.class",
            "config.providers.b.class",
            "config.providers.c.param.allowed.paths",
            "config.providers.c.param.ttl.ms",
        ];
        assert_eq!(wrong.unwrap_err(), keys);
    }
}
