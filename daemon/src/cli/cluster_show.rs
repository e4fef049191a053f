//! `hwc cluster show`: what concerns the whole cluster at a glance.

use super::registry::registry_text;
use super::{Failure, Session};
use hwc_api::v1::{
    ClusterSettingsView, KeysView, ReadClusterSettings, ReadKeys, ReadStatus, RegistryView,
};
use serde::Serialize;

/// Put together from three calls of the API.
#[derive(Serialize)]
struct Shown {
    cluster: String,
    name: String,
    settings: ClusterSettingsView,
    registry: Option<RegistryView>,
    keys: KeysView,
}

pub async fn show(session: &Session) -> Result<(), Failure> {
    let status = session.client.call(&ReadStatus).await?;
    let shown = Shown {
        cluster: status.cluster.to_string(),
        name: status.name,
        settings: session.client.call(&ReadClusterSettings).await?,
        registry: status.registry,
        keys: session.client.call(&ReadKeys).await?,
    };
    session.print(&shown, text)
}

fn text(shown: &Shown) -> String {
    let restarts = shown.settings.in_force.iter();
    let restarts = restarts.filter(|node| node.needs_restart);
    let restarts: Vec<_> = restarts.map(|node| node.node.name.to_string()).collect();
    let follows = if restarts.is_empty() {
        String::new()
    } else {
        let nodes = restarts.join(", ");
        format!(" ({nodes}: from the next start on)")
    };
    let everywhere = if shown.keys.is_everywhere {
        "every node has it"
    } else {
        "not every node has it (hwc cluster keys)"
    };
    let registry = shown.registry.as_ref().map(registry_text);
    format!(
        "{} · cluster {}\n\
         Network: {}{follows}. Key {} is the newest; {everywhere}.\n\
         {}",
        shown.name,
        shown.cluster,
        shown.settings.network.as_str(),
        shown.keys.generation,
        registry.unwrap_or_default()
    )
}
