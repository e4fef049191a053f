//! Bad input: a clear problem at its field, and nothing changed.

use crate::fixture::{PASSWORD, TestApi};
use axum::http::StatusCode;

/// The index, accounts and sites of the registry. A refused change may use an index up.
fn shown(api: &TestApi) -> (u64, usize, usize) {
    let desired = api.registry.desired().borrow().clone();
    (desired.index, desired.accounts.len(), desired.sites.len())
}

/// The request is refused with this code at this field, and the registry is as before.
async fn check(api: &TestApi, token: &str, request: (&str, &str, &str), code: &str, field: &str) {
    let (method, path, body) = request;
    let before = shown(api);
    let reply = api.ask(method, path, Some(token), body).await;
    assert_eq!(
        (reply.code(), reply.field()),
        (code, field),
        "{request:?} {reply:?}"
    );
    assert!(reply.status.is_client_error(), "{reply:?}");
    assert!(
        reply.body["message"].as_str().is_some_and(|m| m.len() > 10),
        "{reply:?}"
    );
    let (desired, accounts, sites) = shown(api);
    assert_eq!(
        (accounts, sites),
        (before.1, before.2),
        "{request:?} changed something ({desired})"
    );
}

#[tokio::test]
async fn every_refusal_is_counted_whoever_speaks_it_and_no_answer_is() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    api.ask("GET", "/sites", Some(&admin), "").await;
    assert_eq!(api.refused.by_code(), [].into());
    let large = " ".repeat(70_000);
    let asked = [
        (None, "GET", "/sites", "", "sign-in-required"),
        (Some("x"), "GET", "/sites", "", "sign-in-required"),
        (Some(&*admin), "GET", "/no-such-page", "", "not-found"),
        (Some(&*admin), "PATCH", "/sites", "", "not-found"),
        (Some(&*admin), "GET", "/sites/x", "", "not-found"),
        (Some(&*admin), "POST", "/sites", "{", "malformed"),
        (Some(&*admin), "POST", "/sites", &*large, "too-large"),
        (
            Some(&*admin),
            "POST",
            "/nodes/9/drain",
            "{}",
            "unknown-node",
        ),
        (
            Some(&*admin),
            "DELETE",
            "/nodes/1/drain",
            "",
            "node-not-draining",
        ),
    ];
    for (token, method, path, body, code) in asked {
        let before = api.refused.by_code().get(code).copied().unwrap_or(0);
        let reply = api.ask(method, path, token, body).await;
        assert_eq!(reply.code(), code, "{method} {path} {reply:?}");
        assert_eq!(api.refused.by_code()[code], before + 1, "{method} {path}");
    }
    let all: u64 = api.refused.by_code().values().sum();
    assert_eq!(all, 9);
}

#[tokio::test]
async fn domains() {
    let api = TestApi::new().await;
    let mara = api.sign_in("mara").await;
    let long = format!("{}.example", "a.".repeat(123) + "abcdefgh");
    for bad in [
        "",
        " ",
        "..",
        "a..b",
        "shop",
        "a b.example",
        "a\nb.example",
        "a\u{0}.example",
        "-a.example",
        "127.0.0.1",
        &long,
    ] {
        let body = serde_json::json!({ "domain": bad }).to_string();
        check(
            &api,
            &mara,
            ("POST", "/sites", &body),
            "domain-invalid",
            "domain",
        )
        .await;
    }
    let reply = api
        .ask(
            "POST",
            "/sites",
            Some(&mara),
            r#"{"domain":"BÜCHER.example"}"#,
        )
        .await;
    assert_eq!(reply.body["domains"][0], "xn--bcher-kva.example");
    assert_eq!(reply.body["title"], "bücher.example");
    let theo = api.sign_in("theo").await;
    for taken in [
        "bücher.example",
        "xn--bcher-kva.example",
        "XN--BCHER-KVA.EXAMPLE.",
    ] {
        let body = serde_json::json!({ "domain": taken }).to_string();
        check(
            &api,
            &theo,
            ("POST", "/sites", &body),
            "domain-taken",
            "domain",
        )
        .await;
    }
}

#[tokio::test]
async fn limits() {
    let api = TestApi::new().await;
    let mara = api.sign_in("mara").await;
    api.create_site(&mara, "one.example").await;
    api.create_site(&mara, "two.example").await;
    let reply = api
        .ask(
            "POST",
            "/sites",
            Some(&mara),
            r#"{"domain":"three.example"}"#,
        )
        .await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::CONFLICT, "site-limit")
    );
    assert_eq!(reply.body["detail"], "2");
}

#[tokio::test]
async fn shapes_of_requests() {
    let api = TestApi::new().await;
    let mara = api.sign_in("mara").await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"domain":1}"#,
        r#"{"domain":"a.example","owner":3}"#,
        r#"{"domain":"a.example","domain":"b.example"}"#,
        r#"{"domain":"a.example","uid":0}"#,
        &format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)),
    ] {
        check(&api, &mara, ("POST", "/sites", body), "malformed", "").await;
    }
    let large = format!(r#"{{"domain":"{}"}}"#, "a".repeat(100_000));
    check(&api, &mara, ("POST", "/sites", &large), "too-large", "").await;
    for path in [
        "/sites/0",
        "/sites/x",
        "/sites/99999999999",
        "/sites/-1",
        "/sites/1%2f..",
        "/jobs/7",
        "/nothing",
        "/sites/1/apps/x",
    ] {
        let reply = api.ask("GET", path, Some(&mara), "").await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::NOT_FOUND, "not-found"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn accounts() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    let body = |login: &str, name: &str, email: &str, password: &str| {
        serde_json::json!({ "login": login, "name": name, "email": email, "password": password })
            .to_string()
    };
    let long = "x".repeat(101);
    for (login, name, email, password, code, field) in [
        ("", "N", "a@b.example", PASSWORD, "invalid", "login"),
        ("a b", "N", "a@b.example", PASSWORD, "invalid", "login"),
        ("new", "", "a@b.example", PASSWORD, "invalid", "name"),
        ("new", "N\nM", "a@b.example", PASSWORD, "invalid", "name"),
        ("new", &long, "a@b.example", PASSWORD, "invalid", "name"),
        ("new", "N", "nobody", PASSWORD, "invalid", "email"),
        (
            "new",
            "N",
            "|/bin/sh@b.example",
            PASSWORD,
            "invalid",
            "email",
        ),
        (
            "new",
            "N",
            "a@b.example",
            "short",
            "password-weak",
            "password",
        ),
        ("mara", "N", "a@b.example", PASSWORD, "login-taken", "login"),
    ] {
        check(
            &api,
            &admin,
            ("POST", "/accounts", &body(login, name, email, password)),
            code,
            field,
        )
        .await;
    }
    let reply = api.ask("DELETE", "/accounts/1", Some(&admin), "").await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::CONFLICT, "conflict"),
        "oneself can't be deleted"
    );
}

#[tokio::test]
async fn deleting_a_site_repeats_its_name() {
    let api = TestApi::new().await;
    let mara = api.sign_in("mara").await;
    let site = api.create_site(&mara, "gone.example").await;
    let path = format!("/sites/{site}");
    for wrong in [r#"{"confirm":""}"#, r#"{"confirm":"other.example"}"#] {
        check(&api, &mara, ("DELETE", &path, wrong), "invalid", "confirm").await;
    }
    let reply = api
        .ask(
            "DELETE",
            &path,
            Some(&mara),
            r#"{"confirm":"Gone.Example"}"#,
        )
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(
        api.ask("GET", &path, Some(&mara), "").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn installing() {
    let api = TestApi::new().await;
    let mara = api.sign_in("mara").await;
    let site = api.create_site(&mara, "shop.example").await;
    let path = format!("/sites/{site}/apps");
    let body = |app: &str, email: &str, password: &str| {
        serde_json::json!({ "app": app, "title": "Shop", "admin_login": "mara", "admin_email": email,
            "admin_password": password }).to_string()
    };
    check(
        &api,
        &mara,
        ("POST", &path, &body("nonsense", "a@b.example", PASSWORD)),
        "unknown-app",
        "app",
    )
    .await;
    check(
        &api,
        &mara,
        ("POST", &path, &body("wordpress", "nobody", PASSWORD)),
        "invalid",
        "admin_email",
    )
    .await;
}

#[tokio::test]
async fn nodes() {
    let api = TestApi::new().await;
    let admin = api.sign_in("admin").await;
    check(&api, &admin, ("DELETE", "/nodes/9", ""), "unknown-node", "").await;
    for minutes in [0, 1_441] {
        let body = format!(r#"{{"minutes":{minutes}}}"#);
        check(
            &api,
            &admin,
            ("POST", "/nodes/tokens", &body),
            "invalid",
            "minutes",
        )
        .await;
    }
}
