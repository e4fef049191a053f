//! What a visitor's request is for: a site, the panel, the API, or nothing that is here.

use super::body::AnswerBody;
use super::delivery::{Outcome, deliver, finish, page_of};
use super::errand::Errand;
use super::headers::{self, Visitor};
use super::pages::Page;
use super::strict::{REFUSAL_FIELD, RawSwitch};
use super::upstream::{SendError, Upstream, send};
use crate::routes::{RoutingTable, SiteEntry};
use crate::shared::Shared;
use http::header::{self, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode};
use hwc_api::names::DomainName;
use hyper::body::{Body, Incoming};
use std::net::IpAddr;
use std::sync::Arc;

/// Longest path with its query that is passed on, as Apache's LimitRequestLine.
const TARGET_BYTES_MAX: usize = 8_190;

/// Through which door a visitor came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// Port 80; knows where HTTPS is.
    Plain {
        /// Port of [`Entrance::Secure`].
        https_port: u16,
    },
    /// Port 443.
    Secure,
    /// Port 8443: the panel under any name.
    Panel,
}

impl Entrance {
    /// For logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain { .. } => "http",
            Self::Secure => "https",
            Self::Panel => "panel",
        }
    }

    const fn is_secure(self) -> bool {
        match self {
            Self::Plain { .. } => false,
            Self::Secure | Self::Panel => true,
        }
    }
}

/// Who a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Site(SiteEntry),
    Panel,
    Api,
    /// To the same address over TLS.
    Secure(String),
    Nobody,
}

/// Answers one request of a visitor.
pub(super) async fn handle(
    shared: Arc<Shared>,
    entrance: Entrance,
    address: IpAddr,
    raw: RawSwitch,
    mut request: Request<Incoming>,
) -> Response<AnswerBody> {
    if let Some(page) = refused(&request, shared.config.limits.body_bytes) {
        return page.answer(request.headers());
    }
    let authority = match headers::authority(&request) {
        Ok(authority) => authority,
        Err(rule) => {
            tracing::debug!(%rule, "request refused");
            return Page::BadRequest.answer(request.headers());
        }
    };
    let place = place(&shared.table.load(), entrance, &authority, &request);
    let visitor = Visitor {
        address,
        is_secure: entrance.is_secure(),
    };
    let is_websocket = headers::is_websocket(&request);
    headers::clean_request(request.headers_mut(), &authority, visitor);
    let errand = Errand::new(request, is_websocket, Some(raw), &shared.config.limits);
    match place {
        Place::Site(site) if site.is_suspended => Page::Suspended.answer(errand.headers()),
        Place::Site(site) => deliver(&shared, &shared.doors.door(site.dataset), errand).await,
        Place::Panel => to_panel(&shared, Upstream::Panel, errand, visitor).await,
        Place::Api => to_panel(&shared, Upstream::Api, errand, visitor).await,
        Place::Secure(location) => redirect(&location, &errand),
        Place::Nobody => Page::NoSite.answer(errand.headers()),
    }
}

/// What is refused whoever it is for.
fn refused<B: Body>(request: &Request<B>, body_bytes_max: u64) -> Option<Page> {
    if let Some(status) = request.headers().get(REFUSAL_FIELD) {
        return Some(Page::of_refusal(status));
    }
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Some(Page::MethodNotAllowed);
    }
    let target = request.uri().path_and_query();
    if target.is_some_and(|target| target.as_str().len() > TARGET_BYTES_MAX) {
        return Some(Page::UriTooLong);
    }
    if request.body().size_hint().lower() > body_bytes_max {
        return Some(Page::BodyTooLarge);
    }
    None
}

fn place<B>(
    table: &RoutingTable,
    entrance: Entrance,
    authority: &Authority,
    request: &Request<B>,
) -> Place {
    let path = request.uri().path();
    let panel = || match entrance {
        Entrance::Plain { https_port } => {
            let host = authority.host();
            let port = match https_port {
                443 => String::new(),
                port => format!(":{port}"),
            };
            let target = request
                .uri()
                .path_and_query()
                .map_or("/", |target| target.as_str());
            Place::Secure(format!("https://{host}{port}{target}"))
        }
        Entrance::Secure | Entrance::Panel if is_api(path) => Place::Api,
        Entrance::Secure | Entrance::Panel => Place::Panel,
    };
    if entrance == Entrance::Panel || is_address(authority.host()) {
        return panel();
    }
    let Ok(domain) = DomainName::parse(authority.host()) else {
        return Place::Nobody;
    };
    if table.is_panel(&domain) {
        return panel();
    }
    table.site(&domain).map_or(Place::Nobody, Place::Site)
}

/// The API's paths, compared as they are sent: what only decodes to one goes to the panel, which
/// knows no such page.
fn is_api(path: &str) -> bool {
    path == "/api/v1" || path.starts_with("/api/v1/")
}

/// Under a bare address every node serves the panel.
fn is_address(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    bare.parse::<IpAddr>().is_ok() || host == "localhost"
}

fn redirect(location: &str, errand: &Errand) -> Response<AnswerBody> {
    let Ok(location) = HeaderValue::from_str(location) else {
        return Page::BadRequest.answer(errand.headers());
    };
    let mut answer = Response::new(AnswerBody::page(bytes::Bytes::new()));
    *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
    answer.headers_mut().insert(header::LOCATION, location);
    answer
}

/// The panel and the API run on every node: there is no other to try.
async fn to_panel(
    shared: &Arc<Shared>,
    upstream: Upstream,
    mut errand: Errand,
    visitor: Visitor,
) -> Response<AnswerBody> {
    headers::name_client(errand.headers_mut(), visitor);
    let sent = send(shared, upstream, errand.is_repeatable(), || {
        errand.request()
    });
    let limit = shared.config.limits.response;
    let outcome = match tokio::time::timeout(limit, sent).await {
        Err(_late) => Outcome::Failed(Page::TooSlow),
        Ok(Ok(answer)) => {
            let never = Box::pin(std::future::pending());
            finish(shared, &errand, answer, never, None, None)
        }
        Ok(Err(error)) => Outcome::Failed(match error {
            SendError::Connect { .. } | SendError::Dial(_) | SendError::NotSent(_) => {
                page_of(&error, Page::PanelDown)
            }
            SendError::Visitor(_) | SendError::Died(_) => page_of(&error, Page::NoAnswer),
        }),
    };
    match outcome {
        Outcome::Answer(answer) => answer,
        Outcome::Failed(page) => page.answer(errand.headers()),
        Outcome::Again(_) => Page::PanelDown.answer(errand.headers()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::NodeId;

    fn place_of(entrance: Entrance, host: &str, path: &str) -> Place {
        let desired = crate::routes::tests::desired();
        let table = RoutingTable::build(&desired, Default::default(), NodeId(1));
        let request = Request::builder().uri(path).body(()).expect("a request");
        let authority: Authority = host.parse().expect("a host");
        place(&table, entrance, &authority, &request)
    }

    #[test]
    fn each_door_leads_where_its_sign_says() {
        let plain = Entrance::Plain { https_port: 443 };
        let to = |location: &str| Place::Secure(location.to_owned());
        for (entrance, host, path, expected) in [
            (Entrance::Panel, "anything", "/", Place::Panel),
            (Entrance::Panel, "10.0.0.1:8443", "/api/v1/me", Place::Api),
            (Entrance::Panel, "shop.example", "/api/v1", Place::Api),
            (Entrance::Panel, "shop.example", "/api/v10", Place::Panel),
            (Entrance::Panel, "a.example", "/%61pi/v1/me", Place::Panel),
            (Entrance::Secure, "panel.example", "/api/v1/me", Place::Api),
            (Entrance::Secure, "PANEL.example", "/", Place::Panel),
            (Entrance::Secure, "10.0.0.1", "/", Place::Panel),
            (Entrance::Secure, "[::1]", "/", Place::Panel),
            (Entrance::Secure, "nobody.example", "/", Place::Nobody),
            (Entrance::Secure, "-.example", "/", Place::Nobody),
            (
                plain,
                "panel.example:80",
                "/a?b=c",
                to("https://panel.example/a?b=c"),
            ),
            (
                Entrance::Plain { https_port: 4443 },
                "10.0.0.1",
                "/",
                to("https://10.0.0.1:4443/"),
            ),
        ] {
            assert_eq!(
                place_of(entrance, host, path),
                expected,
                "{entrance:?} {host} {path}"
            );
        }
        for host in ["shop.example", "Shop.Example:80", "www.shop.example"] {
            let found = place_of(plain, host, "/api/v1/me");
            assert!(matches!(found, Place::Site(_)), "{host}: {found:?}");
        }
    }
}
