//! What a subscriber of the board has not been told yet. Pure.
//!
//! The queue holds marks, not values: "this key of this node changed", "this node's stream came or
//! went", "we have everything of this node". A mark that waits already is not queued again, and what
//! it means is looked up when the subscriber asks. So a slow subscriber skips values, never the last
//! one, and the queue is never longer than there are keys.
//!
//! Order: changes of one node come in the order in which it wrote them (a key that changes again
//! while it waits goes to the end), and [`BoardEvent::Synced`] comes after all that waits.

use crate::identity::Start;
use bytes::Bytes;
use hwc_api::ids::NodeId;
use std::collections::{BTreeMap, VecDeque};

/// Something that another node shows has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardEvent {
    /// A key has a new value, or none.
    Changed {
        /// Whose.
        node: NodeId,
        /// The key.
        key: String,
        /// Its newest value; none when it was taken off.
        value: Option<Bytes>,
    },
    /// The node's stream has come: what it shows can be read.
    Connected {
        /// The node.
        node: NodeId,
        /// The life of its daemon that it shows.
        start: Start,
    },
    /// We have everything that the node shows (to us); from here on it is kept so.
    Synced {
        /// The node.
        node: NodeId,
        /// The life of its daemon that it shows.
        start: Start,
    },
    /// The node's stream has ended or fallen silent: what it showed may be out of date.
    Disconnected {
        /// The node.
        node: NodeId,
    },
}

/// What the queue looks up.
pub trait Known {
    /// The number of the node's stream and the life it shows; none while it is not connected.
    fn connection(&self, node: NodeId) -> Option<(u64, Start)>;
    /// Whether we have everything.
    fn is_complete(&self, node: NodeId) -> bool;
    /// What the node shows under a key.
    fn value(&self, node: NodeId, key: &str) -> Option<Bytes>;
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Link(NodeId),
    Value(NodeId, String),
    Complete(NodeId),
}

/// The marks of one subscriber.
#[derive(Debug, Default)]
pub struct Queue {
    order: BTreeMap<u64, Mark>,
    places: BTreeMap<Mark, u64>,
    next_place: u64,
    /// The stream of each node that the subscriber believes to be connected.
    told: BTreeMap<NodeId, u64>,
    /// Events of a mark that meant more than one.
    ready: VecDeque<BoardEvent>,
}

impl Queue {
    /// A node's stream came or went.
    pub fn link_changed(&mut self, node: NodeId) {
        self.push(Mark::Link(node));
    }

    /// A key changed: told after everything that changed before it, so that what is told of a node
    /// comes in the order in which the node wrote it.
    pub fn value_changed(&mut self, node: NodeId, key: &str) {
        self.push_last(Mark::Value(node, key.to_owned()));
        if self.places.contains_key(&Mark::Complete(node)) {
            self.push_last(Mark::Complete(node));
        }
    }

    /// A node's space became complete: told after all changes that wait.
    pub fn became_complete(&mut self, node: NodeId) {
        self.push_last(Mark::Complete(node));
    }

    /// The next event, with what is known now.
    pub fn pop(&mut self, known: &impl Known) -> Option<BoardEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let (_place, mark) = self.order.pop_first()?;
            self.places.remove(&mark);
            self.explain(mark, known);
        }
    }

    fn push_last(&mut self, mark: Mark) {
        if let Some(place) = self.places.remove(&mark) {
            self.order.remove(&place);
        }
        self.push(mark);
    }

    fn push(&mut self, mark: Mark) {
        if self.places.contains_key(&mark) {
            return;
        }
        self.next_place += 1;
        self.order.insert(self.next_place, mark.clone());
        self.places.insert(mark, self.next_place);
    }

    fn explain(&mut self, mark: Mark, known: &impl Known) {
        match mark {
            Mark::Link(node) => self.explain_link(node, known),
            Mark::Value(node, key) => {
                let value = known.value(node, &key);
                self.ready
                    .push_back(BoardEvent::Changed { node, key, value });
            }
            Mark::Complete(node) => {
                let connection = known.connection(node);
                // Otherwise its stream has ended since; the next one will say it again.
                if let Some((_, start)) = connection.filter(|_| known.is_complete(node)) {
                    self.ready.push_back(BoardEvent::Synced { node, start });
                }
            }
        }
    }

    fn explain_link(&mut self, node: NodeId, known: &impl Known) {
        let connection = known.connection(node);
        let told = self.told.get(&node).copied();
        if told == connection.map(|(number, _)| number) {
            return;
        }
        if told.is_some() {
            self.told.remove(&node);
            self.ready.push_back(BoardEvent::Disconnected { node });
        }
        if let Some((number, start)) = connection {
            self.told.insert(node, number);
            self.ready.push_back(BoardEvent::Connected { node, start });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::BootId;

    const NODE: NodeId = NodeId(2);

    #[derive(Default)]
    struct World {
        connection: Option<(u64, Start)>,
        is_complete: bool,
        values: BTreeMap<String, Bytes>,
    }

    impl Known for World {
        fn connection(&self, _node: NodeId) -> Option<(u64, Start)> {
            self.connection
        }
        fn is_complete(&self, _node: NodeId) -> bool {
            self.is_complete
        }
        fn value(&self, _node: NodeId, key: &str) -> Option<Bytes> {
            self.values.get(key).cloned()
        }
    }

    fn start(number: u64) -> Start {
        Start {
            number,
            boot: BootId(1),
        }
    }

    fn changed(key: &str, value: Option<&'static str>) -> BoardEvent {
        BoardEvent::Changed {
            node: NODE,
            key: key.to_owned(),
            value: value.map(Bytes::from),
        }
    }

    fn all(queue: &mut Queue, world: &World) -> Vec<BoardEvent> {
        std::iter::from_fn(|| queue.pop(world)).collect()
    }

    #[test]
    fn a_slow_subscriber_gets_the_newest_value_once() {
        let mut queue = Queue::default();
        let mut world = World::default();
        for value in ["1", "2", "3"] {
            world.values.insert("a".to_owned(), Bytes::from(value));
            queue.value_changed(NODE, "a");
        }
        queue.value_changed(NODE, "gone");
        let events = all(&mut queue, &world);
        assert_eq!(events, [changed("a", Some("3")), changed("gone", None)]);
        assert_eq!(all(&mut queue, &world), []);
    }

    #[test]
    fn values_come_in_the_order_they_were_written() {
        let mut queue = Queue::default();
        let mut world = World {
            connection: Some((1, start(1))),
            is_complete: true,
            ..World::default()
        };
        let mut write = |queue: &mut Queue, key: &str, value: &'static str| {
            world.values.insert(key.to_owned(), Bytes::from(value));
            queue.value_changed(NODE, key);
        };
        write(&mut queue, "a", "1");
        write(&mut queue, "b", "2");
        queue.became_complete(NODE);
        write(&mut queue, "a", "3");
        let synced = BoardEvent::Synced {
            node: NODE,
            start: start(1),
        };
        let expected = [changed("b", Some("2")), changed("a", Some("3")), synced];
        assert_eq!(all(&mut queue, &world), expected);
    }

    #[test]
    fn everything_known_comes_before_synced() {
        let mut queue = Queue::default();
        let mut world = World {
            connection: Some((1, start(1))),
            is_complete: true,
            ..World::default()
        };
        queue.link_changed(NODE);
        queue.became_complete(NODE);
        // The stream breaks and comes back with more before the subscriber looks.
        world.connection = Some((2, start(1)));
        world.values.insert("late".to_owned(), Bytes::from("x"));
        queue.link_changed(NODE);
        queue.value_changed(NODE, "late");
        queue.became_complete(NODE);
        let expected = [
            BoardEvent::Connected {
                node: NODE,
                start: start(1),
            },
            changed("late", Some("x")),
            BoardEvent::Synced {
                node: NODE,
                start: start(1),
            },
        ];
        assert_eq!(all(&mut queue, &world), expected);
    }

    #[test]
    fn a_replaced_stream_is_told_as_lost_and_found() {
        let mut queue = Queue::default();
        let mut world = World {
            connection: Some((1, start(1))),
            ..World::default()
        };
        queue.link_changed(NODE);
        assert_eq!(all(&mut queue, &world).len(), 1);
        world.connection = Some((5, start(2)));
        queue.link_changed(NODE);
        let expected = [
            BoardEvent::Disconnected { node: NODE },
            BoardEvent::Connected {
                node: NODE,
                start: start(2),
            },
        ];
        assert_eq!(all(&mut queue, &world), expected);
        world.connection = None;
        queue.link_changed(NODE);
        queue.became_complete(NODE);
        let lost = BoardEvent::Disconnected { node: NODE };
        assert_eq!(all(&mut queue, &world), [lost]);
    }
}
