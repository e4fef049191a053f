//! Header fields across the proxy: what ends here, what is stripped, what we add; pure.
//!
//! Fields are names and values as they came, judged by `grammar` or by HTTP/2; what goes on is
//! written as lines, once, and sent as often as it must be.

use super::grammar::is_forbidden_in_trailer;
use hwc_api::ids::DatasetId;
use hwc_api::ownership::Epoch;
use std::io::Write;
use std::net::IpAddr;

/// Who the visitor is, for the panel and the API alone. Stripped from what visitors send.
const CLIENT: &str = "x-hwc-client";
/// How often a request went from node to node already.
const HOP: &str = "x-hwc-hop";
/// For which dataset one node asks another.
const DATASET: &str = "x-hwc-dataset";
/// Under which epoch it believes the other to be live.
const EPOCH: &str = "x-hwc-epoch";
/// The body, or that there is none, follows only when the other says that the request has a place.
const HOLD: &str = "x-hwc-hold";
/// In an answer between nodes: this node does not serve that dataset under that epoch.
pub(super) const NOT_HERE: &str = "x-hwc-not-here";

/// A field's name and value.
pub(super) type Field<'a> = (&'a [u8], &'a [u8]);

/// A visitor, as those behind us are told of them.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub ip: IpAddr,
    /// The visitor's address as text.
    address: String,
    /// Whether the visitor speaks TLS to us.
    is_secure: bool,
}

impl Visitor {
    pub fn new(address: IpAddr, is_secure: bool) -> Self {
        Self {
            ip: address,
            address: address.to_string(),
            is_secure,
        }
    }
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Goes on as it is.
    Plain,
    /// Goes on; several become one.
    Cookie,
    /// Said anew by us: the host and the body's length.
    Said,
    /// For one connection only (RFC 9110, 7.6.1), whether `Connection` names it or not.
    Hop,
    /// Only we may say it.
    Ours,
}

fn fate(name: &[u8]) -> Fate {
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    match name.len() {
        4 if is("host") => Fate::Said,
        14 if is("content-length") => Fate::Said,
        6 if is("cookie") => Fate::Cookie,
        2 if is("te") => Fate::Hop,
        6 if is("expect") => Fate::Hop,
        7 if is("upgrade") => Fate::Hop,
        10 if is("connection") || is("keep-alive") => Fate::Hop,
        16 if is("proxy-connection") => Fate::Hop,
        17 if is("transfer-encoding") => Fate::Hop,
        18 if is("proxy-authenticate") => Fate::Hop,
        19 if is("proxy-authorization") => Fate::Hop,
        _ if is_ours(name) => Fate::Ours,
        _ => Fate::Plain,
    }
}

/// Names that only we may say, and such that CGI would read as one of them: PHP sees `X_Y` and
/// `X-Y` as the same variable; `Proxy` becomes HTTP_PROXY.
fn is_ours(name: &[u8]) -> bool {
    let begins = |prefix: &str| begins_with(name, prefix);
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    match name.first() {
        Some(b'x' | b'X') if begins("x-forwarded-") || is_internal(name) || is("x-real-ip") => true,
        Some(b'f' | b'F') if is("forwarded") => true,
        Some(b'p' | b'P') if is("proxy") => true,
        Some(_) | None => name.contains(&b'_'),
    }
}

/// Names that nodes speak among each other.
fn is_internal(name: &[u8]) -> bool {
    begins_with(name, "x-hwc-")
}

fn begins_with(name: &[u8], prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// What a head's fields say to the connection that they came by.
#[derive(Debug, Default)]
pub(super) struct Notes<'a> {
    /// The value of `Host`.
    pub host: Option<&'a [u8]>,
    /// How often there is one.
    pub hosts: usize,
    /// `Connection: close`.
    pub closes: bool,
    /// `Connection: keep-alive`.
    pub keeps_alive: bool,
    /// `Connection: upgrade` and `Upgrade: websocket`, the one upgrade that passes.
    pub wants_websocket: bool,
    /// `Expect: 100-continue`.
    pub expects_continue: bool,
    /// `TE: trailers`.
    pub takes_trailers: bool,
    /// Whether there is a `Date`.
    pub has_date: bool,
    /// Whether there is a [`NOT_HERE`].
    pub is_not_here: bool,
    /// Other fields that `Connection` names.
    named: Vec<&'a [u8]>,
    cookies: usize,
}

impl<'a> Notes<'a> {
    /// Reads what the fields say.
    pub fn of(fields: &[Field<'a>]) -> Self {
        let mut notes = Self::default();
        let mut names_upgrade = false;
        let mut is_websocket = false;
        for &(name, value) in fields {
            let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
            match name.len() {
                2 if is("te") => {
                    notes.takes_trailers |= words(value).any(|word| equal(word, "trailers"));
                }
                4 if is("host") => {
                    notes.host = Some(value);
                    notes.hosts += 1;
                }
                4 if is("date") => notes.has_date = true,
                6 if is("cookie") => notes.cookies += 1,
                6 if is("expect") => notes.expects_continue = equal(value, "100-continue"),
                7 if is("upgrade") => is_websocket = equal(value, "websocket"),
                10 if is("connection") => {
                    for word in words(value) {
                        match word {
                            word if equal(word, "close") => notes.closes = true,
                            word if equal(word, "keep-alive") => notes.keeps_alive = true,
                            word if equal(word, "upgrade") => names_upgrade = true,
                            word => notes.named.push(word),
                        }
                    }
                }
                14 if is(NOT_HERE) => notes.is_not_here = true,
                _ => {}
            }
        }
        notes.wants_websocket = names_upgrade && is_websocket;
        notes
    }

    /// Whether the field goes on.
    fn passes(&self, name: &[u8]) -> bool {
        // What frames and routes the message is not for `Connection` to take away: it is said anew.
        !self
            .named
            .iter()
            .any(|named| named.eq_ignore_ascii_case(name))
    }
}

/// Writes a visitor's fields for those behind us: without what is for this connection and what
/// pretends to come from us, and with who the visitor is.
pub(super) fn write_request(
    out: &mut Vec<u8>,
    fields: &[Field<'_>],
    notes: &Notes<'_>,
    authority: &str,
    visitor: &Visitor,
) {
    line(out, b"host", authority.as_bytes());
    write_plain(out, fields, notes);
    line(out, b"x-forwarded-for", visitor.address.as_bytes());
    line(out, b"x-forwarded-host", authority.as_bytes());
    let proto = if visitor.is_secure { "https" } else { "http" };
    line(out, b"x-forwarded-proto", proto.as_bytes());
}

/// Writes the fields that another node's front door sent: it wrote them as [`write_request`] does.
pub(super) fn write_relayed(out: &mut Vec<u8>, fields: &[Field<'_>], notes: &Notes<'_>) {
    line(out, b"host", notes.host.unwrap_or_default());
    write_plain(out, fields, notes);
    for (name, value) in fields {
        if begins_with(name, "x-forwarded-") {
            line(out, name, value);
        }
    }
}

/// Writes what goes on as it is. HTTP/2 may cut cookies into several fields; HTTP/1.1 has one
/// (RFC 9113, 8.2.3).
fn write_plain(out: &mut Vec<u8>, fields: &[Field<'_>], notes: &Notes<'_>) {
    let mut are_cookies_written = false;
    for &(name, value) in fields {
        match fate(name) {
            Fate::Plain if notes.passes(name) => line(out, name, value),
            Fate::Cookie if notes.cookies > 1 => {
                if !are_cookies_written {
                    are_cookies_written = true;
                    let all = fields.iter().filter(|(name, _)| equal(name, "cookie"));
                    let all: Vec<&[u8]> = all.map(|(_, value)| *value).collect();
                    line(out, b"cookie", &all.join(&b"; "[..]));
                }
            }
            Fate::Cookie if notes.passes(name) => line(out, name, value),
            Fate::Plain | Fate::Cookie | Fate::Said | Fate::Hop | Fate::Ours => {}
        }
    }
}

/// Names the visitor to the panel or the API.
pub(super) fn write_client(out: &mut Vec<u8>, visitor: &Visitor) {
    line(out, CLIENT.as_bytes(), visitor.address.as_bytes());
}

/// Writes an upstream's fields for the visitor.
pub(super) fn write_answer(out: &mut Vec<u8>, fields: &[Field<'_>], notes: &Notes<'_>) {
    for &(name, value) in fields {
        let ends_here = match fate(name) {
            Fate::Said | Fate::Hop => true,
            Fate::Ours => is_internal(name),
            Fate::Plain | Fate::Cookie => false,
        };
        if !ends_here && notes.passes(name) {
            line(out, name, value);
        }
    }
}

/// Those lines of a trailer that may go on.
pub(super) fn write_trailer(out: &mut Vec<u8>, lines: &[u8]) {
    for (name, value) in read_lines(lines) {
        if !is_forbidden_in_trailer(name) && fate(name) == Fate::Plain {
            line(out, name, value);
        }
    }
}

/// The fields in lines that we wrote, or judged.
pub(super) fn read_lines(lines: &[u8]) -> impl Iterator<Item = Field<'_>> {
    lines.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        Some((name, value.get(1..)?.trim_ascii()))
    })
}

/// What one node asks another for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// How often the request went from node to node.
    pub hops: u32,
    /// The dataset.
    pub dataset: DatasetId,
    /// Under which epoch the other is believed to be live.
    pub epoch: Epoch,
    /// Whether the rest is held back until the other says that the request has a place.
    pub holds: Hold,
}

/// What is held back of a request between nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing: the request may be carried out twice.
    Nothing,
    /// The body.
    Body,
    /// The word that there is no body, in the form of an empty one: until then the request is not
    /// to be carried out.
    End,
}

impl Hold {
    const fn word(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Body => Some("body"),
            Self::End => Some("end"),
        }
    }
}

/// Says to the live node what we ask for.
pub(super) fn write_asked(out: &mut Vec<u8>, asked: Asked) {
    // Writing to memory does not fail.
    let _written = write!(
        out,
        "{HOP}: {}\r\n{DATASET}: {}\r\n{EPOCH}: {}\r\n",
        asked.hops, asked.dataset.0, asked.epoch
    );
    write_hold(out, asked.holds);
}

/// Says what is held back, and that trailers are taken: both as between front doors.
pub(super) fn write_hold(out: &mut Vec<u8>, holds: Hold) {
    line(out, b"te", b"trailers");
    if let Some(word) = holds.word() {
        line(out, HOLD.as_bytes(), word.as_bytes());
    }
}

/// Reads what is held back; none if it is nothing that we know.
pub(super) fn read_hold(fields: &[Field<'_>]) -> Option<Hold> {
    match fields.iter().find(|(name, _)| equal(name, HOLD)) {
        None => Some(Hold::Nothing),
        Some((_, b"body")) => Some(Hold::Body),
        Some((_, b"end")) => Some(Hold::End),
        Some(_) => None,
    }
}

/// Reads what another node asks for.
pub(super) fn read_asked(fields: &[Field<'_>]) -> Option<Asked> {
    let find = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| equal(name, wanted))?;
        std::str::from_utf8(found.1).ok()
    };
    Some(Asked {
        hops: find(HOP)?.parse().ok()?,
        dataset: find(DATASET)?.parse().ok()?,
        epoch: find(EPOCH)?.parse().ok()?,
        holds: read_hold(fields)?,
    })
}

/// Writes one field.
pub(super) fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|word| !word.is_empty())
}

pub(super) fn equal(bytes: &[u8], text: &str) -> bool {
    bytes.eq_ignore_ascii_case(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{BootId, NodeId};

    fn fields<'a>(lines: &'a [(&'a str, &'a str)]) -> Vec<Field<'a>> {
        lines
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect()
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<String> {
        let mut out = Vec::new();
        write(&mut out);
        let text = String::from_utf8(out).expect("text");
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    #[test]
    fn what_visitors_pretend_is_stripped() {
        let fields = fields(&[
            ("Connection", "close, X-Private, Host, content-length"),
            ("X-Private", "1"),
            ("Keep-Alive", "1"),
            ("TE", "trailers"),
            ("Upgrade", "h2c"),
            ("Proxy", "http://evil.example"),
            ("Forwarded", "for=1.2.3.4"),
            ("X-Forwarded-For", "1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("X-Real-IP", "1.2.3.4"),
            ("X-Hwc-Client", "1.2.3.4"),
            ("x-hwc-hop", "0"),
            ("x-hwc-epoch", "1-1-00000001"),
            ("Expect", "100-continue"),
            ("Content-Length", "3"),
            ("Transfer-Encoding", "chunked"),
            ("Cookie", "a=1"),
            ("cookie", "b=2"),
            ("Accept", "*/*"),
        ]);
        let visitor = Visitor::new(IpAddr::from([192, 0, 2, 7]), true);
        let notes = Notes::of(&fields);
        assert_eq!(
            written(|out| write_request(out, &fields, &notes, "a.example", &visitor)),
            [
                "Accept: */*",
                "cookie: a=1; b=2",
                "host: a.example",
                "x-forwarded-for: 192.0.2.7",
                "x-forwarded-host: a.example",
                "x-forwarded-proto: https",
            ]
        );
    }

    #[test]
    fn what_nodes_wrote_goes_on_between_them() {
        let visitor = Visitor::new(IpAddr::from([192, 0, 2, 7]), false);
        let sent = fields(&[("Host", "ignored"), ("Cookie", "a=1"), ("X-Mine", "1")]);
        let mut first = Vec::new();
        write_request(&mut first, &sent, &Notes::of(&sent), "a.example", &visitor);
        let mut asked = first.clone();
        write_asked(
            &mut asked,
            Asked {
                hops: 1,
                dataset: DatasetId(9),
                epoch: Epoch::NONE,
                holds: Hold::End,
            },
        );
        let received: Vec<_> = read_lines(&asked).collect();
        let notes = Notes::of(&received);
        let relayed = written(|out| write_relayed(out, &received, &notes));
        let expected = written(|out| out.extend_from_slice(&first));
        assert_eq!(relayed, expected);
        assert!(notes.takes_trailers);
    }

    #[test]
    fn what_upstreams_say_to_us_ends_here() {
        let fields = fields(&[
            ("Date", "now"),
            ("Connection", "Keep-Alive, X-Own"),
            ("X-Own", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Content-Length", "5"),
            ("Transfer-Encoding", "chunked"),
            ("X-Hwc-Not-Here", "1"),
            ("X-Real-IP", "kept"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
        ]);
        let notes = Notes::of(&fields);
        assert!(notes.has_date && notes.is_not_here && notes.keeps_alive && !notes.closes);
        assert_eq!(
            written(|out| write_answer(out, &fields, &notes)),
            [
                "Date: now",
                "Set-Cookie: a=1",
                "Set-Cookie: b=2",
                "X-Real-IP: kept"
            ]
        );
    }

    #[test]
    fn trailers_add_nothing_to_what_was_said_before() {
        let lines =
            b"X-Sum: 1\r\nHost: b\r\nX-Hwc-Client: 6\r\nx_y: 1\r\nTE: a\r\nGrpc-Status: 0\r\n";
        assert_eq!(
            written(|out| write_trailer(out, lines)),
            ["Grpc-Status: 0", "X-Sum: 1"]
        );
    }

    #[test]
    fn only_websockets_are_upgrades() {
        let wants = |lines: &[(&str, &str)]| Notes::of(&fields(lines)).wants_websocket;
        assert!(wants(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket")
        ]));
        assert!(!wants(&[("connection", "upgrade"), ("upgrade", "h2c")]));
        assert!(!wants(&[
            ("connection", "upgrade"),
            ("upgrade", "websocket, h2c")
        ]));
        assert!(!wants(&[("upgrade", "websocket")]));
    }

    #[test]
    fn what_nodes_ask_each_other_survives_the_wire() {
        for holds in [Hold::Nothing, Hold::Body, Hold::End] {
            let asked = Asked {
                hops: 1,
                dataset: DatasetId(9),
                epoch: Epoch {
                    counter: 3,
                    node: NodeId(2),
                    boot: BootId(7),
                },
                holds,
            };
            let mut out = Vec::new();
            write_asked(&mut out, asked);
            let fields: Vec<_> = read_lines(&out).collect();
            assert_eq!(read_asked(&fields), Some(asked));
        }
        assert_eq!(read_asked(&[]), None);
    }
}
