//! How problems leave the API and are counted, and how requests are read so that every failure is a
//! problem.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hwc_api::problem::{Problem, ProblemCode};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A problem on its way out.
#[derive(Debug)]
pub struct Refusal(pub Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let is_to_wait = self.0.code == ProblemCode::TooManyAttempts;
        let retry_after = self.0.detail.clone().filter(|_| is_to_wait);
        let refused = Refused(self.0.code);
        let mut response = (status, Json(self.0)).into_response();
        response.extensions_mut().insert(refused);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after.and_then(|s| HeaderValue::from_str(&s).ok()) {
            headers.insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// Marks an answer that is a problem, for [`count`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused(pub(super) ProblemCode);

/// How many requests were answered with which problem since the daemon's start. Copies count
/// together.
#[derive(Debug, Clone, Default)]
pub struct RefusedRequests(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl RefusedRequests {
    fn note(&self, code: ProblemCode) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = times.entry(code.as_str()).or_default();
        *times = times.saturating_add(1);
    }

    /// The number of each code that was answered at all.
    #[must_use]
    pub fn by_code(&self) -> BTreeMap<String, u64> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times
            .iter()
            .map(|(code, n)| ((*code).to_owned(), *n))
            .collect()
    }
}

/// Counts what is refused: around everything that answers.
pub async fn count(
    State(refused): State<RefusedRequests>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    if let Some(Refused(code)) = response.extensions().get() {
        refused.note(*code);
    }
    response
}

/// A body as JSON; whatever is wrong with it is a `malformed` problem.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = read(request, state).await?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Refusal(malformed(&error)))
    }
}

/// The whole body of a request, within the size that all of them have.
pub(super) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    let bytes = Bytes::from_request(request, state).await;
    bytes.map_err(|rejection| {
        Refusal(if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(ProblemCode::TooLarge, "The request is larger than 64 KiB.")
        } else {
            Problem::new(
                ProblemCode::Malformed,
                "The request's body could not be read.",
            )
        })
    })
}

/// serde names the field in its message; the message is about the caller's own JSON.
fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(
        ProblemCode::Malformed,
        format!("The request's JSON was not understood: {error}."),
    )
    .detail(error.to_string())
}

/// Parameters of the path; what does not parse does not exist.
#[derive(Debug)]
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(parameters)) => Ok(Self(parameters)),
            Err(_) => Err(Refusal(super::not_found("object"))),
        }
    }
}

/// What an endpoint answers.
pub type Answer<T> = Result<Json<T>, Refusal>;
