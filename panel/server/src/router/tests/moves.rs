//! Moves and drains as an administrator without JavaScript sees and begins them.

use super::*;
use hwc_api::ownership::Epoch;

pub(super) const JUN: (&str, &str) = ("cookie", "__Host-hwc-session=administrator");

/// What the API answers an administrator: a site that moves from n1, which is being drained.
pub(super) fn answer(call: &str) -> Result<Value, Problem> {
    match call {
        "GET /api/v1/session" => Ok(jun()),
        "GET /api/v1/accounts" => Ok(json!([jun()])),
        "GET /api/v1/status" => {
            let mut status = status();
            status["nodes"] = json!([
                node(
                    1,
                    json!({"by": 1, "since": 0, "note": "new <kernel>", "may_lack_copies": false})
                ),
                node(2, Value::Null),
                node(3, Value::Null),
            ]);
            status["nodes"][2]["observed"] = cluster::report();
            status["sites"][0]["jobs"] = json!([move_job(), installation()]);
            Ok(status)
        }
        "GET /api/v1/moves" => Ok(json!({"under_way": [under_way()], "ended": [ended()]})),
        "GET /api/v1/sites/4/explanation" => Ok(explanation()),
        "GET /api/v1/nodes/1/drain" => Ok(json!({
            "node": {"id": 1, "name": "n1"}, "by_name": "Jun Okafor",
            "drain": {"by": 1, "since": 0, "note": "new <kernel>", "may_lack_copies": false},
            "moved": 31, "live_left": 16, "copies_left": 94, "copies_left_bytes": 212_000_000_000_u64,
            "lacking_copies": 0, "is_done": false, "held": 1906, "longest_wait_ms": 610, "failed": 0,
            "remaining_ms": 240_000, "done_at": 1_795_357_500_000_i64,
            "copies": [{"copies": 3, "datasets": 641}, {"copies": 2, "datasets": 61}],
        })),
        "POST /api/v1/nodes/2/drain" => {
            Err(Problem::new(ProblemCode::TooFewCopies, "too few").detail("3"))
        }
        "POST /api/v1/sites/4/move" => {
            Err(Problem::new(ProblemCode::NodeFull, "full").field("node"))
        }
        "DELETE /api/v1/sites/4/move" | "DELETE /api/v1/nodes/1/drain" => Ok(json!({})),
        "PUT /api/v1/nodes/2/services" => Ok(node(2, Value::Null)),
        other => cluster::answer(other),
    }
}

fn jun() -> Value {
    let mut account = mara();
    account["id"] = json!(1);
    account["role"] = json!("administrator");
    account
}

fn node(id: u16, drain: Value) -> Value {
    json!({
        "id": id, "name": format!("n{id}"), "address": "10.0.0.1", "zone": "cellar",
        "switched_off": [], "drain": drain, "health": "up", "observed": null,
        "live_sites": 1, "live_databases": 0, "copies": 0,
    })
}

/// A move that a restart ended, asked for by Jun.
fn move_job() -> Value {
    let kind = json!({"kind": "move-site", "site": 4, "to": 2, "by": 1});
    let restarted =
        json!({"code": "move-called-off", "message": "restarted", "detail": "restarted"});
    job(5, kind, restarted)
}

fn installation() -> Value {
    let kind = json!({"kind": "install-app", "site": 4, "app": "wordpress", "version": "6.8"});
    job(3, kind, Value::Null)
}

fn job(id: u32, kind: Value, problem: Value) -> Value {
    json!({
        "id": id, "kind": kind, "account": 2, "node": 1, "started_at": id, "progress": null,
        "outcome": {"ended_at": id + 1, "problem": problem},
    })
}

fn named(of: Value) -> Value {
    json!({
        "move": of, "site": 4, "title": "bücher.example",
        "from": {"id": 1, "name": "n1"}, "to": {"id": 2, "name": "n2"},
    })
}

fn under_way() -> Value {
    named(json!({
        "dataset": 1, "from": 1, "to": 2, "reason": "drain", "phase": "copying", "started_at": 0,
        "due_at": null, "rounds": 1, "sent_bytes": 50, "behind_bytes": 50, "gate_closed_at": null,
    }))
}

fn ended() -> Value {
    let pause = |held, longest| json!({"closed_ms": 200, "held": held, "longest_wait_ms": longest, "failed": 0});
    named(json!({
        "id": 7, "dataset": 1, "from": 1, "to": 2, "reason": "drain", "started_at": 5, "ended_at": 9,
        "problem": null, "rounds": 2, "sent_bytes": 88_000_000, "http": pause(131, 470),
        "mysql": pause(14, 390),
    }))
}

fn explanation() -> Value {
    json!({"site": 4, "datasets": [{
        "dataset": 1, "by": 1, "state": "live", "epoch": Epoch::NONE, "obstacle": "cool-down",
        "decisions": [{
            "at": 9, "by": 1, "dataset": 1, "outcome": {"stay": {"obstacle": "no-target"}},
            "candidates": [{
                "node": 3, "score": null, "unfit": "full", "has_copy": false, "load_percent": 12, "free_bytes": 9,
            }],
        }],
        "candidates": [{
            "node": 2, "score": 40_038, "unfit": null, "has_copy": true, "load_percent": 38, "free_bytes": 9,
        }],
    }]})
}

#[track_caller]
pub(super) fn assert_says(got: &Got, texts: &[&str]) {
    assert_eq!(got.status, StatusCode::OK);
    for text in texts {
        assert!(got.page().contains(text), "{text} in {}", got.page());
    }
}

#[tokio::test]
async fn a_site_shows_its_move_its_receipt_and_why_it_is_where_it_is() {
    let panel = panel();
    let got = panel.get("/sites/4", &[JUN]).await;
    let texts = [
        "Moving to n2",
        "sending ahead",
        r#"aria-valuenow="45""#,
        "Call off",
        "145 waited, longest 0.47 s, none failed",
        "it moved not long ago",
        "yes, has a copy",
        "40,038",
        "The nodes that were weighed",
        "not enough room",
    ];
    assert_says(&got, &texts);
    assert!(got.body.contains(r#"http-equiv="refresh""#));
}

#[tokio::test]
async fn a_move_hides_no_installation_and_says_who_asked_and_that_a_restart_ended_it() {
    let panel = panel();
    let got = panel.get("/sites/4", &[JUN]).await;
    let restarted = "The node was restarted. Ask for the move again.";
    let texts = [
        "WordPress 6.8 was installed on bücher.example",
        "bücher.example could not be moved",
        restarted,
    ];
    assert_says(&got, &texts);
    let job = panel.get("/sites/4/jobs/5", &[JUN]).await;
    assert_says(&job, &["Mara Thiele asked for it", restarted]);
    // Its receipt may still be on its way; an installation has none.
    let refresh = r#"http-equiv="refresh""#;
    assert!(job.body.contains(refresh));
    let installation = panel.get("/sites/4/jobs/3", &[JUN]).await;
    assert!(!installation.body.contains(refresh));
    let german = panel
        .get("/sites/4", &[JUN, ("accept-language", "de")])
        .await;
    let texts = ["Der Knoten wurde neu gestartet. Verschieben Sie die Website noch einmal."];
    assert_says(&german, &texts);
}

#[tokio::test]
async fn a_refused_move_says_why_beside_the_node_that_was_chosen() {
    let panel = panel();
    let form = "site=4&node=3";
    let got = panel
        .post("/do/move-site", "/sites/4/move", &[JUN], form)
        .await;
    assert!(panel.was_asked(r#"POST /api/v1/sites/4/move {"node":3}"#));
    let path = got
        .location
        .strip_prefix("https://panel.example")
        .expect("the page it was on");
    let page = panel.get(path, &[JUN]).await;
    assert_says(&page, &["That node has not enough free space for it."]);
    let options: Vec<&str> = page.page().split("<option").collect();
    assert!(
        options
            .iter()
            .any(|option| option.contains(r#"value="3""#) && option.contains("selected"))
    );
    // It is drained, so it is shown but not offered.
    assert!(
        options
            .iter()
            .any(|option| option.contains(r#"value="1""#) && option.contains("disabled"))
    );
}

#[tokio::test]
async fn without_a_node_the_cluster_chooses_and_nonsense_is_no_node() {
    let panel = panel();
    panel
        .post("/do/move-site", "/sites/4/move", &[JUN], "site=4&node=")
        .await;
    assert!(panel.was_asked("POST /api/v1/sites/4/move {}"));
    let got = panel
        .post("/do/pin-site", "/sites/4/move", &[JUN], "site=4&node=x")
        .await;
    assert_eq!(got.status, StatusCode::FOUND);
    assert!(!panel.was_asked("PUT /api/v1/sites/4/pin"));
}

#[tokio::test]
async fn a_move_is_called_off_by_a_plain_form() {
    let panel = panel();
    let got = panel
        .post("/do/call-off-move", "/sites/4", &[JUN], "site=4")
        .await;
    assert_eq!(got.location, "/sites/4?done=move-called-off");
    assert!(panel.was_asked("DELETE /api/v1/sites/4/move"));
}

#[tokio::test]
async fn a_drain_shows_its_numbers_steps_and_receipts() {
    let panel = panel();
    let got = panel.get("/nodes/1/drain", &[JUN]).await;
    let texts = [
        "Draining n1",
        "by Jun Okafor",
        "new &lt;kernel&gt;",
        "of 47",
        "1,906",
        "longest 0.61 s",
        "4 min",
        "14:25 UTC",
        "641 with 3 copies",
        "61 with 2 copies",
        "31 / 47",
        "94 copies to go, 212 GB",
        "sending ahead, 45 %",
        "Live on n2",
        "Stop and put back to use",
    ];
    assert_says(&got, &texts);
    assert!(got.body.contains(r#"http-equiv="refresh""#));
}

#[tokio::test]
async fn a_refused_drain_keeps_its_note_and_says_what_would_be_lost() {
    let panel = panel();
    let form = "node=2&note=new+disk";
    let got = panel
        .post("/do/drain-node", "/nodes/2/drain", &[JUN], form)
        .await;
    let path = got
        .location
        .strip_prefix("https://panel.example")
        .expect("the page it was on");
    let page = panel.get(path, &[JUN]).await;
    let texts = [
        "Drain n2?",
        "too few copies: 3.",
        r#"value="new disk""#,
        "Allow fewer copies",
    ];
    assert_says(&page, &texts);
}

#[tokio::test]
async fn services_that_are_not_ticked_are_switched_off() {
    let panel = panel();
    let form = "node=2&hosting=yes";
    let got = panel
        .post("/do/set-services", "/nodes/2/settings", &[JUN], form)
        .await;
    assert_eq!(got.location, "/nodes/2/settings?done=node-changed");
    assert!(panel.was_asked(r#"{"switched_off":["front-doors","voting"]}"#));
}

#[tokio::test]
async fn the_map_lists_what_moves_and_customers_see_no_page_about_nodes() {
    let panel = panel();
    let got = panel.get("/nodes", &[JUN]).await;
    let texts = ["from n1 to n2", "1 draining", "cellar", "bücher.example"];
    assert_says(&got, &texts);
    for path in ["/nodes/1/drain", "/nodes/1/settings", "/sites/4/move"] {
        let got = panel.get(path, &[MARA]).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{path}");
    }
    let gone = panel.get("/nodes/9/drain", &[JUN]).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}
