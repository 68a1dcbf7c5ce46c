//! Posting over wasi:http. Outside a sandbox there is no network.

use crate::answer::Answer;
use std::time::Duration;
use weir_sdk::Result;

/// Posts JSON to the task's URL.
pub trait Post: 'static {
    /// Posts a body and waits for the answer.
    fn post(&mut self, body: Vec<u8>) -> Answer;
}

#[cfg(target_arch = "wasm32")]
pub use web::Web;

#[cfg(target_arch = "wasm32")]
mod web {
    use weir_sdk::Error;
    use wstd::http::error::ErrorCode;
    use wstd::http::{Body, Client, HeaderValue, Request, Uri};
    use wstd::runtime::block_on;

    use super::*;

    /// Posts through the host, which connects to granted endpoints only.
    pub struct Web {
        client: Client,
        uri: Uri,
        authorization: Option<HeaderValue>,
    }

    impl Web {
        /// A client for a URL.
        pub fn new(url: &str, authorization: Option<&str>, timeout: Duration) -> Result<Web> {
            let mut client = Client::new();
            client.set_connect_timeout(timeout);
            client.set_first_byte_timeout(timeout);
            client.set_between_bytes_timeout(timeout);
            let uri = url.parse().map_err(|error| Error::config("url", format!("{url:?} is no URL: {error}")))?;
            let authorization = authorization.map(|text| {
                HeaderValue::from_str(text).map_err(|_| Error::config("authorization", "is not text for a header"))
            });
            Ok(Web { client, uri, authorization: authorization.transpose()? })
        }

        async fn send(&self, body: Vec<u8>) -> std::result::Result<Answer, wstd::http::Error> {
            let mut request = Request::post(self.uri.clone()).header("content-type", "application/json");
            if let Some(authorization) = &self.authorization {
                request = request.header("authorization", authorization.clone());
            }
            let mut response = self.client.send(request.body(Body::from(body))?).await?;
            let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            let (status, retry_after) = (response.status().as_u16(), retry_after.map(str::to_owned));
            let body = if (200..300).contains(&status) { Ok(&[][..]) } else { response.body_mut().contents().await };
            // The status says what to do, also when the body broke off.
            let body = String::from_utf8_lossy(body.unwrap_or_default()).into_owned();
            Ok(Answer::Status { status, retry_after, body })
        }
    }

    impl Post for Web {
        fn post(&mut self, body: Vec<u8>) -> Answer {
            match block_on(self.send(body)) {
                Ok(answer) => answer,
                Err(error) => match error.downcast_ref::<ErrorCode>() {
                    Some(ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited) => {
                        Answer::Denied("the worker does not open this endpoint to this connector".to_owned())
                    }
                    Some(ErrorCode::TlsCertificateError) => {
                        Answer::Lost("the worker does not trust the server's certificate, its log says why".to_owned())
                    }
                    _ => Answer::Lost(format!("there is no answer: {error}")),
                },
            }
        }
    }
}

/// Stands where there is no host: nothing gets through.
#[cfg(not(target_arch = "wasm32"))]
pub struct Web;

#[cfg(not(target_arch = "wasm32"))]
impl Web {
    /// A client that reaches nobody.
    pub fn new(_: &str, _: Option<&str>, _: Duration) -> Result<Web> {
        Ok(Web)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Post for Web {
    fn post(&mut self, _: Vec<u8>) -> Answer {
        Answer::Lost("there is no network outside a sandbox".to_owned())
    }
}
