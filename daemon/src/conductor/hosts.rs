//! Host names that the front doors hold back on this node: the settings give them to a site, and the
//! web server has not read that yet.

use hwc_api::desired::Desired;
use hwc_yakd::Hosts;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The names of the settings, and those that the web server has read.
#[derive(Debug, Default)]
pub struct HostNames {
    wanted: Hosts,
    /// None before it is known: then nothing is held back.
    read: Option<Arc<Hosts>>,
    unread: Arc<BTreeSet<String>>,
}

impl HostNames {
    /// There are new settings.
    pub fn learn(&mut self, desired: &Desired) {
        self.wanted = Hosts::of(desired);
        self.compare();
    }

    /// The web server has read these.
    pub fn read(&mut self, read: Option<Arc<Hosts>>) {
        self.read = read;
        self.compare();
    }

    /// The names to be held back.
    #[must_use]
    pub fn unread(&self) -> Arc<BTreeSet<String>> {
        Arc::clone(&self.unread)
    }

    fn compare(&mut self) {
        let beyond = self.read.as_ref().map(|read| self.wanted.beyond(read));
        self.unread = Arc::new(beyond.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(domains: &[&str]) -> Desired {
        serde_json::from_value(serde_json::json!({
            "index": 7, "cluster": null, "nodes": {}, "accounts": {},
            "sites": { "1": { "id": 1, "account": 1, "dataset": 1, "uid": 200_001,
                "domains": domains, "php": "8.4", "app": null, "created_at": 0 } },
            "databases": {},
            "datasets": { "1": { "id": 1, "content": { "site": 1 }, "replicas": [1],
                "created_index": 1, "copies": 1, "is_deleted": false } },
            "jobs": {}, "moves": {}, "tokens": {}, "revoked_sessions": [], "join_tokens": {}
        }))
        .expect("a registry")
    }

    #[test]
    fn a_name_is_held_back_from_the_settings_until_it_was_read() {
        let (before, after) = (
            settings(&["shop.example"]),
            settings(&["shop.example", "www.shop.example"]),
        );
        let mut names = HostNames::default();
        names.learn(&before);
        assert_eq!(*names.unread(), BTreeSet::new(), "nobody knows");
        names.read(Some(Arc::new(Hosts::of(&before))));
        assert_eq!(*names.unread(), BTreeSet::new());
        names.learn(&after);
        assert_eq!(
            *names.unread(),
            BTreeSet::from(["www.shop.example".to_owned()])
        );
        names.read(Some(Arc::new(Hosts::of(&after))));
        assert_eq!(*names.unread(), BTreeSet::new());
    }
}
