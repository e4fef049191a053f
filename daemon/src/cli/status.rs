//! `hwc status`: the cluster at a glance.

use super::nodes::nodes_table;
use super::sites::sites_table;
use super::{Failure, Session};
use clap::Args;
use hwc_api::v1::{ReadStatus, StatusView};

/// How to show it.
#[derive(Debug, Args)]
pub struct Arguments {}

pub async fn run(session: &Session, _arguments: Arguments) -> Result<(), Failure> {
    let status = session.client.call(&ReadStatus).await?;
    session.print(&status, text)
}

fn text(status: &StatusView) -> String {
    let settings = if status.is_writable {
        "settings can be changed"
    } else {
        "settings are read-only: most voters are out of reach"
    };
    format!(
        "{} · answered by {} · {settings}, change {}\n\n{}\n{}",
        status.name,
        status.answered_by.name,
        status.index,
        nodes_table(&status.nodes),
        sites_table(&status.sites),
    )
}
