//! `hwc site pin` and `hwc site hold`: keep a site where it is, or bring it where it belongs.

use super::nodes::find_node;
use super::sites::find;
use super::{Failure, Session};
use clap::Args;
use hwc_api::names::{DomainName, NodeName};
use hwc_api::v1::{HoldSite, HoldSiteBody, PinSite, PinSiteBody};

/// Where a site is to stay.
#[derive(Debug, Args)]
pub struct Pin {
    /// The site's domain.
    site: DomainName,
    /// The node; the site moves there by itself and stays while that node can serve it.
    #[arg(required_unless_present = "none")]
    node: Option<NodeName>,
    /// Let it go.
    #[arg(long, conflicts_with = "node")]
    none: bool,
}

/// For how long a site is to stay.
#[derive(Debug, Args)]
pub struct Hold {
    /// The site's domain.
    site: DomainName,
    /// Minutes from now, at most a year; 0 to let it go.
    #[arg(long)]
    minutes: u32,
}

pub async fn pin(session: &Session, arguments: Pin) -> Result<(), Failure> {
    let site = find(session, &arguments.site).await?.id;
    let node = match &arguments.node {
        Some(name) => Some(find_node(session, name).await?.node.id),
        None => None,
    };
    let body = PinSiteBody { node };
    let view = session.client.call(&PinSite { site, body }).await?;
    session.print(&view, |view| match &view.pin {
        Some(node) => format!("{} is pinned to {}.", arguments.site, node.name),
        None => format!("{} is pinned to no node.", arguments.site),
    })
}

pub async fn hold(session: &Session, arguments: Hold) -> Result<(), Failure> {
    let site = find(session, &arguments.site).await?.id;
    let minutes = arguments.minutes;
    let body = HoldSiteBody { minutes };
    let view = session.client.call(&HoldSite { site, body }).await?;
    session.print(&view, |view| match view.hold_until {
        Some(_) => format!(
            "{} is not moved to spread load for {minutes} minutes.",
            arguments.site
        ),
        None => format!("{} may be moved to spread load.", arguments.site),
    })
}
