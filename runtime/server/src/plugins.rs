//! Where plugins come from: inside the binary, and directories of `plugin.path`.

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
        let mut files = Vec::new();
        if let Err(error) = find(path, 2, &mut files) {
            tracing::warn!(path = %path.display(), %error, "plugin.path: this cannot be read and is left out");
        }
        files.sort();
        for file in files {
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
    if file.extension().is_some_and(|extension| extension == "jar") {
        return Err("jars are skipped: weir runs WebAssembly components".into());
    }
    let size = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > bytes_max {
        return Err(format!("{size} bytes are more than plugin.upload.max.bytes, {bytes_max}"));
    }
    let wasm = std::fs::read(file).map_err(|error| error.to_string())?;
    let component = plugins.load(wasm.into()).await.map_err(|refusal| refusal.to_string())?;
    registry.add(component, false).map_err(|conflict| conflict.to_string())
}

/// Components and jars in a directory and those right below it, as Connect looks for plugins.
fn find(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_dir() {
            if depth > 1 {
                find(&path, depth - 1, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "wasm" || extension == "jar") {
            files.push(path);
        }
    }
    Ok(())
}
