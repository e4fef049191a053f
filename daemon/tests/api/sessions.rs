//! Signing in and out.

use crate::fixture::{PASSWORD, TestApi};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hwc_api::change::Change;
use hwc_api::ids::{AccountId, SessionId};
use hwcd::session::SessionFacts;

async fn me(api: &TestApi, token: &str) -> StatusCode {
    api.ask("GET", "/session", Some(token), "").await.status
}

#[tokio::test]
async fn a_session_begins_with_the_password_and_ends_when_told() {
    let api = TestApi::new().await;
    let token = api.sign_in("mara").await;
    let reply = api.ask("GET", "/session", Some(&token), "").await;
    assert_eq!(reply.body["login"], "mara");
    assert!(reply.body.get("password_hash").is_none());
    let reply = api.ask("DELETE", "/session", Some(&token), "").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(
        reply
            .cookie
            .is_some_and(|cookie| cookie.contains("Max-Age=0"))
    );
    let reply = api.ask("GET", "/session", Some(&token), "").await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::UNAUTHORIZED, "session-expired")
    );
}

#[tokio::test]
async fn the_cookie_is_for_our_pages_only() {
    let api = TestApi::new().await;
    let body = serde_json::json!({ "login": "mara", "password": PASSWORD }).to_string();
    let reply = api.ask("POST", "/session", None, &body).await;
    let cookie = reply.cookie.expect("a cookie");
    for attribute in [
        "__Host-hwc-session=",
        "HttpOnly",
        "Secure",
        "SameSite=Lax",
        "Path=/",
    ] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let pair = cookie.split(';').next().expect("a pair").to_owned();
    let post = |site: &str| {
        Request::post("/api/v1/sites")
            .header(header::COOKIE, &pair)
            .header("sec-fetch-site", site)
            .body(Body::from(r#"{"domain":"cookie.example"}"#))
            .expect("a request")
    };
    let reply = api.send(post("cross-site")).await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::FORBIDDEN, "foreign-origin")
    );
    assert_eq!(api.send(post("same-origin")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_password_says_no_more_than_that_and_is_counted() {
    let api = TestApi::new().await;
    for login in ["mara", "nobody", "$(id)", "", "mara\0", &"x".repeat(10_000)] {
        let body = serde_json::json!({ "login": login, "password": "wrong" }).to_string();
        let reply = api.ask("POST", "/session", None, &body).await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::UNAUTHORIZED, "wrong-password"),
            "{login:?}"
        );
    }
    let body = serde_json::json!({ "login": "mara", "password": "wrong" }).to_string();
    for _ in 0..4 {
        api.ask("POST", "/session", None, &body).await;
    }
    let right = serde_json::json!({ "login": "mara", "password": PASSWORD }).to_string();
    let reply = api.ask("POST", "/session", None, &right).await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::TOO_MANY_REQUESTS, "too-many-attempts")
    );
    // Another address is not kept waiting.
    let request = Request::post("/api/v1/session")
        .header("x-hwc-client", "192.0.2.9")
        .body(Body::from(right));
    assert_eq!(
        api.send(request.expect("a request")).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_new_password_and_a_suspension_end_every_session() {
    let api = TestApi::new().await;
    let (mara, theo) = (api.sign_in("mara").await, api.sign_in("theo").await);
    let now = api.clock.wall().plus_ms(1);
    let password_hash =
        "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$AAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let change = Change::SetPassword {
        account: AccountId(2),
        password_hash,
        now,
    };
    api.registry.change(change).await.expect("changed");
    assert_eq!(me(&api, &mara).await, StatusCode::UNAUTHORIZED);
    let change = Change::SetSuspended {
        account: AccountId(3),
        is_suspended: true,
        now,
    };
    api.registry.change(change).await.expect("changed");
    assert_eq!(me(&api, &theo).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_api_token_needs_the_password_and_acts_for_its_owner() {
    let api = TestApi::new().await;
    let session = api.sign_in("mara").await;
    let body = |password: &str| {
        serde_json::json!({ "label": "ci", "password": password, "days": 1 }).to_string()
    };
    let reply = api
        .ask("POST", "/tokens", Some(&session), &body("wrong"))
        .await;
    assert_eq!(reply.code(), "wrong-password");
    let reply = api
        .ask("POST", "/tokens", Some(&session), &body(PASSWORD))
        .await;
    let secret = reply.body["secret"].as_str().expect("a secret").to_owned();
    let reply = api.ask("GET", "/session", Some(&secret), "").await;
    assert_eq!(reply.body["login"], "mara");
    let id = api.ask("GET", "/tokens", Some(&secret), "").await.body[0]["id"].clone();
    assert_eq!(
        api.ask("DELETE", &format!("/tokens/{id}"), Some(&session), "")
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(me(&api, &secret).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let api = TestApi::new().await;
    let now = api.clock.wall();
    let seal = |expires_in_ms: i64| {
        let facts = SessionFacts {
            session: SessionId([3; 16]),
            account: AccountId(2),
            issued_at: now,
            expires_at: now.plus_ms(expires_in_ms),
        };
        api.seal.seal(&facts, &[7; 24]).expect("sealed")
    };
    assert_eq!(me(&api, &seal(60_000)).await, StatusCode::OK);
    let reply = api.ask("GET", "/session", Some(&seal(-1)), "").await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::UNAUTHORIZED, "session-expired")
    );
}
