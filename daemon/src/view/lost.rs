//! What is gone with nodes that are given up. Pure.

use super::Scene;
use hwc_api::desired::Site;
use hwc_api::ids::{DatasetId, NodeId};
use std::collections::BTreeSet;

impl Scene<'_> {
    /// The sites of which no node but these is known to hold a copy: of their files, or of one of
    /// their databases. A node out of reach that nobody gives up counts with what it last told.
    #[must_use]
    pub fn sites_without_copy(&self, lost: &BTreeSet<NodeId>) -> Vec<String> {
        let is_left = |dataset: DatasetId| {
            let holders = self.picture.holders.get(&dataset).into_iter().flatten();
            let mut holders = holders.filter(|(_, record)| record.has_copy);
            holders.any(|(node, _)| !lost.contains(node))
        };
        let is_lost = |site: &&Site| {
            let mut databases = self.desired.databases_of_site(site.id);
            !is_left(site.dataset) || databases.any(|database| !is_left(database.dataset))
        };
        let sites = self.desired.sites.values().filter(is_lost);
        sites
            .map(|site| super::site_title(site).unwrap_or_else(|| site.unix_name()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use hwc_api::ids::NodeId;

    fn check(sample: &Sample, lost: &[u16], expected: &[&str]) {
        let lost = lost.iter().copied().map(NodeId).collect();
        assert_eq!(
            sample.scene().sites_without_copy(&lost),
            expected,
            "{lost:?}"
        );
    }

    #[test]
    fn a_site_needs_a_copy_of_its_files_and_of_each_database() {
        let mut sample = Sample::with_nodes(3);
        sample.site(1, 1, "whole.example", &[1, 2]);
        sample.site(2, 2, "half.example", &[1, 2]);
        sample.database(1, 3, Some(2), &[1]);
        sample.site(3, 4, "unknown.example", &[1, 2]);
        for (dataset, node) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)] {
            sample.holds(dataset, node);
        }
        check(&sample, &[3], &["unknown.example"]);
        check(&sample, &[1], &["half.example", "unknown.example"]);
        check(
            &sample,
            &[1, 2],
            &["whole.example", "half.example", "unknown.example"],
        );
    }
}
