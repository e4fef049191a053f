//! What people are told.

use super::desk::{B, Desk, ME, files};
use crate::Millis;
use hwc_api::explanation::{Obstacle, Outcome, Unfit};
use hwc_api::ids::DatasetId;
use hwc_api::ownership::HolderState;

#[test]
fn a_quiet_site_is_explained() {
    let desk = Desk::with_sites(1);
    let told = desk
        .brain
        .explain(files(1), Millis(desk.now))
        .expect("known");
    assert_eq!((told.by, told.state), (ME, HolderState::Live));
    assert_eq!(told.obstacle, Some(Obstacle::NotBusy));
    let first = told.candidates.first().expect("candidates");
    assert!(first.node == B && first.has_copy && first.score.is_some());
    let last = told.candidates.last().expect("candidates");
    assert_eq!((last.node, last.unfit), (ME, Some(Unfit::Here)));
    let newest = told.decisions.first().expect("decisions");
    assert!(matches!(newest.outcome, Outcome::Claim { .. }));
    assert!(newest.at.0 >= 1_700_000_000_000);
    let nobody = desk.brain.explain(DatasetId(999), Millis(desk.now));
    assert_eq!(nobody, None);
}

#[test]
fn only_the_newest_decisions_are_kept() {
    let mut desk = Desk::with_sites(1);
    for _ in 0..20 {
        desk.ask(files(1), B);
        desk.take_back(files(1));
    }
    let told = desk
        .brain
        .explain(files(1), Millis(desk.now))
        .expect("known");
    assert_eq!(told.decisions.len(), 8);
    let at: Vec<_> = told.decisions.iter().map(|decision| decision.at).collect();
    assert!(at.is_sorted_by(|newer, older| newer >= older));
}
