//! `hwc status`: the cluster at a glance.

use super::nodes::nodes_table;
use super::registry::obstacle_text;
use super::sites::sites_table;
use super::table::age;
use super::{Failure, Session};
use clap::Args;
use hwc_api::v1::{NodeView, ReadStatus, StatusView};

/// How to show it.
#[derive(Debug, Args)]
pub struct Arguments {}

pub async fn run(session: &Session, _arguments: Arguments) -> Result<(), Failure> {
    let status = session.client.call(&ReadStatus).await?;
    session.print(&status, text)
}

fn text(status: &StatusView) -> String {
    let obstacle = status.registry.as_ref().and_then(|view| view.obstacle);
    let settings = match obstacle {
        Some(obstacle) => format!("settings are read-only: {}", obstacle_text(obstacle)),
        None if status.is_writable => "settings can be changed".to_owned(),
        None => "settings are read-only".to_owned(),
    };
    format!(
        "{} · answered by {} · {settings}, change {}\n\n{}\n{}",
        status.name,
        status.answered_by.name,
        status.index,
        nodes_table(&status.nodes) + &drains(status),
        sites_table(&status.sites, status.at),
    )
}

/// The nodes that are being emptied, or are empty, a line each.
fn drains(status: &StatusView) -> String {
    let line = |view: &NodeView| {
        let drain = view.drain.as_ref()?;
        let since = age(status.at.since_ms(drain.since));
        let left = view.live_sites + view.live_databases;
        let note = match drain.note.as_str() {
            "" => String::new(),
            note => format!(": {note}"),
        };
        let name = &view.node.name;
        Some(format!(
            "{name} has been drained for {since}, {left} still live on it{note}\n"
        ))
    };
    status.nodes.iter().filter_map(line).collect()
}
