//! What travels between nodes besides datagrams and boards: messages, streams, requests. They may be
//! lost, late, doubled and overtaken.

use super::World;
use super::happening::{ForNode, Parcel};
use crate::network::Lane;
use crate::time::ms;
use hwc_api::ids::NodeId;
use std::time::Duration;

/// What was lost is sent again by the transport after this long.
const SENT_AGAIN_AFTER: (Duration, Duration) = (ms(30), ms(200));

impl World {
    /// Sends something over the present connection.
    pub(super) fn send(&mut self, from: NodeId, to: NodeId, parcel: Parcel) {
        let is_lost = self.dice.happens(self.network.weather.loss);
        // While nothing is wrong, the transport sends again what was lost; visitors' requests and
        // answers are on connections that do so in any case.
        let is_late = is_lost && (!self.truth.is_faulty || is_reliable(&parcel));
        if is_lost && !is_late {
            return;
        }
        let connection = self.network.connection(from, to);
        let is_repeated = !is_reliable(&parcel) && self.dice.happens(self.network.weather.repeat);
        if is_repeated {
            self.post(from, to, connection, parcel.clone(), false);
        }
        self.post(from, to, connection, parcel, is_late);
    }

    fn post(&mut self, from: NodeId, to: NodeId, connection: u64, parcel: Parcel, is_late: bool) {
        let mut delay = self.network.weather.travel(&mut self.dice);
        if is_late {
            delay += self.dice.span(SENT_AGAIN_AFTER);
        }
        let what = ForNode::Parcel {
            from,
            connection,
            parcel,
        };
        self.tell_later(to, delay, what);
    }

    pub(super) fn parcel_arrives(
        &mut self,
        id: NodeId,
        from: NodeId,
        connection: u64,
        parcel: Parcel,
    ) {
        let is_present = self.network.connection(from, id) == connection
            && self.network.is_open(from, id, Lane::Streams);
        if is_present {
            self.receive(id, from, parcel);
        }
    }
}

/// Whether something is on a connection that repeats what is lost, and never doubles it.
const fn is_reliable(parcel: &Parcel) -> bool {
    match parcel {
        Parcel::Ask { .. } | Parcel::Answer { .. } => true,
        Parcel::Message { .. }
        | Parcel::Stream(_)
        | Parcel::StreamEnded { .. }
        | Parcel::Divergent(_) => false,
    }
}
