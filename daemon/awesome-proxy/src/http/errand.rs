//! A visitor's request as it can be sent, more than once if need be: head cleaned, body unread.

use super::body::{BodyLimits, BodySlot, Release, RequestBody};
use super::headers;
use super::strict::RawSwitch;
use crate::config::Limits;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri};
use hyper::body::{Body, Incoming, SizeHint};
use hyper::upgrade::OnUpgrade;
use tokio::sync::oneshot;

/// See the head of this file.
pub(super) struct Errand {
    method: Method,
    target: Uri,
    headers: HeaderMap,
    body: Option<(BodySlot, SizeHint)>,
    upgrade: Option<Upgrade>,
    limits: BodyLimits,
    head_bytes: usize,
}

/// A WebSocket that the visitor asks for.
#[derive(Clone)]
pub(super) struct Upgrade {
    /// The visitor's connection, once it was answered with 101.
    pub visitor: OnUpgrade,
    /// Tells the strict reader that HTTP ends; none between nodes.
    pub raw: Option<RawSwitch>,
}

impl Errand {
    /// Takes a request whose fields were cleaned already, so that they can go on as they are.
    pub fn new(
        mut request: Request<Incoming>,
        is_websocket: bool,
        raw: Option<RawSwitch>,
        limits: &Limits,
    ) -> Self {
        let head_bytes = headers::head_bytes(&request);
        let upgrade = is_websocket.then(|| Upgrade {
            visitor: hyper::upgrade::on(&mut request),
            raw,
        });
        let (parts, body) = request.into_parts();
        let size = body.size_hint();
        let body = (!body.is_end_stream()).then(|| (BodySlot::new(body), size));
        Self {
            target: origin_form(&parts.uri),
            method: parts.method,
            headers: parts.headers,
            body,
            upgrade,
            limits: BodyLimits {
                bytes: limits.body_bytes,
                stall: limits.stall,
            },
            head_bytes,
        }
    }

    /// The fields, for pages that answer in the visitor's language.
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The fields, to add to.
    pub const fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// Bytes of the head, about.
    pub const fn head_bytes(&self) -> usize {
        self.head_bytes
    }

    /// The WebSocket that the visitor asks for.
    pub fn upgrade(&self) -> Option<Upgrade> {
        self.upgrade.clone()
    }

    /// Whether it may be carried out twice: a method without effect (RFC 9110, 9.2.1) and no body.
    pub fn is_repeatable(&self) -> bool {
        self.is_safe() && self.body.is_none()
    }

    /// Whether a node that refused it did so without taking anything of it.
    pub fn is_untouched(&self) -> bool {
        self.body.as_ref().is_none_or(|(slot, _)| slot.is_unread())
    }

    /// Whether the beginning of its answer may be read ahead, so that it can still be repeated.
    pub fn is_plain_get(&self) -> bool {
        self.method == Method::GET && self.is_repeatable() && self.upgrade.is_none()
    }

    fn is_safe(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// The request for a service on this machine.
    pub fn request(&self) -> Request<RequestBody> {
        self.build(self.headers.clone(), None)
    }

    /// The request for another node, whose body is held until that node asks for it.
    pub fn request_to_peer(&self, asked: HeaderMap) -> (Request<RequestBody>, Option<Release>) {
        let mut headers = self.headers.clone();
        headers.extend(asked);
        if self.body.is_none() {
            return (self.build(headers, None), None);
        }
        headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
        let (release, hold) = Release::new();
        let mut request = self.build(headers, Some(hold));
        let asked_for = release.clone();
        hyper::ext::on_informational(&mut request, move |answer| {
            if answer.status() == http::StatusCode::CONTINUE {
                asked_for.go();
            }
        });
        (request, Some(release))
    }

    fn build(
        &self,
        headers: HeaderMap,
        hold: Option<oneshot::Receiver<()>>,
    ) -> Request<RequestBody> {
        let body = match &self.body {
            Some((slot, size)) => RequestBody::held(slot.clone(), hold, *size, self.limits),
            None => RequestBody::none(self.limits),
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = headers;
        if self.upgrade.is_some() {
            let headers = request.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        request
    }
}

/// Path and query alone, as a server that is not a proxy is asked.
fn origin_form(uri: &Uri) -> Uri {
    let target = uri
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::from(target)
}
