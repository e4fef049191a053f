//! Nodes, datagrams and streams in virtual time.
//!
//! A datagram is lost or late. A stream is not: its frames come whole and in order, late where
//! packets were lost, and not at all while the line is cut. A node is up, frozen (its kernel answers
//! and keeps what comes) or silent (as a machine without power).

use bytes::Bytes;
use hwc_api::ids::{BootId, NodeId};
use hwc_api::v1::NodeHealth;
use hwc_group::board::{
    BoardConfig, BoardCore, BoardInput, BoardOutput, Closing, LinkId, NotDialled,
};
use hwc_group::identity::{Me, Start};
use hwc_group::membership::{
    DownReason, Input, MembershipConfig, MembershipCore, MembershipEvent, Output,
};
use hwc_group::profile::{Profile, Timing};
use hwc_runtime::clock::Moment;
use proptest::test_runner::{RngAlgorithm, TestRng};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// A kernel keeps so many datagrams for a frozen program.
const KEPT_DATAGRAMS: usize = 400;
/// TCP tries again after so long, then twice as long.
const RETRANSMIT_MS: u64 = 200;

/// What the network does.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// Of 10,000 packets so many are lost.
    pub lost_of_10000: u64,
    /// Every packet takes so long...
    pub latency_ms: u64,
    /// ...and up to so much longer.
    pub jitter_ms: u64,
}

pub const QUIET: Network = Network {
    lost_of_10000: 0,
    latency_ms: 0,
    jitter_ms: 1,
};
/// One per cent of loss, and jitter far beyond that of a LAN.
pub const ROUGH: Network = Network {
    lost_of_10000: 100,
    latency_ms: 1,
    jitter_ms: 50,
};

#[derive(Debug)]
enum Happening {
    Datagram {
        to: NodeId,
        from: NodeId,
        content: Bytes,
    },
    /// The front of a pipe may have arrived.
    Pipe(usize, bool),
    Dialled(NodeId, NodeId),
    Wake(NodeId, u64),
}

/// What a kernel keeps for its node.
#[derive(Debug)]
enum Kept {
    Datagram(NodeId, Bytes),
    Board(BoardInput),
}

pub struct Node {
    pub membership: MembershipCore,
    pub board: BoardCore,
    state: State,
    kept: Vec<Kept>,
    wake: (u64, u64),
    links: BTreeMap<LinkId, (usize, bool)>,
    next_link: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    Frozen,
    /// The daemon has ended; the kernel refuses.
    Ended,
    /// The machine is gone.
    Silent,
}

/// A stream: both ends, and what is on its way in both directions.
struct Pipe {
    ends: [(NodeId, LinkId); 2],
    ways: [VecDeque<(u64, Option<Bytes>)>; 2],
}

pub struct World {
    pub now: u64,
    pub network: Network,
    pub nodes: BTreeMap<NodeId, Node>,
    /// Who does not hear whom: from, to.
    pub cut: BTreeSet<(NodeId, NodeId)>,
    /// Of 10,000 datagrams to these nodes so many more are lost.
    pub deaf: BTreeMap<NodeId, u64>,
    /// Everything that was told: when, by whom, what.
    pub told: Vec<(u64, NodeId, MembershipEvent)>,
    pub datagrams: u64,
    pub frames: u64,
    pub bytes: u64,
    pub timing: Timing,
    /// Whether nodes can be dialled at all.
    pub has_streams: bool,
    random: TestRng,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    sequence: u64,
    pipes: BTreeMap<usize, Pipe>,
    next_pipe: usize,
}

impl World {
    pub fn new(size: u16, profile: Profile, network: Network, seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut world = Self {
            now: 0,
            network,
            nodes: BTreeMap::new(),
            cut: BTreeSet::new(),
            deaf: BTreeMap::new(),
            told: Vec::new(),
            datagrams: 0,
            frames: 0,
            bytes: 0,
            timing: profile.timing(),
            has_streams: true,
            random: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            sequence: 0,
            pipes: BTreeMap::new(),
            next_pipe: 0,
        };
        for n in 1..=size {
            world.start(n, 1, size);
        }
        world
    }

    /// Starts a node, or starts it anew.
    pub fn start(&mut self, n: u16, life: u64, size: u16) {
        let me = Me {
            node: NodeId(n),
            start: Start {
                number: life,
                boot: BootId(u32::from(n) * 1_000 + life as u32),
            },
        };
        self.end_streams(me.node);
        let peers: BTreeSet<_> = (1..=size).map(NodeId).filter(|m| *m != me.node).collect();
        let membership = MembershipConfig {
            timing: self.timing.membership,
            peers: peers.clone(),
        };
        let board = BoardConfig {
            timing: self.timing.board,
            peers,
        };
        let seed = u128::from(self.number(u64::MAX));
        let node = Node {
            membership: MembershipCore::new(membership, me, seed),
            board: BoardCore::new(board, me, !seed),
            state: State::Up,
            kept: Vec::new(),
            wake: (0, 0),
            links: BTreeMap::new(),
            // Numbers of an earlier life are not used again.
            next_link: life * 1_000_000,
        };
        self.nodes.insert(me.node, node);
        self.board(me.node, BoardInput::Tick);
        self.membership(me.node, Input::Tick);
    }

    /// A number below `end`.
    pub fn number(&mut self, end: u64) -> u64 {
        use proptest::prelude::Rng;
        self.random.next_u64() % end.max(1)
    }

    /// As pulling the plug.
    pub fn silence(&mut self, n: u16) {
        self.node(n).state = State::Silent;
    }

    /// As `kill -9` of the daemon: its streams are reset.
    pub fn kill(&mut self, n: u16) {
        self.node(n).state = State::Ended;
        self.end_streams(NodeId(n));
    }

    /// As SIGSTOP.
    pub fn freeze(&mut self, n: u16) {
        self.node(n).state = State::Frozen;
    }

    /// As a machine that was suspended: nothing was kept for it.
    pub fn resume(&mut self, n: u16) {
        self.node(n).kept.clear();
        self.thaw(n);
    }

    /// As SIGCONT: what the kernel kept is read before the clock is looked at.
    pub fn thaw(&mut self, n: u16) {
        let node = self.node(n);
        if node.state != State::Frozen {
            return;
        }
        node.state = State::Up;
        for kept in std::mem::take(&mut node.kept) {
            match kept {
                Kept::Datagram(from, content) => {
                    self.membership(NodeId(n), Input::Datagram { from, content });
                }
                Kept::Board(input) => self.board(NodeId(n), input),
            }
        }
        self.membership(NodeId(n), Input::Tick);
        self.board(NodeId(n), BoardInput::Tick);
    }

    /// The node says good-bye and ends.
    pub fn leave(&mut self, n: u16) {
        self.membership(NodeId(n), Input::Leave);
        self.kill(n);
    }

    /// Cuts the lines between two groups of nodes, both ways.
    pub fn cut_between(&mut self, ones: &[u16], others: &[u16]) {
        for one in ones {
            for other in others {
                self.cut.insert((NodeId(*one), NodeId(*other)));
                self.cut.insert((NodeId(*other), NodeId(*one)));
            }
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    pub fn node(&mut self, n: u16) -> &mut Node {
        self.nodes.get_mut(&NodeId(n)).expect("started")
    }

    pub fn is_up(&self, by: u16, about: u16) -> bool {
        let standing = self.nodes[&NodeId(by)].membership.standing(NodeId(about));
        standing.is_some_and(|standing| standing.health != NodeHealth::Down)
    }

    /// Whether all nodes are up for all nodes.
    pub fn all_up(&self) -> bool {
        let nodes = || self.nodes.keys();
        nodes().all(|by| nodes().all(|about| by == about || self.is_up(by.0, about.0)))
    }

    /// Whether all running nodes see all running nodes, and have all that they show.
    pub fn is_whole(&self) -> bool {
        let running = || {
            self.nodes
                .iter()
                .filter(|(_, node)| node.state == State::Up)
        };
        running().all(|(one, node)| {
            running()
                .filter(|(other, _)| *other != one)
                .all(|(other, _)| self.is_up(one.0, other.0) && node.board.is_complete(*other))
        })
    }

    /// How many things wait to happen.
    pub fn waiting(&self) -> usize {
        self.happenings.len() + self.pipes.len()
    }

    /// Declarations of death since a moment: when, by whom, of whom, why.
    pub fn deaths(&self, since: u64) -> Vec<(u64, u16, u16, DownReason)> {
        let told = self.told.iter().filter(|(at, ..)| *at >= since);
        told.filter_map(|(at, by, event)| match event {
            MembershipEvent::Down { node, reason } => Some((*at, by.0, node.0, *reason)),
            MembershipEvent::Up { .. }
            | MembershipEvent::Suspect { .. }
            | MembershipEvent::Trusted { .. } => None,
        })
        .collect()
    }

    /// When a node declared another dead, after a moment.
    pub fn declared(&self, by: u16, about: u16, since: u64) -> Option<u64> {
        let deaths = self.deaths(since).into_iter();
        let mut mine = deaths.filter(|(_, b, a, _)| (*b, *a) == (by, about));
        mine.next().map(|(at, ..)| at)
    }

    /// Lets time pass.
    pub fn run(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while let Some(Reverse((at, sequence))) = self.queue.peek().copied() {
            if at > end {
                break;
            }
            self.queue.pop();
            self.now = at;
            if let Some(happening) = self.happenings.remove(&sequence) {
                self.happen(happening);
            }
        }
        self.now = end;
    }

    /// Lets time pass until a condition holds; says whether it came within the limit.
    pub fn run_until(&mut self, limit_ms: u64, condition: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit_ms;
        while self.now < end {
            if condition(self) {
                return true;
            }
            self.run(20);
        }
        condition(self)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Datagram { to, from, content } => {
                let deaf = self.deaf.get(&to).copied().unwrap_or_default();
                if self.cut.contains(&(from, to)) || (deaf > 0 && self.number(10_000) < deaf) {
                    return;
                }
                let Some(node) = self.nodes.get_mut(&to) else {
                    return;
                };
                match node.state {
                    State::Up => self.membership(to, Input::Datagram { from, content }),
                    State::Frozen if node.kept.len() < KEPT_DATAGRAMS => {
                        node.kept.push(Kept::Datagram(from, content));
                    }
                    State::Frozen | State::Ended | State::Silent => {}
                }
            }
            Happening::Pipe(pipe, way) => self.pump(pipe, way),
            Happening::Dialled(from, to) => self.dialled(from, to),
            Happening::Wake(node, number) => {
                let known = self.nodes.get(&node);
                let is_due = known.is_some_and(|n| n.wake.1 == number && n.state == State::Up);
                if is_due {
                    self.membership(node, Input::Tick);
                    self.board(node, BoardInput::Tick);
                }
            }
        }
    }

    fn later(&mut self, after: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse((self.now + after, self.sequence)));
        self.happenings.insert(self.sequence, happening);
    }

    fn is_lost(&mut self) -> bool {
        self.number(10_000) < self.network.lost_of_10000
    }

    fn travel(&mut self) -> u64 {
        self.network.latency_ms + self.number(self.network.jitter_ms + 1)
    }

    fn membership(&mut self, node: NodeId, input: Input) {
        let now = Moment(self.now);
        let Some(known) = self.nodes.get_mut(&node) else {
            return;
        };
        for output in known.membership.handle(now, input) {
            match output {
                Output::Send { to, content } => {
                    self.datagrams += 1;
                    self.bytes += content.len() as u64 + 34 + 28;
                    if !self.is_lost() {
                        let after = self.travel();
                        let from = node;
                        self.later(after, Happening::Datagram { to, from, content });
                    }
                }
                Output::Event(event) => self.told.push((self.now, node, event)),
                Output::Refused(_) => {}
            }
        }
        self.set_alarm(node);
    }

    pub fn board(&mut self, node: NodeId, input: BoardInput) {
        let now = Moment(self.now);
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(known) = self.nodes.get_mut(&node) else {
                return;
            };
            for output in known.board.handle(now, input) {
                match output {
                    BoardOutput::Dial { node: to } => {
                        let after = 3 * self.travel();
                        self.later(after, Happening::Dialled(node, to));
                    }
                    BoardOutput::Send { link, frame } => {
                        self.frames += 1;
                        self.bytes += frame.len() as u64 + 4 + 22 + 52;
                        self.send(node, link, Some(frame));
                        inputs.push_back(BoardInput::Written { link });
                    }
                    BoardOutput::Close { link, why } => {
                        assert_ne!(why, Closing::Nonsense);
                        self.send(node, link, None);
                        if let Some(known) = self.nodes.get_mut(&node) {
                            known.links.remove(&link);
                        }
                    }
                    BoardOutput::Sign(about, sign) => {
                        self.membership(node, Input::Sign(about, sign));
                    }
                    BoardOutput::Event(_) => {}
                }
            }
        }
        self.set_alarm(node);
    }

    fn set_alarm(&mut self, node: NodeId) {
        let Some(known) = self.nodes.get_mut(&node) else {
            return;
        };
        let due = known.membership.next_deadline();
        let due = known
            .board
            .next_deadline()
            .map_or(due, |board| due.min(board))
            .0;
        if known.wake.0 != due || known.wake.1 == 0 {
            self.sequence += 1;
            known.wake = (due, self.sequence);
            let number = self.sequence;
            let after = due.saturating_sub(self.now);
            self.later(after, Happening::Wake(node, number));
        }
    }

    fn dialled(&mut self, from: NodeId, to: NodeId) {
        let is_cut = self.cut.contains(&(from, to)) || self.cut.contains(&(to, from));
        let state = self.nodes.get(&to).map(|node| node.state);
        let why = match state {
            Some(State::Up) if !is_cut && self.has_streams => None,
            Some(State::Frozen) if !is_cut => Some(NotDialled::Reached),
            Some(State::Ended) if !is_cut => Some(NotDialled::Refused),
            Some(_) | None => Some(NotDialled::Unreachable),
        };
        if self.nodes.get(&from).map(|node| node.state) != Some(State::Up) {
            if let Some(node) = self
                .nodes
                .get_mut(&from)
                .filter(|n| n.state == State::Frozen)
            {
                let why = NotDialled::Unreachable;
                node.kept
                    .push(Kept::Board(BoardInput::NotDialled { node: to, why }));
            }
            return;
        }
        if let Some(why) = why {
            self.board(from, BoardInput::NotDialled { node: to, why });
            return;
        }
        let pipe = self.next_pipe;
        self.next_pipe += 1;
        let mut ends = [(from, LinkId(0)), (to, LinkId(0))];
        for (index, end) in ends.iter_mut().enumerate() {
            if let Some(node) = self.nodes.get_mut(&end.0) {
                node.next_link += 1;
                end.1 = LinkId(node.next_link);
                node.links.insert(end.1, (pipe, index == 0));
            }
        }
        let ways = [VecDeque::new(), VecDeque::new()];
        self.pipes.insert(pipe, Pipe { ends, ways });
        let (accepted, dialled) = (ends[1].1, ends[0].1);
        self.board(
            to,
            BoardInput::Accepted {
                node: from,
                link: accepted,
            },
        );
        self.board(
            from,
            BoardInput::Dialled {
                node: to,
                link: dialled,
            },
        );
    }

    /// Puts a frame, or the end, on its way.
    fn send(&mut self, node: NodeId, link: LinkId, frame: Option<Bytes>) {
        let mut after = self.travel();
        let mut pause = RETRANSMIT_MS;
        while self.is_lost() {
            after += pause;
            pause *= 2;
        }
        let known = self.nodes.get(&node).and_then(|node| node.links.get(&link));
        let Some((pipe, way)) = known.copied() else {
            return;
        };
        let now = self.now;
        let Some(known) = self.pipes.get_mut(&pipe) else {
            return;
        };
        let on_its_way = &mut known.ways[usize::from(!way)];
        // In order: not before what was sent earlier.
        let last = on_its_way.back().map_or(0, |(at, _)| *at);
        let at = last.max(now + after);
        on_its_way.push_back((at, frame));
        if on_its_way.len() == 1 {
            self.later(at - now, Happening::Pipe(pipe, way));
        }
    }

    fn pump(&mut self, pipe: usize, way: bool) {
        let Some(known) = self.pipes.get_mut(&pipe) else {
            return;
        };
        let (from, to) = if way { (0, 1) } else { (1, 0) };
        let (sender, (receiver, link)) = (known.ends[from].0, known.ends[to]);
        if self.cut.contains(&(sender, receiver)) || self.cut.contains(&(receiver, sender)) {
            self.later(RETRANSMIT_MS * 2, Happening::Pipe(pipe, way));
            return;
        }
        let on_its_way = &mut known.ways[usize::from(!way)];
        let Some((_at, frame)) = on_its_way.pop_front() else {
            return;
        };
        if let Some((at, _)) = on_its_way.front() {
            let after = at.saturating_sub(self.now);
            self.later(after, Happening::Pipe(pipe, way));
        }
        let is_end = frame.is_none();
        let input = match frame {
            Some(frame) => BoardInput::Frame { link, frame },
            None => BoardInput::Closed { link },
        };
        if is_end {
            self.pipes.remove(&pipe);
        }
        let known = self.nodes.get_mut(&receiver);
        let Some(node) = known.filter(|node| node.links.contains_key(&link)) else {
            return;
        };
        if is_end {
            node.links.remove(&link);
        }
        match node.state {
            State::Up => self.board(receiver, input),
            State::Frozen => node.kept.push(Kept::Board(input)),
            State::Ended | State::Silent => {}
        }
    }

    /// The kernel resets all streams of a daemon that has ended.
    fn end_streams(&mut self, node: NodeId) {
        let Some(known) = self.nodes.get_mut(&node) else {
            return;
        };
        for link in std::mem::take(&mut known.links)
            .into_keys()
            .collect::<Vec<_>>()
        {
            let pipes = self.pipes.iter();
            let found = pipes.filter(|(_, pipe)| pipe.ends.contains(&(node, link)));
            let found: Vec<_> = found
                .map(|(number, pipe)| (*number, pipe.ends[0] == (node, link)))
                .collect();
            for (pipe, way) in found {
                let now = self.now;
                if let Some(known) = self.pipes.get_mut(&pipe) {
                    let on_its_way = &mut known.ways[usize::from(!way)];
                    on_its_way.push_back((now, None));
                    if on_its_way.len() == 1 {
                        self.later(1, Happening::Pipe(pipe, way));
                    }
                }
            }
        }
    }
}
