//! `hwc cluster rotate-key` and `hwc cluster keys`: the keys of the nodes' sealed datagrams.

use super::table::{age, table};
use super::{Failure, Session, complain};
use anyhow::anyhow;
use clap::Args;
use hwc_api::v1::{KeysView, NodeKeyState, NodeKeyView, ReadKeys, RotateKeys};
use std::time::Duration;

/// Between two looks at who has the new key.
const LOOK_PAUSE: Duration = Duration::from_millis(300);
/// So many looks: half a minute, while a key spreads in a second.
const LOOKS: u32 = 100;

/// How the key is replaced.
#[derive(Debug, Args)]
pub struct Rotate {
    /// Do it; otherwise only what it means is shown.
    #[arg(long)]
    yes: bool,
}

pub async fn show(session: &Session) -> Result<(), Failure> {
    let view = session.client.call(&ReadKeys).await?;
    session.print(&view, text)
}

/// Replaces the key, and waits until every node that is heard has it.
pub async fn rotate(session: &Session, arguments: Rotate) -> Result<(), Failure> {
    if !arguments.yes {
        session.explain(
            "A new key seals what the nodes tell each other of who is up. Nothing is interrupted: for a \
             while both keys are good. A node that is away gets the new one when it returns.",
        );
        let advice = "add --yes to replace the key".to_owned();
        return Err(Failure::NotConfirmed(advice));
    }
    let begun = session.client.call(&RotateKeys).await?;
    let mut view = begun.clone();
    let mut told = None;
    for _ in 0..LOOKS {
        let standing = count(&view);
        if told != Some(standing) && !session.is_json {
            let (have, all) = standing;
            complain(&format!(
                "{have} of {all} nodes have key {}",
                view.generation
            ));
        }
        told = Some(standing);
        if !lags(&view) {
            break;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
        view = session.client.call(&ReadKeys).await?;
    }
    view.old_ends_after_ms = begun.old_ends_after_ms;
    session.print(&view, text)?;
    if lags(&view) {
        return Err(anyhow!("some nodes do not take the new key; their logs say why").into());
    }
    Ok(())
}

/// Whether a node that is heard has another key.
fn lags(view: &KeysView) -> bool {
    let mut nodes = view.nodes.iter();
    nodes.any(|node| node.state == NodeKeyState::Other)
}

fn count(view: &KeysView) -> (usize, usize) {
    let has = |node: &&NodeKeyView| node.state == NodeKeyState::Newest;
    (view.nodes.iter().filter(has).count(), view.nodes.len())
}

fn text(view: &KeysView) -> String {
    let row = |node: &NodeKeyView| {
        let state = match node.state {
            NodeKeyState::Newest => "has it",
            NodeKeyState::Other => "has another one",
            NodeKeyState::Unheard => "not heard; gets it when it returns",
        };
        vec![node.node.name.to_string(), state.to_owned()]
    };
    let rows: Vec<_> = view.nodes.iter().map(row).collect();
    let everywhere = if view.is_everywhere {
        "every node has it"
    } else {
        "not every node has it"
    };
    let old = view.old_ends_after_ms.map_or_else(String::new, |ends| {
        format!(" The one before ends within {}.", age(ends))
    });
    let table = table(&["NODE", "NEWEST KEY"], &rows);
    format!(
        "Key {} is the newest; {everywhere}.{old}\n\n{table}",
        view.generation
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::NodeId;
    use hwc_api::names::NodeName;
    use hwc_api::v1::NodeRef;

    fn view(states: &[NodeKeyState]) -> KeysView {
        let nodes = (1..).zip(states).map(|(id, state)| NodeKeyView {
            node: NodeRef {
                id: NodeId(id),
                name: NodeName::parse(&format!("n{id}")).expect("a name"),
            },
            state: *state,
        });
        KeysView {
            generation: 4,
            old_ends_after_ms: None,
            nodes: nodes.collect(),
            is_everywhere: states.iter().all(|state| *state == NodeKeyState::Newest),
        }
    }

    #[test]
    fn only_a_node_that_is_heard_is_waited_for() {
        use NodeKeyState::{Newest, Other, Unheard};
        assert!(!lags(&view(&[Newest, Newest])));
        assert!(!lags(&view(&[Newest, Unheard])));
        assert!(lags(&view(&[Newest, Other, Unheard])));
        assert_eq!(count(&view(&[Newest, Other, Unheard])), (1, 3));
    }

    #[test]
    fn who_has_the_key_reads_as_a_table() {
        let mut shown = view(&[NodeKeyState::Newest, NodeKeyState::Unheard]);
        shown.old_ends_after_ms = Some(12_500);
        assert_eq!(
            text(&shown),
            "Key 4 is the newest; not every node has it. The one before ends within 12.5 s.\n\n\
             NODE  NEWEST KEY\n\
             n1    has it\n\
             n2    not heard; gets it when it returns\n"
        );
    }
}
