//! Header fields across the proxy: what ends here, what is stripped, what we add; pure.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, Version};
use hwc_api::ids::DatasetId;
use hwc_api::ownership::Epoch;
use std::net::IpAddr;

/// Who the visitor is, for the panel and the API alone. Stripped from what visitors send.
pub(super) const CLIENT: HeaderName = HeaderName::from_static("x-hwc-client");
/// How often a request went from node to node already.
pub(super) const HOP: HeaderName = HeaderName::from_static("x-hwc-hop");
/// For which dataset one node asks another.
pub(super) const DATASET: HeaderName = HeaderName::from_static("x-hwc-dataset");
/// Under which epoch it believes the other to be live.
pub(super) const EPOCH: HeaderName = HeaderName::from_static("x-hwc-epoch");
/// In an answer between nodes: this node does not serve that dataset under that epoch.
pub(super) const NOT_HERE: HeaderName = HeaderName::from_static("x-hwc-not-here");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Fields that are for one connection only (RFC 9110, 7.6.1), whether `Connection` names them or
/// not.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visitor {
    /// The visitor's address.
    pub address: IpAddr,
    /// Whether the visitor speaks TLS to us.
    pub is_secure: bool,
}

/// The authority that a request is for, from its target or its `Host`; they must agree.
///
/// # Errors
/// When there is none, more than one, or two that differ. Says which rule is broken.
pub(super) fn authority<B>(request: &Request<B>) -> Result<Authority, &'static str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err("more than one Host");
    }
    let host = host
        .map(|host| host.to_str().map(str::trim))
        .transpose()
        .map_err(|_| "Host is not text")?
        .map(|host| host.parse::<Authority>().map_err(|_| "Host is not a host"))
        .transpose()?;
    let target = request.uri().authority().cloned();
    let authority = match (target, host) {
        (Some(target), Some(host)) if !target.as_str().eq_ignore_ascii_case(host.as_str()) => {
            return Err("the request's target and its Host differ");
        }
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) => return Err("no Host"),
    };
    if authority.as_str().contains('@') {
        return Err("a Host with a user name");
    }
    Ok(authority)
}

/// Whether a request asks for a WebSocket: the one upgrade that passes.
pub(super) fn is_websocket<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && names(request.headers(), &header::CONNECTION).any(|name| name == "upgrade")
        && request
            .headers()
            .get(header::UPGRADE)
            .is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Makes a visitor's fields fit to go on: removes what is for this connection and what pretends to
/// come from us, and says who the visitor is.
pub(super) fn clean_request(headers: &mut HeaderMap, authority: &Authority, visitor: Visitor) {
    remove_hop_by_hop(headers);
    let spoofed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_ours(name.as_str()))
        .cloned()
        .collect();
    for name in spoofed {
        headers.remove(name);
    }
    headers.remove(header::EXPECT);
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        headers.insert(header::HOST, host.clone());
        headers.insert(FORWARDED_HOST, host);
    }
    headers.insert(FORWARDED_FOR, address(visitor.address));
    let proto = if visitor.is_secure { "https" } else { "http" };
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(proto));
    merge_cookies(headers);
}

/// Names the visitor to the panel or the API.
pub(super) fn name_client(headers: &mut HeaderMap, visitor: Visitor) {
    headers.insert(CLIENT, address(visitor.address));
}

/// Says to the live node what we ask for.
pub(super) fn ask_peer(headers: &mut HeaderMap, dataset: DatasetId, epoch: Epoch) {
    headers.insert(HOP, HeaderValue::from_static("1"));
    headers.insert(DATASET, HeaderValue::from(dataset.0));
    if let Ok(epoch) = HeaderValue::from_str(&epoch.to_string()) {
        headers.insert(EPOCH, epoch);
    }
}

/// What another node asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub hops: u32,
    pub dataset: DatasetId,
    pub epoch: Epoch,
}

/// Reads what another node asks for, and takes it out of the fields.
pub(super) fn asked(headers: &mut HeaderMap) -> Option<Asked> {
    let mut take = |name: &HeaderName| headers.remove(name)?.to_str().ok().map(str::to_owned);
    let (hops, dataset, epoch) = (take(&HOP), take(&DATASET), take(&EPOCH));
    Some(Asked {
        hops: hops?.parse().ok()?,
        dataset: dataset?.parse().ok()?,
        epoch: epoch?.parse().ok()?,
    })
}

/// Makes an upstream's fields fit for the visitor.
pub(super) fn clean_answer(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    let internal: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-hwc-"))
        .cloned()
        .collect();
    for name in internal {
        headers.remove(name);
    }
}

/// Removes the fields of one connection, those that it names included.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<String> = names(headers, &header::CONNECTION).collect();
    for name in named {
        // What frames and routes the message is not for `Connection` to take away.
        if name != "host" && name != "content-length" {
            headers.remove(name.as_str());
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// How many bytes a request's head takes, about.
pub(super) fn head_bytes<B>(request: &Request<B>) -> usize {
    let fields: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    let target = request
        .uri()
        .path_and_query()
        .map_or(1, |target| target.as_str().len());
    fields + target + 20
}

/// Names that only we may say, and such that CGI would read as one of them: PHP sees `X_Y` and
/// `X-Y` as the same variable; `Proxy` becomes HTTP_PROXY.
fn is_ours(name: &str) -> bool {
    name.starts_with("x-forwarded-")
        || name.starts_with("x-hwc-")
        || name.contains('_')
        || matches!(name, "forwarded" | "x-real-ip" | "proxy")
}

/// HTTP/2 may cut cookies into several fields; HTTP/1.1 has one (RFC 9113, 8.2.3).
fn merge_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if cookies.len() > 1
        && let Ok(merged) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, merged);
    }
}

fn names<'a>(headers: &'a HeaderMap, field: &HeaderName) -> impl Iterator<Item = String> + 'a {
    headers
        .get_all(field)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
}

fn address(address: IpAddr) -> HeaderValue {
    // An address has only characters that a field may have.
    HeaderValue::from_str(&address.to_string()).unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{BootId, NodeId};

    fn request(uri: &str, fields: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().uri(uri);
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(()).expect("a request")
    }

    #[test]
    fn target_and_host_must_agree() {
        let host = |uri, fields: &[_]| authority(&request(uri, fields)).map(|a| a.to_string());
        assert_eq!(host("/", &[("host", "a.example")]), Ok("a.example".into()));
        assert_eq!(host("http://a.example/", &[]), Ok("a.example".into()));
        assert_eq!(
            host("http://a.example/", &[("host", "A.example")]),
            Ok("a.example".into())
        );
        for (uri, fields) in [
            ("/", &[][..]),
            ("/", &[("host", "")]),
            ("/", &[("host", "a.example"), ("host", "a.example")]),
            ("/", &[("host", "a.example, b.example")]),
            ("/", &[("host", "a.example/b")]),
            ("/", &[("host", "user@a.example")]),
            ("http://a.example/", &[("host", "b.example")]),
            ("http://a.example:81/", &[("host", "a.example")]),
        ] {
            assert!(host(uri, fields).is_err(), "{uri} {fields:?}");
        }
    }

    #[test]
    fn what_visitors_pretend_is_stripped() {
        let mut headers = request(
            "/",
            &[
                ("connection", "close, X-Private, Host, content-length"),
                ("x-private", "1"),
                ("keep-alive", "1"),
                ("te", "trailers"),
                ("upgrade", "h2c"),
                ("proxy", "http://evil.example"),
                ("forwarded", "for=1.2.3.4"),
                ("x-forwarded-for", "1.2.3.4"),
                ("x_forwarded_for", "1.2.3.4"),
                ("x-real-ip", "1.2.3.4"),
                ("x-hwc-client", "1.2.3.4"),
                ("x-hwc-hop", "0"),
                ("x-hwc-epoch", "1-1-00000001"),
                ("expect", "100-continue"),
                ("content-length", "3"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
                ("accept", "*/*"),
            ],
        )
        .headers()
        .clone();
        let visitor = Visitor {
            address: IpAddr::from([192, 0, 2, 7]),
            is_secure: true,
        };
        clean_request(&mut headers, &Authority::from_static("a.example"), visitor);
        let mut left: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "accept: */*",
                "content-length: 3",
                "cookie: a=1; b=2",
                "host: a.example",
                "x-forwarded-for: 192.0.2.7",
                "x-forwarded-host: a.example",
                "x-forwarded-proto: https",
            ]
        );
    }

    #[test]
    fn only_websockets_are_upgrades() {
        let asks = |fields: &[_]| is_websocket(&request("/", fields));
        assert!(asks(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket")
        ]));
        assert!(!asks(&[("connection", "upgrade"), ("upgrade", "h2c")]));
        assert!(!asks(&[
            ("connection", "upgrade"),
            ("upgrade", "websocket, h2c")
        ]));
        assert!(!asks(&[("upgrade", "websocket")]));
    }

    #[test]
    fn what_nodes_ask_each_other_survives_the_wire() {
        let epoch = Epoch {
            counter: 3,
            node: NodeId(2),
            boot: BootId(7),
        };
        let mut headers = HeaderMap::new();
        ask_peer(&mut headers, DatasetId(9), epoch);
        let expected = Asked {
            hops: 1,
            dataset: DatasetId(9),
            epoch,
        };
        assert_eq!(asked(&mut headers), Some(expected));
        assert!(headers.is_empty());
        assert_eq!(asked(&mut headers), None);
    }
}
