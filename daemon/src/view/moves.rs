//! Moves as people see them: those under way, the receipts of those that ended. Pure.

use super::Scene;
use hwc_api::desired::{DatasetContent, Site};
use hwc_api::ids::{AccountId, DatasetId, MoveId, SiteId};
use hwc_api::moves::{MoveProgress, MoveReceipt};
use hwc_api::v1::{MoveView, MovesView};
use std::collections::BTreeSet;
use std::ops::Bound;

impl Scene<'_> {
    /// All moves.
    #[must_use]
    pub fn moves(&self) -> MovesView {
        self.moves_where(|_dataset| true)
    }

    /// The moves of a site's files and databases.
    #[must_use]
    pub fn site_moves(&self, site: &Site) -> MovesView {
        let datasets: BTreeSet<_> = self.datasets_of(site).collect();
        self.moves_where(|dataset| datasets.contains(&dataset))
    }

    /// A site's files and its databases.
    pub fn datasets_of(&self, site: &Site) -> impl Iterator<Item = DatasetId> {
        let databases = self.desired.databases_of_site(site.id);
        let databases = databases.map(|database| database.dataset);
        std::iter::once(site.dataset).chain(databases)
    }

    fn moves_where(&self, is_wanted: impl Fn(DatasetId) -> bool) -> MovesView {
        let ended = self.desired.moves.values().rev();
        let ended = ended.filter(|receipt| is_wanted(receipt.report.dataset));
        MovesView {
            under_way: self.moves_under_way(&is_wanted),
            ended: ended.map(|receipt| self.receipt(receipt)).collect(),
        }
    }

    /// Moves that are planned or under way, the oldest first. Only what the node tells that serves
    /// the dataset counts: another one's word is of a move that ended, or never began.
    pub fn moves_under_way(
        &self,
        is_wanted: impl Fn(DatasetId) -> bool,
    ) -> Vec<MoveView<MoveProgress>> {
        let wanted = self
            .picture
            .moves
            .keys()
            .copied()
            .filter(|id| is_wanted(*id));
        let mut moves: Vec<_> = wanted.filter_map(|id| self.picture.moving(id)).collect();
        moves.sort_by_key(|progress| (progress.started_at, progress.dataset));
        let view = |progress: &MoveProgress| {
            let (site, title) = self.subject(progress.dataset);
            MoveView {
                of: progress.clone(),
                site,
                title,
                from: self.node_ref(progress.from),
                to: self.node_ref(progress.to),
            }
        };
        moves.into_iter().map(view).collect()
    }

    /// Receipts after one that is known already, the newest first.
    pub fn receipts_after(&self, known: Option<MoveId>) -> impl Iterator<Item = &MoveReceipt> {
        let after = known.map_or(Bound::Unbounded, Bound::Excluded);
        let newer = self.desired.moves.range((after, Bound::Unbounded));
        newer.rev().map(|(_, receipt)| receipt)
    }

    /// A receipt with names.
    #[must_use]
    pub fn receipt(&self, receipt: &MoveReceipt) -> MoveView<MoveReceipt> {
        let (site, title) = self.subject(receipt.report.dataset);
        MoveView {
            of: receipt.clone(),
            site,
            title,
            from: self.node_ref(receipt.report.from),
            to: self.node_ref(receipt.report.to),
        }
    }

    /// Whose a dataset is; none once its site or database is gone.
    #[must_use]
    pub fn dataset_owner(&self, id: DatasetId) -> Option<AccountId> {
        match self.desired.datasets.get(&id)?.content {
            DatasetContent::Site(site) => self.desired.sites.get(&site).map(|site| site.account),
            DatasetContent::Database(database) => {
                let database = self.desired.databases.get(&database);
                database.map(|database| database.account)
            }
        }
    }

    /// The site that a dataset belongs to, and what people call the dataset. What is gone is called
    /// by its number, as its Unix user was.
    fn subject(&self, id: DatasetId) -> (Option<SiteId>, String) {
        let content = self
            .desired
            .datasets
            .get(&id)
            .map(|dataset| dataset.content);
        match content {
            Some(DatasetContent::Site(site)) => {
                let title = self.desired.sites.get(&site).and_then(super::site_title);
                (Some(site), title.unwrap_or_else(|| format!("site-{site}")))
            }
            Some(DatasetContent::Database(database)) => {
                match self.desired.databases.get(&database) {
                    Some(database) => (database.site, database.name.to_string()),
                    None => (None, format!("db-{database}")),
                }
            }
            None => (None, format!("dataset-{id}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{MARA, Sample};
    use hwc_api::ids::{DatabaseId, DatasetId, MoveId, SiteId};
    use hwc_api::moves::MoveReason;
    use hwc_api::v1::MovesView;

    fn titles(moves: &MovesView) -> (Vec<&str>, Vec<u32>) {
        let under_way = moves.under_way.iter().map(|view| view.title.as_str());
        let ended = moves.ended.iter().map(|view| view.of.id.0);
        (under_way.collect(), ended.collect())
    }

    /// Site 1 (dataset 1, database 1 in dataset 2) and site 2 (dataset 3), live on node 1.
    fn sample() -> Sample {
        let mut sample = Sample::with_nodes(3);
        sample.site(1, 1, "bücher.example", &[1, 2]);
        sample.database(1, 2, Some(1), &[1, 2]);
        sample.site(2, 3, "other.example", &[1, 3]);
        for dataset in 1..=3 {
            sample.live(dataset, 1);
        }
        sample
    }

    #[test]
    fn only_the_live_nodes_word_counts_and_the_oldest_is_first() {
        let mut sample = sample();
        sample.moving(3, 1, 2, 500);
        sample.moving(2, 1, 2, 400);
        sample.moving(1, 2, 3, 300);
        let scene = sample.scene();
        assert_eq!(
            titles(&scene.moves()).0,
            ["db_1", "other.example"],
            "node 2 does not serve dataset 1"
        );
        let site = &sample.desired.sites[&SiteId(1)];
        assert_eq!(titles(&scene.site_moves(site)).0, ["db_1"]);
        let view = &scene.moves().under_way[0];
        assert_eq!(view.site, Some(SiteId(1)));
        assert_eq!(
            (view.from.name.as_str(), view.to.name.as_str()),
            ("n1", "n2")
        );
    }

    #[test]
    fn receipts_come_newest_first_with_the_names_that_people_know() {
        let mut sample = sample();
        for (id, dataset) in [(1, 1), (2, 3), (3, 2)] {
            sample.receipt(id, dataset, 1, 2, MoveReason::Balance, 1_000);
        }
        let scene = sample.scene();
        let moves = scene.moves();
        assert_eq!(titles(&moves).1, [3, 2, 1]);
        assert_eq!(moves.ended[2].title, "bücher.example");
        let site = &sample.desired.sites[&SiteId(1)];
        assert_eq!(titles(&scene.site_moves(site)).1, [3, 1]);
        let after = scene.receipts_after(Some(MoveId(1)));
        assert_eq!(
            after.map(|receipt| receipt.id.0).collect::<Vec<_>>(),
            [3, 2]
        );
        assert_eq!(scene.receipts_after(None).count(), 3);
    }

    #[test]
    fn what_is_gone_is_called_by_its_number_and_is_nobodys() {
        let mut sample = sample();
        for (id, dataset) in [(1, 1), (2, 2), (3, 9)] {
            sample.receipt(id, dataset, 1, 2, MoveReason::Balance, 1_000);
        }
        assert_eq!(sample.scene().dataset_owner(DatasetId(1)), Some(MARA));
        assert_eq!(sample.scene().dataset_owner(DatasetId(2)), Some(MARA));
        sample.desired.sites.remove(&SiteId(1));
        sample.desired.databases.remove(&DatabaseId(1));
        let scene = sample.scene();
        let moves = scene.moves();
        let ended: Vec<_> = moves
            .ended
            .iter()
            .map(|v| (v.site, v.title.as_str()))
            .collect();
        assert_eq!(
            ended,
            [
                (None, "dataset-9"),
                (None, "db-1"),
                (Some(SiteId(1)), "site-1")
            ]
        );
        for dataset in [1, 2, 9] {
            assert_eq!(scene.dataset_owner(DatasetId(dataset)), None);
        }
    }
}
