//! Every route, asked by everyone who may not.

use crate::fixture::TestApi;
use axum::http::StatusCode;
use hwc_api::desired::Role;
use hwc_api::ids::{AccountId, TokenId};
use hwcd::api::access::{Action, Actor, Credential, Object, can};
use hwcd::api::endpoints::{Access, Endpoint, endpoints};

/// A path with every parameter filled in.
fn path(endpoint: &Endpoint) -> String {
    endpoint
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { "1" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

fn customer() -> Actor {
    let credential = Credential::Token(TokenId(1));
    Actor::Account {
        account: AccountId(2),
        role: Role::Customer,
        credential,
    }
}

/// Who may do what at all.
const ROUTES: &[(&str, &str)] = &[
    ("POST /session", "anyone"),
    ("GET /session", "customers"),
    ("DELETE /session", "customers"),
    ("GET /sites", "customers"),
    ("POST /sites", "customers"),
    ("GET /sites/{site}", "customers"),
    ("DELETE /sites/{site}", "customers"),
    ("POST /sites/{site}/move", "administrators"),
    ("DELETE /sites/{site}/move", "administrators"),
    ("GET /sites/{site}/moves", "customers"),
    ("GET /sites/{site}/explanation", "customers"),
    ("PUT /sites/{site}/pin", "administrators"),
    ("PUT /sites/{site}/hold", "administrators"),
    ("GET /moves", "administrators"),
    ("GET /balancing", "administrators"),
    ("PUT /balancing", "administrators"),
    ("GET /apps", "customers"),
    ("POST /sites/{site}/apps", "customers"),
    ("GET /jobs/{job}", "customers"),
    ("GET /accounts", "administrators"),
    ("POST /accounts", "administrators"),
    ("GET /accounts/{account}", "administrators"),
    ("DELETE /accounts/{account}", "administrators"),
    ("GET /tokens", "customers"),
    ("POST /tokens", "customers"),
    ("DELETE /tokens/{token}", "customers"),
    ("GET /nodes", "administrators"),
    ("DELETE /nodes/{node}", "administrators"),
    ("POST /nodes/tokens", "administrators"),
    ("PUT /nodes/{node}/zone", "administrators"),
    ("PUT /nodes/{node}/services", "administrators"),
    ("POST /nodes/{node}/drain", "administrators"),
    ("GET /nodes/{node}/drain", "administrators"),
    ("DELETE /nodes/{node}/drain", "administrators"),
    ("GET /nodes/{node}/journal", "administrators"),
    ("GET /cluster/settings", "administrators"),
    ("PUT /cluster/settings", "administrators"),
    ("GET /cluster/keys", "administrators"),
    ("POST /cluster/keys", "administrators"),
    ("GET /registry", "administrators"),
    ("POST /registry/declare-lost", "administrators"),
    ("GET /status", "customers"),
    ("GET /events", "customers"),
];

#[test]
fn every_route_has_its_row_and_lets_those_through() {
    let routes = endpoints().into_iter().map(|endpoint| {
        let who = match endpoint.access {
            Access::Anyone => "anyone",
            Access::Signed(action) if can(&customer(), action, Object::Any).is_ok() => "customers",
            Access::Signed(_) => "administrators",
        };
        (
            format!("{} {}", endpoint.method.as_str(), endpoint.path),
            who,
        )
    });
    let routes: Vec<_> = routes.collect();
    let routes: Vec<_> = routes
        .iter()
        .map(|(route, who)| (route.as_str(), *who))
        .collect();
    assert_eq!(routes, ROUTES);
}

#[tokio::test]
async fn nobody_gets_in_without_signing_in() {
    let api = TestApi::new().await;
    let mut open = Vec::new();
    for endpoint in endpoints() {
        if endpoint.access == Access::Anyone {
            open.push(endpoint.path);
            continue;
        }
        for token in [None, Some("rubbish"), Some("hwct_rubbish")] {
            let reply = api
                .ask(endpoint.method.as_str(), &path(&endpoint), token, "{}")
                .await;
            assert_eq!(
                reply.status,
                StatusCode::UNAUTHORIZED,
                "{} {token:?} {reply:?}",
                endpoint.path
            );
            assert_eq!(reply.code(), "sign-in-required", "{}", endpoint.path);
        }
    }
    assert_eq!(open, ["/session"], "only signing in is open to everyone");
}

#[tokio::test]
async fn a_customer_is_kept_from_what_administrators_do() {
    let api = TestApi::new().await;
    let token = api.sign_in("mara").await;
    let mut kept_out = 0;
    for endpoint in endpoints() {
        let Access::Signed(action) = endpoint.access else {
            continue;
        };
        if can(&customer(), action, Object::Any).is_ok() {
            continue;
        }
        kept_out += 1;
        let reply = api
            .ask(
                endpoint.method.as_str(),
                &path(&endpoint),
                Some(&token),
                "{}",
            )
            .await;
        assert_eq!(
            reply.status,
            StatusCode::FORBIDDEN,
            "{} {reply:?}",
            endpoint.path
        );
    }
    assert!(
        kept_out >= 20,
        "only {kept_out} routes are for administrators alone"
    );
    assert!(can(&customer(), Action::ManageNodes, Object::Any).is_err());
}

#[tokio::test]
async fn anothers_things_do_not_exist() {
    let api = TestApi::new().await;
    let (mara, theo) = (api.sign_in("mara").await, api.sign_in("theo").await);
    let site = api.create_site(&mara, "mara.example").await;
    let confirm = r#"{"confirm":"mara.example"}"#;
    let install = r#"{"app":"wordpress","title":"x","admin_login":"a","admin_email":"a@b.example","admin_password":"long enough pw"}"#;
    for (method, path, body) in [
        ("GET", format!("/sites/{site}"), ""),
        ("DELETE", format!("/sites/{site}"), confirm),
        ("POST", format!("/sites/{site}/apps"), install),
        ("GET", format!("/sites/{site}/moves"), ""),
        ("GET", format!("/sites/{site}/explanation"), ""),
    ] {
        let reply = api.ask(method, &path, Some(&theo), body).await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::NOT_FOUND, "not-found"),
            "{method} {path}"
        );
    }
    let reply = api
        .ask(
            "POST",
            "/sites",
            Some(&theo),
            r#"{"domain":"x.example","account":2}"#,
        )
        .await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND, "{reply:?}");
    let list = api.ask("GET", "/sites", Some(&theo), "").await;
    assert_eq!(list.body.as_array().map(Vec::len), Some(0));
    let status = api.ask("GET", "/status", Some(&theo), "").await;
    assert_eq!(status.body["sites"].as_array().map(Vec::len), Some(0));
    assert!(
        status.body["nodes"][0]["observed"].is_null(),
        "a customer sees no node's report"
    );
    assert_eq!(
        api.ask("GET", &format!("/sites/{site}"), Some(&mara), "")
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn root_on_the_node_is_an_administrator_and_tokens_still_count() {
    let api = TestApi::new().await;
    assert_eq!(
        api.ask_as_root("GET", "/accounts", "").await.status,
        StatusCode::OK
    );
    let reply = api
        .ask_as_root("POST", "/sites", r#"{"domain":"x.example"}"#)
        .await;
    assert_eq!(
        (reply.status, reply.field()),
        (StatusCode::UNPROCESSABLE_ENTITY, "account")
    );
    let reply = api
        .ask_as_root("POST", "/sites", r#"{"domain":"x.example","account":2}"#)
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}
