//! WebSockets: after both sides agreed (101), bytes pass untouched until either side ends.
//!
//! Nothing that the visitor sent after the head reaches the upstream before its own 101.

use super::body::AnswerBody;
use super::errand::Upgrade;
use super::headers::clean_answer;
use crate::gates::Pass;
use crate::shared::Shared;
use futures::future::BoxFuture;
use http::header::{self, HeaderValue};
use hyper::Response;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::sync::Arc;

/// Copied at a time in each direction.
const COPY_BYTES: usize = 16 * 1024;

/// Answers 101 and joins the two connections in a task of their own, until `stop`.
pub(super) fn join(
    shared: &Arc<Shared>,
    upgrade: Upgrade,
    answer: Response<Incoming>,
    pass: Option<Pass>,
    stop: BoxFuture<'static, ()>,
) -> Response<AnswerBody> {
    let (mut parts, body) = answer.into_parts();
    let upstream = hyper::upgrade::on(Response::from_parts(parts.clone(), body));
    parts.extensions.clear();
    clean_answer(&mut parts.headers);
    parts
        .headers
        .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    parts
        .headers
        .insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Some(raw) = &upgrade.raw {
        raw.turn_on();
    }
    let visitor = upgrade.visitor;
    shared.tasks.spawn_until_stopped("websocket", async move {
        let copy = async move {
            let (visitor, upstream) = tokio::try_join!(visitor, upstream)?;
            let (mut visitor, mut upstream) = (TokioIo::new(visitor), TokioIo::new(upstream));
            let copied = tokio::io::copy_bidirectional_with_sizes(
                &mut visitor,
                &mut upstream,
                COPY_BYTES,
                COPY_BYTES,
            );
            // Either side may end without a word; there is nobody to tell.
            let _ended = copied.await;
            Ok::<(), hyper::Error>(())
        };
        tokio::select! {
            () = stop => {}
            joined = copy => {
                if let Err(error) = joined {
                    tracing::debug!(%error, "websocket did not come about");
                }
            }
        }
        drop(pass);
    });
    Response::from_parts(parts, AnswerBody::page(bytes::Bytes::new()))
}
