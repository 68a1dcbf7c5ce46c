//! Config providers: values out of properties files, of files that are values, and of the worker's environment (Connect's
//! FileConfigProvider, DirectoryConfigProvider and EnvVarConfigProvider).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use weir_core::model::{Ceilings, Config, Pattern, Problem};
use weir_core::port::{ConfigProviders, LookupError};
use weir_core::settings::{ProviderKind, ProviderSettings, Values, Variable, parse_properties};

/// How long looking things up may take: a file may lie on a disk that does not answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many may be at it: whoever waits for a disk that does not answer keeps a thread for as long.
const AT_ONCE: usize = 8;
/// Bytes of a file that is looked into.
const FILE_BYTES_MAX: u64 = 1 << 20;

struct Provider {
    settings: ProviderSettings,
    pattern: Option<Pattern>,
}

/// A worker's config providers.
pub struct FileProviders {
    providers: Arc<BTreeMap<String, Provider>>,
    room: Arc<Semaphore>,
}

impl FileProviders {
    /// Providers with these settings.
    pub fn new(settings: Vec<ProviderSettings>) -> Result<FileProviders, Problem> {
        let one = |settings: ProviderSettings| {
            let pattern = match &settings.kind {
                ProviderKind::Environment(Some(pattern)) => {
                    let compiled = Pattern::new(pattern).map_err(|error| {
                        let key = format!("config.providers.{}.param.allowlist.pattern", settings.name);
                        let message = format!("Invalid value {pattern} for configuration {key}: {error}");
                        Problem { key, message }
                    })?;
                    Some(compiled)
                }
                ProviderKind::Environment(None) | ProviderKind::File | ProviderKind::Directory => None,
            };
            Ok((settings.name.clone(), Provider { settings, pattern }))
        };
        let providers = settings.into_iter().map(one).collect::<Result<_, Problem>>()?;
        Ok(FileProviders { providers: Arc::new(providers), room: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Looks variables up, and waits for files.
    pub fn look_up(&self, wanted: BTreeSet<Variable>, ceilings: &Ceilings) -> Result<Values, LookupError> {
        look_up(&self.providers, wanted, ceilings)
    }
}

#[async_trait]
impl ConfigProviders for FileProviders {
    fn is_known(&self, provider: &str) -> bool {
        self.providers.contains_key(provider)
    }

    fn ttl(&self, provider: &str) -> Option<Duration> {
        self.providers.get(provider)?.settings.ttl
    }

    async fn values(&self, wanted: BTreeSet<Variable>, ceilings: &Ceilings) -> Result<Values, LookupError> {
        let (providers, ceilings, room) = (self.providers.clone(), ceilings.clone(), self.room.clone());
        let looked_up = async {
            let place = room.acquire_owned().await;
            let look_up = move || {
                let _place = place;
                look_up(&providers, wanted, &ceilings)
            };
            tokio::task::spawn_blocking(look_up).await
        };
        match tokio::time::timeout(TIMEOUT, looked_up).await {
            Ok(Ok(values)) => values,
            Ok(Err(error)) => Err(LookupError::Unreadable(format!("variables could not be looked up: {error}"))),
            Err(_) => Err(LookupError::Unreadable(format!(
                "The files of config providers did not answer within {} s",
                TIMEOUT.as_secs()
            ))),
        }
    }
}

fn look_up(
    providers: &BTreeMap<String, Provider>,
    wanted: BTreeSet<Variable>,
    ceilings: &Ceilings,
) -> Result<Values, LookupError> {
    let (mut values, mut files) = (Values::new(), BTreeMap::<PathBuf, Config>::new());
    for variable in wanted {
        let Some(provider) = providers.get(&variable.provider) else { continue };
        let found = provider.value(&variable, ceilings, &mut files)?;
        match found {
            Some(value) => drop(values.insert(variable, value)),
            None => tracing::warn!(?variable, "its provider knows nothing of it, so the variable stays as it is"),
        }
    }
    Ok(values)
}

impl Provider {
    fn value(
        &self,
        variable: &Variable,
        ceilings: &Ceilings,
        files: &mut BTreeMap<PathBuf, Config>,
    ) -> Result<Option<String>, LookupError> {
        let Variable { path, key, .. } = variable;
        // It stands in for its value in what others read.
        if key.chars().any(char::is_control) {
            return Ok(None);
        }
        match &self.settings.kind {
            ProviderKind::Environment(_) if !path.is_empty() => Err(LookupError::Denied(format!(
                "Path is not supported for EnvVarConfigProvider, invalid value '{path}'"
            ))),
            ProviderKind::Environment(_) => {
                let named = self.pattern.as_ref().is_none_or(|pattern| pattern.matches(key));
                Ok(std::env::var(key).ok().filter(|_| named))
            }
            ProviderKind::File | ProviderKind::Directory if path.is_empty() => Ok(None),
            ProviderKind::File => {
                let file = self.allowed(Path::new(path), ceilings)?;
                if !files.contains_key(&file) {
                    let unreadable = |error: String| {
                        LookupError::Unreadable(format!("Could not read properties from file {path}: {error}"))
                    };
                    let text = read(&file).map_err(|error| unreadable(error.to_string()))?;
                    files.insert(file.clone(), parse_properties(&text).map_err(|e| unreadable(e.to_string()))?);
                }
                Ok(files.get(&file).and_then(|config| config.get(key)).cloned())
            }
            ProviderKind::Directory => {
                // A key is the name of a file there, not a way to one elsewhere.
                if key.is_empty() || key.contains('/') || key == "." || key == ".." {
                    return Ok(None);
                }
                let file = self.allowed(&Path::new(path).join(key), ceilings)?;
                match read(&file) {
                    Ok(text) => Ok(Some(text)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(LookupError::Unreadable(format!(
                        "Could not read file {} for property {key}: {error}",
                        file.display()
                    ))),
                }
            }
        }
    }

    /// Where a path leads, links followed, if it is where this provider may look.
    fn allowed(&self, path: &Path, ceilings: &Ceilings) -> Result<PathBuf, LookupError> {
        let name = &self.settings.name;
        let denied = |why: String| {
            LookupError::Denied(format!(
                "The path {} is not permitted to be accessed by config provider {name}: {why}",
                path.display()
            ))
        };
        // One file has one name, so that what was looked up is known by it.
        let as_it_stands = path.as_os_str() == plain(path).as_os_str();
        if !path.is_absolute() || !as_it_stands || path.as_os_str().as_encoded_bytes().iter().any(u8::is_ascii_control)
        {
            return Err(denied("say an absolute path without . and .. and control characters".to_owned()));
        }
        // What is not there is told as that, by whoever reads it, but only beneath what may be seen.
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| plain(path));
        let beneath = |roots: &[PathBuf]| {
            let real_of = |root: &PathBuf| std::fs::canonicalize(root).unwrap_or_else(|_| root.clone());
            roots.iter().any(|root| real.starts_with(real_of(root)))
        };
        match &self.settings.allowed {
            Some(roots) if beneath(roots) => Ok(real),
            Some(_) => Err(denied(format!("it is outside of config.providers.{name}.param.allowed.paths"))),
            None if ceilings.any_path || beneath(&ceilings.paths) => Ok(real),
            None => Err(denied(format!(
                "it is outside of sandbox.path.ceiling, and config.providers.{name}.param.allowed.paths names no place"
            ))),
        }
    }
}

/// A path without its dots, as it stands.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            std::path::Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

fn read(file: &Path) -> std::io::Result<String> {
    let metadata = std::fs::metadata(file)?;
    // A pipe or a device may never end.
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        let reason = format!("it is no file of at most {FILE_BYTES_MAX} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, reason));
    }
    std::fs::read_to_string(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn providers(entries: &[(&str, &str)]) -> FileProviders {
        let config = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        FileProviders::new(weir_core::settings::providers(&config).unwrap()).unwrap()
    }

    fn variable(provider: &str, path: &Path, key: &str) -> Variable {
        Variable { provider: provider.into(), path: path.display().to_string(), key: key.into() }
    }

    fn ceilings(paths: &[&Path]) -> Ceilings {
        Ceilings { paths: paths.iter().map(|path| path.to_path_buf()).collect(), ..Ceilings::default() }
    }

    #[test]
    fn values_come_from_properties_files_from_files_and_from_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        std::fs::write(folder.join("a.properties"), "user=ann\nword = open sesame\n").unwrap();
        std::fs::write(folder.join("token"), "t0ken\n").unwrap();
        let providers = providers(&[
            ("config.providers", "f,d,e"),
            ("config.providers.f.class", "File"),
            ("config.providers.d.class", "Directory"),
            ("config.providers.e.class", "EnvVar"),
            ("config.providers.e.param.allowlist.pattern", "PA.H"),
        ]);
        let file = folder.join("a.properties");
        let known =
            [variable("f", &file, "word"), variable("d", folder, "token"), variable("e", Path::new(""), "PATH")];
        let unknown = [
            variable("f", &file, "none"),
            variable("d", folder, "none"),
            variable("d", folder, "../a.properties"),
            variable("e", Path::new(""), "HOME"),
            variable("other", folder, "token"),
        ];
        let wanted = known.iter().chain(&unknown).cloned().collect();
        let values = providers.look_up(wanted, &ceilings(&[folder])).unwrap();
        let value = |variable: &Variable| values.get(variable).map(String::as_str);
        assert_eq!(known.each_ref().map(value)[..2], [Some("open sesame"), Some("t0ken\n")]);
        assert_eq!(value(&known[2]), std::env::var("PATH").ok().as_deref());
        assert_eq!(unknown.each_ref().map(value), [None; 5]);
    }

    #[test]
    fn files_are_looked_into_where_the_worker_says_and_nowhere_else() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (inside, outside) = (inside.path(), outside.path());
        for folder in [inside, outside] {
            std::fs::write(folder.join("a"), "k=v\n").unwrap();
        }
        std::os::unix::fs::symlink(outside.join("a"), inside.join("link")).unwrap();
        let look = |providers: &FileProviders, path: &Path, ceilings: &Ceilings| {
            providers.look_up([variable("f", path, "k")].into(), ceilings).map(|values| values.len())
        };
        let classed = ("config.providers.f.class", "File");
        let bound = providers(&[("config.providers", "f"), classed]);
        let allowed = inside.display().to_string();
        let own =
            providers(&[("config.providers", "f"), classed, ("config.providers.f.param.allowed.paths", &allowed)]);
        for (providers, ceilings) in [(&bound, ceilings(&[inside])), (&own, ceilings(&[outside]))] {
            assert_eq!(look(providers, &inside.join("a"), &ceilings), Ok(1));
            let up = inside.join("..").join(outside.file_name().unwrap()).join("a");
            for path in [outside.join("a"), inside.join("link"), up, PathBuf::from("a"), PathBuf::from("/none")] {
                let denied = look(providers, &path, &ceilings);
                assert!(
                    matches!(&denied, Err(LookupError::Denied(why)) if why.contains("config provider f")),
                    "{denied:?}"
                );
            }
            let gone = look(providers, &inside.join("gone"), &ceilings);
            assert!(matches!(&gone, Err(LookupError::Unreadable(why)) if why.starts_with("Could not read properties")));
        }
        let folder = look(&bound, inside, &ceilings(&[inside]));
        assert!(matches!(folder, Err(LookupError::Unreadable(_))), "{folder:?}");
    }
}
