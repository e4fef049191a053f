//! `hwc node zone` and `hwc node services`: where a node stands, what is switched off on it.

use super::nodes::find_node;
use super::{Failure, Session};
use clap::Args;
use hwc_api::desired::NodeService;
use hwc_api::names::NodeName;
use hwc_api::v1::{NodeView, SetServices, SetServicesBody, SetZone, SetZoneBody};
use std::collections::BTreeSet;

/// Where a node stands.
#[derive(Debug, Args)]
pub struct Zone {
    /// Its name.
    node: NodeName,
    /// Its zone, such as a rack or a room: nodes of one zone may fail together, so copies are
    /// spread over zones.
    zone: String,
}

/// What is switched off on a node.
#[derive(Debug, Args)]
pub struct Services {
    /// Its name.
    node: NodeName,
    /// What is off, everything else on: hosting, front-doors, voting. A voter that hosts nothing is
    /// a witness.
    #[arg(long, value_delimiter = ',', value_parser = service, conflicts_with = "all_on")]
    off: Vec<NodeService>,
    /// Switch everything on.
    #[arg(long)]
    all_on: bool,
}

pub async fn zone(session: &Session, arguments: Zone) -> Result<(), Failure> {
    let node = find_node(session, &arguments.node).await?.node.id;
    let body = SetZoneBody {
        zone: arguments.zone,
    };
    let view = session.client.call(&SetZone { node, body }).await?;
    session.print(&view, |view| {
        format!("{} stands in zone {}.", view.node.name, view.zone)
    })
}

/// Shows what is off where nothing is to be changed.
pub async fn services(session: &Session, arguments: Services) -> Result<(), Failure> {
    let node = find_node(session, &arguments.node).await?;
    if arguments.off.is_empty() && !arguments.all_on {
        return session.print(&node, services_text);
    }
    let body = SetServicesBody {
        switched_off: arguments.off.into_iter().collect(),
    };
    let node = node.node.id;
    let view = session.client.call(&SetServices { node, body }).await?;
    session.print(&view, services_text)
}

fn services_text(view: &NodeView) -> String {
    let name = &view.node.name;
    if view.switched_off.is_empty() {
        return format!("Everything is on on {name}.");
    }
    format!("Off on {name}: {}.", service_names(&view.switched_off))
}

/// Services as they are typed.
#[must_use]
pub fn service_names(services: &BTreeSet<NodeService>) -> String {
    let names: Vec<_> = services.iter().copied().map(service_name).collect();
    names.join(", ")
}

const fn service_name(service: NodeService) -> &'static str {
    match service {
        NodeService::Hosting => "hosting",
        NodeService::FrontDoors => "front-doors",
        NodeService::Voting => "voting",
    }
}

fn service(text: &str) -> Result<NodeService, String> {
    let all = [
        NodeService::Hosting,
        NodeService::FrontDoors,
        NodeService::Voting,
    ];
    let found = all.into_iter().find(|one| service_name(*one) == text);
    found.ok_or_else(|| "there are hosting, front-doors and voting".to_owned())
}
