//! Requests that another node's front door sends here, because it believes us to be the live node.
//!
//! We serve them, or say "not here" before anything of the body was read; they are never sent on:
//! two nodes that each believe in the other end in waiting, not in a circle.

use super::body::AnswerBody;
use super::connection::http1;
use super::delivery::{Outcome, try_here};
use super::errand::Errand;
use super::headers::{self, NOT_HERE};
use super::pages::Page;
use crate::shared::Shared;
use http::header::HeaderValue;
use http::{Request, Response, StatusCode};
use hwc_api::ids::NodeId;
use hwc_api::names::DomainName;
use hwc_runtime::dial::PeerStream;
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;

/// Most hops of a request between nodes; each front door sends it on once.
const HOPS_MAX: u32 = 1;
/// Other nodes close unused connections after seconds; this only ends what they forgot.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Serves one connection of another node to its end.
pub(crate) async fn serve(shared: Arc<Shared>, peer: NodeId, stream: PeerStream) {
    let for_requests = Arc::clone(&shared);
    let answer = move |request| handle(Arc::clone(&for_requests), peer, request);
    http1(&shared, stream, HEAD_TIMEOUT, answer).await;
}

async fn handle(
    shared: Arc<Shared>,
    peer: NodeId,
    mut request: Request<Incoming>,
) -> Response<AnswerBody> {
    let is_websocket = headers::is_websocket(&request);
    let Some(asked) = headers::asked(request.headers_mut()) else {
        tracing::warn!(%peer, "a node sent a request without saying for what");
        return Page::BadRequest.answer(request.headers());
    };
    if asked.hops > HOPS_MAX {
        tracing::warn!(%peer, hops = asked.hops, "a request went in a circle");
        return Page::Loop.answer(request.headers());
    }
    // Our own table has the last word on whose domain it is.
    let site = headers::authority(&request)
        .ok()
        .and_then(|authority| DomainName::parse(authority.host()).ok())
        .and_then(|domain| shared.table.load().site(&domain))
        .filter(|site| site.dataset == asked.dataset && !site.is_suspended);
    if site.is_none() || !shared.doors.is_vouched() {
        return not_here();
    }
    let door = shared.doors.door(asked.dataset);
    let Some(pass) = door.enter(asked.epoch) else {
        tracing::debug!(%peer, dataset = %asked.dataset, epoch = %asked.epoch, "asked, not live");
        return not_here();
    };
    door.counters.count_request();
    headers::remove_hop_by_hop(request.headers_mut());
    request.headers_mut().remove(http::header::EXPECT);
    let errand = Errand::new(request, is_websocket, None, &shared.config.limits);
    match try_here(&shared, &errand, pass).await {
        Outcome::Answer(answer) => {
            door.counters.count_served();
            answer
        }
        Outcome::Again(_) => not_here(),
        Outcome::Failed(page) => {
            door.counters.count_failed();
            page.answer(errand.headers())
        }
    }
}

fn not_here() -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::page(bytes::Bytes::new()));
    *answer.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    answer
        .headers_mut()
        .insert(NOT_HERE, HeaderValue::from_static("1"));
    answer
}
