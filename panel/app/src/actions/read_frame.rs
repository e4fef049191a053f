//! Everything in sight of the visitor, read anew as a whole.

use crate::page_data::Frame;
use crate::refusal::Refusal;
use leptos::prelude::*;

/// What is in sight of the visitor. The browser asks for it after its connection broke.
///
/// # Errors
/// Nobody is signed in, or nobody answered.
#[server(prefix = "/do", endpoint = "read-frame")]
pub async fn read_frame() -> Result<Frame, Refusal> {
    let Some(api) = use_context::<crate::server::Api>() else {
        return Err(Refusal::unreachable());
    };
    gather_frame(&api, None).await
}

/// Asks the API for what is in sight; `job` is one that the page is about.
///
/// # Errors
/// Nobody is signed in, or nobody answered. A job that is not there is no error: its page says so.
#[cfg(feature = "ssr")]
pub async fn gather_frame(
    api: &crate::server::Api,
    job: Option<hwc_api::ids::JobId>,
) -> Result<Frame, Refusal> {
    use hwc_api::desired::Role;
    use hwc_api::v1::{ListAccounts, ReadJob, ReadSession, ReadStatus};

    let account = api.call(&ReadSession).await?;
    let status = api.call(&ReadStatus).await?;
    let accounts = match account.role {
        Role::Administrator => api.call(&ListAccounts).await?,
        Role::Customer => Vec::new(),
    };
    let mut frame = Frame {
        account,
        status,
        accounts,
        jobs: Vec::new(),
    };
    if let Some(job) = job
        && frame.job(job).is_none()
    {
        frame.jobs.extend(api.call(&ReadJob { job }).await.ok());
    }
    Ok(frame)
}
