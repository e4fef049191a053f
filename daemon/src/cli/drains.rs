//! `hwc node drain` and `undrain`: empty a node, and put it back to use.

use super::nodes::find_node;
use super::table::{age, size};
use super::{Failure, Session, complain};
use clap::Args;
use hwc_api::names::NodeName;
use hwc_api::v1::{DrainNode, DrainNodeBody, DrainView, ReadDrain, UndrainNode};
use std::time::Duration;

/// How often progress is asked for.
const PROGRESS_PAUSE: Duration = Duration::from_millis(500);

/// Which node is emptied, and how.
#[derive(Debug, Args)]
pub struct Drain {
    /// Its name.
    node: NodeName,
    /// What it is for. A drain that goes on keeps its note unless a new one is given.
    #[arg(long)]
    note: Option<String>,
    /// Leave datasets with fewer copies than they should have, where there are too few nodes. A
    /// drain that goes on keeps what was said of it; “=false” takes it back.
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    allow_fewer_copies: Option<bool>,
    /// Show how it goes until the node can be switched off, also of a drain that goes on already.
    /// Ctrl-C ends the waiting, not the drain.
    #[arg(long)]
    wait: bool,
}

pub async fn drain(session: &Session, arguments: Drain) -> Result<(), Failure> {
    let node = find_node(session, &arguments.node).await?.node.id;
    let body = DrainNodeBody {
        note: arguments.note,
        may_lack_copies: arguments.allow_fewer_copies,
    };
    let mut view = session.client.call(&DrainNode { node, body }).await?;
    if !arguments.wait {
        return session.print(&view, |view| {
            let follow = if view.is_done {
                String::new()
            } else {
                format!(
                    "\n“hwc node drain {} --wait” shows how it goes.",
                    arguments.node
                )
            };
            text(view) + &follow
        });
    }
    let mut told = String::new();
    while !view.is_done {
        let line = text(&view);
        if line != told && !session.is_json {
            complain(&line);
            told = line;
        }
        tokio::time::sleep(PROGRESS_PAUSE).await;
        view = session.client.call(&ReadDrain { node }).await?;
    }
    session.print(&view, text)
}

pub async fn undrain(session: &Session, name: NodeName) -> Result<(), Failure> {
    let node = find_node(session, &name).await?.node.id;
    let done = session.client.call(&UndrainNode { node }).await?;
    session.print(&done, |_| {
        format!("{name} takes sites again. What moved away stays where it is.")
    })
}

/// How far a drain is, on one line.
fn text(view: &DrainView) -> String {
    let name = &view.node.name;
    let visitors = format!(
        "{} requests waited, longest {} ms, {} failed",
        view.held, view.longest_wait_ms, view.failed
    );
    if view.is_done {
        let lacking = match view.lacking_copies {
            0 => String::new(),
            lacking => format!(" {lacking} datasets have fewer copies than they should."),
        };
        return format!(
            "{name} is empty and can be switched off: {} moved, {visitors}.{lacking}",
            view.moved
        );
    }
    let remaining = view.remaining_ms.map_or_else(String::new, |remaining| {
        format!(", about {} left", age(remaining))
    });
    format!(
        "{name}: {} moved, {} still live there, {} copies ({}) to be made elsewhere; \
         {visitors}{remaining}",
        view.moved,
        view.live_left,
        view.copies_left,
        size(view.copies_left_bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{AccountId, NodeId};
    use hwc_api::time::WallTime;
    use hwc_api::v1::NodeRef;

    #[test]
    fn a_drain_says_what_is_left_and_when_it_is_over() {
        let view = DrainView {
            node: NodeRef {
                id: NodeId(6),
                name: NodeName::parse("n6").expect("a name"),
            },
            drain: hwc_api::desired::Drain {
                by: AccountId::ROOT,
                since: WallTime(0),
                note: String::new(),
                may_lack_copies: true,
            },
            by_name: "root".to_owned(),
            moved: 31,
            live_left: 16,
            copies_left: 4,
            copies_left_bytes: 2_048,
            lacking_copies: 20,
            copies: Vec::new(),
            is_done: false,
            held: 9,
            longest_wait_ms: 140,
            failed: 0,
            remaining_ms: Some(240_000),
            done_at: None,
        };
        assert_eq!(
            text(&view),
            "n6: 31 moved, 16 still live there, 4 copies (2.0 KiB) to be made elsewhere; \
             9 requests waited, longest 140 ms, 0 failed, about 4 min left"
        );
        let done = DrainView {
            is_done: true,
            lacking_copies: 2,
            ..view
        };
        assert_eq!(
            text(&done),
            "n6 is empty and can be switched off: 31 moved, 9 requests waited, longest 140 ms, \
             0 failed. 2 datasets have fewer copies than they should."
        );
    }
}
