//! Nodes: zones, switched-off services, drains.

use crate::fixture::TestApi;
use axum::http::StatusCode;
use hwc_api::ids::NodeId;

const N1: NodeId = NodeId(1);

#[tokio::test]
async fn a_node_is_put_in_a_zone() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    let path = "/nodes/1/zone";
    let body = r#"{"zone":" Rack-A "}"#;
    let reply = api.ask("PUT", path, Some(&admin), body).await;
    assert_eq!(reply.body["zone"], "rack-a", "{reply:?}");
    let long = format!(r#"{{"zone":"{}"}}"#, "a".repeat(33));
    for (path, body, expected) in [
        (path, r#"{"zone":""}"#, (422, "invalid", "zone")),
        (path, r#"{"zone":"a b"}"#, (422, "invalid", "zone")),
        (path, r#"{"zone":"../a"}"#, (422, "invalid", "zone")),
        (path, &*long, (422, "invalid", "zone")),
        (path, r#"{"zone":1}"#, (422, "malformed", "")),
        (
            "/nodes/9/zone",
            r#"{"zone":"a"}"#,
            (404, "unknown-node", "node"),
        ),
        ("/nodes/x/zone", r#"{"zone":"a"}"#, (404, "not-found", "")),
    ] {
        api.refused(Some(&admin), ("PUT", path, body), expected)
            .await;
    }
}

#[tokio::test]
async fn services_are_switched_off_where_another_node_has_them() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    let off = |service: &str| format!(r#"{{"switched_off":["{service}"]}}"#);
    for (service, code) in [
        ("hosting", "last-node"),
        ("front-doors", "conflict"),
        ("voting", "conflict"),
    ] {
        let request = ("PUT", "/nodes/1/services", &*off(service));
        api.refused(Some(&admin), request, (409, code, "node"))
            .await;
    }
    let n2 = api.join("n2").await;
    let path = format!("/nodes/{n2}/services");
    let body = off("hosting");
    let reply = api.ask("PUT", &path, Some(&admin), &body).await;
    let witness = serde_json::json!(["hosting"]);
    assert_eq!(reply.body["switched_off"], witness, "{reply:?}");
    for (path, body, expected) in [
        (&*path, off("mail"), (422, "malformed", "")),
        (&*path, "{}".to_owned(), (422, "malformed", "")),
        (
            "/nodes/9/services",
            off("voting"),
            (404, "unknown-node", "node"),
        ),
        (
            "/nodes/1/services",
            off("hosting"),
            (409, "last-node", "node"),
        ),
    ] {
        api.refused(Some(&admin), ("PUT", path, &body), expected)
            .await;
    }
    let body = r#"{"switched_off":[]}"#;
    let reply = api.ask("PUT", &path, Some(&admin), body).await;
    assert_eq!(reply.body["switched_off"], serde_json::json!([]));
    let mara = api.sign_in("mara").await;
    api.create_site(&mara, "mara.example").await;
    let held = (409, "conflict", "switched_off");
    let request = ("PUT", "/nodes/1/services", &*off("hosting"));
    let reply = api.refused(Some(&admin), request, held).await;
    assert_eq!(reply.body["detail"], "1", "the number of datasets");
}

#[tokio::test]
async fn a_node_is_drained_watched_and_put_back_to_use() {
    let api = TestApi::new().await;
    let (admin, mara) = (api.sign_in("admin").await, api.sign_in("mara").await);
    let n2 = api.join("n2").await;
    api.join("n3").await;
    let site = api.create_site(&mara, "mara.example").await;
    api.see_live(api.files(site), N1);
    let path = "/nodes/1/drain";
    let not_draining = (409, "node-not-draining", "");
    api.refused(Some(&admin), ("GET", path, ""), not_draining)
        .await;
    let body = r#"{"note":" new disks "}"#;
    let reply = api.ask("POST", path, Some(&admin), body).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.body["node"]["name"], "n1", "{reply:?}");
    assert_eq!(reply.body["drain"]["note"], "new disks", "{reply:?}");
    assert_eq!(reply.body["by_name"], "admin", "{reply:?}");
    assert_eq!(reply.body["live_left"], 1, "{reply:?}");
    assert_eq!(reply.body["is_done"], false, "{reply:?}");
    assert!(reply.body["done_at"].is_number(), "{reply:?}");
    assert_eq!(
        reply.body["copies"][0]["datasets"], 1,
        "all are counted: {reply:?}"
    );
    for (body, note, may_lack_copies) in [
        ("{}", "new disks", false),
        (r#"{"may_lack_copies":true}"#, "new disks", true),
        (r#"{"note":"memory"}"#, "memory", true),
        (r#"{"note":"","may_lack_copies":false}"#, "", false),
    ] {
        let reply = api.ask("POST", path, Some(&admin), body).await;
        assert_eq!(reply.body["drain"]["note"], note, "{body}: {reply:?}");
        let fewer = &reply.body["drain"]["may_lack_copies"];
        assert_eq!(*fewer, may_lack_copies, "{body}: {reply:?}");
    }
    let status = api.ask("GET", "/status", Some(&mara), "").await;
    let node = &status.body["nodes"][0];
    assert_eq!(node["name"], "n1", "{node}");
    assert!(node["drain"].is_null(), "a customer reads no notes: {node}");
    api.see_live(api.files(site), n2);
    let reply = api.ask("GET", path, Some(&admin), "").await;
    assert_eq!(reply.body["live_left"], 0, "{reply:?}");
    assert_eq!(reply.body["is_done"], true, "it holds no copy: {reply:?}");
    let reply = api.ask("DELETE", path, Some(&admin), "").await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let not_draining = (409, "node-not-draining", "node");
    api.refused(Some(&admin), ("DELETE", path, ""), not_draining)
        .await;
    let reply = api.ask_as_root("POST", path, "{}").await;
    assert_eq!(reply.body["by_name"], "root", "{reply:?}");
}

#[tokio::test]
async fn a_drain_that_leaves_too_little_is_refused() {
    let api = TestApi::new().await;
    let (admin, mara) = (api.sign_in("admin").await, api.sign_in("mara").await);
    let path = "/nodes/1/drain";
    let last = (409, "last-node", "node");
    api.refused(Some(&admin), ("POST", path, "{}"), last).await;
    let allowed = r#"{"may_lack_copies":true}"#;
    api.refused(Some(&admin), ("POST", path, allowed), last)
        .await;
    let n2 = api.join("n2").await;
    api.create_site(&mara, "mara.example").await;
    let lacking = (409, "too-few-copies", "node");
    let reply = api
        .refused(Some(&admin), ("POST", path, "{}"), lacking)
        .await;
    assert_eq!(reply.body["detail"], "1", "one dataset");

    let n3 = api.join("n3").await;
    api.see_down(n3);
    let reply = api
        .refused(Some(&admin), ("POST", path, "{}"), lacking)
        .await;
    let message = reply.body["message"].as_str().expect("a sentence");
    assert!(
        message.contains("only 1 of 2 other nodes answer"),
        "{message}"
    );
    api.see_down(n2);
    let down = (503, "node-down", "node");
    for body in ["{}", allowed] {
        api.refused(Some(&admin), ("POST", path, body), down).await;
    }

    let long = format!(r#"{{"note":"{}"}}"#, "x".repeat(201));
    for (path, body, expected) in [
        (path, &*long, (422, "invalid", "note")),
        (path, r#"{"note":"a\nb"}"#, (422, "invalid", "note")),
        (path, r#"{"by":1}"#, (422, "malformed", "")),
        ("/nodes/9/drain", "{}", (404, "unknown-node", "")),
    ] {
        api.refused(Some(&admin), ("POST", path, body), expected)
            .await;
    }
    for method in ["GET", "DELETE"] {
        let reply = api.ask(method, "/nodes/9/drain", Some(&admin), "").await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::NOT_FOUND, "unknown-node"),
            "{method}"
        );
    }
}
