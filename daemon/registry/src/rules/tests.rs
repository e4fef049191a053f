//! Every change's good and bad paths, on settings in memory.

mod moves;
mod nodes;

use super::decide;
use crate::rules::jobs::FINISHED_JOBS_KEPT;
use crate::samples::*;
use crate::settings::{Settings, UID_FIRST};
use hwc_api::change::{Applied, Change};
use hwc_api::desired::{DatasetContent, Role};
use hwc_api::ids::{AccountId, DatabaseId, DatasetId, JobId, NodeId, SessionId, SiteId, TokenId};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;

/// The settings after changes that are all accepted.
fn after(changes: impl IntoIterator<Item = Change>) -> Settings {
    let mut settings = Settings::default();
    apply_all(&mut settings, changes);
    settings
}

/// The small cluster and what comes after it.
fn cluster_and(changes: impl IntoIterator<Item = Change>) -> Settings {
    after(small_cluster().into_iter().chain(changes))
}

fn apply_all(settings: &mut Settings, changes: impl IntoIterator<Item = Change>) {
    for change in changes {
        let index = settings.desired.index;
        if let Err(problem) = settings.apply(&change) {
            panic!("{change:?} was refused: {problem:?}");
        }
        assert_eq!(settings.desired.index, index + 1);
    }
}

/// A change is refused with this code, about this field, quoting this detail.
fn check_refused(
    settings: &Settings,
    change: &Change,
    code: ProblemCode,
    field: Option<&str>,
    detail: Option<&str>,
) -> Problem {
    let mut touched = settings.clone();
    let problem = match touched.apply(change) {
        Ok(applied) => panic!("{change:?} was accepted: {applied:?}"),
        Err(problem) => problem,
    };
    assert_eq!(
        &touched, settings,
        "{change:?} was refused and changed something"
    );
    let told = (
        problem.code,
        problem.field.as_deref(),
        problem.detail.as_deref(),
    );
    assert_eq!(told, (code, field, detail), "{change:?}: {problem:?}");
    assert!(
        problem.message.ends_with(['.', 'n', 't']),
        "{}",
        problem.message
    );
    problem
}

/// A change is accepted and answered so.
fn check_applied(settings: &mut Settings, change: &Change, applied: Applied) {
    assert_eq!(settings.apply(change), Ok(applied), "{change:?}");
}

#[test]
fn nothing_is_accepted_before_a_cluster_is_founded() {
    for change in everything().into_iter().skip(1) {
        check_refused(
            &Settings::default(),
            &change,
            ProblemCode::NotMember,
            None,
            None,
        );
    }
}

#[test]
fn a_cluster_is_founded_once() {
    let mut settings = Settings::default();
    let Ok(Applied::Node(node)) = settings.apply(&init()) else {
        panic!("founding makes the first node");
    };
    assert_eq!((node.id, node.join_index), (NodeId(1), 1));
    assert_eq!(settings.desired.cluster.as_ref(), Some(&cluster()));
    check_refused(&settings, &init(), ProblemCode::AlreadyMember, None, None);
}

#[test]
fn a_cluster_keeps_at_least_one_copy() {
    let mut cluster = cluster();
    cluster.copies = 0;
    let change = Change::InitCluster {
        cluster,
        name: node_name("alpha"),
        address: address("10.0.0.1"),
    };
    let code = ProblemCode::Invalid;
    check_refused(
        &Settings::default(),
        &change,
        code,
        Some("copies"),
        Some("1"),
    );
}

#[test]
fn a_join_token_admits_one_node_in_time() {
    let mut settings = after([init(), join_token("secret")]);
    let wrong = join("guessed", "beta", "10.0.0.2");
    check_refused(&settings, &wrong, ProblemCode::TokenWrong, None, None);
    let late = join_at("secret", "beta", "10.0.0.2", NOW.plus_ms(1_000));
    check_refused(&settings, &late, ProblemCode::TokenExpired, None, None);
    check_refused(
        &settings,
        &join_token("secret"),
        ProblemCode::Conflict,
        None,
        None,
    );

    let Ok(Applied::Node(node)) = settings.apply(&join("secret", "beta", "10.0.0.2")) else {
        panic!("a good token admits a node");
    };
    assert_eq!((node.id, node.join_index), (NodeId(2), 3));
    let again = join("secret", "gamma", "10.0.0.3");
    check_refused(&settings, &again, ProblemCode::TokenUsed, None, None);
}

#[test]
fn join_tokens_are_forgotten_long_after_their_expiry() {
    let week = 7 * 24 * 3_600 * 1_000;
    let later = NOW.plus_ms(week + 2_000);
    let mut settings = cluster_and([Change::CreateJoinToken {
        secret_hash: "fresh".to_owned(),
        expires_at: later.plus_ms(1),
    }]);
    assert!(settings.desired.join_tokens.contains_key("token-2"));
    apply_all(
        &mut settings,
        [join_at("fresh", "gamma", "10.0.0.3", later)],
    );
    let kept: Vec<_> = settings.desired.join_tokens.keys().collect();
    assert_eq!(kept, ["fresh"]);
}

#[test]
fn a_nodes_name_and_address_are_its_own() {
    let settings = cluster_and([join_token("t")]);
    let code = ProblemCode::NodeTaken;
    let name = join("t", "beta", "10.0.0.9");
    check_refused(&settings, &name, code, Some("name"), Some("beta"));
    let address = join("t", "gamma", "10.0.0.2");
    check_refused(&settings, &address, code, Some("address"), Some("10.0.0.2"));
}

#[test]
fn a_removed_node_comes_back_under_its_name_with_a_new_id() {
    let mut settings = cluster_and([Change::RemoveNode { node: NodeId(2) }, join_token("t")]);
    assert!(settings.desired.nodes[&NodeId(2)].is_removed);
    let Ok(Applied::Node(node)) = settings.apply(&join("t", "beta", "10.0.0.2")) else {
        panic!("the name of a removed node is free");
    };
    assert_eq!(node.id, NodeId(3));
}

#[test]
fn a_removed_node_leaves_the_sets_of_replicas() {
    let mut settings = cluster_and([site(CUSTOMER, &["a.example"], &[2, 1])]);
    check_applied(
        &mut settings,
        &Change::RemoveNode { node: NodeId(2) },
        Applied::Done,
    );
    assert_eq!(
        settings.desired.datasets[&DatasetId(1)].replicas,
        [NodeId(1)]
    );
    check_applied(
        &mut settings,
        &Change::RemoveNode { node: NodeId(2) },
        Applied::Done,
    );
    let replicas = set_replicas(1, &[1], &[1, 2]);
    check_refused(
        &settings,
        &replicas,
        ProblemCode::UnknownNode,
        Some("node"),
        Some("2"),
    );
}

#[test]
fn a_node_with_the_only_copy_stays_and_so_does_the_last_node() {
    let remove = Change::RemoveNode { node: NodeId(2) };
    let mut settings = cluster_and([site(CUSTOMER, &["a.example"], &[2])]);
    check_refused(&settings, &remove, ProblemCode::Conflict, None, Some("1"));
    apply_all(
        &mut settings,
        [Change::DeleteSite { site: SiteId(1) }, remove],
    );
    assert_eq!(
        settings.desired.datasets[&DatasetId(1)].replicas,
        [NodeId(2)]
    );
    let last = Change::RemoveNode { node: NodeId(1) };
    check_refused(&settings, &last, ProblemCode::LastNode, Some("node"), None);
    let unknown = Change::RemoveNode { node: NodeId(7) };
    check_refused(
        &settings,
        &unknown,
        ProblemCode::UnknownNode,
        Some("node"),
        Some("7"),
    );
}

#[test]
fn a_login_name_belongs_to_one_account_and_is_free_after_it() {
    let mut settings = cluster_and([]);
    let carla = account("Carla", Role::Customer, 1, 1);
    check_refused(
        &settings,
        &carla,
        ProblemCode::LoginTaken,
        Some("login"),
        Some("carla"),
    );
    let delete = Change::DeleteAccount { account: CUSTOMER };
    check_applied(&mut settings, &delete, Applied::Done);
    check_applied(&mut settings, &carla, Applied::Account(AccountId(4)));
}

#[test]
fn a_new_password_and_a_suspension_void_older_sessions_for_good() {
    let mut settings = cluster_and([]);
    let valid_from = |settings: &Settings| settings.desired.accounts[&CUSTOMER].sessions_valid_from;
    check_applied(
        &mut settings,
        &set_password(CUSTOMER, WallTime(3_000_000)),
        Applied::Done,
    );
    assert_eq!(
        settings.desired.accounts[&CUSTOMER].password_hash,
        "$argon2id$second"
    );
    assert_eq!(valid_from(&settings), WallTime(3_000_000));
    check_applied(&mut settings, &set_password(CUSTOMER, NOW), Applied::Done);
    check_applied(&mut settings, &suspend(CUSTOMER, true), Applied::Done);
    assert_eq!(
        valid_from(&settings),
        WallTime(3_000_000),
        "it never goes back"
    );
}

#[test]
fn a_suspended_account_is_given_nothing_new() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1]),
        suspend(CUSTOMER, true),
    ]);
    for change in [
        site(CUSTOMER, &["b.example"], &[1]),
        database(CUSTOMER, None, "a", "a", &[1]),
        create_token(CUSTOMER, "secret"),
        start_job(1, CUSTOMER, 1),
    ] {
        check_refused(
            &settings,
            &change,
            ProblemCode::Forbidden,
            Some("account"),
            None,
        );
    }
    check_applied(&mut settings, &suspend(CUSTOMER, false), Applied::Done);
    check_applied(
        &mut settings,
        &start_job(1, CUSTOMER, 1),
        Applied::Job(JobId(1)),
    );
}

#[test]
fn an_account_that_owns_something_is_not_deleted() {
    let delete = Change::DeleteAccount { account: CUSTOMER };
    for (owned, count) in [
        (site(CUSTOMER, &["a.example"], &[1]), "1"),
        (database(CUSTOMER, None, "a", "a", &[1]), "1"),
    ] {
        let settings = cluster_and([owned]);
        let code = ProblemCode::Conflict;
        check_refused(&settings, &delete, code, Some("account"), Some(count));
    }
    let mut settings = cluster_and([create_token(CUSTOMER, "secret")]);
    check_applied(&mut settings, &delete, Applied::Done);
    assert!(settings.desired.tokens.is_empty(), "its tokens go with it");
    check_refused(
        &settings,
        &delete,
        ProblemCode::NotFound,
        Some("account"),
        Some("2"),
    );
}

#[test]
fn the_last_administrator_stays() {
    let mut settings = cluster_and([]);
    let delete = Change::DeleteAccount {
        account: ADMINISTRATOR,
    };
    let code = ProblemCode::Conflict;
    check_refused(&settings, &delete, code, Some("account"), None);
    check_refused(
        &settings,
        &suspend(ADMINISTRATOR, true),
        code,
        Some("account"),
        None,
    );
    apply_all(
        &mut settings,
        [account("second", Role::Administrator, 0, 0)],
    );
    check_applied(&mut settings, &delete, Applied::Done);
}

#[test]
fn a_site_has_its_dataset_and_its_uid() {
    let mut settings = cluster_and([]);
    let change = site(CUSTOMER, &["shop.example", "www.shop.example"], &[2, 1]);
    check_applied(&mut settings, &change, Applied::Site(SiteId(1)));
    let desired = &settings.desired;
    let made = &desired.sites[&SiteId(1)];
    assert_eq!(u64::from(made.uid), UID_FIRST);
    assert_eq!(
        made.domains,
        [domain("shop.example"), domain("www.shop.example")]
    );
    let dataset = &desired.datasets[&made.dataset];
    assert_eq!(dataset.content, DatasetContent::Site(SiteId(1)));
    assert_eq!(dataset.replicas, [NodeId(2), NodeId(1)]);
    assert_eq!(dataset.created_index, desired.index);
}

#[test]
fn a_domain_belongs_to_one_site_and_never_to_one_beside_the_panel() {
    let settings = cluster_and([site(CUSTOMER, &["a.example", "b.example"], &[1])]);
    for taken in ["a.example", "b.example", "panel.example"] {
        let change = site(OTHER_CUSTOMER, &["c.example", taken], &[1]);
        check_refused(
            &settings,
            &change,
            ProblemCode::DomainTaken,
            Some("domain"),
            Some(taken),
        );
    }
    let twice = site(OTHER_CUSTOMER, &["c.example", "c.example"], &[1]);
    let code = ProblemCode::Invalid;
    check_refused(&settings, &twice, code, Some("domain"), Some("c.example"));
    check_refused(
        &settings,
        &site(OTHER_CUSTOMER, &[], &[1]),
        code,
        Some("domain"),
        None,
    );
}

#[test]
fn customers_have_limits_and_administrators_none() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1]),
        database(CUSTOMER, None, "one", "one", &[1]),
        database(CUSTOMER, None, "two", "two", &[1]),
    ]);
    let second = site(CUSTOMER, &["b.example"], &[1]);
    check_refused(&settings, &second, ProblemCode::SiteLimit, None, Some("1"));
    let third = database(CUSTOMER, None, "three", "three", &[1]);
    check_refused(
        &settings,
        &third,
        ProblemCode::DatabaseLimit,
        None,
        Some("2"),
    );
    apply_all(
        &mut settings,
        [
            site(ADMINISTRATOR, &["b.example"], &[1]),
            database(ADMINISTRATOR, None, "three", "three", &[1]),
        ],
    );
}

#[test]
fn replicas_are_nodes_of_the_cluster_each_once() {
    let settings = cluster_and([site(OTHER_CUSTOMER, &["a.example"], &[1])]);
    for (replicas, code, field, detail) in [
        (&[][..], ProblemCode::NoNode, "replicas", None),
        (&[1, 9], ProblemCode::UnknownNode, "node", Some("9")),
        (&[2, 1, 2], ProblemCode::Invalid, "replicas", Some("2")),
    ] {
        for change in [
            site(CUSTOMER, &["b.example"], replicas),
            database(CUSTOMER, None, "b", "b", replicas),
            set_replicas(1, &[1], replicas),
        ] {
            check_refused(&settings, &change, code, Some(field), detail);
        }
    }
}

#[test]
fn what_does_not_exist_is_not_found() {
    let settings = cluster_and([]);
    let nobody = AccountId(9);
    for (change, field) in [
        (set_password(nobody, NOW), "account"),
        (suspend(nobody, true), "account"),
        (Change::DeleteAccount { account: nobody }, "account"),
        (site(nobody, &["a.example"], &[1]), "account"),
        (database(nobody, None, "a", "a", &[1]), "account"),
        (create_token(nobody, "secret"), "account"),
        (start_job(9, nobody, 1), "account"),
        (start_job(9, CUSTOMER, 1), "site"),
        (Change::DeleteSite { site: SiteId(9) }, "site"),
        (set_app(9, None), "site"),
        (database(CUSTOMER, Some(9), "a", "a", &[1]), "site"),
        (
            Change::DeleteDatabase {
                database: DatabaseId(9),
            },
            "database",
        ),
        (set_replicas(9, &[1], &[1]), "dataset"),
        (pin(9, None), "site"),
        (hold(9, None), "site"),
        (start_move(9, 1), "site"),
        (note_move(9, 1, 2), "dataset"),
        (Change::DeleteToken { token: TokenId(9) }, "token"),
        (finish_job(9), "job"),
    ] {
        check_refused(
            &settings,
            &change,
            ProblemCode::NotFound,
            Some(field),
            Some("9"),
        );
    }
}

#[test]
fn a_deleted_site_takes_its_databases_and_leaves_trash() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1, 2]),
        database(CUSTOMER, Some(1), "a", "a", &[1]),
        database(CUSTOMER, None, "b", "b", &[1]),
        Change::DeleteSite { site: SiteId(1) },
    ]);
    let desired = &settings.desired;
    assert!(desired.sites.is_empty());
    let databases: Vec<_> = desired.databases.keys().collect();
    assert_eq!(databases, [&DatabaseId(2)]);
    let deleted: Vec<_> = desired
        .datasets
        .values()
        .map(|dataset| dataset.is_deleted)
        .collect();
    assert_eq!(deleted, [true, true, false]);
    let trash = set_replicas(1, &[1, 2], &[1]);
    check_refused(
        &settings,
        &trash,
        ProblemCode::NotFound,
        Some("dataset"),
        Some("1"),
    );
    let again = site(CUSTOMER, &["a.example"], &[1]);
    check_applied(&mut settings, &again, Applied::Site(SiteId(2)));
}

#[test]
fn ids_and_uids_are_not_given_out_twice() {
    let delete_site = Change::DeleteSite { site: SiteId(1) };
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1]),
        delete_site,
        database(CUSTOMER, None, "a", "a", &[1]),
        Change::DeleteDatabase {
            database: DatabaseId(1),
        },
        site(CUSTOMER, &["a.example"], &[1]),
    ]);
    let made = &settings.desired.sites[&SiteId(2)];
    assert_eq!(
        (made.dataset, u64::from(made.uid)),
        (DatasetId(3), UID_FIRST + 2)
    );
    let again = database(CUSTOMER, None, "a", "a", &[1]);
    check_applied(&mut settings, &again, Applied::Database(DatabaseId(2)));
    settings.counters.node = 65_536;
    apply_all(&mut settings, [join_token("t")]);
    let one_too_many = join("t", "gamma", "10.0.0.3");
    check_refused(&settings, &one_too_many, ProblemCode::Conflict, None, None);
}

#[test]
fn a_databases_name_and_user_are_its_own() {
    let settings = cluster_and([database(CUSTOMER, None, "shop", "shopper", &[1])]);
    let code = ProblemCode::DatabaseTaken;
    let name = database(OTHER_CUSTOMER, None, "shop", "other", &[1]);
    check_refused(&settings, &name, code, Some("name"), Some("shop"));
    let user = database(OTHER_CUSTOMER, None, "other", "shopper", &[1]);
    check_refused(&settings, &user, code, Some("user"), Some("shopper"));
}

#[test]
fn a_database_is_not_made_for_anothers_site() {
    let settings = cluster_and([site(CUSTOMER, &["a.example"], &[1])]);
    let change = database(OTHER_CUSTOMER, Some(1), "a", "a", &[1]);
    check_refused(
        &settings,
        &change,
        ProblemCode::NotFound,
        Some("site"),
        Some("1"),
    );
}

#[test]
fn a_site_notes_its_application() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1]),
        set_app(1, Some("wordpress")),
    ]);
    let app = |settings: &Settings| settings.desired.sites[&SiteId(1)].app.clone();
    assert_eq!(
        app(&settings).map(|app| app.app),
        Some("wordpress".to_owned())
    );
    check_applied(&mut settings, &set_app(1, None), Applied::Done);
    assert_eq!(app(&settings), None);
}

#[test]
fn a_revocation_is_never_shortened_and_forgotten_once_its_session_is_over() {
    let mut settings = cluster_and([revoke(1, 5_000_000), revoke(2, 2_000_000)]);
    apply_all(
        &mut settings,
        [revoke_at(1, 3_000_000, WallTime(2_000_000))],
    );
    assert_eq!(
        settings.revocations[&SessionId([1; 16])],
        WallTime(5_000_000)
    );
    assert_eq!(
        settings.desired.revoked_sessions.len(),
        2,
        "2 expires now, not before"
    );
    apply_all(
        &mut settings,
        [revoke_at(3, 9_000_000, WallTime(2_000_001))],
    );
    let known: Vec<_> = settings.desired.revoked_sessions.iter().copied().collect();
    assert_eq!(known, [SessionId([1; 16]), SessionId([3; 16])]);
}

#[test]
fn api_tokens_come_and_go() {
    let mut settings = cluster_and([]);
    check_applied(
        &mut settings,
        &create_token(CUSTOMER, "x"),
        Applied::Token(TokenId(1)),
    );
    let same = create_token(OTHER_CUSTOMER, "x");
    check_refused(&settings, &same, ProblemCode::Conflict, None, None);
    let delete = Change::DeleteToken { token: TokenId(1) };
    check_applied(&mut settings, &delete, Applied::Done);
    check_applied(&mut settings, &same, Applied::Token(TokenId(2)));
}

#[test]
fn a_site_has_one_job_at_a_time() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1]),
        site(OTHER_CUSTOMER, &["b.example"], &[1]),
        start_job(1, CUSTOMER, 1),
        start_job(2, OTHER_CUSTOMER, 1),
    ]);
    let second = start_job(1, CUSTOMER, 2);
    check_refused(
        &settings,
        &second,
        ProblemCode::SiteBusy,
        Some("site"),
        Some("1"),
    );
    let delete = Change::DeleteAccount { account: CUSTOMER };
    let mut without_site = settings.clone();
    apply_all(&mut without_site, [Change::DeleteSite { site: SiteId(1) }]);
    let code = ProblemCode::Conflict;
    check_refused(&without_site, &delete, code, Some("account"), Some("1"));
    check_applied(&mut settings, &finish_job(1), Applied::Done);
    check_applied(&mut settings, &second, Applied::Job(JobId(3)));
    let elsewhere = start_job(1, CUSTOMER, 9);
    check_refused(
        &settings,
        &elsewhere,
        ProblemCode::UnknownNode,
        Some("node"),
        Some("9"),
    );
}

#[test]
fn a_job_ends_once() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1]),
        start_job(1, CUSTOMER, 1),
        finish_job(1),
    ]);
    let ended = settings.desired.jobs[&JobId(1)].clone();
    let mut again = finish_job(1);
    if let Change::FinishJob { outcome, .. } = &mut again {
        outcome.problem = None;
    }
    check_applied(&mut settings, &again, Applied::Done);
    assert_eq!(settings.desired.jobs[&JobId(1)], ended);
    assert_eq!(settings.finished_jobs.len(), 1);
}

#[test]
fn the_newest_ended_jobs_are_kept_in_the_order_of_their_end() {
    let mut settings = cluster_and([
        site(CUSTOMER, &["a.example"], &[1]),
        site(OTHER_CUSTOMER, &["b.example"], &[1]),
        start_job(2, OTHER_CUSTOMER, 1),
    ]);
    for job in 2..=u32::try_from(FINISHED_JOBS_KEPT).expect("small") + 2 {
        apply_all(&mut settings, [start_job(1, CUSTOMER, 1), finish_job(job)]);
    }
    apply_all(&mut settings, [finish_job(1)]);
    assert_eq!(settings.desired.jobs.len(), FINISHED_JOBS_KEPT);
    let first = settings.desired.jobs.keys().next();
    assert_eq!(first, Some(&JobId(1)), "it began first and ended last");
    assert!(!settings.desired.jobs.contains_key(&JobId(2)));
    assert!(!settings.desired.jobs.contains_key(&JobId(3)));
    assert!(settings.desired.jobs.contains_key(&JobId(4)));
}

#[test]
fn judging_is_a_pure_function() {
    let settings = after(everything());
    let change = site(ADMINISTRATOR, &["z.example"], &[2]);
    let [first, second] = [(); 2].map(|()| decide(&settings, &change).expect("accepted"));
    assert_eq!(first.edits, second.edits);
    assert_eq!(settings, after(everything()));
}

#[test]
fn the_edits_of_settings_make_the_same_settings() {
    let settings = after(everything());
    let mut copy = Settings::default();
    let index = settings.desired.index;
    copy.carry_out(&settings.as_edits(), settings.counters, index);
    assert_eq!(copy, settings);
}
