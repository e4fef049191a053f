//! `hwc cluster registry` and `declare-lost`: who keeps the settings; going on without nodes that
//! are gone for good.

use super::nodes::find_node;
use super::table::table;
use super::{Failure, Session};
use clap::Args;
use hwc_api::names::NodeName;
use hwc_api::v1::{
    DeclareLost, DeclareLostBody, DeclareLostView, NodeRef, ReadRegistry, RegistryView,
    WriteObstacle,
};

/// Which nodes are gone.
#[derive(Debug, Args)]
pub struct Lost {
    /// Their names.
    #[arg(required = true)]
    nodes: Vec<NodeName>,
    /// Do it; otherwise only what it means is shown.
    #[arg(long)]
    yes: bool,
}

pub async fn show(session: &Session) -> Result<(), Failure> {
    let view = session.client.call(&ReadRegistry).await?;
    session.print(&view, registry_text)
}

pub async fn declare_lost(session: &Session, arguments: Lost) -> Result<(), Failure> {
    let mut nodes = Vec::new();
    for name in &arguments.nodes {
        nodes.push(find_node(session, name).await?.node.id);
    }
    let body = DeclareLostBody {
        nodes,
        is_confirmed: arguments.yes,
    };
    let view = session.client.call(&DeclareLost { body }).await?;
    session.print(&view, lost_text)?;
    if view.is_done {
        return Ok(());
    }
    let names = names(&view.lost);
    let advice = format!("add --yes to give up {names} for good");
    Err(Failure::NotConfirmed(advice))
}

/// Who keeps the settings.
#[must_use]
pub fn registry_text(view: &RegistryView) -> String {
    let state = match view.obstacle {
        None => "Settings can be changed".to_owned(),
        Some(obstacle) => format!("Settings are read-only: {}", obstacle_text(obstacle)),
    };
    let leader = view.leader.as_ref();
    let leader = leader.map_or_else(
        || "no leader".to_owned(),
        |node| format!("{} leads", node.name),
    );
    let voter = |node: &NodeRef| {
        let is_out = view.out_of_reach.contains(node);
        let reach = if is_out { "out of reach" } else { "in reach" };
        let is_witness = view.witnesses.contains(node);
        let role = if is_witness { "witness" } else { "voter" };
        vec![node.name.to_string(), role.to_owned(), reach.to_owned()]
    };
    let learner = |node: &NodeRef| vec![node.name.to_string(), "learner".to_owned()];
    let voters = view.voters.iter().map(voter);
    let rows: Vec<_> = voters.chain(view.learners.iter().map(learner)).collect();
    let table = table(&["NODE", "ROLE", "REACH"], &rows);
    format!("{state}; {leader}, change {}.\n\n{table}", view.index)
}

/// Why settings can't be changed, as part of a sentence.
#[must_use]
pub fn obstacle_text(obstacle: WriteObstacle) -> String {
    match obstacle {
        WriteObstacle::LostSettings => "this node has lost settings that it had acknowledged; \
             remove it on another node and let it join again"
            .to_owned(),
        WriteObstacle::Outdated => {
            "this node's hwcd is older than the settings; upgrade it".to_owned()
        }
        WriteObstacle::NoMajority { in_reach, needed } => {
            format!("{in_reach} of at least {needed} voters are in reach")
        }
        WriteObstacle::NoLeader => "the voters are choosing a leader".to_owned(),
    }
}

fn lost_text(view: &DeclareLostView) -> String {
    let (lost, voters) = (names(&view.lost), names(&view.voters));
    let sites = if view.sites_without_copy.is_empty() {
        "No site is lost with them.".to_owned()
    } else {
        let sites = view.sites_without_copy.join(", ");
        format!("No other node holds a copy of these sites; they are lost: {sites}.")
    };
    let given_up = if view.is_done {
        format!("Given up for good: {lost}.")
    } else {
        format!(
            "This gives up {lost} for good: they can never return, even with their disks whole."
        )
    };
    format!(
        "{given_up}\n\
         The settings go on from change {}, kept by {voters}; what only the others had \
         acknowledged is lost.\n\
         {sites}",
        view.index
    )
}

fn names(nodes: &[NodeRef]) -> String {
    let names: Vec<_> = nodes.iter().map(|node| node.name.to_string()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::NodeId;
    use hwc_api::observed::RegistryStanding;

    fn node(id: u16) -> NodeRef {
        NodeRef {
            id: NodeId(id),
            name: NodeName::parse(&format!("n{id}")).expect("a name"),
        }
    }

    #[test]
    fn the_registry_says_who_votes_and_who_is_out_of_reach() {
        let view = RegistryView {
            is_writable: false,
            leader: None,
            voters: vec![node(1), node(2)],
            learners: vec![node(3)],
            out_of_reach: vec![node(2)],
            witnesses: vec![node(2)],
            standing: RegistryStanding::Member,
            obstacle: Some(WriteObstacle::NoMajority {
                in_reach: 1,
                needed: 2,
            }),
            index: 42,
        };
        assert_eq!(
            registry_text(&view),
            "Settings are read-only: 1 of at least 2 voters are in reach; no leader, change 42.\n\n\
             NODE  ROLE     REACH\n\
             n1    voter    in reach\n\
             n2    witness  out of reach\n\
             n3    learner\n"
        );
    }

    #[test]
    fn giving_nodes_up_says_first_what_it_means() {
        let mut view = DeclareLostView {
            lost: vec![node(2), node(3)],
            voters: vec![node(1)],
            index: 42,
            sites_without_copy: vec!["a.example".to_owned()],
            is_done: false,
        };
        let text = lost_text(&view);
        assert!(text.starts_with("This gives up n2, n3 for good"), "{text}");
        assert!(text.contains("from change 42, kept by n1;"), "{text}");
        assert!(text.ends_with("they are lost: a.example."), "{text}");
        view.is_done = true;
        view.sites_without_copy.clear();
        let text = lost_text(&view);
        assert!(text.starts_with("Given up for good: n2, n3."), "{text}");
        assert!(text.ends_with("No site is lost with them."), "{text}");
    }
}
