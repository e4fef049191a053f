//! What becomes of whom when a site moves, on real nodes: connections, transactions, requests and
//! downloads that are open while it happens, at the live node's door and at another's. The fates are
//! those that `gates.rs` and `mysql.rs` of the front door promise to whoever ends in time.

#![allow(
    clippy::unwrap_used,
    reason = "tests may panic; clippy's own exemption misses helpers outside #[test] functions"
)]

mod support;

use std::thread;

use hwc_lab::Progress;
use hwc_lab::bench;
use hwc_lab::cluster;
use support::lab;
use support::site::{LARGE, Part, Place, check_stayed, total};
use support::sql::Session;
use support::visits::Folder;

#[test]
fn whoever_ends_in_time_notices_nothing_but_a_pause() {
    let Some(lab) = lab("moves", 2) else { return };
    bench::begin(&lab, Progress::quiet()).unwrap();
    cluster::hwc(&lab, "n1", &["cluster", "balancing", "--off"], "").unwrap();
    let place = Place::prepare(&lab);
    within_the_limits(&place);
}

/// Whatever ends in time, or can be carried, notices nothing but a pause.
fn within_the_limits(place: &Place<'_>) {
    let (from, to) = place.ends();
    let folder = Folder::new(place.lab);
    thread::scope(|scope| {
        let mut idle: Vec<_> = place.sessions(|node, n| Idle::begin(place, node, n));
        let mut writing: Vec<_> = place.sessions(|node, n| {
            let mut session = place.connect(node);
            session.get("begin");
            session.get(&format!("insert into moves_row values ('written', {n})"));
            session
        });
        let posts = place.post(scope, "short");
        let downloads: Vec<_> = place
            .doors()
            .map(|(n, way)| {
                let to = folder.file(&format!("whole-{n}"));
                scope.spawn(move || way.download(place.file(LARGE.0, n, &to), "8M"))
            })
            .collect();
        let going = scope.spawn(|| {
            place.until_closed(&from, Part::Files);
            place.let_go(&from, "short");
        });
        let stayers = place.stay(scope);
        let moving = scope.spawn(|| place.move_to(&to));
        place.until_closed(&from, Part::Database);
        for session in &mut writing {
            session.get("insert into moves_row values ('written too', 1)");
            session.get("commit");
        }
        going.join().unwrap();
        let receipts = moving.join().unwrap();

        for session in &mut idle {
            session.check(&from, &to);
        }
        for session in &mut writing {
            assert_eq!(session.get("select @@hostname"), to);
        }
        assert_eq!(place.count(&mut writing[0], "written"), 2);
        assert_eq!(place.count(&mut writing[1], "written too"), 2);
        for post in posts {
            assert_eq!(post.join().unwrap(), ("200".into(), "written".into()));
        }
        assert_eq!(place.count(&mut writing[0], "short"), 2);
        assert_eq!(place.lines("rows.txt"), ["short 0", "short 1"]);
        for download in downloads {
            let download = download.join().unwrap();
            assert_eq!((download.code, download.status.as_str()), (0, "200"));
            assert_eq!(download.sha256, place.sum);
        }
        check_stayed(stayers);
        for protocol in ["http", "mysql"] {
            assert_eq!(total(&receipts, protocol, "failed"), 0, "{receipts:#?}");
        }
        // All who stay waited.
        assert!(total(&receipts, "http", "held") >= 4, "{receipts:#?}");
    });
}

/// A session with nothing under way, and what it knows.
struct Idle {
    session: Session,
    number: String,
}

impl Idle {
    fn begin(place: &Place<'_>, node: &str, n: usize) -> Self {
        let mut session = place.connect(node);
        session.get("set names latin1");
        session.get("set @word = 'kept', time_zone = '+05:30'");
        session.get("insert into moves_id () values ()");
        let number = session.get("select last_insert_id()");
        session.get(&format!("PREPARE select concat(@word, '-', {n})"));
        assert_eq!(session.get("EXECUTE"), format!("kept-{n}"));
        Self { session, number }
    }

    /// The same connection, at the new server, with everything that it knew.
    fn check(&mut self, from: &str, to: &str) {
        let session = &mut self.session;
        assert_eq!(session.get("select last_insert_id()"), self.number);
        assert_eq!(session.get("select @@hostname"), to, "not {from} any more");
        assert!(session.get("EXECUTE").starts_with("kept-"));
        assert_eq!(session.get("select @word"), "kept");
        assert_eq!(session.get("select @@time_zone"), "+05:30");
        assert_eq!(session.get("select @@character_set_client"), "latin1");
    }
}
