//! `hwc moves`: what moves, and the receipts of what has moved.

use super::move_words::moves_table;
use super::sites::find;
use super::{Failure, Session};
use clap::Args;
use hwc_api::names::DomainName;
use hwc_api::v1::{ListMoves, ListSiteMoves};
use hwc_runtime::clock::Clock;

/// Whose moves, and how many.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only those of this site, by its domain.
    site: Option<DomainName>,
    /// Most receipts to show, the newest first.
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

pub async fn run(session: &Session, arguments: Arguments) -> Result<(), Failure> {
    let mut moves = match &arguments.site {
        None => session.client.call(&ListMoves).await?,
        Some(domain) => {
            let site = find(session, domain).await?.id;
            session.client.call(&ListSiteMoves { site }).await?
        }
    };
    moves.ended.truncate(arguments.limit);
    session.print(&moves, |moves| moves_table(moves, Clock::system().wall()))
}
