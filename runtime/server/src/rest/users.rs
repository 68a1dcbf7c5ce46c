//! Names and passwords (Connect's BasicAuthSecurityRestExtension over its PropertyFileLoginModule).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use weir_core::settings::parse_properties;

use super::error::Error;
use super::request_log::User;

/// Who may ask.
pub struct Users(BTreeMap<String, String>);

impl Users {
    /// Reads a properties file of users and their passwords.
    pub fn read(file: &Path) -> Result<Users, String> {
        let wrong = |reason: String| {
            format!("Invalid value {} for configuration rest.basic.auth.file: {reason}", file.display())
        };
        let text = std::fs::read_to_string(file).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
        let users = parse_properties(&text).map_err(|error| wrong(error.to_string()))?;
        // Connect lets everybody in then.
        if users.is_empty() {
            return Err(wrong("it names no user, so nobody could ask anything; write user=password lines".to_owned()));
        }
        Ok(Users(users))
    }

    /// The user that a header `Authorization` shows.
    fn known(&self, authorization: Option<&str>) -> Option<User> {
        let (user, password) = authorization.and_then(shown)?;
        // As long for a wrong one as for a right one, and for a user who is not there.
        let sum = |text: &str| Sha256::digest(text.as_bytes());
        let known = self.0.get(&user);
        let same: bool = sum(&password).ct_eq(&sum(known.map_or("", String::as_str))).into();
        (same && known.is_some()).then_some(User(user))
    }
}

/// Name and password in a header `Authorization`.
fn shown(authorization: &str) -> Option<(String, String)> {
    let (method, shown) = authorization.split_once(' ')?;
    let shown = method.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(shown.trim()).ok())??;
    let (user, password) = std::str::from_utf8(&shown).ok()?.split_once(':')?;
    (!user.is_empty()).then(|| (user.to_owned(), password.to_owned()))
}

/// What workers ask of each other is signed instead.
fn is_internal(method: &Method, path: &str) -> bool {
    let mut parts = path.trim_start_matches('/').trim_end_matches('/').split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("connectors"), Some(_), Some("tasks"), None) => method == Method::POST,
        (Some("connectors"), Some(_), Some("fence"), None) => method == Method::PUT,
        _ => false,
    }
}

/// Lets only those through who show that they are users.
pub async fn only(State(users): State<Arc<Users>>, request: Request, next: Next) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let user = users.known(authorization);
    if is_internal(request.method(), request.uri().path()) || user.is_some() {
        let mut answer = next.run(request).await;
        user.and_then(|user| answer.extensions_mut().insert(user));
        return answer;
    }
    tracing::debug!(method = %request.method(), path = request.uri().path(), "a request without a user is refused");
    let mut answer = Error::new(StatusCode::UNAUTHORIZED, "User cannot access the resource.").into_response();
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"weir\""));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_user_with_the_right_password_is_known() {
        let users = Users([("ann", "a:b"), ("bob", "")].map(|(user, word)| (user.to_owned(), word.to_owned())).into());
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for (header, known) in [
            (basic("ann:a:b"), true),
            (basic("ann:a:b").replacen("Basic", "bAsIc", 1), true),
            (basic("bob:"), true),
            (basic("ann:a"), false),
            (basic("eve:"), false),
            (basic(":a:b"), false),
            (basic("ann"), false),
            (basic("ann:a:b").replacen("Basic", "Bearer", 1), false),
            ("Basic".to_owned(), false),
            ("Basic %%%".to_owned(), false),
        ] {
            assert_eq!(users.known(Some(&header)).is_some(), known, "{header}");
        }
        assert!(users.known(None).is_none());
    }

    #[test]
    fn what_workers_ask_of_each_other_is_told_by_method_and_path() {
        for (method, path, internal) in [
            (Method::POST, "/connectors/a%2Fb/tasks", true),
            (Method::POST, "/connectors/a/tasks/", true),
            (Method::PUT, "/connectors/a/fence", true),
            (Method::POST, "/connectors/a/fence", false),
            (Method::GET, "/connectors/a/tasks", false),
            (Method::POST, "/connectors/a/tasks/0", false),
            (Method::POST, "/connectors", false),
        ] {
            assert_eq!(is_internal(&method, path), internal, "{method} {path}");
        }
    }

    #[test]
    fn a_file_without_users_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users.properties");
        let refused = || Users::read(&file).err().expect("it is refused");
        assert!(refused().contains("cannot be read"));
        std::fs::write(&file, "# nobody\n").unwrap();
        assert!(refused().contains("names no user"));
        std::fs::write(&file, "ann=word\n").unwrap();
        assert!(Users::read(&file).is_ok());
    }
}
