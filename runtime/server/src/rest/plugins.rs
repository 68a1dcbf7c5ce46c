//! Plugins over REST: listing, definitions, validation (ConnectorPluginsResource), and uploads.

use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use weir_core::model::{ClassKind, VersionRange};
use weir_core::plugin::no_version;
use weir_core::settings::framework;

use super::error::Error;
use super::query::{Parameters, first, flag};
use super::{Answer, AppSlot, JsonBody, body, has_type, ok, shapes, started};
use crate::uploads::{Taken, UploadError};

/// The order in which kinds are listed.
const KINDS: [&str; 6] = ["sink", "source", "transformation", "predicate", "converter", "header_converter"];

/// GET /connector-plugins, with `connectorsOnly=false`
pub async fn list(State(app): State<AppSlot>, Query(query): Query<Parameters>) -> Answer {
    let connectors_only = flag(&query, "connectorsOnly", true);
    let plugins = started(&app)?.herder.view.plugins();
    let mut listed: Vec<(&'static str, String, String)> = Vec::new();
    for found in plugins.classes() {
        let class = &found.class;
        if connectors_only && !matches!(class.kind, ClassKind::Source | ClassKind::Sink) {
            continue;
        }
        let kind = shapes::kind(Some(class.kind));
        listed.extend(class.listed_names().map(|name| (kind, name.to_owned(), class.version.clone())));
    }
    if !connectors_only {
        for (kind, class) in crate::converters::listed() {
            listed.push((kind, class.to_owned(), crate::CONNECT_VERSION.to_owned()));
        }
    }
    let place = |kind: &str| KINDS.iter().position(|known| *known == kind);
    listed.sort_by_cached_key(|(kind, class, _)| (place(kind), class.clone()));
    let listed = listed.into_iter();
    ok(listed.map(|(kind, class, version)| json!({"class": class, "type": kind, "version": version})).collect())
}

/// GET /connector-plugins/{class}/config
pub async fn definition(
    State(app): State<AppSlot>,
    Path(class): Path<String>,
    Query(query): Query<Parameters>,
) -> Answer {
    let herder = &started(&app)?.herder;
    let plugins = herder.view.plugins();
    let wanted = match first(&query, "version") {
        None => None,
        Some(text) => {
            let wrong = |_| Error::bad_request(format!("Invalid version specification: {text}"));
            VersionRange::parse(text).map_err(wrong)?
        }
    };
    let versions = plugins.versions_of(&class);
    let keys = match versions.last() {
        Some(latest) => {
            let found = plugins.find_within(&class, wanted.as_ref()).map_err(Error::bad_request)?;
            [found.class.config.clone(), framework::of(found.class.kind, latest)].concat()
        }
        None => {
            let (converters, unknown) =
                (&herder.builder.converters, || Error::not_found(format!("Unknown plugin {class}.")));
            let keys = converters.definition(&class).ok_or_else(unknown)?;
            let there = [converters.version().to_owned()];
            if let Some(wanted) = wanted.filter(|wanted| !wanted.holds(&there[0])) {
                return Err(Error::bad_request(no_version(&class, &wanted, &there)));
            }
            keys
        }
    };
    ok(keys.iter().map(shapes::config_key).collect::<Vec<Value>>().into())
}

/// A class's name as it is compared with that in the path.
fn normalised(class: &str) -> &str {
    class.strip_suffix("Connector").filter(|rest| !rest.is_empty()).unwrap_or(class)
}

/// PUT /connector-plugins/{class}/config/validate
pub async fn validate(State(app): State<AppSlot>, Path(class): Path<String>, JsonBody(body): JsonBody) -> Answer {
    let herder = &started(&app)?.herder;
    let given = body::config(&body).map_err(Error::bad_request)?;
    if let Some(named) = given.config.get("connector.class")
        && !normalised(named.trim()).ends_with(normalised(&class))
    {
        let message = format!("Included connector type {named} does not match request type {class}");
        return Err(Error::bad_request(message));
    }
    let ceilings = &herder.builder.settings.ceilings;
    ok(shapes::validation(&herder.builder.check(&given.config, &given.nulls, ceilings).await?))
}

/// The media types of a plugin: its own, and that of clients which know of no other for bytes.
const PLUGIN: [&str; 2] = ["application/wasm", "application/octet-stream"];

/// POST /connector-plugins: a WebAssembly component.
pub async fn upload(State(app): State<AppSlot>, request: Request) -> Answer {
    let uploads = &started(&app)?.uploads;
    if !PLUGIN.iter().any(|media| has_type(request.headers(), media)) {
        let message = "HTTP 415 Unsupported Media Type: a plugin is a WebAssembly component, sent with Content-Type: \
                       application/wasm";
        return Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match uploads.take(length, request.into_body()).await {
        Ok(Taken { component, new }) => {
            let status = if new { StatusCode::CREATED } else { StatusCode::OK };
            Ok(super::json(status, shapes::uploaded(&*component)))
        }
        Err(error) => {
            let status = match error {
                UploadError::Unfit(_) => StatusCode::BAD_REQUEST,
                UploadError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
                UploadError::Slow(_) => StatusCode::REQUEST_TIMEOUT,
                UploadError::Conflict(_) => StatusCode::CONFLICT,
                UploadError::Off => StatusCode::FORBIDDEN,
                UploadError::Busy => StatusCode::TOO_MANY_REQUESTS,
                UploadError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            Err(Error::new(status, error.to_string()))
        }
    }
}
