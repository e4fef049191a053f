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
    gather_frame(&api, About::default()).await
}

/// What a page is about, beyond what every page shows.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct About {
    /// A job.
    pub job: Option<hwc_api::ids::JobId>,
    /// A site.
    pub site: Option<hwc_api::ids::SiteId>,
}

/// Asks the API for what is in sight.
///
/// # Errors
/// Nobody is signed in, or nobody answered. A job or site that is not there is no error: its page
/// says so; nor are moves and drains that can't be told, which are left out.
#[cfg(feature = "ssr")]
pub async fn gather_frame(api: &crate::server::Api, about: About) -> Result<Frame, Refusal> {
    use hwc_api::desired::Role;
    use hwc_api::v1::{ListAccounts, ListMoves, ListSiteMoves, ReadJob, ReadSession, ReadStatus};

    let account = api.call(&ReadSession).await?;
    let status = api.call(&ReadStatus).await?;
    let is_administrator = account.role == Role::Administrator;
    let accounts = if is_administrator {
        api.call(&ListAccounts).await?
    } else {
        Vec::new()
    };
    let moves = match about.site {
        _ if is_administrator => api.call(&ListMoves).await.ok(),
        Some(site) => api.call(&ListSiteMoves { site }).await.ok(),
        None => None,
    };
    let drains = read_drains(api, &status.nodes).await;
    let mut frame = Frame {
        account,
        status,
        accounts,
        jobs: Vec::new(),
        moves,
        drains,
    };
    if let Some(job) = about.job
        && frame.job(job).is_none()
    {
        frame.jobs.extend(api.call(&ReadJob { job }).await.ok());
    }
    Ok(frame)
}

/// How far the drains are; customers are told of none.
#[cfg(feature = "ssr")]
async fn read_drains(
    api: &crate::server::Api,
    nodes: &[hwc_api::v1::NodeView],
) -> Vec<hwc_api::v1::DrainView> {
    let mut drains = Vec::new();
    for node in nodes.iter().filter(|node| node.drain.is_some()) {
        let call = hwc_api::v1::ReadDrain { node: node.node.id };
        drains.extend(api.call(&call).await.ok());
    }
    drains
}
