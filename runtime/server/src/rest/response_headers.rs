//! Headers that every answer gets (`response.http.headers.config`; Jetty's HeaderFilter).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use weir_core::settings::{HeaderRule, HeaderValueRule};

fn value(rule: &HeaderValueRule, now: SystemTime) -> Option<HeaderValue> {
    let text = match rule {
        HeaderValueRule::Text(text) => text.clone(),
        HeaderValueRule::DateIn(millis) => {
            let away = Duration::from_millis(millis.unsigned_abs());
            let date = if *millis < 0 { now.checked_sub(away) } else { now.checked_add(away) };
            httpdate::fmt_http_date(date?.max(SystemTime::UNIX_EPOCH))
        }
    };
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

/// What the rules say stands there before the answer is made: what the answer says itself takes the place of it.
fn dress(headers: &mut HeaderMap, rules: &[HeaderRule], now: SystemTime) {
    let mut before = HeaderMap::new();
    for rule in rules {
        let name = HeaderName::from_bytes(rule.name.as_bytes());
        let (Ok(name), Some(value)) = (name, value(&rule.value, now)) else { continue };
        if rule.add {
            before.append(name, value);
        } else {
            before.insert(name, value);
        }
    }
    for name in headers.keys() {
        before.remove(name);
    }
    headers.extend(before);
}

/// Answers as without it, with these headers.
pub async fn dressed(State(rules): State<Arc<[HeaderRule]>>, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    dress(answer.headers_mut(), &rules, SystemTime::now());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_set_added_and_dated_and_what_the_answer_says_stands() {
        let rule = |add, name: &str, value| HeaderRule { add, name: name.to_owned(), value };
        let text = |text: &str| HeaderValueRule::Text(text.to_owned());
        let rules = [
            rule(false, "a", text("1")),
            rule(false, "A", text("2")),
            rule(true, "b", text("3")),
            rule(true, "b", text("4")),
            rule(false, "expires", HeaderValueRule::DateIn(-1_000)),
            rule(false, "content-type", text("x")),
            rule(false, "before", HeaderValueRule::DateIn(-100_000)),
        ];
        let mut headers = HeaderMap::from_iter([(HeaderName::from_static("content-type"), "own".parse().unwrap())]);
        dress(&mut headers, &rules, SystemTime::UNIX_EPOCH + Duration::from_secs(61));
        let all = |name: &str| headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!((all("a"), all("b")), (vec!["2"], vec!["3", "4"]));
        assert_eq!((all("expires"), all("content-type")), (vec!["Thu, 01 Jan 1970 00:01:00 GMT"], vec!["own"]));
    }
}
