//! Sites that move between nodes while visitors ask for them: nothing fails, nothing is done twice,
//! and what it cost is on the account; over real sockets.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http_body_util::Full;
use hwc_awesome_proxy::Limits;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use support::client::{ask, begin, get, h2, is_silent, post, read_to_close, read_until};
use support::origin::LARGE;
use support::{BLOG, DATABASE, HOST, PATIENCE, SITE, TestNode, soon, two_nodes, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_move_leaves_an_account_of_what_it_cost() {
    let t = two_nodes(Limits::default()).await;
    t.one.open(SITE, 1);
    t.two.routes(&[(SITE, 1, 1)]);
    let tasks = &t.cluster.tasks;
    assert_eq!(ask(tasks, t.one.http, get("/")).await.status, 200);
    t.one.proxy.close_gate(SITE);
    t.two.routes(&[]);
    let held: Vec<_> = [&t.one, &t.two, &t.one]
        .map(|node| begin(tasks, node.http, post("/", "held")))
        .into();
    t.one.until_waiting(SITE, 2).await;
    t.two.until_waiting(SITE, 1).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    t.two.open(SITE, 2);
    t.one.routes(&[(SITE, 2, 2)]);
    t.two.routes(&[(SITE, 2, 2)]);
    for answer in held {
        assert_eq!(soon(answer).await.expect("answered").status, 200);
    }
    let (one, two) = (
        t.one.proxy.pause(SITE, PATIENCE),
        t.two.proxy.pause(SITE, PATIENCE),
    );
    assert_eq!((one.held, two.held), (2, 1));
    assert_eq!((one.failed, two.failed), (0, 0));
    for pause in [one, two] {
        assert!((150..5_000).contains(&pause.closed_ms), "{pause:?}");
        assert!((150..5_000).contains(&pause.longest_wait_ms), "{pause:?}");
    }
    assert_eq!(t.one.proxy.pause(DATABASE, PATIENCE), Default::default());
    // The work was done where the site was live, whoever was asked.
    let requests = |node: &TestNode| node.proxy.stats().datasets[&SITE].requests;
    assert_eq!((requests(&t.one), requests(&t.two)), (1, 3));
}

#[tokio::test]
async fn those_who_wait_in_vain_are_on_the_account_as_failed() {
    let t = two_nodes(Limits {
        wait: Duration::from_millis(200),
        waiting_per_dataset: 1,
        ..Limits::default()
    })
    .await;
    t.one.open(SITE, 1);
    t.one.proxy.close_gate(SITE);
    let waiting = begin(&t.cluster.tasks, t.one.http, get("/"));
    t.one.until_waiting(SITE, 1).await;
    let refused = ask(&t.cluster.tasks, t.one.http, get("/")).await;
    assert_eq!(refused.status, 503);
    assert_eq!(soon(waiting).await.expect("answered").status, 503);
    let pause = t.one.proxy.pause(SITE, PATIENCE);
    assert_eq!((pause.held, pause.failed), (1, 2));
    assert!(pause.longest_wait_ms >= 200, "{pause:?}");
    // The gate is closed still: the time without a way goes on.
    let closed = || t.one.proxy.pause(SITE, PATIENCE).closed_ms;
    let first = closed();
    until(|| closed() > first).await;
}

/// Opens the site on one node and closes it on the other, as a move does; both hear of it.
fn move_site(from: &TestNode, to: &TestNode, counter: u32) {
    assert_eq!(from.proxy.gate(SITE), None);
    to.open(SITE, counter);
    from.routes(&[(SITE, to.id.0, counter)]);
    to.routes(&[(SITE, to.id.0, counter)]);
}

#[tokio::test]
async fn nothing_fails_and_nothing_is_done_twice_while_a_site_moves_to_and_fro() {
    const VISITORS: usize = 12;
    const MOVES: u32 = 20;
    let t = two_nodes(Limits::default()).await;
    t.one.open(SITE, 1);
    t.one.routes(&[(SITE, 1, 1)]);
    t.two.routes(&[(SITE, 1, 1)]);
    let is_over = Arc::new(AtomicBool::new(false));
    let posted = Arc::new(AtomicUsize::new(0));
    let visitors: Vec<_> = (0..VISITORS)
        .map(|visitor| {
            let address = if visitor % 2 == 0 {
                t.one.http
            } else {
                t.two.http
            };
            let (tasks, is_over) = (t.cluster.tasks.clone(), Arc::clone(&is_over));
            let posted = Arc::clone(&posted);
            let (sender, receiver) = tokio::sync::oneshot::channel();
            t.cluster.tasks.spawn("visitor", async move {
                let mut sent = BTreeSet::new();
                for turn in 0_usize.. {
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    let body = format!("{visitor}-{turn}");
                    let answer = ask(&tasks, address, post("/count", &body)).await;
                    assert_eq!(
                        (answer.status.as_u16(), answer.text()),
                        (200, body.as_str())
                    );
                    sent.insert(body);
                    posted.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(ask(&tasks, address, get("/")).await.status, 200);
                }
                let _nobody = sender.send(sent);
            });
            receiver
        })
        .collect();
    for turn in 0..MOVES {
        let (from, to) = if turn % 2 == 0 {
            (&t.one, &t.two)
        } else {
            (&t.two, &t.one)
        };
        let before = posted.load(Ordering::SeqCst);
        until(|| posted.load(Ordering::SeqCst) > before + VISITORS).await;
        from.proxy.close_gate(SITE);
        assert_eq!(from.proxy.drain(SITE, PATIENCE).await, 0);
        // The other node still routes to this one for a moment.
        tokio::time::sleep(Duration::from_millis(5)).await;
        move_site(from, to, turn + 2);
    }
    is_over.store(true, Ordering::SeqCst);
    let mut sent = BTreeSet::new();
    for visitor in visitors {
        sent.extend(soon(visitor).await.expect("no request failed"));
    }
    let (one, two) = (t.origin_one.counted(), t.origin_two.counted());
    let done: Vec<_> = one.iter().chain(&two).collect();
    assert!(done.iter().all(|(_, count)| **count == 1), "done twice");
    let done: BTreeSet<String> = done.into_iter().map(|(body, _)| body.clone()).collect();
    assert_eq!(done, sent);
    assert!(!one.is_empty() && !two.is_empty());
    let failed = |node: &TestNode| node.proxy.pause(SITE, PATIENCE).failed;
    assert_eq!((failed(&t.one), failed(&t.two)), (0, 0));
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_the_request_has_its_place() {
    let t = two_nodes(Limits::default()).await;
    // At the live node itself, whose gate is closed; and at one that still believes in it.
    t.one.open(SITE, 1);
    t.one.proxy.close_gate(SITE);
    t.two.routes(&[(SITE, 1, 1)]);
    let mut visitors = Vec::new();
    for address in [t.one.http, t.two.http] {
        let mut visitor = TcpStream::connect(address).await.expect("connected");
        let head = format!(
            "POST /count HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\n\
             Content-Length: 4\r\nConnection: close\r\n\r\n"
        );
        visitor.write_all(head.as_bytes()).await.expect("written");
        visitors.push(visitor);
    }
    t.one.until_waiting(SITE, 1).await;
    t.two.until_waiting(SITE, 1).await;
    for visitor in &mut visitors {
        assert!(is_silent(visitor).await, "asked for a body without a place");
    }
    move_site(&t.one, &t.two, 2);
    for (visitor, body) in visitors.iter_mut().zip(["aaaa", "bbbb"]) {
        let asked = read_until(visitor, "\r\n\r\n").await;
        assert_eq!(asked, "HTTP/1.1 100 Continue\r\n\r\n");
        visitor.write_all(body.as_bytes()).await.expect("written");
        let answer = read_to_close(visitor).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with(body),
            "{answer}"
        );
    }
    let counted = t.origin_two.counted();
    assert_eq!(counted, [("aaaa".into(), 1), ("bbbb".into(), 1)].into());
    assert!(t.origin_one.counted().is_empty());
}

#[tokio::test]
async fn a_refused_request_costs_no_connection_between_nodes() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    let tasks = &t.cluster.tasks;
    for request in [get("/"), post("/", "a"), post("/", "")] {
        assert_eq!(ask(tasks, t.one.http, request).await.status, 200);
    }
    assert_eq!(t.one.dials(), 1);
    t.two.proxy.close_gate(SITE);
    let held = begin(tasks, t.one.http, post("/count", "held"));
    t.one.until_waiting(SITE, 1).await;
    // It asks again and again, over the connection that it has.
    tokio::time::sleep(Duration::from_millis(400)).await;
    t.two.open(SITE, 1);
    assert_eq!(soon(held).await.expect("answered").text(), "held");
    assert_eq!(t.one.dials(), 1);
}

#[tokio::test]
async fn kept_connections_between_nodes_that_broke_fail_no_request() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    let tasks = &t.cluster.tasks;
    for (number, request) in [
        get("/"),
        post("/count", "body"),
        post("/count", ""),
        get("/large"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(ask(tasks, t.one.http, get("/")).await.status, 200);
        t.two.break_connections().await;
        let answer = ask(tasks, t.one.http, request).await;
        assert_eq!(answer.status, 200, "{number}");
    }
    let counted = t.origin_two.counted();
    assert_eq!(counted, [("body".into(), 1), (String::new(), 1)].into());
}

#[tokio::test]
async fn what_the_live_node_never_had_whole_is_sent_again_and_the_rest_is_not() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    let tasks = &t.cluster.tasks;
    // Broken in the middle of the head, twice.
    t.one.break_next(&[1, 40]);
    let answer = ask(tasks, t.one.http, post("/count", "precious")).await;
    assert_eq!(answer.text(), "precious");
    assert_eq!(t.one.dials(), 3);
    t.two.break_connections().await;
    t.one.break_next(&[1]);
    let answer = ask(tasks, t.one.http, post("/count", "")).await;
    assert_eq!(answer.status, 200);
    // Broken in the middle of the body: nobody can know.
    t.two.break_connections().await;
    t.one.break_next(&[20_000]);
    let long = "x".repeat(200_000);
    let answer = ask(tasks, t.one.http, post("/count", &long)).await;
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("may or may not"), "{answer:?}");
    // The same on a connection that was used before.
    t.one.break_next(&[20_000]);
    assert_eq!(ask(tasks, t.one.http, get("/")).await.status, 200);
    let dials = t.one.dials();
    let answer = ask(tasks, t.one.http, post("/count", &long)).await;
    assert_eq!((answer.status.as_u16(), t.one.dials()), (502, dials));
    let counted = t.origin_two.counted();
    assert_eq!(counted, [("precious".into(), 1), (String::new(), 1)].into());
}

#[tokio::test]
async fn what_a_node_said_before_another_was_live_arrives() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    let tasks = &t.cluster.tasks;
    let written = begin(tasks, t.one.http, post("/hold", "once"));
    until(|| t.origin_two.hits() == 1).await;
    // The word of the new live node overtakes the answer of the old one, by a lost packet's time.
    t.one.open(SITE, 2);
    tokio::time::sleep(Duration::from_millis(100)).await;
    t.origin_two.let_go(1);
    let answer = soon(written).await.expect("answered");
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "two"));
    assert_eq!((t.origin_one.posts(), t.origin_two.posts()), (0, 1));
}

#[tokio::test]
async fn streams_that_wait_leave_the_others_of_their_connection_alone() {
    let t = two_nodes(Limits::default()).await;
    t.one.open(BLOG, 1);
    let mut sender = h2::<Full<Bytes>>(&t.cluster.tasks, &t.cluster.ca_pem, t.one.https).await;
    let request = |host: &str, body: Bytes| {
        hyper::Request::builder()
            .method("POST")
            .uri(format!("https://{host}/large"))
            .body(Full::from(body))
            .expect("a request")
    };
    let body = Bytes::from(vec![b'x'; 400_000]);
    // More than fits into any one window.
    let waiting: Vec<_> = (0..40)
        .map(|_| sender.send_request(request(HOST, body.clone())))
        .collect();
    let waiting = futures::future::join_all(waiting);
    let (send_waiting, mut waited) = tokio::sync::oneshot::channel();
    t.cluster.tasks.spawn("waiting", async move {
        let _nobody = send_waiting.send(waiting.await);
    });
    t.one.until_waiting(SITE, 40).await;
    for _ in 0..3 {
        let other = soon(sender.send_request(request("blog.example", body.clone()))).await;
        assert_eq!(other.expect("an answer").status(), 200);
    }
    assert!(waited.try_recv().is_err());
    t.one.open(SITE, 1);
    for answer in soon(waited).await.expect("answered") {
        assert_eq!(answer.expect("an answer").status(), 200);
    }
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes_too() {
    let t = two_nodes(Limits {
        waiting_bytes: 100_000,
        ..Limits::default()
    })
    .await;
    let mut sender = h2::<Full<Bytes>>(&t.cluster.tasks, &t.cluster.ca_pem, t.one.https).await;
    let mut send = |length: usize| {
        let request = hyper::Request::builder()
            .method("POST")
            .uri(format!("https://{HOST}/"))
            .body(Full::from(Bytes::from(vec![b'x'; length])))
            .expect("a request");
        sender.send_request(request)
    };
    let (send_small, small) = tokio::sync::oneshot::channel();
    let sending = send(50_000);
    t.cluster.tasks.spawn("small", async move {
        let _nobody = send_small.send(sending.await);
    });
    t.one.until_waiting(SITE, 1).await;
    let refused = soon(send(80_000)).await.expect("an answer");
    assert_eq!(refused.status(), 503);
    t.one.open(SITE, 1);
    let small = soon(small).await.expect("answered").expect("an answer");
    assert_eq!(small.status(), 200);
}

#[tokio::test]
async fn an_upload_under_way_may_finish_and_is_cut_at_the_limit() {
    let t = two_nodes(Limits {
        drain: Duration::from_millis(300),
        ..Limits::default()
    })
    .await;
    t.one.open(SITE, 1);
    let mut uploads = Vec::new();
    for _ in 0..2 {
        let mut upload = TcpStream::connect(t.one.http).await.expect("connected");
        let head = format!(
            "POST /count HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\
             Connection: close\r\n\r\n12"
        );
        upload.write_all(head.as_bytes()).await.expect("written");
        uploads.push(upload);
    }
    until(|| t.one.proxy.stats().total.in_flight == 2).await;
    let proxy = t.one.proxy.clone();
    let clearing = async {
        let cut = proxy.clear(SITE).await;
        (cut, proxy.stats().total.in_flight)
    };
    let finishing = async {
        until(|| t.one.proxy.gate(SITE).is_none()).await;
        uploads[0].write_all(b"34").await.expect("written");
        read_to_close(&mut uploads[0]).await
    };
    let ((cut, inside), finished) = tokio::join!(clearing, finishing);
    assert!(finished.starts_with("HTTP/1.1 200") && finished.ends_with("1234"));
    assert_eq!((cut, inside), (1, 0));
    let cut = read_to_close(&mut uploads[1]).await;
    assert!(cut.starts_with("HTTP/1.1 502"), "{cut}");
    assert!(cut.contains("may or may not"), "{cut}");
    assert_eq!(t.origin_one.counted(), [("1234".into(), 1)].into());
    assert_eq!(t.one.proxy.pause(SITE, PATIENCE).failed, 1);
}

#[tokio::test]
async fn a_download_under_way_goes_on_until_the_limit() {
    let t = two_nodes(Limits {
        drain: Duration::from_millis(200),
        ..Limits::default()
    })
    .await;
    t.one.open(SITE, 1);
    t.two.routes(&[(SITE, 1, 1)]);
    for address in [t.one.http, t.two.http] {
        t.one.open(SITE, 1);
        let mut download = TcpStream::connect(address).await.expect("connected");
        let head = format!("GET /endless HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        download.write_all(head.as_bytes()).await.expect("written");
        read_until(&mut download, "xxxx").await;
        let proxy = t.one.proxy.clone();
        let clearing = proxy.clear(SITE);
        let reading = async {
            let mut piece = vec![0; 256 * 1024];
            let mut bytes = 0;
            loop {
                match soon(download.read(&mut piece)).await {
                    Ok(0) | Err(_) => return bytes,
                    Ok(count) => bytes += count,
                }
            }
        };
        let (cut, bytes) = tokio::join!(clearing, reading);
        assert_eq!(cut, 1);
        assert!(bytes > 0);
    }
    assert_eq!(t.one.proxy.pause(SITE, PATIENCE).failed, 2);
}

#[tokio::test]
async fn an_answer_on_its_way_to_a_slow_visitor_arrives_whole_after_the_move() {
    let t = two_nodes(Limits::default()).await;
    t.one.open(SITE, 1);
    // A visitor who takes nothing, with little room: the answer stands in buffers on its way.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("little room");
    let mut visitor = socket.connect(t.one.http).await.expect("connected");
    let head = format!("GET /large HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    visitor.write_all(head.as_bytes()).await.expect("written");
    visitor.readable().await.expect("an answer");
    assert_eq!(t.one.proxy.clear(SITE).await, 0);
    move_site(&t.one, &t.two, 2);
    let answer = read_to_close(&mut visitor).await;
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert_eq!(body.len(), LARGE);
}

#[tokio::test]
async fn a_websocket_is_told_to_come_back_and_does_not_hold_a_move_up() {
    let t = two_nodes(Limits {
        websocket_grace: Duration::from_millis(50),
        ..Limits::default()
    })
    .await;
    t.one.open(SITE, 1);
    t.two.routes(&[(SITE, 1, 1)]);
    let mut sockets = Vec::new();
    for address in [t.one.http, t.two.http] {
        let stream = TcpStream::connect(address).await.expect("connected");
        let url = format!("ws://{HOST}/ws");
        let socket = soon(tokio_tungstenite::client_async(url, stream)).await;
        let (mut socket, _) = socket.expect("a websocket");
        socket.send(Message::text("hello")).await.expect("sent");
        let echo = soon(socket.next()).await.expect("open").expect("a message");
        assert_eq!(echo, Message::text("echo hello"));
        sockets.push(socket);
    }
    assert_eq!(t.one.proxy.clear(SITE).await, 0);
    for socket in &mut sockets {
        let end = soon(socket.next())
            .await
            .expect("a goodbye")
            .expect("whole");
        let Message::Close(Some(close)) = end else {
            panic!("{end:?}");
        };
        assert_eq!(u16::from(close.code), 1012);
    }
    assert_eq!(t.one.proxy.pause(SITE, PATIENCE).failed, 0);
}

#[tokio::test]
async fn a_restart_of_the_web_server_goes_unnoticed() {
    let cluster = support::Cluster::new();
    let place = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = place.local_addr().expect("an address");
    drop(place);
    let node = cluster.node(1, support::Behind::apache(address));
    node.open(SITE, 1);
    let waiting = begin(&cluster.tasks, node.http, post("/count", "patient"));
    node.until_waiting(SITE, 1).await;
    let origin = support::origin::Origin::start_at(&cluster.tasks, "one", address).await;
    assert_eq!(soon(waiting).await.expect("answered").text(), "patient");
    assert_eq!(origin.counted(), [("patient".into(), 1)].into());
}
