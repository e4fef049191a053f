//! `PUT /cluster/settings`: change settings of the cluster as a whole.

use super::cluster_settings_read::view;
use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::{Answer, Body};
use axum::Json;
use axum::extract::State;
use axum::routing::put;
use hwc_api::change::Change;
use hwc_api::v1::{ClusterSettingsView, Method, SetClusterSettingsBody};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageCluster);
    Endpoint {
        method: Method::Put,
        path: "/cluster/settings",
        access,
        handler: put(set),
    }
}

async fn set(
    State(api): State<Arc<Api>>,
    Body(body): Body<SetClusterSettingsBody>,
) -> Answer<ClusterSettingsView> {
    let network = body.network;
    api.registry.change(Change::SetNetwork { network }).await?;
    tracing::info!(network = network.as_str(), "the kind of network is changed");
    Ok(Json(view(&api.now())?))
}
