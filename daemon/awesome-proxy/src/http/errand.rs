//! A visitor's request as it goes on: its head written once, sent as often as it must be.

use super::grammar::Framing;
use super::headers::{self, Field, Hold};
use super::origin::{Introduction, Origin};
use super::pages::Tastes;
use std::io::Write;

/// What is known of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Options,
    /// Those that say so when they have no body (RFC 9110, 8.6).
    WithBody,
    Other,
}

impl Method {
    /// A method by its name.
    pub fn of(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "OPTIONS" => Self::Options,
            "POST" | "PUT" | "PATCH" => Self::WithBody,
            _ => Self::Other,
        }
    }
}

/// What there is of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodySize {
    None,
    Sized(u64),
    Unknown,
}

impl BodySize {
    /// Of a request's framing.
    pub const fn of(framing: Framing) -> Self {
        match framing {
            Framing::Sized(0) => Self::None,
            Framing::Sized(length) => Self::Sized(length),
            Framing::Chunked | Framing::UntilEnd => Self::Unknown,
        }
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Errand {
    pub method: Method,
    pub body: BodySize,
    /// It asks for a WebSocket.
    pub wants_websocket: bool,
    /// Whose it is; none if another node sent it.
    pub origin: Option<Origin>,
    /// Whoever asked takes trailers in the answer.
    pub takes_trailers: bool,
    /// The name that it is for, if this node's web server had not read of it when it came.
    pub unread_name: Option<String>,
    /// The request line and all fields but those that frame the message.
    head: Vec<u8>,
}

impl Errand {
    /// Begins an errand with its request line.
    pub fn begin(method: &str, target: &str, body: BodySize) -> Self {
        let mut head = Vec::with_capacity(1024);
        for part in [method, " ", target, " HTTP/1.1\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        Self {
            method: Method::of(method),
            body,
            wants_websocket: false,
            origin: None,
            takes_trailers: false,
            unread_name: None,
            head,
        }
    }

    /// The fields, to add to.
    pub const fn fields_mut(&mut self) -> &mut Vec<u8> {
        &mut self.head
    }

    /// Bytes of the head.
    pub const fn head_bytes(&self) -> usize {
        self.head.len()
    }

    /// What pages the visitor wants.
    pub fn tastes(&self) -> Tastes {
        // The request line has no colon before its fields do no harm: it is no field's name.
        let fields: Vec<Field<'_>> = headers::read_lines(&self.head).collect();
        Tastes::of(&fields)
    }

    /// Whether it may be carried out twice: a method without effect (RFC 9110, 9.2.1) and no body.
    pub fn is_repeatable(&self) -> bool {
        let is_safe = matches!(self.method, Method::Get | Method::Head | Method::Options);
        is_safe && self.body == BodySize::None
    }

    /// Whether the beginning of its answer may be read ahead, so that it can still be repeated.
    pub fn is_plain_get(&self) -> bool {
        self.method == Method::Get && self.body == BodySize::None && !self.wants_websocket
    }

    /// What is held back of it between nodes.
    pub fn hold(&self) -> Hold {
        match self.body {
            _ if self.is_repeatable() => Hold::Nothing,
            BodySize::None => Hold::End,
            BodySize::Sized(_) | BodySize::Unknown => Hold::Body,
        }
    }

    /// Writes the whole head, with what another front door is told, if it goes to one.
    pub fn write(&self, out: &mut Vec<u8>, introduction: Option<Introduction>) {
        out.extend_from_slice(&self.head);
        if self.wants_websocket {
            out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n");
        }
        let holds = introduction.map_or(Hold::Nothing, Introduction::holds);
        if let Some(introduction) = introduction {
            introduction.write(out);
        }
        match self.body {
            BodySize::None if holds == Hold::End => {
                out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            }
            BodySize::None if self.method == Method::WithBody => {
                out.extend_from_slice(b"content-length: 0\r\n");
            }
            BodySize::None => {}
            BodySize::Sized(length) => {
                // Writing to memory does not fail.
                let _written = write!(out, "content-length: {length}\r\n");
            }
            BodySize::Unknown => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Whether its body goes on in chunks.
    pub fn is_chunked(&self, holds: Hold) -> bool {
        match self.body {
            BodySize::None => holds == Hold::End,
            BodySize::Sized(_) => false,
            BodySize::Unknown => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::headers::Asked;
    use hwc_api::ids::DatasetId;
    use hwc_api::ownership::Epoch;

    fn head(method: &str, body: BodySize, between_nodes: bool) -> String {
        let errand = Errand::begin(method, "/a?b", body);
        let asked = Introduction::Asked(Asked {
            hops: 1,
            dataset: DatasetId(1),
            epoch: Epoch::NONE,
            holds: errand.hold(),
        });
        let mut out = Vec::new();
        errand.write(&mut out, between_nodes.then_some(asked));
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn heads_say_what_follows() {
        use BodySize::{None, Sized, Unknown};
        let start = |method| format!("{method} /a?b HTTP/1.1\r\n");
        for (method, body, rest) in [
            ("GET", None, "\r\n"),
            ("DELETE", None, "\r\n"),
            ("POST", None, "content-length: 0\r\n\r\n"),
            ("POST", Sized(7), "content-length: 7\r\n\r\n"),
            ("PUT", Unknown, "transfer-encoding: chunked\r\n\r\n"),
        ] {
            assert_eq!(head(method, body, false), start(method) + rest);
        }
    }

    #[test]
    fn between_nodes_all_but_what_may_be_repeated_is_held() {
        use BodySize::{None, Sized, Unknown};
        for (method, body, hold, framing) in [
            ("GET", None, "", ""),
            ("HEAD", None, "", ""),
            ("GET", Sized(7), "body", "content-length: 7\r\n"),
            ("POST", None, "end", "transfer-encoding: chunked\r\n"),
            ("DELETE", None, "end", "transfer-encoding: chunked\r\n"),
            ("POST", Unknown, "body", "transfer-encoding: chunked\r\n"),
        ] {
            let head = head(method, body, true);
            let hold = match hold {
                "" => String::new(),
                word => format!("x-hwc-hold: {word}\r\n"),
            };
            let expected = format!("{hold}{framing}\r\n");
            assert!(head.ends_with(&expected), "{method} {body:?}: {head}");
            assert_eq!(head.contains("x-hwc-hold"), !hold.is_empty());
        }
    }
}
