//! Where plugins come from: inside the binary, and directories of `plugin.path`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use weir_core::plugin::Registry;
use weir_core::port::{PluginStore, Plugins};

/// The stock plugins: name and bytes.
const STOCK: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/stock.rs"));

/// Loads the stock plugins and those of `plugin.path`. A file that cannot be loaded is named in the log and left out;
/// a stock plugin that cannot be loaded is an error.
pub async fn load(plugins: &dyn Plugins, paths: &[PathBuf], bytes_max: u64) -> Result<Registry, String> {
    let mut registry = Registry::default();
    for (name, wasm) in STOCK {
        let component = plugins.load(bytes::Bytes::from_static(wasm)).await;
        let component = component.map_err(|refusal| format!("stock plugin {name}: {refusal}"))?;
        registry.add(component, true).map_err(|conflict| format!("stock plugin {name}: {conflict}"))?;
    }
    for path in paths {
        let found = Found::below(path);
        for (path, error) in found.unreadable {
            tracing::warn!(path = %path.display(), %error, "plugin.path: this cannot be read and is left out");
        }
        if let Some(first) = found.jars.first() {
            let (path, jars, first) = (path.display(), found.jars.len(), first.display());
            tracing::warn!(%path, jars, %first, "plugin.path: jars are skipped: weir runs WebAssembly components");
        }
        for file in found.components {
            if let Err(reason) = add(plugins, &mut registry, &file, bytes_max).await {
                tracing::warn!(file = %file.display(), "plugin.path: {reason}");
            }
        }
    }
    Ok(registry)
}

/// Loads what was uploaded before. A plugin that cannot be loaded any more is named in the log and left out.
pub async fn load_uploads(
    plugins: &dyn Plugins,
    store: &dyn PluginStore,
    registry: &mut Registry,
) -> Result<(), String> {
    let mut hashes = store.hashes().await.map_err(|error| error.to_string())?;
    hashes.sort();
    for hash in hashes {
        let Some(wasm) = store.get(&hash).await.map_err(|error| error.to_string())? else { continue };
        let loaded = plugins.load(wasm).await.map_err(|refusal| refusal.to_string());
        let added = loaded.and_then(|component| registry.add(component, false).map_err(|c| c.to_string()));
        if let Err(reason) = added {
            tracing::warn!(sha256 = hash, "an uploaded plugin is left out: {reason}");
        }
    }
    Ok(())
}

async fn add(plugins: &dyn Plugins, registry: &mut Registry, file: &Path, bytes_max: u64) -> Result<(), String> {
    let size = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > bytes_max {
        return Err(format!("{size} bytes are more than plugin.upload.max.bytes, {bytes_max}"));
    }
    let wasm = std::fs::read(file).map_err(|error| error.to_string())?;
    let component = plugins.load(wasm.into()).await.map_err(|refusal| refusal.to_string())?;
    registry.add(component, false).map_err(|conflict| conflict.to_string())
}

/// What lies at a place of `plugin.path`.
#[derive(Default)]
struct Found {
    components: Vec<PathBuf>,
    jars: Vec<PathBuf>,
    unreadable: Vec<(PathBuf, std::io::Error)>,
}

impl Found {
    /// Looks as Connect does: at the place itself when it is a file, else at everything below it, links followed.
    fn below(path: &Path) -> Found {
        let (mut found, mut visited) = (Found::default(), BTreeSet::new());
        if !path.is_file() {
            found.folder(path, &mut visited);
        } else if !found.file(path) {
            let error = std::io::Error::other("it is neither a folder nor a component");
            found.unreadable.push((path.to_owned(), error));
        }
        found
    }

    fn folder(&mut self, path: &Path, visited: &mut BTreeSet<PathBuf>) {
        let listed = path.canonicalize().and_then(|own| {
            // A link may lead back to a folder above it.
            if !visited.insert(own) {
                return Ok(Vec::new());
            }
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>()
        });
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => return self.unreadable.push((path.to_owned(), error)),
        };
        entries.sort();
        for entry in entries {
            if entry.is_dir() {
                self.folder(&entry, visited);
            } else {
                self.file(&entry);
            }
        }
    }

    /// Notes a file; answers whether its name says that it is a component or a jar.
    fn file(&mut self, path: &Path) -> bool {
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("wasm") => &mut self.components,
            Some("jar") => &mut self.jars,
            _ => return false,
        };
        kind.push(path.to_owned());
        true
    }
}
