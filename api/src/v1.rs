//! The public JSON API, version 1: what is asked, what is answered, what is told over WebSocket.
//!
//! Every call is a type that implements [`Call`]: its method, its path and its answer are
//! known to the compiler on both sides. Errors are a [`Problem`](crate::problem::Problem) with its
//! HTTP status. Requests refuse unknown fields.

mod accounts;
mod apps;
mod cluster;
mod cluster_settings;
mod events;
mod journal;
mod keys;
mod moves;
mod registry;
mod sessions;
mod sites;

pub use accounts::*;
pub use apps::*;
pub use cluster::*;
pub use cluster_settings::*;
pub use events::*;
pub use journal::*;
pub use keys::*;
pub use moves::*;
pub use registry::*;
pub use sessions::*;
pub use sites::*;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Where the API begins on every node.
pub const PREFIX: &str = "/api/v1";
/// The cookie that carries a session. The prefix makes browsers send it to this host only, and
/// only over HTTPS.
pub const SESSION_COOKIE: &str = "__Host-hwc-session";

/// HTTP methods that calls use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or does.
    Post,
    /// Changes.
    Put,
    /// Deletes or ends.
    Delete,
}

impl Method {
    /// As in HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// One call of the API.
pub trait Call {
    /// Its HTTP method.
    const METHOD: Method;
    /// What is answered, as JSON.
    type Answer: DeserializeOwned + Serialize;
    /// What is sent as JSON; `()` for calls without a body.
    type Body: Serialize;

    /// Path and query, after [`PREFIX`].
    fn path(&self) -> String;
    /// The body to send.
    fn body(&self) -> &Self::Body;
}

/// An answer without content, in JSON an empty object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Implements [`Call`] for a type without body, whose path is a function of itself.
macro_rules! call_without_body {
    ($type:ty, $method:ident, $answer:ty, |$self:ident| $path:expr) => {
        impl $crate::v1::Call for $type {
            const METHOD: $crate::v1::Method = $crate::v1::Method::$method;
            type Answer = $answer;
            type Body = ();
            fn path(&self) -> String {
                let $self = self;
                $path
            }
            fn body(&self) -> &() {
                &()
            }
        }
    };
}
pub(crate) use call_without_body;

/// Implements [`Call`] for a type that carries its body in the field `body`.
macro_rules! call_with_body {
    ($type:ty, $method:ident, $body:ty, $answer:ty, |$self:ident| $path:expr) => {
        impl $crate::v1::Call for $type {
            const METHOD: $crate::v1::Method = $crate::v1::Method::$method;
            type Answer = $answer;
            type Body = $body;
            fn path(&self) -> String {
                let $self = self;
                $path
            }
            fn body(&self) -> &$body {
                &self.body
            }
        }
    };
}
pub(crate) use call_with_body;
