//! `hwc cluster settings`: the kind of network between the nodes, and what is in force of it.

use super::table::table;
use super::{Failure, Session};
use clap::Args;
use hwc_api::network::Network;
use hwc_api::v1::{
    ClusterSettingsView, NetworkInForce, ReadClusterSettings, SetClusterSettings,
    SetClusterSettingsBody,
};

/// What to change; shows the settings where nothing is named.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What is between the nodes: lan (milliseconds) or wan (up to a few hundred milliseconds, and
    /// lines that stop for seconds). How soon a silent node is taken for dead follows from it, how
    /// long the settings wait for a leader, and how long visitors wait. Each daemon follows it from
    /// its next start on.
    #[arg(long, value_parser = network_of)]
    network: Option<Network>,
}

pub async fn run(session: &Session, arguments: Arguments) -> Result<(), Failure> {
    let view = match arguments.network {
        None => session.client.call(&ReadClusterSettings).await?,
        Some(network) => {
            let body = SetClusterSettingsBody { network };
            session.client.call(&SetClusterSettings { body }).await?
        }
    };
    session.print(&view, text)
}

/// The kind of network of a word.
pub fn network_of(text: &str) -> Result<Network, String> {
    let all = [Network::Lan, Network::Wan];
    let found = all.into_iter().find(|network| network.as_str() == text);
    found.ok_or_else(|| "there are lan and wan".to_owned())
}

fn text(view: &ClusterSettingsView) -> String {
    let row = |node: &NetworkInForce| {
        let in_force = node.network.map_or("not heard", Network::as_str);
        let mut row = vec![node.node.name.to_string(), in_force.to_owned()];
        if node.needs_restart {
            row.push("at its next start".to_owned());
        }
        row
    };
    let rows: Vec<_> = view.in_force.iter().map(row).collect();
    let table = table(&["NODE", "IN FORCE", "FOLLOWS"], &rows);
    let kind = view.network.as_str();
    let hint = if view.in_force.iter().any(|node| node.needs_restart) {
        "\nRestart the daemons one after the other: systemctl restart hwcd\n"
    } else {
        ""
    };
    format!("The network between the nodes is a {kind}.\n\n{table}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::NodeId;
    use hwc_api::names::NodeName;
    use hwc_api::v1::NodeRef;

    #[test]
    fn what_is_not_followed_yet_is_said() {
        let node = |id: u16, network: Option<Network>, needs_restart| NetworkInForce {
            node: NodeRef {
                id: NodeId(id),
                name: NodeName::parse(&format!("n{id}")).expect("a name"),
            },
            network,
            needs_restart,
        };
        let mut view = ClusterSettingsView {
            network: Network::Wan,
            in_force: vec![
                node(1, Some(Network::Wan), false),
                node(2, Some(Network::Lan), true),
                node(3, None, false),
            ],
        };
        assert_eq!(
            text(&view),
            "The network between the nodes is a wan.\n\n\
             NODE  IN FORCE   FOLLOWS\n\
             n1    wan\n\
             n2    lan        at its next start\n\
             n3    not heard\n\n\
             Restart the daemons one after the other: systemctl restart hwcd\n"
        );
        view.in_force.truncate(1);
        assert!(!text(&view).contains("Restart"));
    }
}
