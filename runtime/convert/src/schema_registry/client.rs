//! Requests to a schema registry over Confluent's API: retried where that may help, answered by the next address where
//! one does not answer, bounded in size.

use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::{Value as Json, json};

use super::answer::{self, Gathering, Registered, RegistryError};
use super::settings::{Credentials, RegistrySettings};

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
        answer::id(&self.ask(Method::POST, &path, &query, Some(&body(asked))).await?)
    }

    /// The id and the version that a schema has in a subject.
    pub(crate) async fn lookup(&mut self, asked: &Asked<'_>, normalize: bool) -> Result<(u32, i32), RegistryError> {
        let mut query = normalized(normalize);
        query.push(("deleted", "true"));
        let path = ["subjects", asked.subject];
        answer::id_and_version(&self.ask(Method::POST, &path, &query, Some(&body(asked))).await?)
    }

    /// The schema in an answer, with what it refers to.
    async fn registered(&mut self, id: Option<u32>, answer: &Json) -> Result<Registered, RegistryError> {
        let mut gathering = Gathering::new(id, answer)?;
        while let Some(reference) = gathering.next_asked()? {
            let path = ["subjects", &reference.subject, "versions", &reference.version.to_string()];
            let answer = self.ask(Method::GET, &path, &[("deleted", "true")], None).await?;
            gathering.answered(reference, &answer)?;
        }
        Ok(gathering.finished())
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
            let told = whole(&error);
            RegistryError::Unavailable(format!("the schema registry {shown} cannot be asked: {told}{}", remedy(&told)))
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
        answer::read(status.as_u16(), &answer, &shown)
    }
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

/// What to look at where one side of TLS does not believe the other's certificate. The host makes the client, and this
/// crate knows nothing of its TLS, so its errors are known by their words, which are rustls's.
fn remedy(told: &str) -> &'static str {
    let said = |begins: &str, reasons: &[&str]| {
        told.split_once(begins).is_some_and(|(_, reason)| reasons.iter().any(|known| reason.contains(known)))
    };
    // One that was made anew under the same name has another key, and a server may show an authority's own certificate.
    if said("invalid peer certificate: ", &["UnknownIssuer", "BadSignature", "CaUsedAsEndEntity"]) {
        ". Nobody vouches for its certificate whom this converter trusts: name a store with the certificate of its \
         authority in schema.registry.ssl.truststore.location"
    } else if said("received fatal alert: ", &["Certificate", "UnknownCA"]) {
        ". It asks for a certificate that it trusts: name a store with a key and such a certificate in \
         schema.registry.ssl.keystore.location"
    } else {
        ""
    }
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

impl RegistrySettings {
    /// How long one request may take.
    fn timeout(&self) -> Duration {
        self.http.connect_timeout + self.http.read_timeout
    }
}
