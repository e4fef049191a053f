//! What this node itself may serve, who is inside, and how it is made to end.
//!
//! One [`Door`] per dataset that was ever asked for or opened. Its gate is open under one epoch or
//! closed; entering and closing take the same lock, so that nobody slips in behind a closed gate.
//! Whoever is inside holds a [`Pass`]; dropping it is leaving. A fence cuts the passes.
//!
//! # What becomes of whom when a site is cleared for a move
//!
//! (`AwesomeProxy::clear`: the gate closes; `Limits::drain` later whoever is left is cut.)
//!
//! | who | fate | bound |
//! | --- | --- | --- |
//! | a new request, at any node | waits before its body is read, then goes to the new live node; 503 with `Retry-After` when its time is over or there is no room | `wait`, `waiting_per_dataset`, `waiting`, `waiting_bytes` |
//! | a request at work | finishes; cut, it is answered 502 ("may or may not have been carried out"), or asked again at the new live node if it may be repeated | `drain` |
//! | an upload under way | is inside: the same | `drain`, `stall` |
//! | a connection without a request, HTTP/1.1 or HTTP/2 | stays the same connection; its next request is a new one | `head` |
//! | an answer under way, a long download | goes on; cut, its connection (HTTP/2: its stream) breaks off before the told end; a file has the same `ETag` on every node, so that the rest can be asked for by `Range` | `drain` |
//! | an answer that the services are done with | is not inside any more: the visitor takes it in their own time | `stall` |
//! | a WebSocket | goes on for a moment, is told to come back (close code 1012), and ends | `websocket_grace` |
//!
//! A request for a name that the node's web server has not read of waits inside, with its body unread,
//! bounded as those that wait for a live node; when the gate closes it goes back to those
//! (`http::unread`).
//!
//! A move that is called off opens the gate again under the same epoch: nobody inside is cut, but
//! whoever was cut at the limit before stays cut. A fence without a move (another node has a higher
//! epoch, the node stood still) cuts at once. `lab/tests/moves.rs` shows on real nodes what becomes of
//! those who end in time.

use crate::stats::{Counters, DatasetStats, PauseAccount};
use hwc_api::ids::DatasetId;
use hwc_api::moves::Pause;
use hwc_api::ownership::Epoch;
use hwc_runtime::clock::{Clock, Moment};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// One period during which the gate is open.
#[derive(Debug)]
struct Term {
    epoch: Epoch,
    /// Cancelled when the gate closes: whoever would stay for long makes ready to leave.
    closing: CancellationToken,
    /// Cancelled by a fence: whoever entered in this term ends at once.
    cut: CancellationToken,
}

impl Term {
    fn cut(&self) {
        self.closing.cancel();
        self.cut.cancel();
    }
}

#[derive(Debug, Default)]
struct Gate {
    open: Option<Arc<Term>>,
    /// The term before, whose guests may still be inside.
    last: Option<Arc<Term>>,
    /// When the guests of a closed gate are cut, if that is settled.
    cut_at: Option<Moment>,
}

/// The door of one dataset.
#[derive(Debug)]
pub struct Door {
    dataset: DatasetId,
    gate: Mutex<Gate>,
    inside: AtomicUsize,
    /// Told when the last one has left.
    left: Notify,
    /// Moves on at each change of the gate or of the dataset's route.
    changed: watch::Sender<u64>,
    waiting: AtomicUsize,
    pub(crate) counters: Counters,
    account: Mutex<PauseAccount>,
    clock: Clock,
}

impl Door {
    fn new(dataset: DatasetId, clock: Clock) -> Self {
        Self {
            dataset,
            gate: Mutex::default(),
            inside: AtomicUsize::new(0),
            left: Notify::new(),
            changed: watch::Sender::new(0),
            waiting: AtomicUsize::new(0),
            counters: Counters::default(),
            account: Mutex::default(),
            clock,
        }
    }

    /// The dataset it leads to.
    #[must_use]
    pub const fn dataset(&self) -> DatasetId {
        self.dataset
    }

    /// The epoch that the gate is open under.
    #[must_use]
    pub fn open_epoch(&self) -> Option<Epoch> {
        self.lock().open.as_ref().map(|term| term.epoch)
    }

    /// Goes in, if the gate is open under exactly this epoch.
    #[must_use]
    pub fn enter(self: &Arc<Self>, epoch: Epoch) -> Option<Pass> {
        let gate = self.lock();
        let term = gate.open.as_ref().filter(|term| term.epoch == epoch)?;
        self.inside.fetch_add(1, Ordering::SeqCst);
        Some(Pass {
            term: Arc::clone(term),
            door: Arc::clone(self),
        })
    }

    /// A receiver that sees each later change of the gate or of the dataset's route.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Tells everyone who waits at this door to look again.
    pub(crate) fn notify(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    fn open(&self, epoch: Epoch) {
        {
            let mut gate = self.lock();
            if gate.open.as_ref().is_some_and(|term| term.epoch == epoch) {
                return;
            }
            let last = gate.last.take();
            // A move was called off: who is still inside from before stays.
            let stays = last.as_ref().filter(|term| term.epoch == epoch);
            let cut = stays.map_or_else(CancellationToken::new, |term| term.cut.clone());
            // Guests of another epoch have no business under this one.
            let others = last.filter(|term| term.epoch != epoch);
            others
                .into_iter()
                .chain(gate.open.take())
                .for_each(|term| term.cut());
            gate.cut_at = None;
            gate.open = Some(Arc::new(Term {
                epoch,
                closing: CancellationToken::new(),
                cut,
            }));
        }
        self.notify();
    }

    fn close(&self) {
        {
            let mut gate = self.lock();
            let Some(term) = gate.open.take() else { return };
            term.closing.cancel();
            gate.last = Some(term);
        }
        self.notify();
    }

    fn fence(&self) {
        {
            let mut gate = self.lock();
            // Cut before anybody hears that the gate is closed: there is no time to leave.
            let terms = [gate.open.take(), gate.last.take()];
            terms.into_iter().flatten().for_each(|term| term.cut());
        }
        self.notify();
    }

    /// When those who are inside a closed gate are cut, if that is settled: whoever can end in good
    /// order ends before.
    pub(crate) fn cut_at(&self) -> Option<Moment> {
        self.lock().cut_at
    }

    /// Settles it. Does nothing while the gate is open.
    fn settle_cut(&self, at: Moment) {
        {
            let mut gate = self.lock();
            if gate.open.is_some() {
                return;
            }
            gate.cut_at = Some(at);
        }
        self.notify();
    }

    async fn drained(&self) {
        loop {
            let mut left = pin!(self.left.notified());
            // Whoever leaves after this is heard.
            left.as_mut().enable();
            if self.inside() == 0 {
                return;
            }
            left.await;
        }
    }

    fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn waiting(&self) -> &AtomicUsize {
        &self.waiting
    }

    /// A wait at this door ended; `is_first` unless this request's was counted before, and it had to
    /// wait again.
    pub(crate) fn note_wait(&self, wait: Duration, is_first: bool) {
        self.counters.count_wait(wait, is_first);
        self.account().held(self.clock.now(), wait, is_first);
    }

    /// Somebody was refused, cut off or failed because the gate was closed.
    pub(crate) fn note_failed(&self) {
        self.account().failed(self.clock.now());
    }

    /// Looks whether requests have a way from here, and remembers since when.
    pub(crate) fn note_way(&self, is_open: impl FnOnce() -> bool) {
        // Looked at under the lock, so that the last look is also the last that is remembered.
        let mut account = self.account();
        account.set_way(self.clock.now(), is_open());
    }

    fn account(&self) -> MutexGuard<'_, PauseAccount> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stats(&self) -> DatasetStats {
        let waiting = self.waiting.load(Ordering::Relaxed);
        self.counters.read(waiting, self.inside())
    }
}

/// Leave to use this node's own services for one request or session.
#[derive(Debug)]
pub struct Pass {
    door: Arc<Door>,
    term: Arc<Term>,
}

impl Pass {
    /// The epoch under which the holder entered.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.term.epoch
    }

    /// Ends when the gate closes: nobody new comes in, and a holder who would stay for long makes
    /// ready to leave. Cancel-safe.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + 'static {
        let term = Arc::clone(&self.term);
        async move { term.closing.cancelled().await }
    }

    /// Ends when the dataset is fenced: the holder must stop at once. Cancel-safe.
    pub fn cut(&self) -> impl Future<Output = ()> + Send + 'static {
        let term = Arc::clone(&self.term);
        async move { term.cut.cancelled().await }
    }

    /// Whether the dataset was fenced since the holder entered.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.term.cut.is_cancelled()
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.door.inside.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.door.left.notify_waiters();
        }
    }
}

/// All doors of this node.
#[derive(Debug)]
pub struct Doors {
    doors: Mutex<BTreeMap<DatasetId, Arc<Door>>>,
    clock: Clock,
    lease: Option<Duration>,
    /// When the conductor vouched last, in the clock's milliseconds.
    vouched_ms: AtomicU64,
}

impl Doors {
    /// No doors yet. With a `lease`, gates count as open only that long after [`Doors::vouch`].
    #[must_use]
    pub fn new(clock: Clock, lease: Option<Duration>) -> Self {
        let vouched_ms = AtomicU64::new(clock.now().0);
        Self {
            doors: Mutex::default(),
            clock,
            lease,
            vouched_ms,
        }
    }

    /// The door of a dataset; made on first use.
    #[must_use]
    pub fn door(&self, dataset: DatasetId) -> Arc<Door> {
        let mut doors = self.lock();
        Arc::clone(
            doors
                .entry(dataset)
                .or_insert_with(|| Arc::new(Door::new(dataset, self.clock.clone()))),
        )
    }

    /// All doors that there are.
    pub(crate) fn all(&self) -> Vec<Arc<Door>> {
        self.lock().values().cloned().collect()
    }

    /// Lets requests in under this epoch. Opening again under the same epoch changes nothing.
    pub fn open(&self, dataset: DatasetId, epoch: Epoch) {
        self.door(dataset).open(epoch);
    }

    /// Lets nobody new in; those inside go on.
    pub fn close(&self, dataset: DatasetId) {
        self.door(dataset).close();
    }

    /// Lets nobody in and ends those inside.
    pub fn fence(&self, dataset: DatasetId) {
        self.door(dataset).fence();
    }

    /// Waits until nobody is inside, at most `deadline`. Returns how many still are.
    pub async fn drain(&self, dataset: DatasetId, deadline: Duration) -> usize {
        let door = self.door(dataset);
        door.settle_cut(self.clock.now().plus(deadline));
        let _in_time = tokio::time::timeout(deadline, door.drained()).await;
        door.inside()
    }

    /// The conductor looked at the clock and found no gap: the gates hold for another lease.
    pub fn vouch(&self) {
        self.vouched_ms
            .fetch_max(self.clock.now().0, Ordering::SeqCst);
    }

    /// Whether the gates can be believed at this moment.
    #[must_use]
    pub fn is_vouched(&self) -> bool {
        let vouched = Moment(self.vouched_ms.load(Ordering::SeqCst));
        self.lease
            .is_none_or(|lease| self.clock.now().since(vouched) <= lease)
    }

    /// What visitors noticed of this dataset's closed gate within the last `within`.
    #[must_use]
    pub fn pause(&self, dataset: DatasetId, within: Duration) -> Pause {
        self.door(dataset).account().read(self.clock.now(), within)
    }

    /// Counters of all doors.
    #[must_use]
    pub fn stats(&self) -> crate::stats::ProxyStats {
        let mut stats = crate::stats::ProxyStats::default();
        for door in self.all() {
            stats.add(door.dataset, door.stats());
        }
        stats
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DatasetId, Arc<Door>>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{BootId, NodeId};
    use hwc_api::time::WallTime;

    const DATASET: DatasetId = DatasetId(1);

    fn epoch(counter: u32) -> Epoch {
        Epoch {
            counter,
            node: NodeId(1),
            boot: BootId(1),
        }
    }

    fn doors() -> Doors {
        Doors::new(Clock::manual(WallTime(0)), None)
    }

    #[test]
    fn a_gate_lets_in_under_its_own_epoch_only() {
        let doors = doors();
        let door = doors.door(DATASET);
        assert!(door.enter(epoch(1)).is_none());
        doors.open(DATASET, epoch(2));
        assert!(door.enter(epoch(1)).is_none() && door.enter(epoch(3)).is_none());
        assert!(door.enter(epoch(2)).is_some());
        doors.close(DATASET);
        assert!(door.enter(epoch(2)).is_none());
    }

    #[test]
    fn closing_leaves_guests_alone_and_a_fence_cuts_them() {
        let doors = doors();
        let door = doors.door(DATASET);
        doors.open(DATASET, epoch(1));
        let pass = door.enter(epoch(1)).expect("open");
        doors.close(DATASET);
        assert!(!pass.is_cut());
        doors.fence(DATASET);
        assert!(pass.is_cut());
    }

    #[test]
    fn a_new_epoch_cuts_the_guests_of_the_old_one() {
        let doors = doors();
        let door = doors.door(DATASET);
        doors.open(DATASET, epoch(1));
        let old = door.enter(epoch(1)).expect("open");
        doors.open(DATASET, epoch(1));
        assert!(!old.is_cut());
        doors.close(DATASET);
        doors.open(DATASET, epoch(2));
        let new = door.enter(epoch(2)).expect("open");
        assert!(old.is_cut() && !new.is_cut());
    }

    #[test]
    fn a_move_that_is_called_off_cuts_nobody() {
        let doors = doors();
        let door = doors.door(DATASET);
        doors.open(DATASET, epoch(1));
        let before = door.enter(epoch(1)).expect("open");
        doors.close(DATASET);
        assert!(before.term.closing.is_cancelled());
        doors.open(DATASET, epoch(1));
        let after = door.enter(epoch(1)).expect("open");
        assert!(!before.is_cut() && !after.term.closing.is_cancelled());
        doors.fence(DATASET);
        assert!(before.is_cut() && after.is_cut());
    }

    #[tokio::test]
    async fn draining_waits_for_the_last_guest_or_its_deadline() {
        let doors = doors();
        let door = doors.door(DATASET);
        doors.open(DATASET, epoch(1));
        let pass = door.enter(epoch(1)).expect("open");
        doors.close(DATASET);
        assert_eq!(doors.drain(DATASET, Duration::from_millis(5)).await, 1);
        let (left, ()) = tokio::join!(doors.drain(DATASET, Duration::from_secs(30)), async {
            tokio::task::yield_now().await;
            drop(pass);
        });
        assert_eq!(left, 0);
    }

    #[test]
    fn gates_that_nobody_vouched_for_are_not_believed() {
        let clock = Clock::manual(WallTime(0));
        let doors = Doors::new(clock.clone(), Some(Duration::from_secs(4)));
        clock.advance(Duration::from_secs(4));
        assert!(doors.is_vouched());
        clock.advance(Duration::from_millis(1));
        assert!(!doors.is_vouched());
        doors.vouch();
        assert!(doors.is_vouched());
    }
}
