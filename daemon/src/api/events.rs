//! `GET /events`: a WebSocket that tells what is in the actor's sight, whole, whenever it changes.
//!
//! The client first gets everything; then, at most four times a second, each object that differs
//! from what it was told last. Nothing is queued per client beyond one round, so a slow client
//! gets fewer, newer messages. Once a second the session is checked again; when it is over, the
//! client is told and the connection closes.
//!
//! What there is to tell is decided in `told`.

mod told;

use super::Api;
use super::access::{Action, Actor};
use super::endpoints::{Access, Endpoint};
use super::identity::{ThroughControlSocket, actor};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Method as HttpMethod, header};
use axum::response::Response;
use axum::routing::any;
use hwc_api::v1::{Event, Method};
use std::sync::Arc;
use std::time::Duration;
use told::Told;

/// Least time between two rounds of messages.
const ROUND: Duration = Duration::from_millis(250);
/// Longest time between two looks: ages change and sessions end without any event.
const LOOK: Duration = Duration::from_secs(1);
/// A client says nothing of length.
const CLIENT_MESSAGE_BYTES_MAX: usize = 1_024;
/// A client that takes no message for this long is gone.
const SEND_DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::Subscribe);
    Endpoint {
        method: Method::Get,
        path: "/events",
        access,
        handler: any(subscribe),
    }
}

async fn subscribe(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    control: Option<Extension<ThroughControlSocket>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let again = Again {
        headers,
        is_control: control.is_some(),
    };
    upgrade
        .max_message_size(CLIENT_MESSAGE_BYTES_MAX)
        .max_frame_size(CLIENT_MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| tell(api, actor, again, socket))
}

/// What is needed to check again who asks.
struct Again {
    headers: HeaderMap,
    is_control: bool,
}

impl Again {
    /// Whether whoever subscribed may still be told.
    fn may_listen(&self, api: &Api) -> bool {
        // The upgrade's own headers passed the origin check; a plain read has none.
        let mut headers = self.headers.clone();
        headers.remove(header::UPGRADE);
        actor(api, &HttpMethod::GET, &headers, self.is_control).is_ok()
    }
}

async fn tell(api: Arc<Api>, actor: Actor, again: Again, mut socket: WebSocket) {
    let mut desired = api.desired.clone();
    let mut picture = api.picture.clone();
    let mut told = Told::default();
    loop {
        if !again.may_listen(&api) {
            let _gone = send(&mut socket, &Event::SignedOut).await;
            return;
        }
        desired.mark_unchanged();
        picture.mark_unchanged();
        for event in told.differences(&actor, &api.now()) {
            if send(&mut socket, &event).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(ROUND).await;
        tokio::select! {
            changed = desired.changed() => if changed.is_err() { return },
            changed = picture.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK) => {}
            message = socket.recv() => match message {
                // Pings are answered by the library; what else a client says does not matter.
                Some(Ok(Message::Text(_) | Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        }
    }
}

async fn send(socket: &mut WebSocket, event: &Event) -> Result<(), ()> {
    let text = serde_json::to_string(event).map_err(|error| {
        tracing::error!(%error, "an event could not be written as JSON");
    })?;
    let sending = socket.send(Message::Text(text.into()));
    match tokio::time::timeout(SEND_DEADLINE, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}
