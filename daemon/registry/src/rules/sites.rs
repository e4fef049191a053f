//! Sites, their domains and their applications.

use super::databases;
use super::draft::{Copies, Draft, not_found};
use crate::settings::Edit;
use hwc_api::change::Applied;
use hwc_api::desired::{Account, DatasetContent, InstalledApp, PhpVersion, Role, Site};
use hwc_api::ids::{AccountId, NodeId, SiteId};
use hwc_api::names::DomainName;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;
use std::collections::BTreeSet;

/// What `Change::CreateSite` asks for.
pub(super) struct NewSite<'a> {
    pub account: AccountId,
    pub domains: &'a [DomainName],
    pub php: PhpVersion,
    pub replicas: &'a [NodeId],
    pub copies: u8,
    pub now: WallTime,
}

pub(super) fn create(draft: &mut Draft<'_>, new: NewSite<'_>) -> Result<Applied, Problem> {
    let account = draft.account_in_good_standing(new.account)?;
    check_limit(draft, account)?;
    check_domains(draft, new.domains)?;
    let id = SiteId(draft.take(|counters| &mut counters.site)?);
    let copies = Copies {
        replicas: new.replicas,
        number: new.copies,
        beside: &[],
    };
    let dataset = draft.create_dataset(DatasetContent::Site(id), copies)?;
    let uid = draft.take(|counters| &mut counters.uid)?;
    draft.edit(Edit::PutSite(Site {
        id,
        account: account.id,
        dataset,
        uid,
        domains: new.domains.to_vec(),
        php: new.php,
        app: None,
        pin: None,
        hold_until: None,
        created_at: new.now,
    }));
    Ok(Applied::Site(id))
}

fn check_limit(draft: &Draft<'_>, account: &Account) -> Result<(), Problem> {
    let limit = match account.role {
        Role::Administrator => return Ok(()),
        Role::Customer => account.limits.sites,
    };
    let sites = draft.desired().sites.values();
    let owned = sites.filter(|site| site.account == account.id).count();
    if owned < limit as usize {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::SiteLimit,
        format!(
            "The account has as many sites as it may ({limit}). Delete one or ask for a higher \
             limit."
        ),
    )
    .detail(limit.to_string()))
}

fn check_domains(draft: &Draft<'_>, domains: &[DomainName]) -> Result<(), Problem> {
    if domains.is_empty() {
        return Err(
            Problem::new(ProblemCode::Invalid, "A site needs at least one domain.").field("domain"),
        );
    }
    let mut seen = BTreeSet::new();
    for domain in domains {
        if !seen.insert(domain) {
            return Err(Problem::new(
                ProblemCode::Invalid,
                format!("The domain {domain} is named twice; name it once."),
            )
            .field("domain")
            .detail(domain.to_string()));
        }
        if is_taken(draft, domain) {
            return Err(Problem::new(
                ProblemCode::DomainTaken,
                format!("The domain {domain} is in use already. Choose another."),
            )
            .field("domain")
            .detail(domain.to_string()));
        }
    }
    Ok(())
}

/// A domain of the panel is taken too: a site under it would stand in for the panel.
fn is_taken(draft: &Draft<'_>, domain: &DomainName) -> bool {
    let desired = draft.desired();
    let cluster = desired.cluster.as_ref();
    desired.site_of_domain(domain).is_some()
        || cluster.is_some_and(|cluster| cluster.panel_domains.contains(domain))
}

pub(super) fn delete(draft: &mut Draft<'_>, site: SiteId) -> Result<Applied, Problem> {
    let site = existing(draft, site)?;
    for database in draft.desired().databases_of_site(site.id) {
        databases::remove(draft, database);
    }
    draft.edit(Edit::DeleteSite(site.id));
    draft.delete_dataset(site.dataset);
    Ok(Applied::Done)
}

pub(super) fn set_app(
    draft: &mut Draft<'_>,
    site: SiteId,
    app: Option<&InstalledApp>,
) -> Result<Applied, Problem> {
    let site = existing(draft, site)?;
    draft.edit(Edit::PutSite(Site {
        app: app.cloned(),
        ..site.clone()
    }));
    Ok(Applied::Done)
}

pub(super) fn pin(
    draft: &mut Draft<'_>,
    site: SiteId,
    node: Option<NodeId>,
) -> Result<Applied, Problem> {
    let site = existing(draft, site)?;
    if let Some(node) = node {
        draft.hosting_node(node)?;
    }
    draft.edit(Edit::PutSite(Site {
        pin: node,
        ..site.clone()
    }));
    Ok(Applied::Done)
}

pub(super) fn hold(
    draft: &mut Draft<'_>,
    site: SiteId,
    until: Option<WallTime>,
) -> Result<Applied, Problem> {
    let site = existing(draft, site)?;
    draft.edit(Edit::PutSite(Site {
        hold_until: until,
        ..site.clone()
    }));
    Ok(Applied::Done)
}

/// A site that exists.
pub(super) fn existing<'a>(draft: &Draft<'a>, id: SiteId) -> Result<&'a Site, Problem> {
    draft
        .desired()
        .sites
        .get(&id)
        .ok_or_else(|| not_found("site", id).field("site"))
}
