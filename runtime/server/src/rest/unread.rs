//! What a refused request still sends is read to its end before the refusal is answered: closing a connection on unread
//! bytes resets it, and the sender would see a broken connection instead of the reason.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures::{Stream, StreamExt};
use tokio::sync::oneshot;

/// How long a sender may go on after its request was refused.
const GRACE: Duration = Duration::from_secs(5);

/// A body that comes back when its reader has done with it.
struct Lent {
    body: Option<BodyDataStream>,
    back: Option<oneshot::Sender<BodyDataStream>>,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let read = self.body.as_mut().map_or(Poll::Ready(None), |body| body.poll_next_unpin(context));
        if matches!(read, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        read
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some((body, back)) = self.body.take().zip(self.back.take()) {
            // Nobody takes it back when the request was given up.
            let _ = back.send(body);
        }
    }
}

/// Has a request answered, and reads what was left of a refused one.
pub async fn read_to_end(request: Request, next: Next) -> Response {
    let (back, left) = oneshot::channel();
    let request = request.map(|body| Body::from_stream(Lent { body: Some(body.into_data_stream()), back: Some(back) }));
    let answer = next.run(request).await;
    let (parts, body) = answer.into_parts();
    if parts.status.is_client_error() || parts.status.is_server_error() {
        let drain = async {
            if let Ok(mut left) = left.await {
                while let Some(Ok(_)) = left.next().await {}
            }
        };
        let _ = tokio::time::timeout(GRACE, drain).await;
    }
    Response::from_parts(parts, body)
}
