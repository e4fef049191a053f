//! The registry itself: who keeps the settings, and going on without nodes that are gone for good.

use crate::fixture::TestApi;
use axum::http::StatusCode;
use hwc_api::ids::NodeId;
use hwc_api::ownership::{Epoch, HolderRecord, HolderState, Lineage};
use hwc_api::time::WallTime;
use serde_json::json;

const PATH: &str = "/registry/declare-lost";

fn copy() -> HolderRecord {
    HolderRecord {
        boot: hwc_api::ids::BootId(1),
        state: HolderState::Replica,
        is_contending: false,
        has_copy: true,
        is_deleted: false,
        epoch: Epoch::NONE,
        seen: Epoch::NONE,
        lineage: Lineage::genesis(),
        heard: Vec::new(),
        against: Epoch::NONE,
        divergent: Vec::new(),
        moving_to: None,
        head_taken_at: WallTime(0),
    }
}

#[tokio::test]
async fn the_registry_names_its_voters() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    let reply = api.ask("GET", "/registry", Some(&admin), "").await;
    let me = json!({ "id": 1, "name": "n1" });
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.body["is_writable"], true, "{reply:?}");
    assert_eq!(reply.body["leader"], me, "{reply:?}");
    assert_eq!(reply.body["voters"], json!([me]), "{reply:?}");
    assert_eq!(reply.body["out_of_reach"], json!([]), "{reply:?}");
    assert_eq!(reply.body["index"], api.desired().index, "{reply:?}");
    api.see_down(NodeId(1));
    let reply = api.ask("GET", "/registry", Some(&admin), "").await;
    assert_eq!(reply.body["out_of_reach"], json!([me]), "{reply:?}");
}

#[tokio::test]
async fn a_lost_node_is_given_up_once_its_meaning_was_shown() {
    let api = TestApi::new().await;
    let (admin, mara) = (api.sign_in("admin").await, api.sign_in("mara").await);
    let (n2, n3) = (api.join("n2").await, api.join("n3").await);
    let kept = api.create_site(&mara, "kept.example").await;
    let gone = api.create_site(&mara, "gone.example").await;
    api.see(|picture| {
        let holders = &mut picture.holders;
        holders.insert(api.files(kept), [(NodeId(1), copy()), (n2, copy())].into());
        holders.insert(api.files(gone), [(n2, copy())].into());
    });
    let alive = (409, "node-alive", "nodes");
    for is_confirmed in [false, true] {
        let body = json!({ "nodes": [2], "is_confirmed": is_confirmed }).to_string();
        let reply = api
            .refused(Some(&admin), ("POST", PATH, &body), alive)
            .await;
        assert_eq!(reply.body["detail"], "n2", "{reply:?}");
    }
    api.see_down(n2);
    let both = r#"{"nodes":[2,3],"is_confirmed":true}"#;
    let reply = api.refused(Some(&admin), ("POST", PATH, both), alive).await;
    assert_eq!(reply.body["detail"], "n3", "{reply:?}");

    let before = api.desired().nodes.clone();
    let body = r#"{"nodes":[2,2]}"#;
    let reply = api.ask("POST", PATH, Some(&admin), body).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.body["lost"], json!([{ "id": 2, "name": "n2" }]));
    assert_eq!(reply.body["voters"][0]["name"], "n1", "{reply:?}");
    assert_eq!(reply.body["sites_without_copy"], json!(["gone.example"]));
    assert_eq!(reply.body["is_done"], false, "{reply:?}");
    assert_eq!(api.desired().nodes, before, "a look changes nothing");

    let body = r#"{"nodes":[2],"is_confirmed":true}"#;
    let reply = api.ask("POST", PATH, Some(&admin), body).await;
    assert_eq!(reply.body["is_done"], true, "{reply:?}");
    assert_eq!(reply.body["sites_without_copy"], json!(["gone.example"]));
    let nodes = api.desired().nodes.clone();
    assert!(nodes[&n2].is_removed && !nodes[&n3].is_removed, "{nodes:?}");
}

#[tokio::test]
async fn what_can_not_be_lost_is_refused() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    let n2 = api.join("n2").await;
    api.see_down(n2);
    for (body, expected) in [
        (r#"{"nodes":[]}"#, (422, "invalid", "nodes")),
        (r#"{"nodes":[9]}"#, (404, "unknown-node", "nodes")),
        (r#"{"nodes":[1]}"#, (409, "node-alive", "nodes")),
        (r#"{"nodes":[1,2]}"#, (409, "node-alive", "nodes")),
        (r#"{"nodes":["n2"]}"#, (422, "malformed", "")),
        (r#"{"nodes":2}"#, (422, "malformed", "")),
        ("{}", (422, "malformed", "")),
        (r#"{"nodes":[2],"yes":true}"#, (422, "malformed", "")),
    ] {
        api.refused(Some(&admin), ("POST", PATH, body), expected)
            .await;
    }
    api.see_down(NodeId(1));
    let all = r#"{"nodes":[1,2],"is_confirmed":true}"#;
    let last = (409, "last-node", "nodes");
    api.refused(Some(&admin), ("POST", PATH, all), last).await;
}
