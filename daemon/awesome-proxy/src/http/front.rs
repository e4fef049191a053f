//! What a visitor's request is for: a site, the panel, the API, or nothing that is here.

use super::delivery::{Answer, Setback, deliver, failed, finish};
use super::errand::{BodySize, Errand};
use super::headers::{self, Field, Notes, Visitor};
use super::origin::Origin;
use super::pages::{Page, Reply, Tastes};
use super::send::{SendError, Way, send};
use super::source::Source;
use super::stop::Stop;
use super::successor;
use super::upstream::Upstream;
use crate::gates::Door;
use crate::routes::{RoutingTable, SiteEntry};
use crate::shared::Shared;
use http::uri::Authority;
use hwc_api::names::DomainName;
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

    pub const fn is_secure(self) -> bool {
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

/// A request as it arrived, in whatever version of HTTP.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    pub method: &'a str,
    /// The host that stands in the request's target.
    pub authority: Option<&'a str>,
    /// Path and query.
    pub target: &'a str,
    pub fields: &'a [Field<'a>],
    pub notes: &'a Notes<'a>,
    pub body: BodySize,
}

/// What is to be done for a request.
pub(super) enum Order {
    /// Answer it ourselves.
    Reply(Reply),
    /// Bring it to the live node of a site.
    Site(Arc<Door>, Errand),
    /// Bring it to this node's panel or API.
    Panel(Upstream, Errand),
    /// Bring it to the process that follows this one.
    Successor(Errand),
}

/// Decides what is to be done for a visitor's request.
pub(super) fn receive(
    shared: &Shared,
    entrance: Entrance,
    visitor: &Visitor,
    arrival: &Arrival<'_>,
    may_upgrade: bool,
) -> Order {
    let page = |page: Page| Order::Reply(page.reply(Tastes::of(arrival.fields)));
    if let Some(refusal) = refused(arrival, shared.config.limits.body_bytes) {
        return page(refusal);
    }
    let authority = match authority(arrival.authority, arrival.notes) {
        Ok(authority) => authority,
        Err(rule) => {
            tracing::debug!(%rule, "request refused");
            return page(Page::BadRequest);
        }
    };
    let errand = || {
        let mut errand = Errand::begin(arrival.method, arrival.target, arrival.body);
        errand.wants_websocket = may_upgrade && arrival.notes.wants_websocket;
        errand.takes_trailers = !may_upgrade || arrival.notes.takes_trailers;
        errand.origin = Some(Origin {
            entrance,
            address: visitor.ip,
        });
        let out = errand.fields_mut();
        headers::write_request(out, arrival.fields, arrival.notes, authority.whole, visitor);
        errand
    };
    if shared.succession.is_begun() {
        return Order::Successor(errand());
    }
    let table = shared.table.load();
    match place(&table, entrance, authority, arrival.target) {
        Place::Site(site) if site.is_suspended => page(Page::Suspended),
        Place::Site(site) => {
            let mut errand = errand();
            errand.unread_name = table.unread_name(authority.host);
            Order::Site(shared.doors.door(site.dataset), errand)
        }
        Place::Panel => Order::Panel(Upstream::Panel, named(errand(), visitor)),
        Place::Api => Order::Panel(Upstream::Api, named(errand(), visitor)),
        Place::Secure(location) => Order::Reply(Reply::empty(308, ("location", &location))),
        Place::Nobody => page(Page::NoSite),
    }
}

fn named(mut errand: Errand, visitor: &Visitor) -> Errand {
    headers::write_client(errand.fields_mut(), visitor);
    errand
}

/// Does what is to be done; says also whether the visitor takes trailers. `is_announced`: it comes
/// from the process before this one, which stands by it when it begins to send its body.
pub(super) async fn carry_out<S: Source>(
    shared: &Arc<Shared>,
    order: Order,
    source: S,
    is_announced: bool,
) -> (Answer<S>, bool) {
    match order {
        Order::Reply(reply) => (Answer::Page(reply), false),
        Order::Site(door, errand) => {
            let answer = deliver(shared, &door, &errand, source, is_announced).await;
            (answer, errand.takes_trailers)
        }
        Order::Panel(upstream, errand) => {
            let answer = to_panel(shared, upstream, &errand, source, is_announced).await;
            (answer, errand.takes_trailers)
        }
        Order::Successor(errand) => {
            let answer = successor::deliver(shared, &errand, Some(source)).await;
            (answer, errand.takes_trailers)
        }
    }
}

/// What is refused whoever it is for.
fn refused(arrival: &Arrival<'_>, body_bytes_max: u64) -> Option<Page> {
    if matches!(arrival.method, "CONNECT" | "TRACE") {
        return Some(Page::MethodNotAllowed);
    }
    if arrival.target.len() > TARGET_BYTES_MAX {
        return Some(Page::UriTooLong);
    }
    let is_target =
        arrival.target.starts_with('/') || (arrival.target == "*" && arrival.method == "OPTIONS");
    if !is_target {
        return Some(Page::BadRequest);
    }
    match arrival.body {
        BodySize::Sized(length) if length > body_bytes_max => Some(Page::BodyTooLarge),
        BodySize::None | BodySize::Sized(_) | BodySize::Unknown => None,
    }
}

/// A host with its port, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Named<'a> {
    whole: &'a str,
    /// Without the port; an address of IPv6 in its brackets.
    host: &'a str,
}

/// The authority that a request is for, from its target or its `Host`; they must agree.
///
/// # Errors
/// When there is none, more than one, or two that differ. Says which rule is broken.
fn authority<'a>(target: Option<&'a str>, notes: &Notes<'a>) -> Result<Named<'a>, &'static str> {
    if notes.hosts > 1 {
        return Err("more than one Host");
    }
    let host = notes.host.map(std::str::from_utf8).transpose();
    let host = host.map_err(|_| "Host is not text")?;
    let whole = match (target, host) {
        (Some(target), Some(host)) if !target.eq_ignore_ascii_case(host) => {
            return Err("the request's target and its Host differ");
        }
        (Some(whole), _) | (None, Some(whole)) => whole,
        (None, None) => return Err("no Host"),
    };
    let is_port = |port: &str| {
        let digits = port.strip_prefix(':').unwrap_or(port);
        digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (name, port) = whole.split_at(whole.find(':').unwrap_or(whole.len()));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if !name.is_empty() && name.bytes().all(is_plain) && is_port(port) {
        return Ok(Named { whole, host: name });
    }
    let parsed: Authority = whole.parse().map_err(|_| "Host is not a host")?;
    if whole.contains('@') {
        return Err("a Host with a user name");
    }
    let (host, port) = whole.split_at(parsed.host().len());
    if !is_port(port) {
        return Err("Host has a port that is none");
    }
    Ok(Named { whole, host })
}

fn place(table: &RoutingTable, entrance: Entrance, authority: Named<'_>, target: &str) -> Place {
    let path = target.split('?').next().unwrap_or_default();
    let panel = || match entrance {
        Entrance::Plain { https_port } => {
            let port = match https_port {
                443 => String::new(),
                port => format!(":{port}"),
            };
            Place::Secure(format!("https://{}{port}{target}", authority.host))
        }
        Entrance::Secure | Entrance::Panel if is_api(path) => Place::Api,
        Entrance::Secure | Entrance::Panel => Place::Panel,
    };
    if entrance == Entrance::Panel {
        return panel();
    }
    // What stands in the table is no address and no other name.
    if let Some(site) = table.site_of_host(authority.host) {
        return Place::Site(site);
    }
    if is_address(authority.host) {
        return panel();
    }
    let Ok(domain) = DomainName::parse(authority.host) else {
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

/// The panel and the API run on every node: there is no other to try.
async fn to_panel<S: Source>(
    shared: &Arc<Shared>,
    upstream: Upstream,
    errand: &Errand,
    source: S,
    is_announced: bool,
) -> Answer<S> {
    let way = Way {
        upstream,
        introduction: None,
        is_announced,
    };
    let (mut stop, mut source) = (Stop::Never, Some(source));
    let outcome = match send(shared, way, errand, &mut source, &mut stop).await {
        Ok((head, exchange)) => finish(shared, errand, head, exchange, stop, None),
        Err(SendError::Connect(_) | SendError::Unsent(_)) if shared.succession.is_begun() => {
            return successor::deliver(shared, errand, source).await;
        }
        Err(error @ (SendError::Connect(_) | SendError::Unsent(_))) => {
            tracing::debug!(%error, "the panel does not answer");
            Err(Setback::Failed(Page::PanelDown))
        }
        Err(SendError::Died(_)) => Err(Setback::Failed(Page::NoAnswer)),
        Err(error) => failed(&error),
    };
    match outcome {
        Ok(answer) => answer,
        Err(Setback::Failed(page)) => Answer::page(page, errand),
        Err(Setback::Again(_) | Setback::Cut) => Answer::page(Page::PanelDown, errand),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::NodeId;

    fn place_of(entrance: Entrance, host: &str, path: &str) -> Place {
        let desired = crate::routes::tests::desired();
        let table = RoutingTable::build(&desired, Default::default(), NodeId(1));
        let notes = Notes::of(&[]);
        let authority = authority(Some(host), &notes).expect("a host");
        place(&table, entrance, authority, path)
    }

    #[test]
    fn target_and_host_must_agree() {
        let host = |target, hosts: &[&str]| {
            let fields: Vec<Field<'_>> = hosts
                .iter()
                .map(|host| (&b"Host"[..], host.as_bytes()))
                .collect();
            authority(target, &Notes::of(&fields)).map(|named| named.host.to_owned())
        };
        assert_eq!(host(None, &["a.example"]), Ok("a.example".into()));
        assert_eq!(host(None, &["a.example:80"]), Ok("a.example".into()));
        assert_eq!(host(None, &["[::1]:80"]), Ok("[::1]".into()));
        assert_eq!(host(Some("a.example"), &[]), Ok("a.example".into()));
        assert_eq!(
            host(Some("a.example"), &["A.example"]),
            Ok("a.example".into())
        );
        for (target, hosts) in [
            (None, &[][..]),
            (None, &[""]),
            (None, &["a.example", "a.example"]),
            (None, &["a.example, b.example"]),
            (None, &["a.example/b"]),
            (None, &["a.example:80a"]),
            (None, &["user@a.example"]),
            (Some("a.example"), &["b.example"]),
            (Some("a.example:81"), &["a.example"]),
        ] {
            assert!(host(target, hosts).is_err(), "{target:?} {hosts:?}");
        }
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
