//! Everything above the backend, on plain folders.

use crate::support::{Heard, Net, Node, Tamper, by_hand, lock, quick, refusal, until};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Lineage, SnapshotId};
use hwc_hcfs::backend::dir::Dir;
use hwc_hcfs::layout::Layout;
use hwc_hcfs::{
    FailedStage, HcfsConfig, HcfsError, Purpose, RefusalReason, RetentionPolicy, SendError,
    SendFailure,
};
use hwc_runtime::random::secret_bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const SITE: DatasetId = DatasetId(7);

/// A cluster of nodes with pools of plain folders.
struct Cluster {
    net: Arc<Net>,
    pools: Vec<TempDir>,
}

impl Cluster {
    fn new() -> Self {
        let pool = |_| tempfile::tempdir().expect("a folder");
        Self {
            net: Arc::default(),
            pools: (0..4).map(pool).collect(),
        }
    }

    async fn start(&self, id: u16, boot: u32, config: HcfsConfig) -> Node {
        let layout = Layout::new(self.pools[usize::from(id)].path());
        let backend = Arc::new(Dir::new(layout));
        Node::start(&self.net, id, boot, backend, config).await
    }

    /// Two nodes, the first live with one snapshot that holds `page`.
    async fn pair(&self) -> (Node, Node) {
        let one = self.start(1, 11, by_hand()).await;
        let two = self.start(2, 22, by_hand()).await;
        one.go_live(SITE, 1).await;
        one.write(SITE, "page", b"first").await;
        (one, two)
    }
}

#[tokio::test]
async fn a_change_becomes_a_snapshot_and_the_first_is_taken_at_once() {
    let cluster = Cluster::new();
    let mut node = cluster.start(1, 11, quick()).await;
    let live = node.go_live(SITE, 1).await;
    let (dataset, first) = node.snapshots.recv().await.expect("a snapshot");
    assert_eq!((dataset, first.snapshot.sequence), (SITE, 1));
    std::fs::write(live.join("page"), b"hello").expect("written");
    let (_dataset, second) = node.snapshots.recv().await.expect("a snapshot");
    assert_eq!(second.snapshot.sequence, 2);
    assert!(second.changed_bytes >= 5);
    assert_eq!(
        node.read(SITE, "page").await.as_deref(),
        Some(&b"hello"[..])
    );
    assert_eq!(node.lineage(SITE).await.head(), Some(second.snapshot));
    assert_eq!(
        node.lineage(SITE).await.weight_bytes(),
        first.changed_bytes + second.changed_bytes
    );
    node.stop().await;
}

#[tokio::test]
async fn a_snapshot_travels_whole_then_as_an_increment() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    let done = one.replicate(SITE, &two).await.expect("sent");
    assert!(!done.was_there);
    assert_eq!(two.read(SITE, "page").await.as_deref(), Some(&b"first"[..]));
    one.write(SITE, "page", b"second").await;
    assert_eq!(one.request(SITE, &two).await.parent, Some(done.snapshot));
    one.replicate(SITE, &two).await.expect("sent");
    assert_eq!(
        two.read(SITE, "page").await.as_deref(),
        Some(&b"second"[..])
    );
    assert_eq!(two.lineage(SITE).await, one.lineage(SITE).await);
    let once = [Heard::Offered, Heard::Received, Heard::Committed];
    assert_eq!(two.gate.take_heard(), [once, once].concat());
}

#[tokio::test]
async fn a_stream_under_way_tells_how_far_it_is() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    // Nothing to compress.
    let content: Vec<u8> = std::iter::repeat_with(secret_bytes::<32>)
        .take(128 * 1024)
        .flatten()
        .collect();
    one.write(SITE, "archive", &content).await;
    cluster.net.tamper(Tamper::StallAfter(2 * 1024 * 1024));
    let sent = || one.hcfs.sending_bytes(SITE, two.id);
    assert_eq!(sent(), 0, "nothing is under way");
    let under_way = until("a megabyte to be sent", || async {
        (sent() >= 1024 * 1024).then(sent)
    });
    tokio::select! {
        outcome = one.replicate(SITE, &two) => panic!("it stalls: {outcome:?}"),
        sent = under_way => assert!(sent < content.len() as u64, "{sent}"),
    }
    assert_eq!(sent(), 0, "it was dropped");
}

#[tokio::test]
async fn a_copy_goes_live_elsewhere_and_comes_back() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    assert_eq!(one.hcfs.end_live(SITE).await.expect("ended"), None);
    assert!(!one.names("live").contains("7"));
    two.go_live(SITE, 2).await;
    two.write(SITE, "page", b"from two").await;
    two.replicate(SITE, &one).await.expect("sent back");
    assert_eq!(
        one.read(SITE, "page").await.as_deref(),
        Some(&b"from two"[..])
    );
    assert_eq!(one.lineage(SITE).await.entries().len(), 2);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    let request = one.request(SITE, &two).await;
    cluster.net.tamper(Tamper::LoseAnswers);
    let lost = one.hcfs.send(request.clone()).await;
    assert!(matches!(
        lost.expect_err("no answer").failure(),
        SendFailure::Interrupted
    ));
    cluster.net.tamper(Tamper::Not);
    two.gate.take_heard();
    let again = one.hcfs.send(request).await.expect("acknowledged");
    assert!(again.was_there);
    assert_eq!(two.gate.take_heard(), []);
}

#[tokio::test]
async fn the_conductor_may_refuse_before_and_after() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    *lock(&two.gate.refuse_offers) = Some(RefusalReason::OldEpoch);
    let outcome = one.replicate(SITE, &two).await;
    assert_eq!(refusal(outcome), RefusalReason::OldEpoch);
    assert_eq!(two.gate.take_heard(), [Heard::Offered]);
    *lock(&two.gate.refuse_offers) = None;
    *lock(&two.gate.refuse_received) = Some(RefusalReason::NotFollowing);
    let outcome = one.replicate(SITE, &two).await;
    assert_eq!(refusal(outcome), RefusalReason::NotFollowing);
    assert_eq!(two.gate.take_heard(), [Heard::Offered, Heard::Received]);
    assert_eq!(two.head(SITE).await, None);
    two.until_nothing_comes_in().await;
}

#[tokio::test]
async fn a_stream_upon_another_copy_is_refused() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    let first = one.head(SITE).await.expect("a head");
    let second = one.write(SITE, "page", b"second").await;
    one.replicate(SITE, &two).await.expect("sent");
    one.write(SITE, "page", b"third").await;
    let mut request = one.request(SITE, &two).await;
    request.parent = Some(first);
    let outcome = one.hcfs.send(request.clone()).await;
    assert_eq!(refusal(outcome), RefusalReason::OtherParent);
    let three = cluster.start(3, 33, by_hand()).await;
    request.to = three.id;
    let outcome = one.hcfs.send(request).await;
    let error = outcome.expect_err("no parent there");
    assert_eq!(error.failure(), SendFailure::ParentMissing);
    assert_eq!(two.head(SITE).await, Some(second));
}

#[tokio::test]
async fn a_live_node_takes_no_stream() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    two.go_live(SITE, 2).await;
    one.write(SITE, "page", b"second").await;
    let outcome = one.replicate(SITE, &two).await;
    assert_eq!(refusal(outcome), RefusalReason::NotFollowing);
    let heard = two.gate.take_heard();
    assert_eq!(heard.last(), Some(&Heard::Failed(FailedStage::Transfer)));
}

#[tokio::test]
async fn only_the_writer_of_an_epoch_may_send_under_it() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    let mut request = one.request(SITE, &two).await;
    request.epoch.node = NodeId(2);
    let outcome = one.hcfs.send(request).await;
    assert_eq!(refusal(outcome), RefusalReason::NotTheWriter);
    one.replicate(SITE, &two).await.expect("sent");
    let said = lock(&cluster.net.said).clone();
    let three = cluster.start(3, 33, by_hand()).await;
    // Node 2 repeats to node 3 what node 1 said.
    cluster.net.replay(NodeId(2), three.id, &said).await;
    assert_eq!(three.head(SITE).await, None);
    assert_eq!(three.gate.take_heard(), []);
}

#[tokio::test]
async fn a_stream_cut_at_any_byte_leaves_the_old_copy_and_the_next_try_succeeds() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    let before = two.head(SITE).await;
    one.write(SITE, "page", b"second").await;
    let mut at = 0;
    loop {
        cluster.net.tamper(Tamper::CutAfter(at));
        match one.replicate(SITE, &two).await {
            Ok(_done) => break,
            Err(_cut) => {
                two.until_nothing_comes_in().await;
                assert_eq!(two.head(SITE).await, before, "cut after {at}");
                assert_eq!(two.read(SITE, "page").await.as_deref(), Some(&b"first"[..]));
            }
        }
        at += 1;
    }
    assert!(at > 200, "the stream was cut at {at} places only");
    assert_eq!(
        two.read(SITE, "page").await.as_deref(),
        Some(&b"second"[..])
    );
}

#[tokio::test]
async fn a_stream_with_any_byte_flipped_is_refused() {
    let cluster = Cluster::new();
    let mut config = by_hand();
    // A flipped length makes the receiver wait for bytes that never come.
    config.transfers.idle = Duration::from_millis(100);
    let one = cluster.start(1, 11, by_hand()).await;
    let two = cluster.start(2, 22, config).await;
    one.go_live(SITE, 1).await;
    one.write(SITE, "page", b"first").await;
    one.replicate(SITE, &two).await.expect("sent");
    let before = two.head(SITE).await;
    one.write(SITE, "page", b"second").await;
    // Once untouched, to another node, to learn its length.
    let three = cluster.start(3, 33, by_hand()).await;
    one.replicate(SITE, &three).await.expect("sent");
    let length = lock(&cluster.net.said).len();
    for at in 0..length {
        cluster.net.tamper(Tamper::Flip(at));
        let outcome = one.replicate(SITE, &two).await;
        assert!(outcome.is_err(), "byte {at} of {length}");
        two.until_nothing_comes_in().await;
        assert_eq!(two.head(SITE).await, before, "byte {at} of {length}");
    }
    cluster.net.tamper(Tamper::Not);
    one.replicate(SITE, &two).await.expect("sent");
    assert_eq!(
        two.read(SITE, "page").await.as_deref(),
        Some(&b"second"[..])
    );
}

#[tokio::test]
async fn an_old_stream_that_is_repeated_changes_nothing() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    let whole = lock(&cluster.net.said).clone();
    one.write(SITE, "page", b"second").await;
    one.replicate(SITE, &two).await.expect("sent");
    let increment = lock(&cluster.net.said).clone();
    one.write(SITE, "page", b"third").await;
    one.replicate(SITE, &two).await.expect("sent");
    for old in [whole, increment] {
        cluster.net.replay(one.id, two.id, &old).await;
        two.until_nothing_comes_in().await;
        assert_eq!(two.head(SITE).await, one.head(SITE).await);
        assert_eq!(two.read(SITE, "page").await.as_deref(), Some(&b"third"[..]));
    }
}

#[tokio::test]
async fn garbage_instead_of_a_stream_is_dropped() {
    let cluster = Cluster::new();
    let mut config = by_hand();
    config.transfers.idle = Duration::from_millis(100);
    let two = cluster.start(2, 22, config).await;
    for garbage in [
        &b""[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 5000],
        &[1, 0, 0, 0, 0],
    ] {
        cluster.net.replay(NodeId(1), two.id, garbage).await;
    }
    assert_eq!(two.gate.take_heard(), []);
    assert!(two.names("snapshots").is_empty());
}

#[tokio::test]
async fn a_silent_sender_is_given_up_and_a_fenced_one_stops_at_once() {
    let cluster = Cluster::new();
    let mut config = by_hand();
    config.transfers.idle = Duration::from_millis(200);
    let one = cluster.start(1, 11, by_hand()).await;
    let two = cluster.start(2, 22, config).await;
    one.go_live(SITE, 1).await;
    one.write(SITE, "page", &secret_bytes::<4096>()).await;
    cluster.net.tamper(Tamper::StallAfter(400));
    let request = one.request(SITE, &two).await;
    let outcome = one.hcfs.send(request.clone()).await;
    assert_eq!(
        outcome.expect_err("silence").failure(),
        SendFailure::Interrupted
    );
    two.until_nothing_comes_in().await;
    let (sent, _fenced) = tokio::join!(one.hcfs.send(request), async {
        until("the stream is under way", || async {
            (!two.names("incoming").is_empty()).then_some(())
        })
        .await;
        one.hcfs.end_live(SITE).await.expect("ended")
    });
    assert!(matches!(sent, Err(SendError::CalledOff)), "{sent:?}");
    two.until_nothing_comes_in().await;
}

#[tokio::test]
async fn a_restart_saves_what_was_written_under_a_fresh_label() {
    let cluster = Cluster::new();
    let node = cluster.start(1, 11, by_hand()).await;
    let live = node.go_live(SITE, 3).await;
    let head = node.write(SITE, "page", b"saved").await;
    std::fs::write(live.join("page"), b"not saved").expect("written");
    node.stop().await;

    // A boot that sorts below the one before: labels are unique, not ordered.
    let node = cluster.start(1, 0, by_hand()).await;
    let item = node.inventory.first().expect("a dataset");
    let lineage = item.lineage.as_ref().expect("a copy");
    let relabelled = lineage.head().expect("a head");
    assert_eq!(
        (
            relabelled.epoch.counter,
            relabelled.epoch.boot.0,
            relabelled.sequence
        ),
        (3, 0, 1)
    );
    assert!(lineage.contains(head) && relabelled < head);
    assert_eq!(
        node.read(SITE, "page").await.as_deref(),
        Some(&b"not saved"[..])
    );
    assert!(node.names("live").is_empty());
    node.stop().await;

    // Nothing was live: nothing is relabelled, and the head is still the relabelled one.
    let node = cluster.start(1, 99, by_hand()).await;
    assert_eq!(node.head(SITE).await, Some(relabelled));
    node.go_live(SITE, 4).await;
    node.stop().await;

    // Live and unchanged: nothing is relabelled either.
    let node = cluster.start(1, 100, by_hand()).await;
    assert_eq!(node.head(SITE).await, Some(relabelled));
    assert!(node.names("live").is_empty());
}

#[tokio::test]
async fn leftovers_of_a_crash_are_removed() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    let first = two.head(SITE).await.expect("a head");
    one.write(SITE, "page", b"second").await;
    one.replicate(SITE, &two).await.expect("sent");
    let second = two.head(SITE).await.expect("a head");
    let root = two.hcfs.layout().root().to_owned();
    two.stop().await;
    let folder = root.join("snapshots/7");
    // The power went after the snapshot was put in its place, before its record.
    std::fs::remove_file(folder.join(format!("{second}.json"))).expect("removed");
    // And a record without its snapshot, and a receive that was under way.
    std::fs::write(folder.join("1-1-00000001.99.json"), b"{}").expect("written");
    std::fs::create_dir_all(root.join("incoming/00ff/1-1-00000001.3")).expect("made");
    let two = cluster.start(2, 23, by_hand()).await;
    assert_eq!(two.head(SITE).await, Some(first));
    assert!(two.names("incoming").is_empty());
    let left = two.names("snapshots/7");
    assert!(
        left.iter().all(|name| name.starts_with(&first.to_string())),
        "{left:?}"
    );
    one.replicate(SITE, &two).await.expect("sent again");
    assert_eq!(two.head(SITE).await, Some(second));
}

/// Both sides of a netsplit wrote: node 1 twice under epoch 1, node 2 once under epoch 2.
async fn split(cluster: &Cluster) -> (Node, Node, SnapshotId) {
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    let common = one.head(SITE).await.expect("a head");
    one.write(SITE, "page", b"one's").await;
    one.write(SITE, "page", b"one's, later").await;
    one.hcfs.end_live(SITE).await.expect("ended");
    two.go_live(SITE, 2).await;
    two.write(SITE, "page", b"two's").await;
    (one, two, common)
}

#[tokio::test]
async fn the_losing_branch_is_kept_before_it_is_rolled_back() {
    let cluster = Cluster::new();
    let (one, two, common) = split(&cluster).await;
    let lost = one.lineage(SITE).await;
    let refused = one.hcfs.roll_back(SITE, Some(common)).await;
    assert!(
        matches!(refused, Err(HcfsError::NotFiled { .. })),
        "{refused:?}"
    );
    one.hcfs.file_divergent(SITE, &lost).await.expect("filed");
    one.hcfs
        .file_divergent(SITE, &lost)
        .await
        .expect("filed already");
    let back = one
        .hcfs
        .roll_back(SITE, Some(common))
        .await
        .expect("rolled back");
    assert_eq!(back.and_then(|lineage| lineage.head()), Some(common));
    two.replicate(SITE, &one).await.expect("sent");
    assert_eq!(one.read(SITE, "page").await.as_deref(), Some(&b"two's"[..]));
    one.stop().await;
    let one = cluster.start(1, 12, by_hand()).await;
    let kept = one.hcfs.divergent(SITE).await;
    assert_eq!(kept.first().map(|d| &d.lineage), Some(&lost));
    assert_eq!(one.inventory.first().map(|i| i.divergent.len()), Some(1));
    let head = lost.head().expect("a head");
    let volume = hwc_hcfs::layout::Volume::Divergent(SITE, head);
    let page = std::fs::read(one.hcfs.layout().path(volume).join("page"));
    assert_eq!(page.expect("kept"), b"one's, later");

    // A second copy of it, as an increment upon what both have.
    let mut request = one.request(SITE, &two).await;
    request.purpose = Purpose::Divergent;
    request.parent = Some(common);
    request.lineage = lost.clone();
    one.hcfs.send(request).await.expect("pushed");
    assert_eq!(two.hcfs.divergent(SITE).await.len(), 1);
    assert_eq!(two.read(SITE, "page").await.as_deref(), Some(&b"two's"[..]));
    one.hcfs
        .forget_divergent(SITE, head)
        .await
        .expect("forgotten");
    assert!(one.hcfs.divergent(SITE).await.is_empty());
}

#[tokio::test]
async fn a_whole_content_replaces_only_what_is_kept_beside() {
    let cluster = Cluster::new();
    let (one, two, _common) = split(&cluster).await;
    let mut whole = two.request(SITE, &one).await;
    whole.parent = None;
    let outcome = two.hcfs.send(whole.clone()).await;
    assert_eq!(refusal(outcome), RefusalReason::OtherParent);
    let lost = one.lineage(SITE).await;
    one.hcfs.file_divergent(SITE, &lost).await.expect("filed");
    two.hcfs.send(whole).await.expect("replaced");
    assert_eq!(one.lineage(SITE).await, two.lineage(SITE).await);
    assert_eq!(one.read(SITE, "page").await.as_deref(), Some(&b"two's"[..]));
}

#[tokio::test]
async fn rolling_back_further_than_anything_retained_removes_the_copy() {
    let cluster = Cluster::new();
    let (one, _two, _common) = split(&cluster).await;
    let lost = one.lineage(SITE).await;
    one.hcfs.file_divergent(SITE, &lost).await.expect("filed");
    assert_eq!(one.hcfs.roll_back(SITE, None).await.expect("removed"), None);
    assert_eq!(one.hcfs.lineage(SITE).await, None);
    assert!(one.names("snapshots/7").is_empty());
    assert_eq!(one.hcfs.divergent(SITE).await.len(), 1);
}

#[tokio::test]
async fn thinning_waits_for_the_list_and_keeps_what_is_on_it() {
    let cluster = Cluster::new();
    let mut config = by_hand();
    config.retention = RetentionPolicy {
        newest: 2,
        minutes: 0,
        hours: 0,
        days: 0,
    };
    let node = cluster.start(1, 11, config).await;
    node.go_live(SITE, 1).await;
    let mut taken = Vec::new();
    for n in 0..6 {
        taken.push(node.write(SITE, "page", &[n]).await);
    }
    assert!(node.hcfs.thin(SITE).await.expect("thinned").is_empty());
    node.hcfs.retain(SITE, BTreeSet::from([taken[1]])).await;
    let gone = node.hcfs.thin(SITE).await.expect("thinned");
    assert_eq!(gone.len(), 4, "{gone:?}");
    let kept = node.names("snapshots/7");
    for snapshot in [taken[1], taken[4], taken[5]] {
        assert!(
            kept.contains(&snapshot.to_string()),
            "{snapshot} in {kept:?}"
        );
    }
    // What a transfer would build upon is gone: the sender says which way is left.
    let mut request = node.request(SITE, &node).await;
    request.parent = Some(taken[0]);
    let outcome = node.hcfs.send(request).await;
    assert!(
        matches!(outcome, Err(SendError::ParentMissing(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_copy_is_dropped_or_goes_through_the_trash() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    two.hcfs.drop_copy(SITE).await.expect("dropped");
    assert_eq!(two.hcfs.lineage(SITE).await, None);
    assert!(matches!(
        one.hcfs.drop_copy(SITE).await,
        Err(HcfsError::Live { .. })
    ));
    one.hcfs.end_live(SITE).await.expect("ended");
    one.hcfs.move_to_trash(SITE).await.expect("moved");
    assert_eq!(one.hcfs.lineage(SITE).await, None);
    assert!(!one.names("trash/7").is_empty());
    let now = hwc_runtime::clock::Clock::system().wall();
    one.hcfs
        .empty_trash(now.plus_ms(-60_000))
        .await
        .expect("kept");
    assert!(!one.names("trash/7").is_empty());
    one.hcfs
        .empty_trash(now.plus_ms(60_000))
        .await
        .expect("emptied");
    assert!(
        one.names("trash/7")
            .iter()
            .all(|name| !name.ends_with(".json"))
    );
}

#[tokio::test]
async fn going_live_is_refused_on_another_head_or_an_old_epoch() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    let head = two.head(SITE).await;
    let go = |counter, from| two.hcfs.go_live(SITE, two.epoch(counter), from);
    assert!(matches!(
        go(2, None).await,
        Err(HcfsError::OtherHead { .. })
    ));
    assert!(matches!(
        go(0, head).await,
        Err(HcfsError::EpochOutOfOrder { .. })
    ));
    go(2, head).await.expect("live");
    go(2, head).await.expect("live already");
    assert!(matches!(go(3, head).await, Err(HcfsError::Live { .. })));
    assert!(matches!(
        two.hcfs.roll_back(SITE, None).await,
        Err(HcfsError::Live { .. })
    ));
}

#[tokio::test]
async fn freshness_is_told_by_the_oldest_change_that_a_copy_lacks() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    let lacking = one.hcfs.replica_observed(SITE, None).await;
    assert!(!lacking.is_current);
    let done = one.replicate(SITE, &two).await.expect("sent");
    let current = one.hcfs.replica_observed(SITE, Some(done.snapshot)).await;
    assert!(current.is_current && current.current_as_of >= lacking.current_as_of);
    std::fs::write(one.hcfs.live_path(SITE).join("page"), b"newer").expect("written");
    let behind = until("the change is noticed", || async {
        let observed = one.hcfs.replica_observed(SITE, Some(done.snapshot)).await;
        (!observed.is_current).then_some(observed)
    })
    .await;
    one.snapshot(SITE).await;
    let still = one.hcfs.replica_observed(SITE, Some(done.snapshot)).await;
    assert_eq!(still, behind);
    assert!(one.hcfs.used_bytes(SITE).await > 0);
}

#[tokio::test]
async fn an_empty_history_can_not_be_sent() {
    let cluster = Cluster::new();
    let (one, two) = cluster.pair().await;
    let mut request = one.request(SITE, &two).await;
    request.lineage = Lineage::genesis();
    assert!(matches!(
        one.hcfs.send(request).await,
        Err(SendError::Nothing)
    ));
}
