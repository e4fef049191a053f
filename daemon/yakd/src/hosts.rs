//! Which site answers for which host name, by the registry; and which of these names a web server
//! that has read older settings would answer otherwise.

use hwc_api::desired::Desired;
use hwc_api::ids::SiteId;
use hwc_api::names::DomainName;
use std::collections::{BTreeMap, BTreeSet};

/// Every host name of every site. Sites that can't be served are in it too: they are no reason to
/// wait for anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hosts(BTreeMap<DomainName, Face>);

/// What of a site decides whether a request for its name gets to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Face {
    site: SiteId,
    is_suspended: bool,
}

impl Hosts {
    /// Those of the registry.
    #[must_use]
    pub fn of(desired: &Desired) -> Self {
        let is_there = |dataset| {
            let dataset = desired.datasets.get(dataset);
            dataset.is_some_and(|dataset| !dataset.is_deleted)
        };
        let mut hosts = BTreeMap::new();
        for site in desired
            .sites
            .values()
            .filter(|site| is_there(&site.dataset))
        {
            let account = desired.accounts.get(&site.account);
            let face = Face {
                site: site.id,
                is_suspended: account.is_some_and(|account| account.is_suspended),
            };
            hosts.extend(site.domains.iter().map(|domain| (domain.clone(), face)));
        }
        Self(hosts)
    }

    /// The names that who has read `older` takes for unknown, for another site's, or for those of a
    /// site that is suspended; or the other way round.
    #[must_use]
    pub fn beyond(&self, older: &Self) -> BTreeSet<String> {
        let new = self
            .0
            .iter()
            .filter(|(name, face)| older.0.get(*name) != Some(*face));
        new.map(|(name, _)| name.to_string()).collect()
    }

    /// Whether all these names are a site's.
    pub(crate) fn have<'a>(
        &self,
        site: SiteId,
        is_suspended: bool,
        names: impl IntoIterator<Item = &'a DomainName>,
    ) -> bool {
        let face = Face { site, is_suspended };
        names
            .into_iter()
            .all(|name| self.0.get(name) == Some(&face))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::tests::{add_site, one_site};

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn new_and_changed_names_are_beyond_older_settings_and_others_are_not() {
        let mut desired = one_site(200_000, "shop.example");
        add_site(&mut desired, 8, 13, 200_002, "blog.example");
        let older = Hosts::of(&desired);
        assert_eq!(older.beyond(&older), names(&[]));
        assert_eq!(
            older.beyond(&Hosts::default()),
            names(&["shop.example", "blog.example"])
        );

        let domain = |name| DomainName::parse(name).expect("a domain");
        let shop = desired.sites.get_mut(&SiteId(7)).expect("a site");
        shop.domains = vec![domain("shop.example"), domain("www.shop.example")];
        shop.domains.push(domain("blog.example"));
        let blog = desired.sites.get_mut(&SiteId(8)).expect("a site");
        blog.domains = vec![domain("journal.example")];
        assert_eq!(
            Hosts::of(&desired).beyond(&older),
            names(&["blog.example", "journal.example", "www.shop.example"]),
            "what has another site now is no less new"
        );
        // Names that are gone are nobody's business.
        desired.sites.remove(&SiteId(8));
        let fewer = Hosts::of(&desired);
        desired.sites.remove(&SiteId(7));
        assert_eq!(Hosts::of(&desired).beyond(&fewer), names(&[]));
    }

    #[test]
    fn a_site_that_is_suspended_no_more_is_read_anew() {
        let mut desired = one_site(200_000, "shop.example");
        let open = Hosts::of(&desired);
        let suspended = {
            let site = desired.sites.values().next().expect("a site");
            let account: hwc_api::desired::Account = serde_json::from_value(serde_json::json!({
                "id": site.account, "login": "anna", "name": "Anna", "email": "anna@example.com",
                "role": "customer", "limits": { "sites": 1, "databases": 1 },
                "password_hash": "", "sessions_valid_from": 0, "is_suspended": true,
                "created_at": 0
            }))
            .expect("an account");
            desired.accounts.insert(account.id, account);
            Hosts::of(&desired)
        };
        assert_eq!(open.beyond(&suspended), names(&["shop.example"]));
        let domain = DomainName::parse("shop.example").expect("a domain");
        assert!(open.have(SiteId(7), false, [&domain]));
        assert!(!suspended.have(SiteId(7), false, [&domain]));
    }
}
