//! Requests that another node's front door sends here, because it believes us to be the live node.
//!
//! We serve them, or say "not here" before anything of the body was read; they are never sent on:
//! two nodes that each believe in the other end in waiting, not in a circle.

use super::delivery::{Answer, Setback, try_here};
use super::errand::{BodySize, Errand};
use super::front::Arrival;
use super::headers::{self, Asked, Field, Hold, NOT_HERE};
use super::pages::{Page, Reply, Tastes};
use super::source::Source;
use crate::gates::{Door, Pass};
use crate::shared::Shared;
use hwc_api::ids::NodeId;
use hwc_api::names::DomainName;
use std::sync::Arc;

/// Most hops of a request between nodes; each front door sends it on once.
const HOPS_MAX: u32 = 1;

/// What is to be done for a request of another node.
pub(super) enum Order {
    /// Answer it ourselves.
    Reply(Reply),
    /// Serve it: it has its place.
    Serve(Arc<Door>, Pass, Errand, Hold),
}

/// Whether the other node holds something back until it is asked for. What was refused is not asked
/// for: then nothing follows the head.
pub(super) fn holds(fields: &[Field<'_>]) -> bool {
    headers::read_asked(fields).is_some_and(|asked| asked.holds != Hold::Nothing)
}

/// Decides what is to be done for a request of node `peer`.
pub(super) fn receive(shared: &Shared, peer: NodeId, arrival: &Arrival<'_>) -> Order {
    let page = |page: Page| Order::Reply(page.reply(Tastes::of(arrival.fields)));
    let Some(asked) = headers::read_asked(arrival.fields) else {
        tracing::warn!(%peer, "a node sent a request without saying for what");
        return page(Page::BadRequest);
    };
    if asked.hops > HOPS_MAX {
        tracing::warn!(%peer, hops = asked.hops, "a request went in a circle");
        return page(Page::Loop);
    }
    if !is_ours(shared, asked, arrival) || !shared.doors.is_vouched() {
        return Order::Reply(not_here());
    }
    let door = shared.doors.door(asked.dataset);
    let Some(pass) = door.enter(asked.epoch) else {
        tracing::debug!(%peer, dataset = %asked.dataset, epoch = %asked.epoch, "asked, not live");
        return Order::Reply(not_here());
    };
    let body = match asked.holds {
        Hold::End => BodySize::None,
        Hold::Nothing | Hold::Body => arrival.body,
    };
    let mut errand = Errand::begin(arrival.method, arrival.target, body);
    errand.wants_websocket = arrival.notes.wants_websocket;
    errand.takes_trailers = arrival.notes.takes_trailers;
    errand.unread_name = shared.table.load().unread_name(host(arrival));
    headers::write_relayed(errand.fields_mut(), arrival.fields, arrival.notes);
    Order::Serve(door, pass, errand, asked.holds)
}

/// Whether the request's host belongs to the dataset that is asked for: our own table has the last
/// word on whose domain it is.
fn is_ours(shared: &Shared, asked: Asked, arrival: &Arrival<'_>) -> bool {
    let host = host(arrival);
    let table = shared.table.load();
    let site = table.site_of_host(host).or_else(|| {
        let domain = DomainName::parse(host).ok()?;
        table.site(&domain)
    });
    site.is_some_and(|site| site.dataset == asked.dataset && !site.is_suspended)
}

/// The host that a request is for, without its port.
fn host<'a>(arrival: &Arrival<'a>) -> &'a str {
    let host = arrival.notes.host;
    let host = host.and_then(|host| std::str::from_utf8(host).ok());
    host.unwrap_or_default()
        .split(':')
        .next()
        .unwrap_or_default()
}

/// Does what is to be done; says also whether the other node takes trailers.
pub(super) async fn carry_out<S: Source>(
    shared: &Arc<Shared>,
    order: Order,
    source: S,
) -> (Answer<S>, bool) {
    let (door, pass, errand, holds) = match order {
        Order::Reply(reply) => return (Answer::Page(reply), false),
        Order::Serve(door, pass, errand, holds) => (door, pass, errand, holds),
    };
    let is_announced = holds != Hold::Nothing;
    let mut source = Some(source);
    let outcome = try_here(shared, &door, &errand, &mut source, pass, is_announced).await;
    let answer = match outcome {
        Ok(answer) => {
            door.counters.count_served();
            answer
        }
        // The other front door has it whole still, and waits for its turn.
        Err(Setback::Again(_)) => Answer::Page(not_here()),
        Err(Setback::Failed(page)) => {
            door.counters.count_failed();
            Answer::page(page, &errand)
        }
        Err(Setback::Cut) => {
            door.counters.count_failed();
            door.note_failed();
            Answer::page(Page::Lost, &errand)
        }
    };
    (answer, errand.takes_trailers)
}

fn not_here() -> Reply {
    // 421 (Misdirected Request): the request is not for this place, and nothing was done.
    Reply::empty(421, (NOT_HERE, "1"))
}
