//! The real thing: btrfs on loop devices, the kernel's events, `btrfs send` and `receive`.
//!
//! Needs root, `mkfs.btrfs` and a kernel with btrfs; elsewhere every test says so and passes.
//! `HWC_TEST_BTRFS` names another `btrfs` program than the one in the path.

use crate::support::{Heard, Net, Node, PATIENCE, Tamper, by_hand, lock, quick, refusal, until};
use hwc_api::ids::DatasetId;
use hwc_api::ownership::SnapshotId;
use hwc_hcfs::backend::Backend;
use hwc_hcfs::backend::btrfs::Btrfs;
use hwc_hcfs::layout::{Layout, Volume};
use hwc_hcfs::{FailedStage, HcfsConfig, Purpose, RefusalReason, RetentionPolicy};
use hwc_runtime::clock::Clock;
use hwc_runtime::command::run_command;
use hwc_runtime::random::{number_u32, secret_bytes};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const SITE: DatasetId = DatasetId(7);
const SHOP: DatasetId = DatasetId(8);
const MEBIBYTE: u64 = 1024 * 1024;

/// A btrfs filesystem in a file, mounted for as long as this lives.
struct Pool {
    folder: TempDir,
}

impl Pool {
    async fn new(size_bytes: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("image");
        let file = File::create(&image).expect("an image");
        file.set_len(size_bytes).expect("a size");
        run_command("mkfs.btrfs", [OsStr::new("-q"), image.as_os_str()])
            .await
            .expect("a filesystem");
        let pool = Self { folder };
        fs::create_dir(pool.path()).expect("a mount point");
        pool.mount("subvolid=5", &pool.path()).await;
        pool
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("pool")
    }

    async fn mount(&self, which: &str, at: &Path) {
        let image = self.folder.path().join("image");
        let options = format!("loop,noatime,{which}");
        let arguments = [
            OsStr::new("-o"),
            OsStr::new(&options),
            image.as_os_str(),
            at.as_os_str(),
        ];
        run_command("mount", arguments).await.expect("mounted");
    }

    /// What the disk holds at this moment: what would be there after a power cut.
    async fn photograph(&self) {
        let names = ["image", "photograph"].map(|name| self.folder.path().join(name));
        let arguments = [
            OsStr::new("--sparse=always"),
            names[0].as_os_str(),
            names[1].as_os_str(),
        ];
        run_command("cp", arguments).await.expect("copied");
    }

    /// Puts the disk back to what was photographed, without letting the filesystem write more.
    async fn lose_power(&self) {
        until("the pool is unmounted", || async {
            rustix::mount::unmount(self.path(), rustix::mount::UnmountFlags::empty()).ok()
        })
        .await;
        let names = ["image", "photograph"].map(|name| self.folder.path().join(name));
        fs::rename(&names[1], &names[0]).expect("replaced");
        self.mount("subvolid=5", &self.path()).await;
    }

    fn backend(&self) -> Arc<dyn Backend> {
        let layout = Layout::new(self.path());
        Arc::new(match std::env::var_os("HWC_TEST_BTRFS") {
            Some(program) => Btrfs::with_program(layout, program),
            None => Btrfs::new(layout),
        })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let flags = rustix::mount::UnmountFlags::DETACH;
        if let Err(error) = rustix::mount::unmount(self.path(), flags) {
            eprintln!("{} stays mounted: {error}", self.path().display());
        }
    }
}

/// Nodes with btrfs pools.
struct Cluster {
    net: Arc<Net>,
    pools: Vec<Pool>,
}

impl Cluster {
    /// None, after saying why, where the machine can't do it.
    async fn new(count: usize) -> Option<Self> {
        Self::with_pools(&vec![512 * MEBIBYTE; count]).await
    }

    async fn with_pools(sizes: &[u64]) -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let has_program = run_command("mkfs.btrfs", ["--version"]).await.is_ok();
        let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        if !is_root || !has_program || !filesystems.contains("btrfs") {
            eprintln!("not run: needs root, btrfs-progs and a kernel with btrfs");
            return None;
        }
        let mut pools = Vec::new();
        for size in sizes {
            pools.push(Pool::new(*size).await);
        }
        let net = Arc::default();
        Some(Self { net, pools })
    }

    async fn start(&self, id: u16, boot: u32, config: HcfsConfig) -> Node {
        let backend = self.pools[usize::from(id) - 1].backend();
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

/// Everything that a customer could notice about a folder, by path.
fn tree(top: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("an entry").path();
            let metadata = fs::symlink_metadata(&path).expect("there");
            let content = if metadata.is_file() {
                blake3::hash(&fs::read(&path).expect("readable")).to_string()
            } else if metadata.is_symlink() {
                format!("{:?}", fs::read_link(&path).expect("a target"))
            } else {
                String::new()
            };
            let shown = format!(
                "{:o} {}:{} links {} size {} at {}.{} {content}",
                metadata.mode(),
                metadata.uid(),
                metadata.gid(),
                metadata.nlink(),
                if metadata.is_file() {
                    metadata.size()
                } else {
                    0
                },
                metadata.mtime(),
                metadata.mtime_nsec(),
            );
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            let name = path.strip_prefix(top).expect("inside");
            found.insert(name.to_owned(), shown);
        }
    }
    found
}

impl Node {
    async fn tree(&self, dataset: DatasetId) -> BTreeMap<PathBuf, String> {
        let head = self.head(dataset).await.expect("a head");
        tree(&self.hcfs.layout().path(Volume::Snapshot(dataset, head)))
    }
}

/// Bytes that don't compress.
fn noise(length: usize) -> Vec<u8> {
    let blocks = length.div_ceil(1024);
    let mut bytes: Vec<u8> = (0..blocks).flat_map(|_| secret_bytes::<1024>()).collect();
    bytes.truncate(length);
    bytes
}

/// What a database and an upload form do to files: overwrites here and there, shared extents,
/// holes.
async fn disturb(live: &Path) {
    let file = live.join("table");
    let opened = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&file)
        .expect("opened");
    if opened.metadata().expect("there").len() == 0 {
        for block in 0..64 {
            let bytes = noise(65_536);
            opened
                .write_all_at(&bytes, block * 65_536)
                .expect("written");
        }
    }
    for _ in 0..40 {
        let bytes = noise(4096);
        let at = u64::from(number_u32() % 1000) * 4096;
        opened.write_all_at(&bytes, at).expect("written");
    }
    let copy = live.join(format!("copy-{}", number_u32()));
    let arguments = [
        OsStr::new("--reflink=always"),
        file.as_os_str(),
        copy.as_os_str(),
    ];
    run_command("cp", arguments).await.expect("copied");
    let hole = ["-p", "-o", "1MiB", "-l", "256KiB"].map(OsStr::new);
    let arguments = hole.into_iter().chain([file.as_os_str()]);
    run_command("fallocate", arguments).await.expect("punched");
    let at = u64::from(number_u32() % 1000) * 4096;
    opened.write_all_at(&noise(12_288), at).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dataset_moves_to_and_fro_with_random_overwrites_and_shared_extents() {
    let Some(cluster) = Cluster::new(2).await else {
        return;
    };
    let one = cluster.start(1, 11, by_hand()).await;
    let two = cluster.start(2, 22, by_hand()).await;
    let mut counter = 1;
    one.go_live(SITE, counter).await;
    one.replicate(SITE, &two).await.expect("sent");
    for _ in 0..3 {
        for (live, replica) in [(&one, &two), (&two, &one)] {
            for _ in 0..2 {
                disturb(&live.hcfs.live_path(SITE)).await;
                live.snapshot(SITE).await;
                let request = live.request(SITE, replica).await;
                assert!(request.parent.is_some());
                live.hcfs.send(request).await.expect("sent");
                assert_eq!(live.tree(SITE).await, replica.tree(SITE).await);
                assert_eq!(live.lineage(SITE).await, replica.lineage(SITE).await);
            }
            live.hcfs.end_live(SITE).await.expect("ended");
            counter += 1;
            replica.go_live(SITE, counter).await;
        }
    }
    assert_eq!(one.lineage(SITE).await.entries().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn special_files_arrive_as_they_are() {
    let Some(cluster) = Cluster::new(2).await else {
        return;
    };
    let (one, two) = cluster.pair().await;
    let live = one.hcfs.live_path(SITE);
    let deep = live.join("a").join("b").join("c");
    fs::create_dir_all(&deep).expect("made");
    let strange = [
        &b"new\nline"[..],
        b"not \xff\xfe utf-8",
        b"--help",
        &[b'x'; 255],
        "übergröße".as_bytes(),
    ];
    for name in strange {
        fs::write(deep.join(OsStr::from_bytes(name)), name).expect("written");
    }
    std::os::unix::fs::symlink("/etc/../no/such", live.join("link")).expect("linked");
    fs::hard_link(live.join("page"), live.join("same page")).expect("linked");
    std::os::unix::fs::chown(live.join("page"), Some(2007), Some(2007)).expect("owned");
    let mode = fs::Permissions::from_mode(0o4750);
    fs::set_permissions(live.join("page"), mode).expect("setuid");
    let sparse = File::create(live.join("sparse")).expect("made");
    sparse.set_len(50 * 1024 * MEBIBYTE).expect("long");
    sparse
        .write_all_at(b"end", 50 * 1024 * MEBIBYTE - 3)
        .expect("written");
    drop(fs::remove_file(live.join("sparse")));
    let short = File::create(live.join("short")).expect("made");
    short.set_len(64 * MEBIBYTE).expect("long");
    let fifo = [OsStr::new("--"), live.join("fifo").as_os_str()].map(OsStr::to_owned);
    run_command("mkfifo", fifo).await.expect("made");
    let socket = std::os::unix::net::UnixListener::bind(live.join("sock")).expect("bound");
    one.snapshot(SITE).await;
    drop(socket);
    one.replicate(SITE, &two).await.expect("sent");
    let tree = two.tree(SITE).await;
    assert_eq!(tree, one.tree(SITE).await);
    let head = two.head(SITE).await.expect("a head");
    let short = two
        .hcfs
        .layout()
        .path(Volume::Snapshot(SITE, head))
        .join("short");
    assert_eq!(fs::metadata(short).expect("there").blocks(), 0);
    assert_eq!(tree.len(), 3 + strange.len() + 6, "{tree:#?}");
    fs::rename(live.join("a"), live.join("z")).expect("renamed");
    fs::remove_file(live.join("page")).expect("removed");
    one.snapshot(SITE).await;
    one.replicate(SITE, &two).await.expect("sent");
    assert_eq!(two.tree(SITE).await, one.tree(SITE).await);
}

fn change(what: &str, top: &Path) {
    let (page, moved) = (top.join("page"), top.join("folder/page"));
    let done = match what {
        "create" => fs::write(page, b"1"),
        "write" => File::options()
            .write(true)
            .open(page)
            .and_then(|file| file.write_all_at(b"2", 0)),
        "chmod" => fs::set_permissions(page, fs::Permissions::from_mode(0o600)),
        "mkdir" => fs::create_dir(top.join("folder")),
        "rename" => fs::rename(page, moved),
        _ => fs::remove_file(moved),
    };
    done.expect(what);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_marks_its_own_dataset_and_no_other() {
    let Some(cluster) = Cluster::new(1).await else {
        return;
    };
    let mut node = cluster.start(1, 11, quick()).await;
    let site = node.go_live(SITE, 1).await;
    node.go_live(SHOP, 1).await;
    let mut firsts = BTreeSet::new();
    for _ in 0..2 {
        firsts.insert(node.snapshots.recv().await.expect("a snapshot").0);
    }
    assert_eq!(firsts, BTreeSet::from([SITE, SHOP]));
    // Through another mount of the same subvolume, as a service sees it.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let bind = [
        OsStr::new("--bind"),
        site.as_os_str(),
        elsewhere.path().as_os_str(),
    ];
    run_command("mount", bind).await.expect("bound");
    for what in ["create", "write", "chmod", "mkdir", "rename", "remove"] {
        change(what, elsewhere.path());
        let next = tokio::time::timeout(PATIENCE, node.snapshots.recv()).await;
        let (dataset, taken) = next.expect(what).expect(what);
        assert_eq!(dataset, SITE, "{what}");
        assert!(taken.changed_bytes > 0, "{what}");
        // The last event of a change may come behind the snapshot: one more of it is allowed.
        let _quiet = tokio::time::timeout(Duration::from_millis(150), async {
            let (dataset, _taken) = node.snapshots.recv().await.expect(what);
            assert_eq!(dataset, SITE, "{what}");
        })
        .await;
    }
    assert_eq!(node.head(SHOP).await.map(|head| head.sequence), Some(1));
    let flags = rustix::mount::UnmountFlags::DETACH;
    rustix::mount::unmount(elsewhere.path(), flags).expect("unmounted");
    node.stop().await;
}

/// Writes through a shared mapping and keeps the file open: the kernel gives no event.
#[expect(
    unsafe_code,
    reason = "mmap has no safe form; the mapping is of our own, long enough file"
)]
fn write_through_mapping(file: &File, bytes: &[u8]) {
    // SAFETY: a fresh shared mapping of an open file that is at least as long; written inside its
    // bounds, then unmapped.
    unsafe {
        let place = libc::mmap(
            std::ptr::null_mut(),
            bytes.len(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        );
        assert_ne!(place, libc::MAP_FAILED);
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.cast(), bytes.len());
        assert_eq!(libc::munmap(place, bytes.len()), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_through_a_mapping_is_found_by_the_scan() {
    let Some(cluster) = Cluster::new(1).await else {
        return;
    };
    let mut config = quick();
    config.scan_interval = Duration::from_millis(300);
    let mut node = cluster.start(1, 11, config).await;
    let live = node.go_live(SITE, 1).await;
    let file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(live.join("cache"))
        .expect("made");
    file.write_all_at(&[b'a'; 8192], 0).expect("written");
    until("the file is in a snapshot", || async {
        node.read(SITE, "cache")
            .await
            .filter(|bytes| bytes.len() == 8192)
    })
    .await;
    while node.snapshots.try_recv().is_ok() {}
    write_through_mapping(&file, &[b'b'; 8192]);
    until("the change is in a snapshot", || async {
        node.read(SITE, "cache")
            .await
            .filter(|bytes| bytes[0] == b'b')
    })
    .await;
    drop(file);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_changed_means_no_snapshot() {
    let Some(cluster) = Cluster::new(1).await else {
        return;
    };
    let mut config = quick();
    config.scan_interval = Duration::from_millis(20);
    let mut node = cluster.start(1, 11, config).await;
    let live = node.go_live(SITE, 1).await;
    node.snapshots.recv().await.expect("the first");
    fs::write(live.join("page"), b"x").expect("written");
    node.snapshots.recv().await.expect("the change");
    // At most one more, for events that came behind the snapshot.
    let mut extra = 0;
    let quiet = async {
        loop {
            node.snapshots.recv().await.expect("open");
            extra += 1;
        }
    };
    let _always = tokio::time::timeout(Duration::from_millis(1500), quiet).await;
    assert!(extra <= 1, "{extra} snapshots of nothing");
    assert_eq!(node.hcfs.final_snapshot(SITE).await.expect("looked"), None);
    assert_eq!(node.hcfs.end_live(SITE).await.expect("ended"), None);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_stream_leaves_the_old_copy() {
    let Some(cluster) = Cluster::new(2).await else {
        return;
    };
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    let before = (two.head(SITE).await, two.tree(SITE).await);
    let live = one.hcfs.live_path(SITE);
    disturb(&live).await;
    one.write(SITE, "page", b"second").await;
    // The whole stream is some four megabytes that don't compress.
    let mut cuts: Vec<usize> = (0..4 * 16).map(|n| n * 65_536).collect();
    cuts.extend((0..30).map(|_| number_u32() as usize % (4 * 1024 * 1024)));
    for at in cuts {
        cluster.net.tamper(Tamper::CutAfter(at));
        one.replicate(SITE, &two).await.expect_err("cut");
        two.until_nothing_comes_in().await;
        assert_eq!(two.head(SITE).await, before.0, "cut after {at}");
    }
    assert_eq!(two.tree(SITE).await, before.1);
    assert_eq!(two.names("snapshots/7").len(), 2);
    cluster.net.tamper(Tamper::Not);
    let done = one.replicate(SITE, &two).await.expect("sent");
    assert!(done.network_bytes > 4 * 1024 * 1024, "{done:?}");
    assert_eq!(two.tree(SITE).await, one.tree(SITE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_and_a_repeated_stream_are_refused() {
    let Some(cluster) = Cluster::new(2).await else {
        return;
    };
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    let whole = lock(&cluster.net.said).clone();
    disturb(&one.hcfs.live_path(SITE)).await;
    one.snapshot(SITE).await;
    let before = two.head(SITE).await;
    for _ in 0..30 {
        // Behind the offer, before the end: in the content of chunks, mostly.
        let at = 1000 + number_u32() as usize % (4 * 1024 * 1024 - 1000);
        cluster.net.tamper(Tamper::Flip(at));
        let outcome = one.replicate(SITE, &two).await;
        assert!(outcome.is_err(), "byte {at}: {outcome:?}");
        two.until_nothing_comes_in().await;
        assert_eq!(two.head(SITE).await, before, "byte {at}");
    }
    cluster.net.tamper(Tamper::Not);
    one.replicate(SITE, &two).await.expect("sent");
    let after = (two.head(SITE).await, two.tree(SITE).await);
    cluster.net.replay(one.id, two.id, &whole).await;
    two.until_nothing_comes_in().await;
    assert_eq!((two.head(SITE).await, two.tree(SITE).await), after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_dies_midway_has_the_old_copy_and_no_leftovers() {
    let Some(cluster) = Cluster::new(2).await else {
        return;
    };
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    let before = two.head(SITE).await;
    disturb(&one.hcfs.live_path(SITE)).await;
    one.snapshot(SITE).await;
    cluster.net.tamper(Tamper::StallAfter(2 * 1024 * 1024));
    let request = one.request(SITE, &two).await;
    let sending = one.hcfs.clone();
    let (sent, two) = tokio::join!(sending.send(request), async {
        until("half of it is there", || async {
            let hidden = two.names("incoming").into_iter().next()?;
            let half = two
                .names(&format!("incoming/{hidden}"))
                .into_iter()
                .next()?;
            let table = format!("incoming/{hidden}/{half}/table");
            two.hcfs.layout().root().join(table).exists().then_some(())
        })
        .await;
        two.stop().await;
        // What a kill leaves, whatever the program's end has tidied up by now.
        let left = cluster.pools[1].path().join("incoming/0123456789abcdef");
        fs::create_dir_all(&left).expect("made");
        let half = [
            OsStr::new("subvolume"),
            OsStr::new("create"),
            left.join("half").as_os_str(),
        ]
        .map(OsStr::to_owned);
        run_command("btrfs", half).await.expect("made");
        cluster.start(2, 23, by_hand()).await
    });
    sent.expect_err("the receiver is gone");
    assert!(two.names("incoming").is_empty());
    assert_eq!(two.head(SITE).await, before);
    cluster.net.tamper(Tamper::Not);
    one.replicate(SITE, &two).await.expect("sent");
    assert_eq!(two.tree(SITE).await, one.tree(SITE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_or_snapshotted_survives_a_power_cut() {
    let Some(cluster) = Cluster::new(2).await else {
        return;
    };
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    disturb(&one.hcfs.live_path(SITE)).await;
    let head = one.snapshot(SITE).await;
    cluster.pools[0].photograph().await;
    one.replicate(SITE, &two).await.expect("sent");
    cluster.pools[1].photograph().await;
    let expected = one.tree(SITE).await;
    fs::write(one.hcfs.live_path(SITE).join("page"), b"too late").expect("written");
    one.stop().await;
    two.stop().await;
    for (id, pool) in (1_u16..).zip(&cluster.pools) {
        pool.lose_power().await;
        let node = cluster.start(id, 50, by_hand()).await;
        assert_eq!(node.head(SITE).await, Some(head), "node {id}");
        assert_eq!(node.tree(SITE).await, expected, "node {id}");
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_data_of_a_crash_is_saved_and_untouched_live_data_is_not() {
    let Some(cluster) = Cluster::new(1).await else {
        return;
    };
    let node = cluster.start(1, 11, by_hand()).await;
    node.go_live(SITE, 3).await;
    node.go_live(SHOP, 3).await;
    let saved = node.write(SITE, "page", b"saved").await;
    let shop = node.write(SHOP, "page", b"saved").await;
    fs::write(node.hcfs.live_path(SITE).join("page"), b"not saved").expect("written");
    node.stop().await;
    let node = cluster.start(1, 12, by_hand()).await;
    let head = node.head(SITE).await.expect("a head");
    assert_eq!(
        (head.epoch.counter, head.epoch.boot.0, head.sequence),
        (3, 12, 1)
    );
    assert!(node.lineage(SITE).await.contains(saved));
    assert_eq!(
        node.read(SITE, "page").await.as_deref(),
        Some(&b"not saved"[..])
    );
    assert_eq!(node.head(SHOP).await, Some(shop));
    assert!(node.names("live").is_empty());
    // Live from a snapshot and never written to, at the next crash.
    node.go_live(SHOP, 4).await;
    node.stop().await;
    let node = cluster.start(1, 13, by_hand()).await;
    assert_eq!(node.head(SHOP).await, Some(shop));
    assert_eq!(node.inventory.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customers_subvolume_open_file_or_mount_does_not_hold_up_the_end() {
    let Some(cluster) = Cluster::new(1).await else {
        return;
    };
    let node = cluster.start(1, 11, by_hand()).await;
    let live = node.go_live(SITE, 1).await;
    for name in ["nested", "nested/deeper"] {
        let create = [
            OsStr::new("subvolume"),
            OsStr::new("create"),
            live.join(name).as_os_str(),
        ]
        .map(OsStr::to_owned);
        run_command("btrfs", create).await.expect("made");
    }
    let elsewhere = tempfile::tempdir().expect("a folder");
    let bind = [
        OsStr::new("--bind"),
        live.as_os_str(),
        elsewhere.path().as_os_str(),
    ];
    run_command("mount", bind).await.expect("bound");
    let open = File::create(live.join("page")).expect("made");
    let taken = node.hcfs.end_live(SITE).await.expect("ended");
    assert!(taken.is_some() && !node.names("live").contains("7"));
    drop(open);
    let flags = rustix::mount::UnmountFlags::DETACH;
    rustix::mount::unmount(elsewhere.path(), flags).expect("unmounted");
    node.go_live(SITE, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_streams_and_hurts_nothing_else() {
    let Some(cluster) = Cluster::with_pools(&[512 * MEBIBYTE, 160 * MEBIBYTE]).await else {
        return;
    };
    let mut config = by_hand();
    config.reserve_bytes = 0;
    let one = cluster.start(1, 11, by_hand()).await;
    let two = cluster.start(2, 22, config).await;
    one.go_live(SITE, 1).await;
    one.write(SITE, "page", b"first").await;
    one.replicate(SITE, &two).await.expect("sent");
    let before = (two.head(SITE).await, two.tree(SITE).await);
    for n in 0..200 {
        let bytes = noise(1_048_576);
        fs::write(one.hcfs.live_path(SITE).join(format!("big-{n}")), bytes).expect("written");
    }
    one.snapshot(SITE).await;
    two.gate.take_heard();
    let outcome = one.replicate(SITE, &two).await;
    assert_eq!(refusal(outcome), RefusalReason::NoSpace);
    let heard = [Heard::Offered, Heard::Failed(FailedStage::Transfer)];
    assert_eq!(two.gate.take_heard(), heard);
    two.until_nothing_comes_in().await;
    assert_eq!((two.head(SITE).await, two.tree(SITE).await), before);
    // With a reserve the stream isn't even begun.
    two.stop().await;
    let mut config = by_hand();
    (config.reserve_bytes, config.reserve_percent) = (u64::MAX, 100);
    let two = cluster.start(2, 23, config).await;
    let outcome = one.replicate(SITE, &two).await;
    assert_eq!(refusal(outcome), RefusalReason::NoSpace);
    assert_eq!(two.gate.take_heard(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_divergent_copy_is_kept_and_pushed() {
    let Some(cluster) = Cluster::new(2).await else {
        return;
    };
    let (one, two) = cluster.pair().await;
    one.replicate(SITE, &two).await.expect("sent");
    let common = one.head(SITE).await.expect("a head");
    disturb(&one.hcfs.live_path(SITE)).await;
    one.snapshot(SITE).await;
    let (lost, lost_tree) = (one.lineage(SITE).await, one.tree(SITE).await);
    one.hcfs.end_live(SITE).await.expect("ended");
    two.go_live(SITE, 2).await;
    disturb(&two.hcfs.live_path(SITE)).await;
    two.snapshot(SITE).await;
    one.hcfs.file_divergent(SITE, &lost).await.expect("filed");
    one.hcfs
        .roll_back(SITE, Some(common))
        .await
        .expect("rolled back");
    two.replicate(SITE, &one).await.expect("sent");
    assert_eq!(one.tree(SITE).await, two.tree(SITE).await);
    let mut request = one.request(SITE, &two).await;
    (request.purpose, request.parent) = (Purpose::Divergent, Some(common));
    request.lineage = lost.clone();
    one.hcfs.send(request).await.expect("pushed");
    let head = lost.head().expect("a head");
    for node in [&one, &two] {
        let kept = node.hcfs.layout().path(Volume::Divergent(SITE, head));
        assert_eq!(tree(&kept), lost_tree);
    }
    two.stop().await;
    let two = cluster.start(2, 24, by_hand()).await;
    let item = two.inventory.first().expect("a dataset");
    assert_eq!(item.divergent, [lost]);
    two.hcfs
        .forget_divergent(SITE, head)
        .await
        .expect("forgotten");
    assert!(two.hcfs.divergent(SITE).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thinning_removes_subvolumes_and_the_rest_still_replicates() {
    let Some(cluster) = Cluster::new(2).await else {
        return;
    };
    let mut config = by_hand();
    config.retention = RetentionPolicy {
        newest: 2,
        minutes: 0,
        hours: 0,
        days: 0,
    };
    let one = cluster.start(1, 11, config).await;
    let two = cluster.start(2, 22, by_hand()).await;
    one.go_live(SITE, 1).await;
    one.replicate(SITE, &two).await.expect("sent");
    let anchor = two.head(SITE).await.expect("a head");
    for n in 0..6 {
        one.write(SITE, "page", &[n]).await;
    }
    one.hcfs.retain(SITE, BTreeSet::from([anchor])).await;
    assert_eq!(one.hcfs.thin(SITE).await.expect("thinned").len(), 4);
    assert_eq!(one.names("snapshots/7").len(), 6);
    let request = one.request(SITE, &two).await;
    assert_eq!(request.parent, Some(anchor));
    one.hcfs.send(request).await.expect("sent");
    assert_eq!(two.tree(SITE).await, one.tree(SITE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_pool_is_refused_with_what_to_do() {
    let Some(cluster) = Cluster::new(1).await else {
        return;
    };
    let pool = cluster.pools[0].path();
    let inside = [
        OsStr::new("subvolume"),
        OsStr::new("create"),
        pool.join("inside").as_os_str(),
    ]
    .map(OsStr::to_owned);
    run_command("btrfs", inside).await.expect("made");
    let elsewhere = tempfile::tempdir().expect("a folder");
    for (path, advice) in [
        (elsewhere.path(), "not on btrfs"),
        (&pool.join("inside"), "not the top"),
    ] {
        let error = Btrfs::new(Layout::new(path))
            .prepare()
            .await
            .expect_err("refused");
        let shown = error.to_string();
        assert!(
            shown.contains(advice) && shown.contains("subvolid=5"),
            "{shown}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_busy_datasets_stay_bounded() {
    let Some(cluster) = Cluster::new(1).await else {
        return;
    };
    let mut config = quick();
    config.thinning_interval = Duration::from_millis(200);
    config.retention = RetentionPolicy {
        newest: 4,
        minutes: 0,
        hours: 0,
        days: 0,
    };
    let mut node = cluster.start(1, 11, config).await;
    let datasets: Vec<_> = (100..120).map(DatasetId).collect();
    for dataset in &datasets {
        node.go_live(*dataset, 1).await;
        node.hcfs.retain(*dataset, BTreeSet::new()).await;
    }
    let mut taken: BTreeMap<DatasetId, Vec<SnapshotId>> = BTreeMap::new();
    let all_busy = async {
        for round in 0_u32.. {
            for dataset in &datasets {
                let path = node.hcfs.live_path(*dataset).join("page");
                fs::write(path, round.to_le_bytes()).expect("written");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            while let Ok((dataset, snapshot)) = node.snapshots.try_recv() {
                taken.entry(dataset).or_default().push(snapshot.snapshot);
            }
            let is_done = |dataset| taken.get(dataset).is_some_and(|list| list.len() > 12);
            if datasets.iter().all(is_done) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, all_busy)
        .await
        .expect("all got their turns");
    for (dataset, snapshots) in &taken {
        let in_order = snapshots.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(in_order, "{dataset}: {snapshots:?}");
    }
    until("the number is bounded", || async {
        let counts = datasets
            .iter()
            .map(|d| node.names(&format!("snapshots/{d}")).len());
        counts.max().filter(|count| *count <= 2 * 4 + 4)
    })
    .await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_change_is_on_the_other_node_soon() {
    let Some(cluster) = Cluster::new(2).await else {
        return;
    };
    let (one, two) = cluster.pair().await;
    disturb(&one.hcfs.live_path(SITE)).await;
    one.snapshot(SITE).await;
    one.replicate(SITE, &two).await.expect("sent");
    let clock = Clock::system();
    let (mut snapshot_ms, mut transfer_ms) = (Vec::new(), Vec::new());
    for n in 0..20_u8 {
        fs::write(one.hcfs.live_path(SITE).join("page"), [n; 1000]).expect("written");
        let before = clock.now();
        one.snapshot(SITE).await;
        let between = clock.now();
        one.replicate(SITE, &two).await.expect("sent");
        snapshot_ms.push(between.since(before).as_millis());
        transfer_ms.push(clock.now().since(between).as_millis());
    }
    snapshot_ms.sort_unstable();
    transfer_ms.sort_unstable();
    eprintln!(
        "snapshot: median {} ms, most {} ms",
        snapshot_ms[10], snapshot_ms[19]
    );
    eprintln!(
        "send to acknowledgement: median {} ms, most {} ms",
        transfer_ms[10], transfer_ms[19]
    );
    assert!(snapshot_ms[10] + transfer_ms[10] < 2_000);
    assert_eq!(two.tree(SITE).await, one.tree(SITE).await);
}
