//! The panel as a browser without JavaScript meets it: real router, real pages, real languages; only
//! the API behind it is a table of answers.

mod cluster;
mod moves;

use super::*;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_panel_app::server::{ApiRequest, ApiResponse, TransportError};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use tower::ServiceExt;

/// Answers from a table; remembers what it was asked.
#[derive(Default)]
struct Table {
    asked: Mutex<Vec<String>>,
}

impl Table {
    fn answer(&self, request: &ApiRequest) -> Result<Value, Problem> {
        let body = request.body.as_deref().unwrap_or_default();
        let call = format!("{} {}", request.method.as_str(), request.path);
        self.asked
            .lock()
            .expect("not poisoned")
            .push(format!("{call} {}", String::from_utf8_lossy(body)));
        if call == "POST /api/v1/session" {
            return if String::from_utf8_lossy(body).contains("right") {
                Ok(
                    json!({"token": "sealed", "expires_at": 1_800_000_000_000_i64, "account": mara()}),
                )
            } else {
                Err(Problem::new(ProblemCode::WrongPassword, "wrong"))
            };
        }
        match request.token.as_ref().map(|token| token.reveal()) {
            Some("sealed") => self.answer_mara(&call),
            Some("administrator") => moves::answer(&call),
            Some(_) => Err(Problem::new(ProblemCode::SessionExpired, "over")),
            None => Err(Problem::new(ProblemCode::SignInRequired, "who?")),
        }
    }

    fn answer_mara(&self, call: &str) -> Result<Value, Problem> {
        match call {
            "GET /api/v1/session" => Ok(mara()),
            "GET /api/v1/status" => Ok(status()),
            "POST /api/v1/sites" => Err(Problem::new(ProblemCode::DomainTaken, "taken")
                .field("domain")
                .detail("a.example")),
            "DELETE /api/v1/session" => Ok(json!({})),
            "GET /api/v1/apps" => Ok(json!([{
                "app": "wordpress", "title": "WordPress", "summary": "x", "homepage": "https://a.example",
                "version": "6.8", "archive_bytes": 9, "needs_database": true, "is_available": true,
            }])),
            "POST /api/v1/sites/4/apps" => Err(Problem::new(ProblemCode::PasswordWeak, "short")
                .field("admin_password")
                .detail("10")),
            _other => Err(Problem::new(ProblemCode::NotFound, "nothing")),
        }
    }
}

impl Transport for Table {
    fn send(
        &self,
        request: ApiRequest,
    ) -> Pin<Box<dyn Future<Output = Result<ApiResponse, TransportError>> + Send + '_>> {
        let (status, body) = match self.answer(&request) {
            Ok(answer) => (200, answer.to_string()),
            Err(problem) => (
                problem.code.http_status(),
                serde_json::to_string(&problem).expect("plain"),
            ),
        };
        let body = body.into_bytes();
        Box::pin(std::future::ready(Ok(ApiResponse { status, body })))
    }
}

fn mara() -> Value {
    json!({
        "id": 2, "login": "mara", "name": "Mara Thiele", "email": "mara@harbour.example",
        "role": "customer", "limits": {"sites": 10, "databases": 20}, "sites": 1, "databases": 0,
        "is_suspended": false, "created_at": 0,
    })
}

fn status() -> Value {
    let node = json!({"id": 1, "name": "n1"});
    let files = json!({
        "id": 1, "state": "live", "live_node": node, "used_bytes": 68_000_000, "divergent_copies": 0,
        "copies": [{"node": {"id": 2, "name": "n2"}, "is_reachable": true, "is_complete": true, "age_ms": 0}],
    });
    json!({
        "cluster": "ab", "name": "demo", "answered_by": node, "at": 0, "is_writable": true, "index": 7,
        "nodes": [],
        "sites": [{
            "id": 4, "account": 2, "account_name": "Mara Thiele", "domains": ["xn--bcher-kva.example"],
            "title": "bücher.example", "php": "8.4", "app": null, "state": "live", "files": files,
            "databases": [], "jobs": [], "created_at": 0,
        }],
    })
}

struct Panel {
    router: Router,
    table: Arc<Table>,
    _site_root: tempfile::TempDir,
}

fn panel() -> Panel {
    let site_root = tempfile::tempdir().expect("a folder");
    let locales = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../locales");
    let catalogue = Catalogue::load(&locales).expect("complete languages");
    let assets = Assets {
        style: "/pkg/hwc.css".to_owned(),
        script: "/pkg/hwc.js".to_owned(),
        module: "/pkg/hwc_bg.wasm".to_owned(),
    };
    let table = Arc::new(Table::default());
    let state = PanelState::new(Arc::clone(&table) as Arc<dyn Transport>, catalogue, assets);
    Panel {
        router: build(state, site_root.path()),
        table,
        _site_root: site_root,
    }
}

/// What a browser got.
struct Got {
    status: StatusCode,
    location: String,
    cookies: Vec<String>,
    policy: String,
    body: String,
}

impl Panel {
    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        self.send(Request::get(path), headers, Body::empty()).await
    }

    /// Sends a form as a browser without JavaScript does, from the page at `from`.
    async fn post(&self, path: &str, from: &str, headers: &[(&str, &str)], form: &str) -> Got {
        let request = Request::post(path)
            .header(header::ACCEPT, "text/html")
            .header(header::REFERER, format!("https://panel.example{from}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, headers, Body::from(form.to_owned()))
            .await
    }

    async fn send(
        &self,
        mut request: http::request::Builder,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Got {
        request = request.header(header::HOST, "panel.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        read(response).await
    }

    fn was_asked(&self, text: &str) -> bool {
        let asked = self.table.asked.lock().expect("not poisoned");
        asked.iter().any(|call| call.contains(text))
    }
}

async fn read(response: Response<Body>) -> Got {
    let header = |name| {
        let value = response.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let cookies = response.headers().get_all(header::SET_COOKIE).iter();
    Got {
        status: response.status(),
        location: header(header::LOCATION),
        policy: header(header::CONTENT_SECURITY_POLICY),
        cookies: cookies
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect(),
        body: {
            let bytes = axum::body::to_bytes(response.into_body(), 4 << 20).await;
            String::from_utf8_lossy(&bytes.expect("a whole page")).into_owned()
        },
    }
}

impl Got {
    /// The page without the data that it carries for the browser's half.
    fn page(&self) -> &str {
        self.body.split_once("<body").map_or("", |(_, page)| page)
    }
}

const MARA: (&str, &str) = ("cookie", "__Host-hwc-session=sealed");

#[tokio::test]
async fn strangers_are_asked_to_sign_in_and_come_back() {
    let panel = panel();
    let got = panel.get("/sites/4", &[]).await;
    assert_eq!(
        (got.status, got.location.as_str()),
        (StatusCode::SEE_OTHER, "/sign-in?next=/sites/4")
    );

    let expired = panel
        .get("/sites/4", &[("cookie", "__Host-hwc-session=old")])
        .await;
    assert_eq!(expired.location, "/sign-in?next=/sites/4&reason=expired");

    let page = panel
        .get("/sign-in?next=/sites/4&reason=expired", &[])
        .await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.page().contains("Your session is over"));
    assert!(page.page().contains(r#"name="next" value="/sites/4""#));
    assert!(page.policy.contains("frame-ancestors 'none'") && page.policy.contains("'nonce-"));
}

#[tokio::test]
async fn signing_in_sets_the_cookie_and_leads_back() {
    let panel = panel();
    let form = "login=mara&password=right&next=%2Fsites%2F4&stay=yes";
    let got = panel
        .post(
            "/do/sign-in",
            "/sign-in",
            &[("sec-fetch-site", "same-origin")],
            form,
        )
        .await;
    assert_eq!(
        (got.status, got.location.as_str()),
        (StatusCode::FOUND, "/sites/4")
    );
    assert_eq!(
        got.cookies,
        [
            "__Host-hwc-session=sealed; Path=/; HttpOnly; Secure; SameSite=Lax; Expires=Fri, 15 Jan 2027 08:00:00 GMT"
        ]
    );
    // Another host's page is not followed, and a session that should not stay has no end date.
    let form = "login=mara&password=right&next=%2F%2Fevil.example";
    let got = panel.post("/do/sign-in", "/sign-in", &[], form).await;
    assert_eq!(got.location, "/");
    assert_eq!(
        got.cookies,
        ["__Host-hwc-session=sealed; Path=/; HttpOnly; Secure; SameSite=Lax"]
    );
}

#[tokio::test]
async fn a_wrong_password_is_said_on_the_page_and_the_name_is_kept() {
    let panel = panel();
    let form = "login=mara&password=wrong&next=%2Fsites";
    let got = panel
        .post("/do/sign-in", "/sign-in?next=/sites", &[], form)
        .await;
    assert_eq!(got.status, StatusCode::FOUND);
    assert!(
        !got.location.contains("wrong&"),
        "the password is in the address"
    );
    let path = got
        .location
        .strip_prefix("https://panel.example")
        .expect("the page it was on");
    let page = panel.get(path, &[("accept-language", "de")]).await;
    assert!(
        page.page()
            .contains("Benutzername und Passwort gehören nicht zusammen.")
    );
    assert!(page.page().contains(r#"value="mara""#));
}

#[tokio::test]
async fn other_web_sites_can_not_act_for_a_visitor() {
    let panel = panel();
    for foreign in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        let got = panel.post("/do/sign-out", "/", &[MARA, foreign], "").await;
        assert_eq!(got.status, StatusCode::FORBIDDEN);
        assert!(got.body.contains("foreign-origin"));
    }
    assert!(!panel.was_asked("DELETE /api/v1/session"));

    let own = panel
        .post(
            "/do/sign-out",
            "/",
            &[MARA, ("origin", "https://panel.example")],
            "",
        )
        .await;
    assert_eq!(own.location, "/sign-in");
    assert!(panel.was_asked("DELETE /api/v1/session"));
    assert!(
        own.cookies
            .iter()
            .any(|cookie| cookie.contains("Max-Age=0"))
    );
}

#[tokio::test]
async fn pages_are_whole_without_javascript() {
    let panel = panel();
    let list = panel.get("/", &[MARA]).await;
    assert_eq!(list.status, StatusCode::OK);
    for text in [
        "My sites",
        "bücher.example",
        "Live on n1",
        "Protected: 1 copy, up to date",
        "68 MB",
    ] {
        assert!(list.page().contains(text), "{text}");
    }
    let site = panel
        .get("/sites/4", &[MARA, ("accept-language", "de-DE")])
        .await;
    assert!(site.body.contains(r#"<html lang="de" dir="ltr""#));
    for text in [
        "Wo Ihre Website ist",
        "Kopie auf n2",
        "xn--bcher-kva.example",
        "Die Website ist leer",
    ] {
        assert!(site.page().contains(text), "{text}");
    }
}

#[tokio::test]
async fn what_was_refused_comes_back_at_its_field() {
    let panel = panel();
    let got = panel
        .post("/do/create-site", "/sites/new", &[MARA], "domain=a.example")
        .await;
    let path = got
        .location
        .strip_prefix("https://panel.example")
        .expect("the page it was on");
    let page = panel.get(path, &[MARA]).await;
    assert!(page.page().contains("a.example belongs to a site already."));
    assert!(page.page().contains(r#"aria-invalid="true""#));
    assert!(page.page().contains(r#"value="a.example""#));
}

#[tokio::test]
async fn a_weak_password_of_an_app_is_refused_at_its_field_and_nowhere_else() {
    let panel = panel();
    let form = "site=4&app=wordpress&title=Books&admin_login=ada&admin_email=ada%40a.example\
                &admin_password=tooshort&language=en_US";
    let from = "/sites/4/apps/wordpress";
    let got = panel.post("/do/install-app", from, &[MARA], form).await;
    let path = got
        .location
        .strip_prefix("https://panel.example")
        .expect("the page it was on");
    let page = panel.get(path, &[MARA]).await;
    let refusal = "This password is too easy to guess. Take at least 10 characters.";
    let (before, after) = page.page().split_once(refusal).expect("it is said");
    assert!(before.contains(r#"id="admin_password-error""#));
    assert!(!after.contains(refusal));
    assert!(page.page().contains(r#"value="Books""#));
    assert!(!page.page().contains("tooshort"));
}

#[tokio::test]
async fn a_program_is_told_the_status_of_a_refusal() {
    let panel = panel();
    let request = Request::post("/do/create-site")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let body = Body::from("domain=a.example");
    let got = panel.send(request, &[MARA], body).await;
    assert_eq!(got.status, StatusCode::CONFLICT);
    assert!(got.body.contains("domain-taken"));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let panel = panel();
    for path in ["/nope", "/sites/99", "/sites/x", "/sites/4/jobs/1"] {
        let got = panel.get(path, &[MARA]).await;
        assert_eq!(got.status, StatusCode::NOT_FOUND, "{path}");
        assert!(
            got.page().contains("There is nothing at this address"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn pages_for_administrators_say_so_to_customers() {
    let panel = panel();
    for path in ["/nodes", "/nodes/new", "/accounts", "/accounts/new"] {
        let got = panel.get(path, &[MARA]).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{path}");
        assert!(
            got.page().contains("Your account may not see this page"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn language_and_theme_are_kept_in_cookies() {
    let panel = panel();
    let form = "theme=dark&language=de&back=%2Fsites%2F4";
    let got = panel
        .post("/do/set-preferences", "/sites/4", &[MARA], form)
        .await;
    assert_eq!(got.location, "/sites/4");
    assert!(
        got.cookies
            .iter()
            .any(|cookie| cookie.starts_with("hwc-lang=de;"))
    );
    let page = panel
        .get("/", &[MARA, ("cookie", "hwc-lang=de; hwc-theme=dark")])
        .await;
    assert!(page.body.contains(r#"data-theme="dark""#));
    assert!(page.page().contains("Meine Websites"));
}
