//! Pins, holds, copies, balancing, and the receipts of moves.

use super::*;
use crate::rules::moves::RECEIPTS_KEPT;
use hwc_api::balancing::Balancing;
use hwc_api::ids::MoveId;
use hwc_api::moves::MoveReceipt;
use hwc_api::network::Network;

#[test]
fn a_site_is_pinned_held_and_let_go() {
    let mut settings = cluster_and([site(CUSTOMER, &["a.example"], &[1, 2])]);
    let kept = |settings: &Settings| {
        let site = &settings.desired.sites[&SiteId(1)];
        (site.pin, site.hold_until)
    };
    assert_eq!(kept(&settings), (None, None));
    apply_all(&mut settings, [pin(1, Some(2)), hold(1, Some(NOW))]);
    assert_eq!(kept(&settings), (Some(NodeId(2)), Some(NOW)));
    apply_all(&mut settings, [pin(1, None), hold(1, None)]);
    assert_eq!(kept(&settings), (None, None));
}

#[test]
fn a_dataset_should_have_as_many_copies_as_were_asked_for() {
    let mut settings = cluster_and([]);
    for (copies, domain) in [(1, "a.example"), (3, "b.example")] {
        let mut wished = site(ADMINISTRATOR, &[domain], &[1]);
        if let Change::CreateSite { copies: wish, .. } = &mut wished {
            *wish = copies;
        }
        apply_all(&mut settings, [wished]);
    }
    let datasets = settings.desired.datasets.values();
    let copies: Vec<_> = datasets.map(|dataset| dataset.copies).collect();
    assert_eq!(copies, [1, 3]);
    for mut none in [
        site(CUSTOMER, &["c.example"], &[1]),
        database(CUSTOMER, None, "c", "c", &[1]),
    ] {
        if let Change::CreateSite { copies, .. } | Change::CreateDatabase { copies, .. } = &mut none
        {
            *copies = 0;
        }
        check_refused(
            &settings,
            &none,
            ProblemCode::Invalid,
            Some("copies"),
            Some("1"),
        );
    }
}

#[test]
fn replicas_that_others_have_changed_meanwhile_are_left_alone() {
    let mut settings = cluster_and([site(CUSTOMER, &["a.example"], &[1])]);
    check_applied(
        &mut settings,
        &set_replicas(1, &[1], &[1, 2]),
        Applied::Done,
    );
    for stale in [&[1][..], &[2, 1], &[]] {
        let change = set_replicas(1, stale, &[2]);
        check_refused(
            &settings,
            &change,
            ProblemCode::Conflict,
            Some("expected"),
            Some("1"),
        );
    }
    check_applied(
        &mut settings,
        &set_replicas(1, &[1, 2], &[2]),
        Applied::Done,
    );
}

#[test]
fn balancing_stays_within_reason() {
    let mut settings = cluster_and([]);
    let check = |settings: &Settings, field, range, change: fn(&mut Balancing)| {
        let mut balancing = Balancing::default();
        change(&mut balancing);
        let set = Change::SetBalancing { balancing };
        check_refused(
            settings,
            &set,
            ProblemCode::Invalid,
            Some(field),
            Some(range),
        );
    };
    check(&settings, "moves_per_minute", "1-600", |rules| {
        rules.moves_per_minute = 0
    });
    check(&settings, "moves_per_minute", "1-600", |rules| {
        rules.moves_per_minute = 601
    });
    check(&settings, "moves_at_once", "1-16", |rules| {
        rules.moves_at_once = 0
    });
    check(&settings, "moves_at_once", "1-16", |rules| {
        rules.moves_at_once = 17
    });
    check(&settings, "cool_down_s", "10-86400", |rules| {
        rules.cool_down_s = 9
    });
    check(&settings, "cool_down_s", "10-86400", |rules| {
        rules.cool_down_s = u32::MAX
    });
    check(&settings, "veto_s", "0-3600", |rules| rules.veto_s = 3_601);
    check(&settings, "busy_percent", "10-100", |rules| {
        rules.busy_percent = 0
    });
    check(&settings, "busy_percent", "10-100", |rules| {
        rules.busy_percent = 101
    });
    check(&settings, "gap_percent", "1-74", |rules| {
        rules.gap_percent = 0
    });
    check(&settings, "gap_percent", "1-74", |rules| {
        rules.gap_percent = 75
    });
    check(&settings, "patience_s", "1-3600", |rules| {
        rules.patience_s = 0
    });
    check(&settings, "patience_s", "1-3600", |rules| {
        rules.patience_s = 3_601
    });
    let balancing = Balancing {
        is_on: false,
        moves_per_minute: 600,
        moves_at_once: 16,
        cool_down_s: 10,
        veto_s: 0,
        busy_percent: 10,
        gap_percent: 9,
        patience_s: 1,
    };
    check_applied(
        &mut settings,
        &Change::SetBalancing { balancing },
        Applied::Done,
    );
    let cluster = settings.desired.cluster.as_ref().expect("founded");
    assert_eq!(cluster.balancing, balancing);
}

#[test]
fn a_cluster_is_not_founded_with_senseless_balancing() {
    let mut founding = init();
    if let Change::InitCluster { cluster, .. } = &mut founding {
        cluster.balancing.moves_at_once = 0;
    }
    let code = ProblemCode::Invalid;
    let field = Some("moves_at_once");
    check_refused(&Settings::default(), &founding, code, field, Some("1-16"));
}

#[test]
fn a_site_is_moved_by_one_job_at_a_time() {
    let mut settings = cluster_and([site(CUSTOMER, &["a.example"], &[1, 2])]);
    check_applied(&mut settings, &start_move(1, 2), Applied::Job(JobId(1)));
    for second in [start_move(1, 1), start_job(1, CUSTOMER, 1)] {
        let code = ProblemCode::SiteBusy;
        check_refused(&settings, &second, code, Some("site"), Some("1"));
    }
    check_applied(&mut settings, &finish_job(1), Applied::Done);
    check_applied(
        &mut settings,
        &start_job(1, CUSTOMER, 1),
        Applied::Job(JobId(2)),
    );
    let code = ProblemCode::SiteBusy;
    check_refused(&settings, &start_move(1, 2), code, Some("site"), Some("2"));
}

#[test]
fn a_suspended_customer_s_site_is_moved_though_nothing_is_installed_in_it() {
    let suspended = suspend(CUSTOMER, true);
    let mut settings = cluster_and([site(CUSTOMER, &["a.example"], &[1, 2]), suspended]);
    let install = start_job(1, CUSTOMER, 1);
    let code = ProblemCode::Forbidden;
    check_refused(&settings, &install, code, Some("account"), None);
    check_applied(&mut settings, &start_move(1, 2), Applied::Job(JobId(1)));
    let mut nobody_s = start_move(1, 2);
    if let Change::StartJob { account, .. } = &mut nobody_s {
        *account = AccountId(9);
    }
    let code = ProblemCode::NotFound;
    check_refused(&settings, &nobody_s, code, Some("account"), Some("9"));
}

#[test]
fn the_kind_of_network_is_changed() {
    let mut settings = cluster_and([]);
    let kind = |settings: &Settings| settings.desired.cluster.as_ref().map(|c| c.network);
    assert_eq!(kind(&settings), Some(Network::Lan));
    let network = Network::Wan;
    check_applied(
        &mut settings,
        &Change::SetNetwork { network },
        Applied::Done,
    );
    assert_eq!(kind(&settings), Some(Network::Wan));
}

#[test]
fn a_receipt_is_kept_as_it_was_told_also_of_what_is_gone() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1]),
        Change::DeleteSite { site: SiteId(1) },
        Change::RemoveNode { node: NodeId(2) },
    ]);
    let change = note_move(1, 2, 1);
    check_applied(&mut settings, &change, Applied::Move(MoveId(1)));
    let Change::NoteMove { report } = change else {
        panic!("a receipt");
    };
    let id = MoveId(1);
    assert_eq!(settings.desired.moves[&id], MoveReceipt { id, report });
}

#[test]
fn the_newest_receipts_are_kept() {
    let mut settings = cluster_and([site(CUSTOMER, &["a.example"], &[1, 2])]);
    for _ in 0..RECEIPTS_KEPT + 2 {
        apply_all(&mut settings, [note_move(1, 1, 2)]);
    }
    let moves = &settings.desired.moves;
    assert_eq!(moves.len(), RECEIPTS_KEPT);
    assert_eq!(moves.keys().next(), Some(&MoveId(3)), "the oldest go first");
}
