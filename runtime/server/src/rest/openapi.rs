//! GET /openapi.json: this REST, described for clients and tools. The document is written by hand beside this file: crates
//! that make it out of types describe bodies that a handler has parsed, and ours take bytes, as Connect takes them.

use axum::response::{IntoResponse, Response};
use serde_json::Value;

const WRITTEN: &str = include_str!("openapi.json");

/// The document of a listener, which may leave `/admin` to others.
fn document(with_admin: bool) -> Result<Value, serde_json::Error> {
    let mut document: Value = serde_json::from_str(WRITTEN)?;
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    if let Some(paths) = document["paths"].as_object_mut() {
        paths.retain(|path, _| with_admin || !path.starts_with("/admin/"));
    }
    Ok(document)
}

/// GET /openapi.json
pub async fn openapi(with_admin: bool) -> Response {
    // It is JSON: a test reads it.
    axum::Json(document(with_admin).unwrap_or_default()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;
    use std::path::Path;

    /// What follows each `call` in a text.
    fn after<'a>(text: &'a str, call: &'a str) -> impl Iterator<Item = &'a str> {
        text.match_indices(call).map(|(at, _)| text[at + call.len()..].trim_start())
    }

    /// The paths of every route that the sources of a folder make.
    fn routes(folder: &Path) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(folder).expect("the folder of sources") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|kind| kind != "rs") || path.ends_with("openapi.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source");
            for elsewhere in [".nest(", ".nest_service(", ".route_service("] {
                assert!(!text.contains(elsewhere), "{}: {elsewhere}..) makes routes unseen", path.display());
            }
            for argument in after(&text, ".resource(").chain(after(&text, ".route(")) {
                match argument.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                    Some((route, _)) => drop(found.insert(route.to_owned())),
                    // Resource::resource itself.
                    None => assert!(
                        argument.starts_with("path, methods.clone())") || argument.starts_with("&format!(\"{path}/\")"),
                        "{}: a route whose path is not written out: {argument:.60}",
                        path.display()
                    ),
                }
            }
        }
        found
    }

    #[test]
    fn the_document_has_the_path_of_every_route_and_no_other() {
        let document = document(true).expect("JSON");
        let described: BTreeSet<String> = document["paths"].as_object().expect("paths").keys().cloned().collect();
        assert_eq!(described, routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rest")));
    }

    #[test]
    fn the_document_says_weirs_own_version_and_every_reference_in_it_leads_somewhere() {
        let document = document(true).expect("JSON");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let text = document.to_string();
        let references: BTreeSet<&str> =
            after(&text, r##""$ref":"#"##).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
        assert!(references.len() > 20, "{references:?}");
        for reference in &references {
            assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
        }
        for kind in ["parameters", "responses", "schemas"] {
            for name in document["components"][kind].as_object().expect("components").keys() {
                let place = format!("/components/{kind}/{name}");
                assert!(references.contains(place.as_str()), "{place} is used nowhere");
            }
        }
    }
}
