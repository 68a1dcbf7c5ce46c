//! Requests to a schema registry over Confluent's API: retried where that may help, answered by the next address where
//! one does not answer, bounded in size.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::{Value as Json, json};

use super::settings::{Credentials, RegistrySettings};

/// Why a registry did not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RegistryError {
    /// It may later.
    Unavailable(String),
    /// It has nothing of the kind.
    Missing(String),
    /// It refuses, with its own words, or what it says makes no sense.
    Refused(String),
}

impl RegistryError {
    /// Its story.
    pub(crate) fn message(&self) -> &str {
        match self {
            RegistryError::Unavailable(message) | RegistryError::Missing(message) | RegistryError::Refused(message) => {
                message
            }
        }
    }
}

/// A schema as a registry has it, with the schemas it refers to before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// Its id.
    pub(crate) id: u32,
    /// Its text.
    pub(crate) schema: String,
    /// `AVRO`, `JSON` or `PROTOBUF`.
    pub(crate) kind: String,
    /// The names and texts of the schemas that it refers to, those first that others refer to.
    pub(crate) references: Vec<(String, String)>,
    /// The references as the registry said them.
    pub(crate) said: Json,
}

/// A schema that a registry is asked for by its text.
pub(crate) struct Asked<'a> {
    pub(crate) subject: &'a str,
    pub(crate) schema: &'a str,
    /// `AVRO`, `JSON` or `PROTOBUF`.
    pub(crate) kind: &'a str,
    /// Its references as the registry says them.
    pub(crate) references: &'a Json,
}

/// Bytes that an answer may have.
const ANSWER_MAX: usize = 16 << 20;
/// Schemas that one schema may refer to, others between them.
const REFERENCES_MAX: usize = 200;

/// A client of one registry, which may have several addresses.
pub(crate) struct RegistryClient {
    http: reqwest::Client,
    settings: RegistrySettings,
    /// The address that answered last.
    first: usize,
}

impl RegistryClient {
    /// A client with these settings.
    pub(crate) fn new(http: reqwest::Client, settings: RegistrySettings) -> RegistryClient {
        RegistryClient { http, settings, first: 0 }
    }

    /// The schema of an id.
    pub(crate) async fn by_id(&mut self, id: u32, subject: Option<&str>) -> Result<Registered, RegistryError> {
        let mut query = vec![("fetchMaxId", "false")];
        query.extend(subject.map(|subject| ("subject", subject)));
        let answer = self.ask(Method::GET, &["schemas", "ids", &id.to_string()], &query, None).await?;
        self.registered(Some(id), &answer).await
    }

    /// The latest schema of a subject.
    pub(crate) async fn latest(&mut self, subject: &str) -> Result<Registered, RegistryError> {
        let answer = self.ask(Method::GET, &["subjects", subject, "versions", "latest"], &[], None).await?;
        self.registered(None, &answer).await
    }

    /// Registers a schema, and answers its id.
    pub(crate) async fn register(&mut self, asked: &Asked<'_>, normalize: bool) -> Result<u32, RegistryError> {
        let query = normalized(normalize);
        let path = ["subjects", asked.subject, "versions"];
        let answer = self.ask(Method::POST, &path, &query, Some(&body(asked))).await?;
        number(&answer, "id")
    }

    /// The id and the version that a schema has in a subject.
    pub(crate) async fn lookup(&mut self, asked: &Asked<'_>, normalize: bool) -> Result<(u32, i32), RegistryError> {
        let mut query = normalized(normalize);
        query.push(("deleted", "true"));
        let answer = self.ask(Method::POST, &["subjects", asked.subject], &query, Some(&body(asked))).await?;
        Ok((number(&answer, "id")?, number(&answer, "version")? as i32))
    }

    /// The schema in an answer, with what it refers to.
    async fn registered(&mut self, id: Option<u32>, answer: &Json) -> Result<Registered, RegistryError> {
        let id = id.map_or_else(|| number(answer, "id"), Ok)?;
        let schema = text(answer, "schema")?;
        let kind = answer.get("schemaType").and_then(Json::as_str).unwrap_or("AVRO").to_owned();
        let said = answer.get("references").cloned().unwrap_or(Json::Null);
        let mut references = Vec::new();
        let mut seen = HashSet::new();
        // Those that wait, the next one last; a schema is there once those before it are.
        let mut waiting = wanted(&said)?;
        waiting.reverse();
        let mut open: Vec<(Reference, String)> = Vec::new();
        while let Some(reference) = waiting.pop() {
            if let Step::Done = reference.step {
                if let Some((reference, schema)) = open.pop() {
                    references.push((reference.name, schema));
                }
                continue;
            }
            if !seen.insert((reference.subject.clone(), reference.version)) {
                continue;
            }
            if seen.len() > REFERENCES_MAX {
                return Err(RegistryError::Refused(format!("schema {id} refers to more than {REFERENCES_MAX} others")));
            }
            let path = ["subjects", &reference.subject, "versions", &reference.version.to_string()];
            let answer = self.ask(Method::GET, &path, &[("deleted", "true")], None).await?;
            let inner = wanted(answer.get("references").unwrap_or(&Json::Null))?;
            waiting.push(Reference { step: Step::Done, ..reference.clone() });
            waiting.extend(inner.into_iter().rev());
            open.push((reference, text(&answer, "schema")?));
        }
        Ok(Registered { id, schema, kind, references, said })
    }

    /// One request, tried again where that may help.
    async fn ask(
        &mut self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Json>,
    ) -> Result<Json, RegistryError> {
        let mut wait = self.settings.retry_wait;
        for attempt in 0.. {
            let answer = self.ask_any(&method, path, query, body).await;
            match answer {
                Err(RegistryError::Unavailable(_)) if attempt < self.settings.retries => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(self.settings.retry_wait_max);
                }
                answer => return answer,
            }
        }
        Err(RegistryError::Unavailable("the schema registry was not asked".into()))
    }

    /// One request, to the addresses in turn until one answers.
    async fn ask_any(
        &mut self,
        method: &Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Json>,
    ) -> Result<Json, RegistryError> {
        let count = self.settings.urls.len();
        let mut unavailable = Vec::new();
        for at in (0..count).map(|step| (self.first + step) % count) {
            let url = address(&self.settings.urls[at], path, query);
            match self.send(method.clone(), url, body).await {
                Err(RegistryError::Unavailable(why)) => unavailable.push(why),
                answer => {
                    self.first = at;
                    return answer;
                }
            }
        }
        Err(RegistryError::Unavailable(unavailable.join("; ")))
    }

    async fn send(&self, method: Method, url: Url, body: Option<&Json>) -> Result<Json, RegistryError> {
        let shown = shown(&url);
        let mut request = self.http.request(method, url).timeout(self.settings.timeout());
        request = request.header("Accept", "application/vnd.schemaregistry.v1+json, application/json");
        for (name, value) in &self.settings.headers {
            request = request.header(name, value);
        }
        request = match &self.settings.credentials {
            Credentials::None => request,
            Credentials::Basic(user, password) => request.basic_auth(user, Some(password)),
            Credentials::Bearer(token) => request.bearer_auth(token),
        };
        if let Some(body) = body {
            let kind = "application/vnd.schemaregistry.v1+json";
            request = request.header("Content-Type", kind).body(body.to_string());
        }
        let unavailable = |error: reqwest::Error| {
            RegistryError::Unavailable(format!("the schema registry {shown} cannot be asked: {}", whole(&error)))
        };
        let mut response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            if answer.len() + chunk.len() > ANSWER_MAX {
                let why = format!("the schema registry {shown} answers with more than {ANSWER_MAX} bytes");
                return Err(RegistryError::Refused(why));
            }
            answer.extend_from_slice(&chunk);
        }
        read(status.as_u16(), &answer, &shown)
    }
}

/// What an answer says.
fn read(status: u16, answer: &[u8], shown: &str) -> Result<Json, RegistryError> {
    let json: Option<Json> = serde_json::from_slice(answer).ok();
    if (200..300).contains(&status) {
        return json.ok_or_else(|| RegistryError::Refused(format!("the schema registry {shown} answers no JSON")));
    }
    let said = |key: &str| json.as_ref().and_then(|json| json.get(key));
    let code = said("error_code").and_then(Json::as_i64).unwrap_or(i64::from(status));
    let message = said("message")
        .and_then(Json::as_str)
        .map_or_else(|| format!("the schema registry {shown} answers with status {status}"), str::to_owned);
    let message = format!("{message}; error code: {code}");
    Err(match status {
        404 => RegistryError::Missing(message),
        408 | 429 | 500 | 502..=504 => RegistryError::Unavailable(message),
        _ => RegistryError::Refused(message),
    })
}

/// An error with what caused it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    told
}

/// An address without credentials and query.
fn shown(url: &Url) -> String {
    format!("{}://{}:{}", url.scheme(), url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0))
}

fn address(base: &Url, path: &[&str], query: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

fn normalized(normalize: bool) -> Vec<(&'static str, &'static str)> {
    if normalize { vec![("normalize", "true")] } else { Vec::new() }
}

fn body(asked: &Asked<'_>) -> Json {
    let mut body = json!({"schema": asked.schema});
    if asked.kind != "AVRO" {
        body["schemaType"] = asked.kind.into();
    }
    if !asked.references.is_null() {
        body["references"] = asked.references.clone();
    }
    body
}

fn number(answer: &Json, key: &str) -> Result<u32, RegistryError> {
    let number = answer.get(key).and_then(Json::as_u64).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| RegistryError::Refused(format!("the schema registry's answer has no {key}: {answer}")))
}

fn text(answer: &Json, key: &str) -> Result<String, RegistryError> {
    let text = answer.get(key).and_then(Json::as_str).map(str::to_owned);
    text.ok_or_else(|| RegistryError::Refused(format!("the schema registry's answer has no {key}")))
}

#[derive(Clone, Copy)]
enum Step {
    Ask,
    Done,
}

#[derive(Clone)]
struct Reference {
    name: String,
    subject: String,
    version: u32,
    step: Step,
}

fn wanted(references: &Json) -> Result<Vec<Reference>, RegistryError> {
    let references = references.as_array().map(Vec::as_slice).unwrap_or_default();
    let read = |reference: &Json| {
        Ok(Reference {
            name: text(reference, "name")?,
            subject: text(reference, "subject")?,
            version: number(reference, "version")?,
            step: Step::Ask,
        })
    };
    references.iter().map(read).collect()
}

impl RegistrySettings {
    /// How long one request may take.
    fn timeout(&self) -> Duration {
        self.http.connect_timeout + self.http.read_timeout
    }
}
