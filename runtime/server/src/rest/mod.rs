//! The worker's HTTP side: Connect's REST, uploads, health, metrics. Knows nothing of how a request is carried out.

mod body;
mod connections;
mod connectors;
mod cross_origin;
mod dead_letters;
mod error;
mod exposition;
mod forward;
#[cfg(test)]
mod fuzz;
mod internal;
mod loggers;
mod media;
mod metrics;
mod metrics_document;
mod offsets;
mod openapi;
mod options;
mod path;
mod path_segment;
mod plugins;
mod query;
mod request_log;
mod response_headers;
mod shapes;
mod sparing;
mod stage;
mod topics;
mod unread;
mod users;
mod worker;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use weir_core::herder::stage::REQUEST;
use weir_core::herder::{Herder, Stages};
use weir_core::settings::{HeaderRule, Scheme};

use crate::uploads::Uploads;
pub use body::initial_state;
use connections::Service;
pub use cross_origin::Origins;
use error::Error;
use media::{Base, JsonBody, has_type};
pub use path_segment::path_segment;
pub use users::Users;

/// What a request is answered.
type Answer = Result<Response, Error>;

/// The time after which a request is answered whatever came of it (RestServer.DEFAULT_REST_REQUEST_TIMEOUT_MS).
const TIMEOUT: Duration = Duration::from_secs(90);
/// The same for uploads, which come at their sender's pace and are compiled: that may take 120 s, and another may be
/// before it.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a connection may stand still, and a sender send nothing of a body of JSON (Jetty's idle timeout).
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes that a body of JSON may have.
const JSON_BYTES_MAX: usize = 8 << 20;

/// What requests are carried out with.
pub struct App {
    /// The herder.
    pub herder: Herder,
    /// Uploads of plugins.
    pub uploads: Arc<Uploads>,
    /// What requests are sent on with that another worker of the group has to carry out; none in standalone.
    pub client: Option<reqwest::Client>,
    /// The cluster's id.
    pub cluster_id: String,
    /// The commit that the binary was built from.
    pub commit: &'static str,
    /// When the worker started, in milliseconds since 1970.
    pub began_ms: u64,
    /// Whether the connectors of the command line were made, and the group was joined.
    pub ready: AtomicBool,
}

/// The place where the application will be, once the worker has started.
#[derive(Default)]
pub struct Slot {
    app: OnceLock<Arc<App>>,
    /// What the worker is at.
    pub stages: Stages,
}

impl Slot {
    /// The worker has started; it does so once.
    pub fn fill(&self, app: Arc<App>) {
        let _ = self.app.set(app);
    }

    fn get(&self) -> Option<&Arc<App>> {
        self.app.get()
    }
}

/// What requests are answered out of.
pub type AppSlot = Arc<Slot>;

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Everything.
    All,
    /// Everything but what is below `/admin`.
    AllButAdmin,
    /// What is below `/admin`.
    Admin,
}

/// What stands before everything that is served.
pub struct Gate {
    /// Who may ask, where not everybody may.
    pub users: Option<Arc<Users>>,
    /// Whose pages may ask, where those of other origins may.
    pub origins: Option<Arc<Origins>>,
    /// Headers that every answer gets.
    pub headers: Arc<[HeaderRule]>,
}

/// Answers requests until it is cancelled.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    (served, gate): (Served, &Gate),
    app: AppSlot,
    cancel: CancellationToken,
) {
    let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
    let router = gate.before(router(app, served)).layer(Extension(scheme));
    connections::serve(listener, Service { router, tls, silence: SILENCE }, cancel).await;
}

impl Gate {
    fn before(&self, mut router: Router) -> Router {
        if let Some(users) = &self.users {
            router = router.layer(from_fn_with_state(users.clone(), users::only));
        }
        if let Some(origins) = &self.origins {
            router = router.layer(from_fn_with_state(origins.clone(), cross_origin::told));
        }
        if !self.headers.is_empty() {
            router = router.layer(from_fn_with_state(self.headers.clone(), response_headers::dressed));
        }
        router.layer(from_fn(unread::read_to_end)).layer(from_fn(request_log::logged))
    }
}

/// Routes as Connect's server has them: with a slash at the end a path means the same.
trait Resource {
    fn resource(self, path: &str, methods: MethodRouter<AppSlot>) -> Self;
}

impl Resource for Router<AppSlot> {
    fn resource(self, path: &str, methods: MethodRouter<AppSlot>) -> Self {
        self.route(path, methods.clone()).route(&format!("{path}/"), methods)
    }
}

fn admin() -> Router<AppSlot> {
    Router::new()
        .resource("/admin/loggers", get(loggers::list))
        .resource("/admin/loggers/{name}", get(loggers::get).put(loggers::set))
}

fn connect() -> Router<AppSlot> {
    Router::new()
        .route("/", get(worker::root))
        .resource("/health", get(worker::health))
        .resource("/connectors", get(connectors::list).post(connectors::create))
        .resource("/connectors/{name}", get(connectors::info).delete(connectors::delete))
        .resource(
            "/connectors/{name}/config",
            get(connectors::config).put(connectors::configure).patch(connectors::patch),
        )
        .resource("/connectors/{name}/status", get(connectors::status))
        .resource("/connectors/{name}/tasks", get(connectors::tasks).post(internal::tasks))
        .resource("/connectors/{name}/tasks/{task}/status", get(connectors::task_status))
        .resource("/connectors/{name}/fence", put(internal::fence))
        .resource("/connectors/{name}/tasks/{task}/restart", post(connectors::restart_task))
        .resource("/connectors/{name}/restart", post(connectors::restart))
        .resource("/connectors/{name}/pause", put(connectors::pause))
        .resource("/connectors/{name}/resume", put(connectors::resume))
        .resource("/connectors/{name}/stop", put(connectors::stop))
        .resource("/connectors/{name}/offsets", get(offsets::list).patch(offsets::alter).delete(offsets::reset))
        .resource("/connectors/{name}/dead-letters/redrive", post(dead_letters::redrive))
        .resource("/connectors/{name}/metrics", get(metrics::of_connector))
        .resource("/connectors/{name}/topics", get(topics::list))
        .resource("/connectors/{name}/topics/reset", put(topics::reset))
        .resource("/connector-plugins", get(plugins::list))
        .resource("/connector-plugins/{class}/config", get(plugins::definition))
        .resource("/connector-plugins/{class}/config/validate", put(plugins::validate))
}

/// What is not Connect's, and speaks other media types.
fn beyond_connect(served: Served) -> Router<AppSlot> {
    let with_admin = served == Served::All;
    Router::new()
        .resource("/connector-plugins", post(plugins::upload))
        .resource("/metrics", get(metrics::metrics))
        .resource("/openapi.json", get(move || openapi::openapi(with_admin)))
}

fn router(app: AppSlot, served: Served) -> Router {
    let connects = match served {
        Served::All => connect().merge(admin()),
        Served::AllButAdmin => connect(),
        Served::Admin => admin(),
    };
    let connects = connects
        .route_layer(from_fn_with_state(app.clone(), forward::forwarded))
        .route_layer(from_fn(media::json_only));
    let routes = if served == Served::Admin { connects } else { connects.merge(beyond_connect(served)) };
    let routes = routes
        .method_not_allowed_fallback(|| async { Error::plain(StatusCode::METHOD_NOT_ALLOWED) })
        .fallback(|| async { Error::plain(StatusCode::NOT_FOUND) });
    let routes = routes.layer(from_fn_with_state(app.clone(), once_started)).with_state(app);
    // Layers of the routes' own would come after their choice, and not see what they allow.
    let around = Router::new().fallback_service(routes).layer(from_fn(options::answered));
    around.layer(map_request(async |request| path::readable(request)))
}

/// Until the worker has started there is nothing to ask; afterwards every answer comes in time.
async fn once_started(State(app): State<AppSlot>, request: Request, next: Next) -> Response {
    if app.get().is_none() {
        let starting = stage::with("Worker is still starting up.", app.stages.latest().as_ref());
        return match request.uri().path() {
            "/health" => worker::health_answer(StatusCode::SERVICE_UNAVAILABLE, "starting", &starting),
            _ => Error::new(StatusCode::SERVICE_UNAVAILABLE, starting).into_response(),
        };
    }
    let path = request.uri().path();
    let uploads = request.method() == Method::POST && path.trim_end_matches('/') == "/connector-plugins";
    let timeout = if uploads { UPLOAD_TIMEOUT } else { TIMEOUT };
    let own = Stages::default();
    match tokio::time::timeout(timeout, REQUEST.scope(own.clone(), next.run(request))).await {
        Ok(answer) => answer,
        Err(_) if uploads => Error::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("The upload and its compiling took longer than {} s: send it again", timeout.as_secs()),
        )
        .into_response(),
        Err(_) => {
            let message = stage::timed_out(own.latest(), app.stages.latest());
            Error::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }
    }
}

/// The application of a worker that has started.
fn started(app: &AppSlot) -> Result<&Arc<App>, Error> {
    app.get().ok_or_else(|| Error::new(StatusCode::SERVICE_UNAVAILABLE, "Worker is still starting up."))
}

fn herder(app: &AppSlot) -> Result<&Herder, Error> {
    started(app).map(|app| &app.herder)
}

fn unknown(name: &str) -> Error {
    Error::not_found(format!("Connector {name} not found"))
}

fn json(status: StatusCode, body: serde_json::Value) -> Response {
    (status, axum::Json(body)).into_response()
}

fn ok(body: serde_json::Value) -> Result<Response, Error> {
    Ok(json(StatusCode::OK, body))
}
