//! Balancing, voters, lost nodes and the network, as an administrator without JavaScript sees and
//! changes them.

use super::moves::{JUN, assert_says};
use super::*;

/// Everything that an administrator can't see or do as a customer.
const PAGES: [&str; 5] = [
    "/moves",
    "/balancing",
    "/voters",
    "/voters/lost",
    "/network",
];

/// What the API answers an administrator: two of three voters are gone.
pub(super) fn answer(call: &str) -> Result<Value, Problem> {
    let named = |id: u16| json!({"id": id, "name": format!("n{id}")});
    match call {
        "GET /api/v1/balancing" => Ok(balancing()),
        "PUT /api/v1/balancing" => Err(Problem::new(ProblemCode::Invalid, "out of range")
            .field("gap_percent")
            .detail("1-59")),
        "GET /api/v1/registry" => Ok(json!({
            "is_writable": false, "leader": null, "voters": [named(1), named(2), named(3)], "learners": [],
            "out_of_reach": [named(2), named(3)], "index": 88_412, "witnesses": [named(3)],
            "standing": "member", "obstacle": {"no-majority": {"in_reach": 1, "needed": 2}},
        })),
        "POST /api/v1/registry/declare-lost" => Ok(json!({
            "lost": [named(2), named(3)], "voters": [named(1)], "index": 88_410,
            "sites_without_copy": ["<only-there>.example"], "is_done": false,
        })),
        "GET /api/v1/cluster/settings" => Ok(json!({
            "network": "wan",
            "in_force": [
                {"node": named(1), "network": "wan", "needs_restart": false},
                {"node": named(2), "network": "lan", "needs_restart": true},
            ],
        })),
        "GET /api/v1/cluster/keys" => Ok(json!({
            "generation": 7, "old_ends_after_ms": 61_000, "is_everywhere": false,
            "nodes": [{"node": named(1), "state": "newest"}, {"node": named(2), "state": "unheard"}],
        })),
        _other => Err(Problem::new(ProblemCode::NotFound, "nothing")),
    }
}

/// A node's report of itself, with what it refused.
pub(super) fn report() -> Value {
    json!({
        "version": "1.2", "boot": 1, "started_at": 0, "reported_at": 0, "load_1m": 0.5, "cores": 2,
        "load": {
            "cpu_millicores": 0, "io_bytes_per_s": 0, "cpu_pressure_percent": 0,
            "memory_pressure_percent": 0, "io_pressure_percent": 0, "requests_per_1000_s": 0,
        },
        "heaviest": [], "memory_total_bytes": 8, "memory_available_bytes": 4,
        "pool_total_bytes": 8, "pool_free_bytes": 4, "applied_index": 7, "is_registry_writable": true,
        "registry_leader": 1, "services": [], "problems": [],
        "refusals": {
            "datagrams": {"replayed": 7}, "connections": {}, "boards": {},
            "requests": {"node-draining": 2, "unknown-node": 1},
        },
    })
}

fn balancing() -> Value {
    json!({
        "is_on": true, "moves_per_minute": 6, "moves_at_once": 2, "cool_down_s": 600, "veto_s": 30,
        "busy_percent": 75, "gap_percent": 20, "patience_s": 120,
    })
}

const FORM: &str = "is_on=yes&moves_per_minute=6&moves_at_once=2&cool_down_s=600&veto_s=30&busy_percent=60&patience_s=120";

#[tokio::test]
async fn the_moves_of_the_cluster_have_their_receipts_on_one_page() {
    let panel = panel();
    let got = panel.get("/moves", &[JUN]).await;
    let texts = [
        "from n1 to n2",
        "Live on n2",
        "0.47 s",
        "145",
        r#"href="/balancing""#,
    ];
    assert_says(&got, &texts);
}

#[tokio::test]
async fn balancing_says_in_words_what_its_numbers_come_to() {
    let panel = panel();
    let got = panel.get("/balancing", &[JUN]).await;
    let texts = [
        r#"name="busy_percent""#,
        r#"value="75""#,
        "uses more than 75 % of its processors for 2 min",
        "stays at 55 % or less",
        "announced 30 s before",
        "At most 6 moves a minute",
    ];
    assert_says(&got, &texts);
}

#[tokio::test]
async fn a_refused_rule_names_its_range_at_its_field_and_keeps_what_was_typed() {
    let panel = panel();
    let form = format!("{FORM}&gap_percent=70");
    let got = panel
        .post("/do/set-balancing", "/balancing", &[JUN], &form)
        .await;
    assert!(panel.was_asked(r#""busy_percent":60,"gap_percent":70"#));
    let page = panel.get(back(&got), &[JUN]).await;
    let texts = [
        "Choose a whole number from 1 to 59.",
        r#"aria-invalid="true""#,
        r#"value="70""#,
        r#"value="60""#,
    ];
    assert_says(&page, &texts);
}

#[tokio::test]
async fn what_is_no_number_never_gets_to_the_cluster() {
    let panel = panel();
    for nonsense in ["x", "", "-1", "1e3", "70000"] {
        let form = format!("{FORM}&gap_percent={nonsense}");
        panel
            .post("/do/set-balancing", "/balancing", &[JUN], &form)
            .await;
    }
    assert!(!panel.was_asked("PUT /api/v1/balancing"));
}

#[tokio::test]
async fn voters_say_whether_settings_can_be_changed_and_who_is_missing() {
    let panel = panel();
    let got = panel.get("/voters", &[JUN]).await;
    let texts = [
        "Settings are read-only",
        "Voters that answer: 1 of 3; needed: 2.",
        "Witness: votes only",
        "88,412",
        r#"href="/voters/lost""#,
    ];
    assert_says(&got, &texts);
}

#[tokio::test]
async fn giving_up_nodes_shows_what_is_lost_before_it_can_be_confirmed() {
    let panel = panel();
    let none = panel.get("/voters/lost", &[JUN]).await;
    assert_says(&none, &["Every node answers"]);
    let got = panel.get("/voters/lost?node=2&node=3", &[JUN]).await;
    assert!(panel.was_asked(r#"{"nodes":[2,3],"is_confirmed":false}"#));
    let texts = [
        "Given up: n2, n3.",
        "keep the settings: n1",
        "change 88,410",
        "1 site has no copy elsewhere and is lost",
        "&lt;only-there&gt;.example",
        "n2 n3",
        "Keep waiting for them",
    ];
    assert_says(&got, &texts);
    assert!(!panel.was_asked(r#""is_confirmed":true"#));
}

#[tokio::test]
async fn nodes_are_given_up_only_when_their_names_were_repeated() {
    let panel = panel();
    let from = "/voters/lost?node=2&node=3";
    let send = |confirm: &'static str| {
        let form = format!("nodes=2%2C3&confirm={confirm}");
        let panel = &panel;
        async move { panel.post("/do/declare-lost", from, &[JUN], &form).await }
    };
    let wrong = send("n2").await;
    assert!(!panel.was_asked(r#""is_confirmed":true"#));
    let page = panel.get(back(&wrong), &[JUN]).await;
    assert_says(&page, &["These are not the names.", "Given up: n2, n3."]);
    let right = send("n2+n3").await;
    assert_eq!(right.location, "/voters?done=nodes-lost");
    assert!(panel.was_asked(r#"{"nodes":[2,3],"is_confirmed":true}"#));
    assert!(!panel.was_asked(r#"{"nodes":[],"#));
}

#[tokio::test]
async fn the_network_page_tells_what_is_in_force_and_who_has_the_key() {
    let panel = panel();
    let got = panel.get("/network", &[JUN]).await;
    let texts = [
        "A wide network",
        "restart hwcd to follow",
        "newest key yet, number 7",
        "ends in 61 s",
        "n2 does not answer. It gets it when it returns.",
        "Datagrams: replayed 7",
        "Requests: node-draining 2, unknown-node 1",
    ];
    assert_says(&got, &texts);
}

#[tokio::test]
async fn customers_see_none_of_it_and_can_do_none_of_it() {
    let panel = panel();
    for path in PAGES {
        let got = panel.get(path, &[MARA]).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{path}");
        assert!(!got.page().contains("88,412"), "{path}");
    }
    // Whether she may is the API's to say, so it is asked in her name, and nobody else's.
    let got = panel
        .post("/do/declare-lost", "/", &[MARA], "nodes=2&confirm=n2")
        .await;
    assert_eq!(got.status, StatusCode::FOUND);
    assert!(!panel.was_asked(r#""is_confirmed":true"#));
}

/// The page that a browser is sent back to.
fn back(got: &Got) -> &str {
    got.location
        .strip_prefix("https://panel.example")
        .expect("the page it was on")
}
