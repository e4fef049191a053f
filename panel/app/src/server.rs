//! What server functions need on the server: the way to the API, the visitor's session, cookies.

mod api;
mod response;

pub use api::{Api, ApiRequest, ApiResponse, SessionToken, Transport, TransportError};
pub use response::{clear_cookie, flash, say_status, set_cookie};

use crate::refusal::Refusal;
use hwc_api::v1::Call;
use leptos::prelude::use_context;

/// Calls the API for the visitor whose request is served here, who may be nobody yet.
///
/// # Errors
/// What the API refused, or that nobody answered.
pub async fn call<C: Call + Sync>(request: &C) -> Result<C::Answer, Refusal>
where
    C::Body: Sync,
{
    let Some(api) = use_context::<Api>() else {
        tracing::error!("a server function runs without the way to the API");
        return Err(Refusal::unreachable());
    };
    let answer = api.call(request).await;
    if let Err(refusal) = &answer {
        response::say_refused(refusal);
    }
    answer
}

/// Asks the API what a part of a page shows. The page is whole without it, so its status is not the
/// page's.
///
/// # Errors
/// What the API refused, or that nobody answered.
pub async fn ask<C: Call + Sync>(request: &C) -> Result<C::Answer, Refusal>
where
    C::Body: Sync,
{
    let Some(api) = use_context::<Api>() else {
        tracing::error!("a server function runs without the way to the API");
        return Err(Refusal::unreachable());
    };
    api.call(request).await
}
