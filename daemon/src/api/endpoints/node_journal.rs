//! `GET /nodes/{node}/journal`: what a node's brain saw and decided, as `hwc replay` reads it.

use super::{Access, Endpoint};
use crate::api::access::Action;
use crate::api::refusal::{Parameters, Refusal};
use crate::api::{Api, active_node};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::routing::get;
use hwc_api::ids::NodeId;
use hwc_api::v1::{JOURNAL_MEDIA_TYPE, Method};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadJournal);
    Endpoint {
        method: Method::Get,
        path: "/nodes/{node}/journal",
        access,
        handler: get(read),
    }
}

async fn read(
    State(api): State<Arc<Api>>,
    Parameters(node): Parameters<NodeId>,
) -> Result<(HeaderMap, Body), Refusal> {
    let now = api.now();
    let name = &active_node(&now, node)?.name;
    let (length, pieces) = api.journals.read(node).await?;
    tracing::info!(node.id = %node, length, "a journal is read");
    let mut headers = HeaderMap::new();
    let media_type = HeaderValue::from_static(JOURNAL_MEDIA_TYPE);
    headers.insert(header::CONTENT_TYPE, media_type);
    // Known beforehand, so that whoever reads it sees when it breaks off.
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let no_store = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, no_store);
    let disposition = format!("attachment; filename=\"{name}.hwcj\"");
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok((headers, Body::from_stream(pieces)))
}
