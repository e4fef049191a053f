//! Long packets, files, several results and nonsense through the MySQL door.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use hwc_awesome_proxy::Limits;
use hwc_runtime::lifecycle::Tasks;
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;
use support::mariadb::Mariadb;
use support::moves::{Places, direct, session, session_with};
use support::sql::{
    DEPRECATE_EOF, LOCAL_FILES, MORE_RESULTS, MULTI_STATEMENTS, SESSION_TRACK, Sql,
};
use support::{DATABASE, soon, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

#[tokio::test]
async fn packets_beyond_16_mib_pass_both_ways() {
    let server = Mariadb::start().await;
    drop(direct(&server).await);
    let places = Places::new(&server.socket, &server.socket, Limits::default());
    let longest = 0xff_ffff;
    for node in [&places.one, &places.three] {
        let mut sql = session(node).await;
        // COM_QUERY of exactly one full packet, one less, one more, and two and a bit.
        for length in [longest - 1, longest, longest + 1, 2 * longest + 5] {
            let front = "select length('";
            let text = "x".repeat(length - 1 - front.len() - 2);
            let statement = format!("{front}{text}')");
            assert_eq!(statement.len() + 1, length);
            assert_eq!(sql.text(&statement).await, text.len().to_string());
        }
        // Rows around the same lengths; each has a head of four or nine bytes.
        for length in [longest - 5, longest - 4, longest - 3, longest, 2 * longest] {
            let reply = sql.query(&format!("select repeat('y', {length}), 1")).await;
            let rows = reply.expect("rows").rows;
            assert_eq!(rows[0][0].as_ref().expect("a value").len(), length);
            assert_eq!(rows[0][1].as_deref(), Some(&b"1"[..]));
        }
        places.move_to(&places.one, &places.two).await;
        assert_eq!(sql.text("select 1").await, "1");
        places.move_to(&places.two, &places.one).await;
    }
}

#[tokio::test]
async fn several_results_and_procedures_are_followed() {
    let server = Mariadb::start().await;
    drop(direct(&server).await);
    let places = Places::new(&server.socket, &server.socket, Limits::default());
    for extra in [0, DEPRECATE_EOF, DEPRECATE_EOF | SESSION_TRACK] {
        let capabilities = MULTI_STATEMENTS | extra;
        let mut sql = session_with(&places.three, capabilities)
            .await
            .expect("a session");
        let several = "select 1; set @a = 2; select seq from seq_1_to_3; do 1; select 4";
        let mut rows = Vec::new();
        sql.command(3, several.as_bytes()).await.expect("sent");
        loop {
            let reply = sql.reply().await.expect("a result");
            rows.push(reply.text());
            if reply.status & MORE_RESULTS == 0 {
                break;
            }
        }
        assert_eq!(rows, ["1", "", "1\n2\n3", "", "4"]);
        sql.query("create or replace procedure p() begin select 1; select 2; end")
            .await
            .expect("made");
        sql.command(3, b"call p()").await.expect("sent");
        let mut results = 0;
        while sql.reply().await.expect("a result").status & MORE_RESULTS != 0 {
            results += 1;
        }
        assert_eq!(results, 2);
        // An error in the middle ends it all.
        sql.command(3, b"select 1; select * from nowhere; select 2")
            .await
            .expect("sent");
        sql.reply().await.expect("a result");
        assert_eq!(sql.reply().await.expect_err("nowhere").code(), 1146);
        places.move_to(&places.one, &places.two).await;
        assert_eq!(sql.text("select @a").await, "2");
        // The option outlives the move, and can be switched off there.
        sql.command(0x1b, &[1, 0]).await.expect("sent");
        sql.packet().await.expect("done");
        places.move_to(&places.two, &places.one).await;
        let refused = sql.query("select 1; select 2").await.expect_err("off");
        assert_eq!(refused.code(), 1064);
    }
}

#[tokio::test]
async fn files_of_the_client_are_loaded() {
    let server = Mariadb::start().await;
    let mut sql = direct(&server).await;
    sql.query("create table texts (t varchar(60000))")
        .await
        .expect("done");
    let places = Places::new(&server.socket, &server.socket, Limits::default());
    let line = "z".repeat(50_000);
    for node in [&places.one, &places.three] {
        let mut sql = session_with(node, LOCAL_FILES).await.expect("a session");
        sql.query("delete from texts").await.expect("done");
        sql.command(3, b"load data local infile 'some.txt' into table texts")
            .await
            .expect("sent");
        assert_eq!(sql.packet().await.expect("a question"), b"\xfbsome.txt");
        for _ in 0..40 {
            sql.send(format!("{line}\n").as_bytes())
                .await
                .expect("sent");
        }
        // In the middle of it the gate closes; it may end.
        let (left, loaded) =
            tokio::join!(places.leave(&places.one, Duration::from_secs(20)), async {
                until(|| places.one.proxy.gate(DATABASE).is_none()).await;
                tokio::time::sleep(Duration::from_millis(30)).await;
                sql.send(format!("{line}\n").as_bytes())
                    .await
                    .expect("sent");
                sql.send(b"").await.expect("sent");
                sql.reply().await.expect("loaded").affected
            });
        assert_eq!((left, loaded), (0, 41));
        places.open(&places.two);
        assert_eq!(sql.text("select count(*) from texts").await, "41");
        places.move_to(&places.two, &places.one).await;
    }
}

#[tokio::test]
async fn commands_may_come_before_the_last_answer_is_read() {
    let server = Mariadb::start().await;
    drop(direct(&server).await);
    let places = Places::new(&server.socket, &server.socket, Limits::default());
    let mut sql = session(&places.three).await;
    for number in 0..50 {
        let statement = format!("select {number}");
        sql.command(3, statement.as_bytes()).await.expect("sent");
    }
    for number in 0..50 {
        assert_eq!(sql.reply().await.expect("rows").text(), number.to_string());
    }
    // Commands that nobody knows, and those of replication.
    for code in [0x12, 0x13, 0x15, 0x55, 0x00, 0xfe] {
        sql.command(code, b"anything").await.expect("sent");
        assert_eq!(sql.reply().await.expect_err("unknown").code(), 1047);
    }
    sql.command(9, &[]).await.expect("sent");
    assert!(
        sql.packet()
            .await
            .expect("statistics")
            .starts_with(b"Uptime")
    );
    assert_eq!(sql.text("select 1").await, "1");
}

/// A session that has come to the point where it sends commands, on a door before `server`.
async fn rude_session(server: &Path) -> (Places, Sql) {
    let limits = Limits {
        head: Duration::from_millis(500),
        wait: Duration::from_millis(500),
        ..Limits::default()
    };
    let places = Places::new(server, server, limits);
    let sql = session(&places.one).await;
    (places, sql)
}

#[test]
fn no_bytes_of_a_client_hurt() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (server, places) = runtime.block_on(async {
        let server = Mariadb::start().await;
        drop(direct(&server).await);
        let places = Places::new(&server.socket, &server.socket, Limits::default());
        (server, places)
    });
    proptest!(ProptestConfig::with_cases(64), |(
        codes in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<bool>(),
            proptest::collection::vec(any::<u8>(), 0..40), 0_usize..3), 0..8),
        tail in proptest::collection::vec(any::<u8>(), 0..10),
    )| {
        runtime.block_on(async {
            let mut sql = session(&places.one).await;
            let mut bytes = Vec::new();
            for (code, sequence, is_known, payload, lie) in codes {
                let code = if is_known { code % 0x20 } else { code };
                let length = u32::try_from(payload.len() + 1 + lie).expect("small").to_le_bytes();
                let sequence = if is_known { 0 } else { sequence };
                bytes.extend_from_slice(&[length[0], length[1], length[2], sequence, code]);
                bytes.extend_from_slice(&payload);
            }
            bytes.extend_from_slice(&tail);
            let _closed = sql.stream.write_all(&bytes).await;
            let _closed = sql.stream.shutdown().await;
            let mut rest = Vec::new();
            let _reset = soon(sql.stream.read_to_end(&mut rest)).await;
        });
    });
    runtime.block_on(async {
        until(|| places.one.proxy.stats().total.in_flight == 0).await;
        let mut sql = session(&places.one).await;
        assert_eq!(sql.text("select 1").await, "1");
    });
    drop(server);
}

/// A server that takes any login and then says what it is told to, whatever it is asked.
fn odd_server(tasks: &Tasks, path: &Path, says: Vec<u8>) {
    let listener = UnixListener::bind(path).expect("a socket");
    tasks.spawn("odd server", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut greeting = vec![10];
            greeting.extend_from_slice(b"11.8.3-MariaDB\0\x07\0\0\0aaaaaaaa\0");
            // All capabilities, and all extended ones.
            greeting.extend_from_slice(&[0xfe, 0xff, 45, 2, 0, 0xff, 0xff, 21]);
            greeting.extend_from_slice(&[0; 6]);
            greeting.extend_from_slice(&[0xff, 0xff, 0, 0]);
            greeting.extend_from_slice(b"aaaaaaaaaaaa\0mysql_native_password\0");
            answer(&mut stream, &packet(0, &greeting), false).await;
            answer(&mut stream, &packet(2, &[0, 0, 0, 2, 0, 0, 0]), true).await;
            answer(&mut stream, &says, true).await;
        }
    });
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_le_bytes();
    [&[length[0], length[1], length[2], sequence], payload].concat()
}

async fn answer(stream: &mut UnixStream, bytes: &[u8], after_question: bool) {
    if after_question {
        let _asked = stream.read(&mut [0; 4096]).await;
    }
    let _gone = stream.write_all(bytes).await;
}

#[tokio::test]
async fn nonsense_of_a_server_ends_the_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("odd.sock");
    for says in [
        // Nothing at all, then the end.
        Vec::new(),
        // An OK packet that ends too early; columns without end; a row before its columns.
        packet(1, &[0]),
        packet(1, &[0xfd, 1]),
        packet(1, &[]),
        // A packet that never comes to its end.
        [&[0xff, 0xff, 0xff, 1][..], &[7; 100]].concat(),
        // A result cut short.
        [packet(1, &[1]), packet(2, b"\x03def")].concat(),
    ] {
        let tasks = Tasks::new();
        let _nothing = std::fs::remove_file(&path);
        odd_server(&tasks, &path, says.clone());
        let (places, mut sql) = rude_session(&path).await;
        let told = soon(sql.query("select 1")).await;
        assert_eq!(told.expect_err("nonsense").code(), 0, "{says:?}");
        until(|| places.one.proxy.stats().total.in_flight == 0).await;
        tasks.stop(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_tell_its_state_costs_the_session_not_the_move() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("odd.sock");
    let tasks = Tasks::new();
    odd_server(&tasks, &path, packet(1, &[0xff, 1, 0, b'n', b'o']));
    let (places, mut sql) = rude_session(&path).await;
    let left = soon(places.leave(&places.one, Duration::from_millis(200))).await;
    assert_eq!(left, 0);
    let told = soon(sql.query("select 1")).await.expect_err("lost");
    assert_eq!(told.code(), 1053);
    tasks.stop(Duration::ZERO).await;
}
