//! A line for each request, as web servers write it: the extended form of NCSA's, and how many milliseconds it took (Jetty's
//! CustomRequestLog with EXTENDED_NCSA_FORMAT and `%{ms}T`, as Connect's RestServer sets it up).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;

/// Whose connection a request came over.
#[derive(Clone, Copy)]
pub struct Client(pub SocketAddr);

/// The user whose request was answered.
#[derive(Clone)]
pub struct User(pub String);

/// What a line says of a request.
struct Asked {
    client: String,
    at: Timestamp,
    line: String,
    referer: String,
    agent: String,
}

impl Asked {
    fn of(request: &Request) -> Asked {
        let client =
            request.extensions().get::<Client>().map_or_else(|| "-".to_owned(), |Client(at)| at.ip().to_string());
        let line = format!("{} {} {:?}", request.method(), request.uri(), request.version());
        let headers = request.headers();
        let said = |name| said(headers, &name);
        let (referer, agent) = (said(header::REFERER), said(header::USER_AGENT));
        Asked { client, at: Timestamp::now(), line: plain(line.as_bytes()), referer, agent }
    }

    fn answered(&self, user: Option<&str>, status: StatusCode, bytes: Option<u64>, took: Duration) -> String {
        let Asked { client, at, line, referer, agent } = self;
        let (at, status, took) = (at.strftime("%d/%b/%Y:%H:%M:%S +0000"), status.as_u16(), took.as_millis());
        let user = user.map_or_else(|| "-".to_owned(), |user| plain(user.as_bytes()));
        let bytes = bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        format!("{client} - {user} [{at}] \"{line}\" {status} {bytes} \"{referer}\" \"{agent}\" {took}")
    }
}

/// Text that cannot end what it stands in.
fn plain(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn said(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).map_or_else(|| "-".to_owned(), |value| plain(value.as_bytes()))
}

/// Logs a request once it is answered.
pub async fn logged(request: Request, next: Next) -> Response {
    let (asked, began) = (Asked::of(&request), Instant::now());
    let answer = next.run(request).await;
    let user = answer.extensions().get::<User>().map(|User(name)| name.as_str());
    tracing::info!("{}", asked.answered(user, answer.status(), answer.body().size_hint().exact(), began.elapsed()));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn a_line_is_ncsas_and_nothing_that_was_asked_breaks_out_of_it() {
        let request = Request::get("/connectors?expand=info")
            .header("user-agent", "a \"b\"\t\u{e9}".as_bytes())
            .extension(Client("127.0.0.1:9".parse().unwrap()))
            .body(Body::empty())
            .unwrap();
        let mut asked = Asked::of(&request);
        asked.at = Timestamp::from_second(1_795_707_185).unwrap();
        assert_eq!(
            asked.answered(Some("ann"), StatusCode::OK, Some(2), Duration::from_micros(3_900)),
            "127.0.0.1 - ann [26/Nov/2026:15:33:05 +0000] \"GET /connectors?expand=info HTTP/1.1\" 200 2 \"-\" \
             \"a \\\"b\\\"\\t\\xc3\\xa9\" 3"
        );
        let nobody = asked.answered(None, StatusCode::NOT_FOUND, None, Duration::ZERO);
        assert!(nobody.starts_with("127.0.0.1 - - ["), "{nobody}");
        assert!(nobody.contains("\" 404 - \""), "{nobody}");
    }
}
