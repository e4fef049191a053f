//! MySQL sessions whose database moves, with real servers and a client that sees packets.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use hwc_awesome_proxy::Limits;
use std::time::Duration;
use support::mariadb::{PASSWORD, USER};
use support::moves::{DRAIN, Places, numbers, session, session_with, two_servers};
use support::sql::{
    CURSOR_EXISTS, DEPRECATE_EOF, Failure, LAST_ROW_SENT, Sql, SqlError, binary_number,
};
use support::{DATABASE, soon, until};

/// Two servers and three nodes, of which the first is live.
async fn places(limits: Limits) -> (Places, support::mariadb::Mariadb, support::mariadb::Mariadb) {
    let (one, two) = two_servers().await;
    (Places::new(&one.socket, &two.socket, limits), one, two)
}

#[track_caller]
fn check_shutdown(failure: Result<support::sql::Reply, Failure>) {
    match failure {
        Err(Failure::Told(SqlError { code, state, .. })) => {
            assert_eq!((code, state.as_str()), (1053, "08S01"));
        }
        other => panic!("{other:?}"),
    }
}

/// What a session is asked about itself.
const STATE: &str = "select word, @@sql_mode, @@time_zone, @@character_set_client, \
    @@collation_connection, @@character_set_results, @@autocommit, @@wait_timeout, \
    @@tx_isolation, database(), last_insert_id(), @a, @b, hex(@c), collation(@d), @e, @f, \
    @@sql_select_limit, @@timestamp from shop.place";

#[tokio::test]
async fn an_idle_session_moves_with_all_its_state_from_any_door() {
    let (places, _one, _two) = places(Limits::default()).await;
    for capabilities in [0, DEPRECATE_EOF] {
        for node in [&places.one, &places.two, &places.three] {
            let mut sql = session_with(node, capabilities).await.expect("a session");
            for statement in [
                "create or replace table keyed (id int auto_increment primary key)",
                "insert into keyed values (41), (null)",
                "insert into keyed values (null)",
                "set names latin1 collate latin1_german1_ci",
                "set sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE'",
                "set time_zone = '+05:30', wait_timeout = 77, autocommit = 0",
                "set session transaction isolation level serializable",
                "set character_set_results = null, sql_select_limit = 1, timestamp = 1234567.25",
                "set @a = 18446744073709551615, @b = 1.50, @c = x'00ff27', @d = _utf8mb4'a' \
                 collate utf8mb4_bin, @e = null, @f = 1e100, @`we``ird` = 1",
                "use information_schema",
                "commit",
            ] {
                sql.query(statement).await.expect(statement);
            }
            let before = sql.text(STATE).await;
            assert!(before.starts_with("one\tANSI_QUOTES"), "{before}");
            sql.query("commit").await.expect("done");
            places.move_to(&places.one, &places.two).await;
            let after = sql.text(STATE).await;
            assert_eq!(after, before.replacen("one", "two", 1));
            assert_eq!(sql.text("select @`we``ird`").await, "1");
            sql.query("commit").await.expect("done");
            // And back, from the state that was carried.
            places.move_to(&places.two, &places.one).await;
            assert_eq!(sql.text(STATE).await, before);
            sql.quit().await;
        }
    }
    until(|| places.one.proxy.stats().total.in_flight == 0).await;
}

#[tokio::test]
async fn a_session_without_anything_special_moves_too_and_a_new_one_waits() {
    let (places, _one, _two) = places(Limits::default()).await;
    let mut sql = session(&places.one).await;
    assert_eq!(sql.text("select word from place").await, "one");
    assert_eq!(places.leave(&places.one, DRAIN).await, 0);
    let socket = places.three.mysql_socket.clone();
    let (word, new, ()) = tokio::join!(
        sql.text("select word from place"),
        async {
            let mut new = Sql::connect(&socket, USER, PASSWORD)
                .await
                .expect("a session");
            new.text("select word from place").await
        },
        async {
            places.one.until_waiting(DATABASE, 1).await;
            places.three.until_waiting(DATABASE, 1).await;
            places.open(&places.two);
        },
    );
    assert_eq!((word.as_str(), new.as_str()), ("two", "two"));
    let within = Duration::from_secs(60);
    let pause = places.one.proxy.pause(DATABASE, within);
    assert_eq!((pause.held, pause.failed), (1, 0));
    let pause = places.three.proxy.pause(DATABASE, within);
    assert_eq!((pause.held, pause.failed), (1, 0));
}

#[tokio::test]
async fn a_transaction_that_ends_in_time_is_committed_where_it_began() {
    let (places, one, two) = places(Limits::default()).await;
    for (number, node) in [(1, &places.one), (2, &places.three)] {
        let mut sql = session(node).await;
        sql.query("start transaction").await.expect("done");
        let insert = format!("insert into numbers values ({number})");
        sql.query(&insert).await.expect("done");
        let (left, ()) = tokio::join!(places.leave(&places.one, DRAIN), async {
            until(|| places.one.proxy.gate(DATABASE).is_none()).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
            sql.query("select sleep(0.05)").await.expect("done");
            sql.query("commit").await.expect("done");
        });
        assert_eq!(left, 0);
        places.open(&places.two);
        assert_eq!(sql.text("select word from place").await, "two");
        places.move_to(&places.two, &places.one).await;
    }
    assert_eq!(numbers(&one).await, "1,2");
    assert_eq!(numbers(&two).await, "NULL");
}

#[tokio::test]
async fn a_transaction_beyond_the_limit_is_lost_once_and_the_session_goes_on() {
    let (places, one, two) = places(Limits::default()).await;
    let limit = Duration::from_millis(400);
    for node in [&places.one, &places.two, &places.three] {
        let mut sql = session(node).await;
        sql.query("set time_zone = '+05:30'").await.expect("done");
        sql.query("begin").await.expect("done");
        sql.query("insert into numbers values (1)")
            .await
            .expect("done");
        assert_eq!(places.leave(&places.one, limit).await, 0);
        places.open(&places.two);
        // A sign of life is no statement; the next statement hears of it.
        sql.command(0x0e, &[]).await.expect("sent");
        sql.reply().await.expect("alive");
        check_shutdown(sql.query("insert into numbers values (2)").await);
        assert_eq!(numbers(&one).await, "NULL");
        assert_eq!(sql.text("select @@time_zone").await, "+05:30");
        sql.query("begin").await.expect("done");
        sql.query("insert into numbers values (3)")
            .await
            .expect("done");
        sql.query("commit").await.expect("done");
        assert_eq!(numbers(&two).await, "3");
        sql.query("delete from numbers").await.expect("done");
        places.move_to(&places.two, &places.one).await;
    }
    // Who rolls back hears nothing.
    let mut sql = session(&places.one).await;
    sql.query("begin").await.expect("done");
    sql.query("insert into numbers values (1)")
        .await
        .expect("done");
    assert_eq!(places.leave(&places.one, limit).await, 0);
    places.open(&places.two);
    sql.query("rollback").await.expect("done");
    sql.query("insert into numbers values (4)")
        .await
        .expect("done");
    assert_eq!(
        (numbers(&one).await, numbers(&two).await),
        ("NULL".into(), "4".into())
    );
    assert_eq!(
        places
            .one
            .proxy
            .pause(DATABASE, Duration::from_secs(60))
            .failed,
        2
    );
}

#[tokio::test]
async fn a_running_statement_ends_in_time_or_with_an_error() {
    let (places, one, two) = places(Limits::default()).await;
    let node = &places.three;
    let mut sql = session(node).await;
    let statement = "insert into numbers select 7 + sleep(0.3)";
    let (done, left) = tokio::join!(sql.query(statement), async {
        until(|| places.one.proxy.stats().total.statements > 0).await;
        places.leave(&places.one, DRAIN).await
    });
    done.expect("done");
    assert_eq!(left, 0);
    places.open(&places.two);
    assert_eq!(sql.text("select word from place").await, "two");
    assert_eq!(
        (numbers(&one).await, numbers(&two).await),
        ("7".into(), "NULL".into())
    );
    let statement = "insert into numbers select 8 + sleep(60)";
    let (failed, left) = tokio::join!(soon(sql.query(statement)), async {
        let before = places.two.proxy.stats().total.statements;
        until(|| places.two.proxy.stats().total.statements > before).await;
        places.leave(&places.two, Duration::from_millis(300)).await
    });
    check_shutdown(failed);
    assert_eq!(left, 1);
    // Its state is unknown: the session ends.
    assert_eq!(sql.query("select 1").await.expect_err("closed").code(), 0);
    assert_eq!(
        (numbers(&one).await, numbers(&two).await),
        ("7".into(), "NULL".into())
    );
}

#[tokio::test]
async fn what_can_not_be_carried_waits_for_the_limit_and_is_lost() {
    let (places, _one, _two) = places(Limits::default()).await;
    let limit = Duration::from_millis(500);
    for (statements, ends) in [
        (&["create temporary table t (n int)"][..], &[][..]),
        (&["prepare p from 'select 1'"], &["deallocate prepare p"]),
        (&["handler place open"], &[]),
        (&["lock tables place read"], &["unlock tables"]),
        (&["select get_lock('a', 0)"], &[]),
        (&["set transaction read only"], &["select 1"]),
        (&["set @`\u{fc}` = 1"], &[]),
        (
            &[
                "create or replace procedure p() create temporary table t (n int)",
                "call p()",
            ],
            &[],
        ),
        (
            &[
                "create or replace function f() returns int return get_lock('b', 0)",
                "select f()",
            ],
            &[],
        ),
    ] {
        let mut sql = session(&places.one).await;
        for statement in statements {
            sql.query(statement).await.expect(statement);
        }
        let (left, ()) = tokio::join!(places.leave(&places.one, limit), async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            for statement in ends {
                sql.query(statement).await.expect(statement);
            }
        });
        assert_eq!(left, 0, "{statements:?}");
        places.open(&places.two);
        let next = sql.query("select word from place").await;
        match (statements, ends.is_empty()) {
            // Nothing of it was lost but the setting for a transaction that never came.
            (&["set transaction read only"], _) | (_, false) => {
                assert_eq!(next.expect("moved").text(), "two", "{statements:?}");
            }
            // It turned out that nothing was held any more, or never was.
            _ => {
                check_shutdown(next);
                let gone = sql.query("select 1").await.expect_err("closed");
                assert_eq!(gone.code(), 0, "{statements:?}");
            }
        }
        places.move_to(&places.two, &places.one).await;
    }
}

#[tokio::test]
async fn a_lock_that_was_given_up_does_not_end_a_session() {
    let (places, _one, _two) = places(Limits::default()).await;
    let mut sql = session(&places.one).await;
    sql.query("select get_lock('a', 0)").await.expect("done");
    sql.query("select release_lock('a')").await.expect("done");
    let limit = Duration::from_millis(300);
    assert_eq!(places.leave(&places.one, limit).await, 0);
    places.open(&places.two);
    assert_eq!(sql.text("select word from place").await, "two");
}

#[tokio::test]
async fn prepared_statements_are_prepared_again() {
    let (places, _one, _two) = places(Limits::default()).await;
    for (node, capabilities) in [
        (&places.one, 0),
        (&places.two, DEPRECATE_EOF),
        (&places.three, 0),
    ] {
        let mut sql = session_with(node, capabilities).await.expect("a session");
        let sum = sql
            .prepare("select cast(? + ? as signed)")
            .await
            .expect("prepared");
        let word = sql.prepare("select cast(? + 3 as signed) from place where word = 'two'");
        let word = word.await.expect("prepared");
        let idle = sql
            .prepare("select cast(7 as signed)")
            .await
            .expect("prepared");
        let reply = sql.execute(sum, &[40, 2], true, 0).await.expect("executed");
        assert_eq!(binary_number(&reply), 42);
        let reply = sql.execute(word, &[1], true, 0).await.expect("executed");
        assert!(reply.rows.is_empty());
        places.move_to(&places.one, &places.two).await;
        // The client does not send the types again.
        let reply = sql.execute(word, &[1], false, 0).await.expect("executed");
        assert_eq!(binary_number(&reply), 4);
        let reply = sql.execute(sum, &[1, 2], false, 0).await.expect("executed");
        assert_eq!(binary_number(&reply), 3);
        let reply = sql.execute(sum, &[2, 2], false, 0).await.expect("executed");
        assert_eq!(binary_number(&reply), 4);
        // The new server gives numbers that the client knows already.
        let new = sql
            .prepare("select cast(5 as signed)")
            .await
            .expect("prepared");
        assert!(![sum.id, word.id, idle.id].contains(&new.id));
        let reply = sql.execute(new, &[], false, 0).await.expect("executed");
        assert_eq!(binary_number(&reply), 5);
        let reply = sql.execute(idle, &[], false, 0).await.expect("executed");
        assert_eq!(binary_number(&reply), 7);
        // Closed ones stay closed, here and there.
        sql.command(0x19, &sum.id.to_le_bytes())
            .await
            .expect("sent");
        let gone = sql
            .execute(sum, &[1, 2], true, 0)
            .await
            .expect_err("closed");
        assert_eq!(gone.code(), 1243);
        places.move_to(&places.two, &places.one).await;
        sql.command(0x19, &word.id.to_le_bytes())
            .await
            .expect("sent");
        let reply = sql.execute(new, &[], false, 0).await.expect("executed");
        assert_eq!(binary_number(&reply), 5);
        for gone in [sum, word] {
            let gone = sql.execute(gone, &[1], true, 0).await.expect_err("closed");
            assert_eq!(gone.code(), 1243);
        }
    }
}

#[tokio::test]
async fn a_cursor_and_half_a_parameter_keep_a_session() {
    let (places, _one, _two) = places(Limits::default()).await;
    let mut sql = session(&places.one).await;
    let rows = sql
        .prepare("select seq from seq_1_to_3")
        .await
        .expect("prepared");
    let text = sql.prepare("select length(?)").await.expect("prepared");
    let opened = sql.execute(rows, &[], false, 1).await.expect("opened");
    assert_eq!(opened.status & CURSOR_EXISTS, CURSOR_EXISTS);
    let (left, ()) = tokio::join!(places.leave(&places.one, DRAIN), async {
        let mut fetch = rows.id.to_le_bytes().to_vec();
        fetch.extend_from_slice(&2_u32.to_le_bytes());
        tokio::time::sleep(Duration::from_millis(50)).await;
        for (count, is_last) in [(2, false), (1, true)] {
            sql.command(0x1c, &fetch).await.expect("sent");
            let reply = sql.rest_of_rows(false).await.expect("rows");
            assert_eq!(reply.rows.len(), count);
            assert_eq!(reply.status & LAST_ROW_SENT != 0, is_last);
        }
    });
    assert_eq!(left, 0);
    places.open(&places.two);
    // A part of a parameter, after the statement was prepared anew for it.
    let mut part = text.id.to_le_bytes().to_vec();
    part.extend_from_slice(&[0, 0, b'a', b'b', b'c']);
    sql.command(0x18, &part).await.expect("sent");
    sql.command(0x18, &part).await.expect("sent");
    let limit = Duration::from_millis(300);
    let mut execute = text.id.to_le_bytes().to_vec();
    execute.extend_from_slice(&[0, 1, 0, 0, 0, 0, 1, 0xfc, 0]);
    sql.command(0x17, &execute).await.expect("sent");
    let first = sql.packet().await.expect("columns");
    let reply = sql.rows(first[0].into(), false).await.expect("rows");
    assert_eq!(reply.rows[0][0].as_ref().expect("a row")[2], 6);
    sql.command(0x18, &part).await.expect("sent");
    // The part is on its way; nothing is answered to it.
    sql.command(0x0e, &[]).await.expect("sent");
    sql.reply().await.expect("alive");
    assert_eq!(places.leave(&places.two, limit).await, 0);
    places.open(&places.one);
    sql.command(0x17, &execute).await.expect("sent");
    assert_eq!(
        sql.packet().await.expect("an error")[..3],
        [0xff, 0x1d, 0x04]
    );
}

#[tokio::test]
async fn what_the_last_statement_left_behind_is_there_or_refused() {
    let (places, _one, _two) = places(Limits::default()).await;
    let mut sql = session(&places.three).await;
    for found in [0, 1, 57, 100_000] {
        let select = format!(
            "select sql_calc_found_rows seq from seq_1_to_100000 where seq <= {found} limit 1"
        );
        sql.query(&select).await.expect("done");
        places.move_to(&places.one, &places.two).await;
        assert_eq!(sql.text("select found_rows()").await, found.to_string());
        places.move_to(&places.two, &places.one).await;
        sql.query("select 1").await.expect("done");
    }
    sql.query("insert into numbers values (1), (2)")
        .await
        .expect("done");
    places.move_to(&places.one, &places.two).await;
    check_shutdown(sql.query("select row_count()").await);
    sql.query("select 1 + 'a'").await.expect("a warning");
    places.move_to(&places.two, &places.one).await;
    check_shutdown(sql.query("show warnings").await);
    // Where there is nothing to be told nothing is refused.
    places.move_to(&places.one, &places.two).await;
    assert_eq!(sql.text("show warnings").await, "");
}

#[tokio::test]
async fn logging_in_anew_and_resetting_make_a_session_free() {
    let (places, _one, _two) = places(Limits::default()).await;
    for node in [&places.one, &places.three] {
        let mut sql = session(node).await;
        for reset in [false, true] {
            sql.query("create temporary table t (n int)")
                .await
                .expect("done");
            sql.query("select get_lock('a', 0)").await.expect("done");
            let statement = sql.prepare("select 1").await.expect("prepared");
            if reset {
                sql.command(0x1f, &[]).await.expect("sent");
                sql.reply().await.expect("reset");
            } else {
                sql.change_user(USER, PASSWORD).await.expect("logged in");
            }
            let gone = sql
                .execute(statement, &[], true, 0)
                .await
                .expect_err("gone");
            assert_eq!(gone.code(), 1243);
            places.move_to(&places.one, &places.two).await;
            assert_eq!(sql.text("select word from place").await, "two");
            places.move_to(&places.two, &places.one).await;
        }
        for (user, password) in [(USER, "wrong"), ("other_user", PASSWORD)] {
            let refused = sql.change_user(user, password).await.expect_err("refused");
            assert_eq!(refused.code(), 1045);
        }
        assert_eq!(sql.text("select word from place").await, "one");
        places.move_to(&places.one, &places.two).await;
        sql.change_user(USER, PASSWORD).await.expect("logged in");
        assert_eq!(sql.text("select word from place").await, "two");
        places.move_to(&places.two, &places.one).await;
    }
}

#[tokio::test]
async fn a_move_that_is_called_off_ends_nothing() {
    let (places, _one, _two) = places(Limits::default()).await;
    for node in [&places.one, &places.three] {
        let mut busy = session(node).await;
        let mut idle = session(node).await;
        busy.query("begin").await.expect("done");
        let gate = places.one.proxy.gate(DATABASE).expect("open");
        places.one.proxy.close_gate(DATABASE);
        let left = places
            .one
            .proxy
            .drain(DATABASE, Duration::from_millis(20))
            .await;
        places.one.proxy.open_gate(DATABASE, gate);
        assert!(left <= 2);
        assert_eq!(idle.text("select word from place").await, "one");
        let told = busy.query("select word from place").await;
        // The limit was so short that the transaction may have left already.
        if let Ok(reply) = told {
            assert_eq!(reply.text(), "one");
        } else {
            check_shutdown(told);
        }
        assert_eq!(busy.text("select word from place").await, "one");
    }
}

#[tokio::test]
async fn a_command_that_waits_in_vain_is_refused_and_the_session_goes_on() {
    let limits = Limits {
        wait: Duration::from_millis(300),
        ..Limits::default()
    };
    let (places, _one, two) = places(limits).await;
    let mut sql = session(&places.one).await;
    assert_eq!(places.leave(&places.one, DRAIN).await, 0);
    for _ in 0..2 {
        check_shutdown(soon(sql.query("insert into numbers values (9)")).await);
    }
    places.open(&places.two);
    assert_eq!(numbers(&two).await, "NULL");
    assert_eq!(sql.text("select word from place").await, "two");
}

#[tokio::test]
async fn a_fence_ends_sessions_wherever_they_are() {
    let (places, _one, _two) = places(Limits::default()).await;
    let mut here = session(&places.one).await;
    let mut there = session(&places.three).await;
    here.query("select 1").await.expect("done");
    there.query("select 1").await.expect("done");
    places.one.proxy.fence(DATABASE);
    until(|| places.one.proxy.stats().total.in_flight == 0).await;
    for sql in [&mut here, &mut there] {
        assert_eq!(
            soon(sql.packet()).await.expect_err("closed").kind(),
            std::io::ErrorKind::UnexpectedEof
        );
    }
}

#[tokio::test]
async fn a_session_between_servers_ends_when_its_account_is_suspended() {
    let (places, _one, _two) = places(Limits::default()).await;
    let mut sql = session(&places.one).await;
    sql.query("select 1").await.expect("done");
    assert_eq!(places.leave(&places.one, DRAIN).await, 0);
    let mut desired = support::moves::registry();
    desired.index += 1;
    for account in desired.accounts.values_mut() {
        account.is_suspended = true;
    }
    let table = places.one.proxy.routes();
    places
        .one
        .proxy
        .set_routes(table.followed_by(&desired, Default::default()));
    assert!(soon(sql.packet()).await.is_err());
}
