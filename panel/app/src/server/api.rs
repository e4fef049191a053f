//! The panel's way to the API: typed calls over whatever transport the server brings.
//!
//! The panel decides nothing about who may do what: it passes the visitor's session on, and the
//! API, which it can't bypass, authorises.

use crate::refusal::Refusal;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{Call, Method, PREFIX};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A visitor's sealed session. Has no `Debug`: it must not reach a log.
#[derive(Clone)]
pub struct SessionToken(String);

impl SessionToken {
    /// Takes what the cookie holds; none for what no token can look like.
    #[must_use]
    pub fn from_cookie(value: &str) -> Option<Self> {
        let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic());
        (!value.is_empty() && is_plain).then(|| Self(value.to_owned()))
    }

    /// The token, to be sent to the API and nowhere else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A call, ready to be sent.
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// JSON; none for calls without a body.
    pub body: Option<Vec<u8>>,
    /// For whom.
    pub token: Option<SessionToken>,
    /// From where the visitor came, as the cluster's proxy saw it.
    pub client: Option<String>,
}

/// What came back.
pub struct ApiResponse {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
#[error("reach the API")]
pub struct TransportError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Carries calls to the API.
pub trait Transport: Send + Sync {
    /// Sends one call and waits for its answer.
    fn send(
        &self,
        request: ApiRequest,
    ) -> Pin<Box<dyn Future<Output = Result<ApiResponse, TransportError>> + Send + '_>>;
}

/// The API, as one visitor may use it.
#[derive(Clone)]
pub struct Api {
    transport: Arc<dyn Transport>,
    token: Option<SessionToken>,
    client: Option<String>,
}

impl Api {
    /// The API for a visitor with this session, from this address.
    #[must_use]
    pub fn new(
        transport: Arc<dyn Transport>,
        token: Option<SessionToken>,
        client: Option<String>,
    ) -> Self {
        Self {
            transport,
            token,
            client,
        }
    }

    /// Whether the visitor brought a session at all, valid or not.
    #[must_use]
    pub const fn has_session(&self) -> bool {
        self.token.is_some()
    }

    /// Makes one call.
    ///
    /// # Errors
    /// The problem that the API answered, or that nobody answered.
    pub async fn call<C: Call + Sync>(&self, call: &C) -> Result<C::Answer, Refusal>
    where
        C::Body: Sync,
    {
        let path = format!("{PREFIX}{}", call.path());
        let request = ApiRequest {
            method: C::METHOD,
            body: body_of(call)?,
            path: path.clone(),
            token: self.token.clone(),
            client: self.client.clone(),
        };
        let response = self.transport.send(request).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(api.path = path, cause, "the API does not answer");
            Refusal::unreachable()
        })?;
        read_answer::<C>(&path, &response)
    }
}

/// The call's body as JSON; none where it has none.
fn body_of<C: Call>(call: &C) -> Result<Option<Vec<u8>>, Refusal> {
    let json = serde_json::to_vec(call.body()).map_err(|error| {
        tracing::error!(%error, "a call has no JSON form");
        Refusal::unreachable()
    })?;
    // The body of a call without one is `()`, in JSON `null`.
    Ok((json != b"null").then_some(json))
}

/// Reads an answer or a problem. What is neither is an answer of something that is not our API.
fn read_answer<C: Call>(path: &str, response: &ApiResponse) -> Result<C::Answer, Refusal> {
    if (200..300).contains(&response.status) {
        return serde_json::from_slice(&response.body).map_err(|error| {
            tracing::error!(api.path = path, %error, "the API's answer can't be read");
            Refusal::unreachable()
        });
    }
    match serde_json::from_slice::<Problem>(&response.body) {
        Ok(problem) => {
            if problem.code == ProblemCode::Internal {
                tracing::warn!(
                    api.path = path,
                    incident = problem.detail,
                    "internal problem"
                );
            }
            Err(problem.into())
        }
        Err(error) => {
            tracing::error!(
                api.path = path,
                status = response.status,
                %error,
                "the API's problem can't be read"
            );
            Err(Refusal::unreachable())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Reason;
    use hwc_api::ids::SiteId;
    use hwc_api::v1::{DeleteSite, DeleteSiteBody, Nothing, ReadSite};

    fn response(status: u16, body: &str) -> ApiResponse {
        ApiResponse {
            status,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn answers_problems_and_nonsense_are_told_apart() {
        let good = read_answer::<DeleteSite>("/x", &response(200, "{}"));
        assert_eq!(good, Ok(Nothing {}));
        let refused = read_answer::<DeleteSite>(
            "/x",
            &response(409, r#"{"code":"site-busy","message":"busy"}"#),
        );
        assert_eq!(
            refused.map_err(|refusal| refusal.code()),
            Err(Some(ProblemCode::SiteBusy))
        );
        for nonsense in [response(502, "<html>"), response(200, "<html>")] {
            let read = read_answer::<DeleteSite>("/x", &nonsense);
            assert_eq!(
                read.map_err(|refusal| refusal.reason),
                Err(Reason::Unreachable)
            );
        }
    }

    #[test]
    fn only_calls_with_a_body_send_one() {
        let read = ReadSite { site: SiteId(4) };
        assert_eq!(body_of(&read), Ok(None));
        let delete = DeleteSite {
            site: SiteId(4),
            body: DeleteSiteBody {
                confirm: "a.example".to_owned(),
            },
        };
        assert_eq!(
            body_of(&delete),
            Ok(Some(br#"{"confirm":"a.example"}"#.to_vec()))
        );
    }

    #[test]
    fn a_token_holds_nothing_that_could_end_a_header() {
        assert!(SessionToken::from_cookie("abc.DEF_-1").is_some());
        for bad in ["", "a b", "a\r\nx: y", "ü"] {
            assert!(SessionToken::from_cookie(bad).is_none(), "{bad:?}");
        }
    }
}
