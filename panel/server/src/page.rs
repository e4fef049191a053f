//! What a page knows before it is drawn: gathered once per request, from the visitor's cookies
//! and the API.

use crate::api_socket::CLIENT_HEADER;
use crate::router::PanelState;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, Method, header};
use hwc_api::ids::{JobId, SiteId};
use hwc_api::job::JobKind;
use hwc_api::v1::{JobView, SESSION_COOKIE};
use hwc_panel_app::actions::{About, gather_frame};
use hwc_panel_app::cookies;
use hwc_panel_app::page_data::{Frame, ListView, Page, PageData, Theme, Visitor};
use hwc_panel_app::return_path;
use hwc_panel_app::server::{Api, SessionToken};
use std::sync::Arc;

/// The API, as the visitor of this request may use it.
pub fn api_of(state: &PanelState, headers: &HeaderMap) -> Api {
    let token = cookie(headers, SESSION_COOKIE).and_then(SessionToken::from_cookie);
    let client = headers
        .get(CLIENT_HEADER)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    Api::new(Arc::clone(&state.transport), token, client)
}

fn cookie<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(|text| cookies::find(text, name))
}

/// Gathers what the page needs, or sends the visitor where they have to go first.
pub async fn gather(State(state): State<PanelState>, mut request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let path = request.uri().path().to_owned();
    let api = api_of(&state, request.headers());
    let about = About {
        job: job_in(&path),
        site: site_in(&path),
    };
    let visitor = visit(&api, about).await;
    if let Some(elsewhere) = send_elsewhere(&visitor, api.has_session(), request.uri()) {
        return elsewhere.into_response();
    }
    let data = page_data(&state, &request, visitor, &path);
    let was_shown_once = data.data.shown_once.is_some();
    request.extensions_mut().insert(data);
    let mut response = next.run(request).await;
    if was_shown_once {
        let gone = format!(
            "{}=; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=0",
            cookies::SHOWN_ONCE
        );
        if let Ok(gone) = HeaderValue::from_str(&gone) {
            response.headers_mut().append(header::SET_COOKIE, gone);
        }
    }
    response
}

async fn visit(api: &Api, about: About) -> Visitor {
    if !api.has_session() {
        return Visitor::Stranger;
    }
    match gather_frame(api, about).await {
        Ok(frame) => Visitor::SignedIn(Box::new(frame)),
        Err(refusal) if refusal.asks_to_sign_in() => Visitor::Stranger,
        Err(refusal) => Visitor::Unknown(refusal),
    }
}

/// Strangers sign in first; who is signed in has no use for the sign-in page.
fn send_elsewhere(visitor: &Visitor, had_session: bool, uri: &http::Uri) -> Option<Redirect> {
    let is_sign_in = uri.path() == "/sign-in";
    match (visitor, is_sign_in) {
        (Visitor::Stranger, false) => {
            let here = uri.path_and_query().map_or("/", |here| here.as_str());
            Some(Redirect::to(&return_path::sign_in_address(
                here,
                had_session,
            )))
        }
        (Visitor::SignedIn(_), true) => Some(Redirect::to("/")),
        (Visitor::Stranger, true) | (Visitor::SignedIn(_), false) | (Visitor::Unknown(_), _) => {
            None
        }
    }
}

fn page_data(state: &PanelState, request: &Request, visitor: Visitor, path: &str) -> Page {
    let headers = request.headers();
    let accepted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let locale = state
        .catalogue
        .choose(cookie(headers, cookies::LANGUAGE), accepted);
    let refreshes = match &visitor {
        Visitor::SignedIn(frame) => goes_on(frame, path),
        Visitor::Stranger | Visitor::Unknown(_) => false,
    };
    let data = PageData {
        locale: locale.carried().clone(),
        theme: cookie(headers, cookies::THEME)
            .map(Theme::parse)
            .unwrap_or_default(),
        view: cookie(headers, cookies::VIEW)
            .and_then(ListView::parse)
            .unwrap_or_default(),
        shown_once: (path == "/nodes/new")
            .then(|| cookie(headers, cookies::SHOWN_ONCE).map(str::to_owned))
            .flatten(),
        visitor,
        refreshes,
    };
    Page {
        data: Arc::new(data),
        locale,
    }
}

/// How long after its end a move's receipt may arrive, milliseconds: all nodes are asked first what
/// their visitors noticed.
const RECEIPT_LIMIT_MS: u64 = 15_000;

/// Whether the page shows something that goes on: a job, a move, a drain. A move goes on until its
/// receipt can be there.
fn goes_on(frame: &Frame, path: &str) -> bool {
    let now = frame.status.at;
    let is_due = |job: &JobView| match (&job.job.kind, &job.job.outcome) {
        (_, None) => true,
        (JobKind::MoveSite { .. }, Some(end)) => now.since_ms(end.ended_at) < RECEIPT_LIMIT_MS,
        (JobKind::InstallApp { .. }, Some(_)) => false,
    };
    if let Some(job) = job_in(path) {
        return frame.job(job).is_some_and(is_due);
    }
    // Pages with forms stay as they are while somebody fills them in.
    if path.starts_with("/nodes/") && path.ends_with("/drain") {
        return frame.drains.iter().any(|drain| !drain.is_done);
    }
    let is_overview = path.matches('/').count() == 2;
    site_in(path).filter(|_| is_overview).is_some_and(|site| {
        let mut moves = frame.moves.iter().flat_map(|moves| &moves.under_way);
        let mut sites = frame.status.sites.iter();
        let shown = sites.find(|view| view.id == site);
        let mut jobs = shown.into_iter().flat_map(|view| &view.jobs);
        moves.any(|view| view.site == Some(site)) || jobs.any(is_due)
    })
}

/// The site that an address is about: `/sites/4`, `/sites/4/move`.
fn site_in(path: &str) -> Option<SiteId> {
    path.strip_prefix("/sites/")?
        .split('/')
        .next()?
        .parse()
        .ok()
}

/// The job that an address is about: `/sites/4/jobs/7`.
fn job_in(path: &str) -> Option<JobId> {
    let (before, id) = path.rsplit_once('/')?;
    before.ends_with("/jobs").then(|| id.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_found_in_addresses() {
        assert_eq!(job_in("/sites/4/jobs/7"), Some(JobId(7)));
        for other in [
            "/",
            "/sites/4",
            "/sites/4/jobs/",
            "/sites/4/jobs/x",
            "/jobs/7/edit",
        ] {
            assert_eq!(job_in(other), None, "{other}");
        }
    }

    #[test]
    fn sites_are_found_in_addresses() {
        for path in ["/sites/4", "/sites/4/move", "/sites/4/jobs/7"] {
            assert_eq!(site_in(path), Some(SiteId(4)), "{path}");
        }
        for other in ["/", "/sites", "/sites/new", "/nodes/4/drain", "/x/sites/4"] {
            assert_eq!(site_in(other), None, "{other}");
        }
    }

    #[test]
    fn strangers_are_sent_to_sign_in_and_back() {
        let location = |visitor: &Visitor, had_session, uri: &'static str| {
            send_elsewhere(visitor, had_session, &http::Uri::from_static(uri)).map(|redirect| {
                let response = redirect.into_response();
                let location = response.headers().get(header::LOCATION).cloned();
                location.and_then(|value| value.to_str().ok().map(str::to_owned))
            })
        };
        let stranger = Visitor::Stranger;
        assert_eq!(location(&stranger, false, "/sign-in"), None);
        assert_eq!(
            location(&stranger, false, "/sites/4?view=table"),
            Some(Some("/sign-in?next=/sites/4%3Fview%3Dtable".to_owned()))
        );
        assert_eq!(
            location(&stranger, true, "/sites"),
            Some(Some("/sign-in?next=/sites&reason=expired".to_owned()))
        );
        let unknown = Visitor::Unknown(hwc_panel_app::refusal::Refusal::unreachable());
        assert_eq!(location(&unknown, true, "/sites"), None);
    }
}
