//! Moving sites, their receipts, pins, holds, the rules of balancing, and why a site is where it is.

use crate::fixture::{Reply, TestApi};
use axum::http::StatusCode;
use hwc_api::change::Change;
use hwc_api::explanation::Unfit;
use hwc_api::ids::{AccountId, DatasetId, NodeId};
use hwc_api::moves::{MovePhase, MoveProgress, MoveReason, MoveReport, Pause};
use hwc_api::time::WallTime;
use hwc_state_machine::Refused;
use std::time::Duration;

const N1: NodeId = NodeId(1);
const ADMIN: AccountId = AccountId(1);

/// Two nodes, and Mara's site on the first. Returns the administrator's token, the site, and the
/// dataset of its files.
async fn world() -> (TestApi, String, u64, DatasetId, NodeId) {
    let api = TestApi::new().await;
    let (admin, mara) = (api.sign_in("admin").await, api.sign_in("mara").await);
    let n2 = api.join("n2").await;
    let site = api.create_site(&mara, "mara.example").await;
    let files = api.files(site);
    api.see_live(files, N1);
    (api, admin, site, files, n2)
}

fn progress(dataset: DatasetId, to: NodeId) -> MoveProgress {
    MoveProgress {
        dataset,
        from: N1,
        to,
        reason: MoveReason::Balance,
        phase: MovePhase::Copying,
        started_at: WallTime(1),
        due_at: None,
        rounds: 1,
        sent_bytes: 10,
        behind_bytes: 5,
        gate_closed_at: None,
    }
}

/// Asks for a job until it has ended, for at most ten seconds.
async fn ended(api: &TestApi, token: &str, job: u64) -> Reply {
    for _ in 0..100 {
        let reply = api
            .ask("GET", &format!("/jobs/{job}"), Some(token), "")
            .await;
        if !reply.body["outcome"].is_null() {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("job {job} does not end");
}

#[tokio::test]
async fn a_move_is_asked_of_the_brain_and_followed_by_a_job() {
    let (api, admin, site, files, n2) = world().await;
    let path = format!("/sites/{site}/move");
    let reply = api.ask("POST", &path, Some(&admin), r#"{"node":2}"#).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.body["kind"]["kind"], "move-site", "{reply:?}");
    assert_eq!(reply.body["kind"]["by"], ADMIN.0, "{reply:?}");
    assert!(reply.body["outcome"].is_null(), "{reply:?}");
    let asked = std::mem::take(&mut api.brain.lock().expect("not poisoned").asked);
    assert_eq!(asked, [(files, n2, MoveReason::Asked(ADMIN))]);

    let busy = (409, "site-busy", "site");
    api.refused(Some(&admin), ("POST", &path, r#"{"node":2}"#), busy)
        .await;
    api.refused(Some(&admin), ("POST", &path, "{}"), busy).await;

    let job = reply.body["id"].as_u64().expect("a job");
    api.see_live(files, n2);
    let reply = ended(&api, &admin, job).await;
    assert!(reply.body["outcome"]["problem"].is_null(), "{reply:?}");
}

#[tokio::test]
async fn a_move_without_a_node_goes_to_the_fittest() {
    let (api, admin, site, files, n2) = world().await;
    let path = format!("/sites/{site}/move");
    let reply = api.ask("POST", &path, Some(&admin), "{}").await;
    assert_eq!(reply.body["kind"]["to"], 2, "{reply:?}");
    let asked = api.brain.lock().expect("not poisoned").asked.clone();
    assert_eq!(asked, [(files, n2, MoveReason::Asked(ADMIN))]);
}

#[tokio::test]
async fn impossible_moves_are_refused_and_change_nothing() {
    let (api, admin, site, files, _n2) = world().await;
    let (n3, n4, n5) = (
        api.join("n3").await,
        api.join("n4").await,
        api.join("n5").await,
    );
    api.see_down(n3);
    for (path, body) in [
        (format!("/nodes/{n4}/drain"), "{}"),
        (
            format!("/nodes/{n5}/services"),
            r#"{"switched_off":["hosting"]}"#,
        ),
    ] {
        let method = if body == "{}" { "POST" } else { "PUT" };
        let reply = api.ask(method, &path, Some(&admin), body).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
    let path = format!("/sites/{site}/move");
    for (body, expected) in [
        (r#"{"node":9}"#, (404, "unknown-node", "node")),
        (r#"{"node":0}"#, (404, "unknown-node", "node")),
        (r#"{"node":1}"#, (409, "already-there", "node")),
        (r#"{"node":3}"#, (503, "node-down", "node")),
        (r#"{"node":4}"#, (409, "node-draining", "node")),
        (r#"{"node":5}"#, (409, "node-not-hosting", "node")),
        (r#"{"node":"n2"}"#, (422, "malformed", "")),
        (r#"{"node":65536}"#, (422, "malformed", "")),
        (r#"{"to":2}"#, (422, "malformed", "")),
        ("", (422, "malformed", "")),
    ] {
        api.refused(Some(&admin), ("POST", &path, body), expected)
            .await;
    }
    let missing = (404, "not-found", "");
    api.refused(Some(&admin), ("POST", "/sites/99/move", "{}"), missing)
        .await;
    api.see(|picture| {
        picture.routes.remove(&files);
    });
    let not_live = (503, "site-not-live", "");
    api.refused(Some(&admin), ("POST", &path, r#"{"node":2}"#), not_live)
        .await;
    assert_eq!(api.brain.lock().expect("not poisoned").asked, []);
}

#[tokio::test]
async fn a_refused_move_raises_its_counter_and_nothing_else() {
    let (api, admin, site, _files, _n2) = world().await;
    let mara = api.sign_in("mara").await;
    let path = format!("/sites/{site}/move");
    let picture = || api.picture.borrow().moves.clone();
    let (jobs, moves) = (api.desired().jobs.clone(), picture());
    for (token, body, expected) in [
        (&admin, r#"{"node":9}"#, (404, "unknown-node", "node")),
        (&admin, r#"{"node":9}"#, (404, "unknown-node", "node")),
        (&admin, r#"{"node":1}"#, (409, "already-there", "node")),
        (&mara, r#"{"node":2}"#, (403, "forbidden", "")),
    ] {
        api.refused(Some(token), ("POST", &path, body), expected)
            .await;
    }
    let counted = [("already-there", 1), ("forbidden", 1), ("unknown-node", 2)];
    let counted = counted.map(|(code, times)| (code.to_owned(), times));
    assert_eq!(api.refused.by_code(), counted.into());
    assert_eq!((api.desired().jobs.clone(), picture()), (jobs, moves));
    assert_eq!(api.brain.lock().expect("not poisoned").asked, []);
}

#[tokio::test]
async fn what_the_brain_refuses_ends_its_job() {
    let (api, admin, site, _files, n2) = world().await;
    let path = format!("/sites/{site}/move");
    for (refusal, status, code) in [
        (Refused::TargetUnfit(Unfit::Full), 409, "node-full"),
        (Refused::TargetUnfit(Unfit::Down), 503, "node-down"),
        (Refused::UnderWay { to: n2 }, 409, "site-busy"),
        (Refused::NotWritable, 503, "settings-read-only"),
    ] {
        api.brain.lock().expect("not poisoned").refusal = Some(refusal);
        let reply = api.ask("POST", &path, Some(&admin), r#"{"node":2}"#).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code));
        let desired = api.desired();
        let job = desired.jobs.values().next_back().expect("a job");
        let outcome = job.outcome.as_ref().expect("it ended");
        let problem = outcome.problem.as_ref().expect("with a problem");
        assert_eq!(problem.code.as_str(), code);
    }
}

#[tokio::test]
async fn only_what_moves_is_called_off() {
    let (api, admin, site, files, n2) = world().await;
    let path = format!("/sites/{site}/move");
    let nothing = (409, "conflict", "");
    api.refused(Some(&admin), ("DELETE", &path, ""), nothing)
        .await;
    api.see(|picture| {
        let moves = [(N1, progress(files, n2))];
        picture.moves.insert(files, moves.into());
    });
    let reply = api.ask("DELETE", &path, Some(&admin), "").await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    // What the brain is told has no answer; the question after it has.
    let explain = format!("/sites/{site}/explanation");
    api.ask("GET", &explain, Some(&admin), "").await;
    assert_eq!(api.brain.lock().expect("not poisoned").called_off, [files]);
}

#[tokio::test]
async fn moves_and_receipts_are_read_by_owners_and_administrators() {
    let (api, admin, site, files, n2) = world().await;
    let (mara, theo) = (api.sign_in("mara").await, api.sign_in("theo").await);
    let other = api.create_site(&theo, "theo.example").await;
    let others = api.files(other);
    for dataset in [files, others] {
        let report = MoveReport {
            dataset,
            from: n2,
            to: N1,
            reason: MoveReason::Balance,
            started_at: WallTime(1),
            ended_at: WallTime(2),
            problem: None,
            rounds: 2,
            sent_bytes: 300,
            http: Pause {
                held: 7,
                ..Pause::default()
            },
            mysql: Pause::default(),
        };
        let noted = api.registry.change(Change::NoteMove { report }).await;
        noted.expect("a receipt");
    }
    api.see(|picture| {
        let moves = [(N1, progress(files, n2))];
        picture.moves.insert(files, moves.into());
    });
    let path = format!("/sites/{site}/moves");
    let reply = api.ask("GET", &path, Some(&mara), "").await;
    let under_way = &reply.body["under_way"][0];
    assert_eq!(under_way["title"], "mara.example", "{reply:?}");
    assert_eq!(under_way["to"]["name"], "n2", "{reply:?}");
    assert_eq!(under_way["move"]["phase"], "copying", "{reply:?}");
    let ended = &reply.body["ended"];
    assert_eq!(ended.as_array().map(Vec::len), Some(1), "{reply:?}");
    assert_eq!(ended[0]["move"]["http"]["held"], 7, "{reply:?}");
    let all = api.ask("GET", "/moves", Some(&admin), "").await;
    let titles: Vec<_> = all.body["ended"]
        .as_array()
        .expect("receipts")
        .iter()
        .map(|view| view["title"].as_str().expect("a title"))
        .collect();
    assert_eq!(titles, ["theo.example", "mara.example"]);
    api.refused(Some(&mara), ("GET", "/moves", ""), (403, "forbidden", ""))
        .await;
}

#[tokio::test]
async fn an_explanation_tells_customers_nothing_of_loads() {
    let (api, admin, site, files, _n2) = world().await;
    let path = format!("/sites/{site}/explanation");
    let explained = |reply: Reply| {
        let dataset = reply.body["datasets"][0].clone();
        assert_eq!(dataset["dataset"], files.0, "{reply:?}");
        assert_eq!(dataset["obstacle"], "cool-down", "{reply:?}");
        let outcome = &dataset["decisions"][0]["outcome"]["move"];
        let count = |list: &serde_json::Value| list.as_array().map_or(9, Vec::len);
        (
            count(&dataset["candidates"]),
            count(&dataset["decisions"][0]["candidates"]),
            outcome["load_percent"].as_u64(),
            outcome["target_load_percent"].as_u64(),
        )
    };
    let whole = api.ask("GET", &path, Some(&admin), "").await;
    assert_eq!(explained(whole), (1, 1, Some(90), Some(40)));
    let mara = api.sign_in("mara").await;
    let cut = api.ask("GET", &path, Some(&mara), "").await;
    assert_eq!(explained(cut), (0, 0, Some(0), Some(0)));
}

#[tokio::test]
async fn a_site_is_pinned_held_and_let_go() {
    let (api, admin, site, _files, _n2) = world().await;
    let (pin, hold) = (format!("/sites/{site}/pin"), format!("/sites/{site}/hold"));
    let reply = api.ask("PUT", &pin, Some(&admin), r#"{"node":2}"#).await;
    assert_eq!(reply.body["pin"]["name"], "n2", "{reply:?}");
    for (path, body, expected) in [
        (&pin, r#"{"node":9}"#, (404, "unknown-node", "node")),
        (&pin, r#"{"node":"n2"}"#, (422, "malformed", "")),
        (&hold, r#"{"minutes":525601}"#, (422, "invalid", "minutes")),
        (&hold, r#"{"minutes":-1}"#, (422, "malformed", "")),
        (&hold, "{}", (422, "malformed", "")),
    ] {
        api.refused(Some(&admin), ("PUT", path, body), expected)
            .await;
    }
    let reply = api.ask("PUT", &pin, Some(&admin), r#"{"node":null}"#).await;
    assert!(reply.body["pin"].is_null(), "{reply:?}");
    let before = api.clock.wall();
    let body = r#"{"minutes":525600}"#;
    let reply = api.ask("PUT", &hold, Some(&admin), body).await;
    let until = reply.body["hold_until"].as_i64().expect("a moment");
    let year_ms = 365 * 86_400_000;
    assert!(
        (0..60_000).contains(&(until - before.0 - year_ms)),
        "{reply:?}"
    );
    let reply = api
        .ask("PUT", &hold, Some(&admin), r#"{"minutes":0}"#)
        .await;
    assert!(reply.body["hold_until"].is_null(), "{reply:?}");
}

#[tokio::test]
async fn the_rules_of_balancing_are_read_and_changed() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    let reply = api.ask("GET", "/balancing", Some(&admin), "").await;
    assert_eq!(reply.body["moves_per_minute"], 6, "{reply:?}");
    let mut rules = reply.body.clone();
    rules["is_on"] = false.into();
    rules["moves_per_minute"] = 2.into();
    let body = rules.to_string();
    let reply = api.ask("PUT", "/balancing", Some(&admin), &body).await;
    assert_eq!((reply.status, &reply.body), (StatusCode::OK, &rules));
    let reply = api.ask("GET", "/balancing", Some(&admin), "").await;
    assert_eq!(reply.body, rules);
    for (field, value) in [
        ("moves_per_minute", 0),
        ("moves_at_once", 0),
        ("busy_percent", 101),
        ("gap_percent", 99),
    ] {
        let mut bad = rules.clone();
        bad[field] = value.into();
        let request = ("PUT", "/balancing", &*bad.to_string());
        api.refused(Some(&admin), request, (422, "invalid", field))
            .await;
    }
    for body in ["{}", r#"{"is_on":true}"#] {
        let request = ("PUT", "/balancing", body);
        api.refused(Some(&admin), request, (422, "malformed", ""))
            .await;
    }
}
