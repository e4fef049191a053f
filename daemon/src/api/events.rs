//! `GET /events`: a WebSocket that tells what is in the actor's sight, whole, whenever it changes.
//!
//! The client first gets everything; then, at most four times a second, each object that differs
//! from what it was told last. Nothing is queued per client beyond one round, so a slow client
//! gets fewer, newer messages. Once a second the session is checked again; when it is over, the
//! client is told and the connection closes.

use super::access::{Action, Actor, Object, can};
use super::endpoints::{Access, Endpoint};
use super::identity::{ThroughControlSocket, actor};
use super::{Api, Now};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Method as HttpMethod, header};
use axum::response::Response;
use axum::routing::any;
use hwc_api::ids::{AccountId, JobId, NodeId, SiteId};
use hwc_api::v1::{AccountView, Event, JobView, Method, NodeView, SiteView};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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

/// What a client was told last.
#[derive(Debug, Default)]
struct Told {
    sites: BTreeMap<SiteId, SiteView>,
    jobs: BTreeMap<JobId, JobView>,
    nodes: BTreeMap<NodeId, NodeView>,
    accounts: BTreeMap<AccountId, AccountView>,
    settings: Option<Event>,
}

impl Told {
    /// The events that bring a client from what it was told last to `now`.
    fn differences(&mut self, actor: &Actor, now: &Now) -> Vec<Event> {
        let mut events = Vec::new();
        let scene = now.scene();
        let sees = |action, owner| can(actor, action, Object::Of(owner)).is_ok();

        let sites = now
            .desired
            .sites
            .values()
            .filter(|site| sees(Action::ReadSites, site.account));
        let sites: BTreeMap<_, _> = sites.map(|site| (site.id, scene.site(site))).collect();
        let gone = news(&mut self.sites, sites, &mut events, |site| {
            Event::Site(Box::new(site))
        });
        events.extend(gone.into_iter().map(Event::SiteGone));

        let jobs = now
            .desired
            .jobs
            .values()
            .filter(|job| sees(Action::ReadJobs, job.account));
        let jobs: BTreeMap<_, _> = jobs.map(|job| (job.id, scene.job(job))).collect();
        news(&mut self.jobs, jobs, &mut events, |job| {
            Event::Job(Box::new(job))
        });

        if can(actor, Action::ReadNodes, Object::Cluster).is_ok() {
            let nodes = now.desired.active_nodes();
            let nodes: BTreeMap<_, _> = nodes.map(|node| (node.id, scene.node(node))).collect();
            news(&mut self.nodes, nodes, &mut events, |node| {
                Event::Node(Box::new(node))
            });
        }
        if can(actor, Action::ReadAccounts, Object::Any).is_ok() {
            let accounts = now.desired.accounts.values();
            let accounts: BTreeMap<_, _> = accounts.map(|a| (a.id, scene.account(a))).collect();
            let gone = news(&mut self.accounts, accounts, &mut events, |account| {
                Event::Account(Box::new(account))
            });
            events.extend(gone.into_iter().map(Event::AccountGone));
        }
        let settings = settings(now);
        if self.settings.as_ref() != Some(&settings) {
            self.settings = Some(settings.clone());
            events.push(settings);
        }
        events
    }
}

/// Adds an event for each object that is new or changed, remembers the present ones, and returns
/// the ids of those that are gone.
fn news<K: Ord + Copy, V: PartialEq + Clone>(
    told: &mut BTreeMap<K, V>,
    present: BTreeMap<K, V>,
    events: &mut Vec<Event>,
    event: impl Fn(V) -> Event,
) -> Vec<K> {
    for (id, view) in &present {
        if told.get(id) != Some(view) {
            events.push(event(view.clone()));
        }
    }
    let gone = told
        .keys()
        .filter(|id| !present.contains_key(*id))
        .copied()
        .collect();
    *told = present;
    gone
}

fn settings(now: &Now) -> Event {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let index = now.desired.index;
    let nodes = now.desired.active_nodes().count();
    let applied = now.desired.active_nodes().filter(|node| {
        now.picture
            .nodes
            .get(&node.id)
            .is_some_and(|observed| observed.applied_index >= index)
    });
    Event::Settings {
        is_writable: now.picture.is_registry_writable,
        index,
        nodes_applied: count(applied.count()),
        nodes: count(nodes),
    }
}
