//! HTTP as it passes: streams both ways, trailers, heads without bodies, early answers, slow
//! readers, and the connections between nodes; over real sockets.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hwc_awesome_proxy::Limits;
use hyper::body::Frame;
use std::convert::Infallible;
use std::time::Duration;
use support::client::{ask, begin, get, h2, is_silent, post, raw, read_to_close, read_until};
use support::scripted::Scripted;
use support::{BLOG, Behind, Cluster, HOST, SITE, TestNode, soon, two_nodes, until};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A node before a web server that says what it is told to.
async fn before_script(answer: &str, limits: Limits) -> (Cluster, TestNode, Scripted) {
    let cluster = Cluster::new();
    let origin = Scripted::start(&cluster.tasks, answer).await;
    let behind = Behind {
        limits,
        ..Behind::apache(origin.address)
    };
    let node = cluster.node(1, behind);
    node.open(SITE, 1);
    (cluster, node, origin)
}

fn closing(method: &str, fields: &str) -> Vec<u8> {
    format!("{method} / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{fields}\r\n").into_bytes()
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    for address in [t.two.http, t.one.http] {
        let mut visitor = TcpStream::connect(address).await.expect("connected");
        let head =
            format!("POST /mirror HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n");
        visitor.write_all(head.as_bytes()).await.expect("written");
        for word in ["first", "other"] {
            let chunk = format!("5\r\n{word}\r\n");
            visitor.write_all(chunk.as_bytes()).await.expect("written");
            // The answer to this piece comes before the next is sent.
            read_until(&mut visitor, word).await;
        }
        visitor.write_all(b"0\r\n\r\n").await.expect("written");
        read_until(&mut visitor, "0\r\n\r\n").await;
    }
}

#[tokio::test]
async fn bodies_stream_both_ways_over_http2_too() {
    let t = two_nodes(Limits::default()).await;
    t.one.open(SITE, 1);
    let (mut pieces, body) = futures::channel::mpsc::channel::<Result<_, Infallible>>(1);
    let body = BoxBody::new(StreamBody::new(body));
    let mut sender = h2(&t.cluster.tasks, &t.cluster.ca_pem, t.one.https).await;
    let request = hyper::Request::builder()
        .method("POST")
        .uri(format!("https://{HOST}/mirror"))
        .body(body)
        .expect("a request");
    let answer = soon(sender.send_request(request)).await.expect("an answer");
    let mut answer = answer.into_body().into_data_stream();
    for word in ["first", "other"] {
        let frame = Frame::data(Bytes::from(word));
        pieces.try_send(Ok(frame)).expect("room");
        let piece = soon(answer.next()).await.expect("open").expect("a piece");
        assert_eq!(piece, word);
    }
    drop(pieces);
    let rest: Vec<_> = soon(answer.collect()).await;
    let rest: Vec<Bytes> = rest
        .into_iter()
        .map(|piece| piece.expect("whole"))
        .collect();
    assert_eq!(rest.concat(), b"");
}

#[tokio::test]
async fn trailers_of_answers_pass_to_those_who_take_them() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                  3\r\nabc\r\n0\r\nX-Sum: 7\r\nX-Hwc-Client: 6\r\n\r\n";
    let (cluster, node, _origin) = before_script(answer, Limits::default()).await;
    let taken = raw(node.http, &closing("GET", "TE: trailers\r\n")).await;
    assert!(
        taken.ends_with("3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"),
        "{taken}"
    );
    let untaken = raw(node.http, &closing("GET", "")).await;
    assert!(untaken.ends_with("3\r\nabc\r\n0\r\n\r\n"), "{untaken}");
    // Over another node, and over HTTP/2, which always takes them.
    let far = cluster.node(2, Behind::apache(([127, 0, 0, 1], 1).into()));
    far.routes(&[(SITE, 1, 1)]);
    let hopped = raw(far.http, &closing("GET", "TE: trailers\r\n")).await;
    assert!(hopped.ends_with("0\r\nX-Sum: 7\r\n\r\n"), "{hopped}");
    let mut sender = h2::<Full<Bytes>>(&cluster.tasks, &cluster.ca_pem, far.https).await;
    let request = hyper::Request::get(format!("https://{HOST}/"))
        .body(Full::default())
        .expect("a request");
    let answer = soon(sender.send_request(request)).await.expect("an answer");
    let body = soon(answer.into_body().collect()).await.expect("a body");
    let trailers = body.trailers().expect("trailers");
    assert_eq!(
        (trailers.len(), &trailers["x-sum"]),
        (1, &"7".parse().expect("a value"))
    );
    assert_eq!(body.to_bytes(), "abc");
}

#[tokio::test]
async fn trailers_of_requests_pass_without_what_only_we_may_say() {
    let answer = "HTTP/1.1 204 No Content\r\n\r\n";
    let (cluster, node, origin) = before_script(answer, Limits::default()).await;
    let far = cluster.node(2, Behind::apache(([127, 0, 0, 1], 1).into()));
    far.routes(&[(SITE, 1, 1)]);
    let mut request = closing("POST", "Transfer-Encoding: chunked\r\n");
    request.extend(b"3\r\nabc\r\n0\r\nX-Sum: 7\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");
    for address in [node.http, far.http] {
        let answer = raw(address, &request).await;
        assert!(
            answer.starts_with("HTTP/1.1 204 No Content\r\n"),
            "{answer}"
        );
        assert!(!answer.contains("content-length") && !answer.contains("chunked"));
        let seen = origin.last_request();
        assert!(
            seen.ends_with("3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"),
            "{seen}"
        );
    }
}

#[tokio::test]
async fn heads_without_bodies_are_whole_answers() {
    for (method, status, told) in [
        ("HEAD", "200 OK", "123"),
        ("GET", "304 Not Modified", "123"),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {told}\r\n\r\n");
        let (_cluster, node, _origin) = before_script(&answer, Limits::default()).await;
        let mut visitor = TcpStream::connect(node.http).await.expect("connected");
        let request = format!("{method} / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        for _ in 0..2 {
            visitor
                .write_all(request.as_bytes())
                .await
                .expect("written");
            let answer = read_until(&mut visitor, "\r\n\r\n").await;
            assert!(
                answer.contains(&format!("content-length: {told}\r\n")),
                "{answer}"
            );
            assert!(answer.ends_with("\r\n\r\n") && is_silent(&mut visitor).await);
        }
    }
    // Our own pages, too, when only their heads are asked for.
    let cluster = Cluster::new();
    let node = cluster.node(1, Behind::apache(([127, 0, 0, 1], 1).into()));
    let answer = raw(
        node.http,
        b"HEAD / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n",
    );
    let answer = answer.await;
    assert!(
        answer.starts_with("HTTP/1.1 404") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn an_answer_without_a_length_ends_with_its_connection() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end";
    let (_cluster, node, _origin) = before_script(answer, Limits::default()).await;
    let new = raw(node.http, &closing("GET", "")).await;
    assert!(new.contains("transfer-encoding: chunked\r\n"), "{new}");
    assert!(new.ends_with("d\r\nuntil the end\r\n0\r\n\r\n"), "{new}");
    let old = raw(
        node.http,
        format!("GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n").as_bytes(),
    )
    .await;
    assert!(
        old.ends_with("\r\n\r\nuntil the end") && !old.contains("chunked"),
        "{old}"
    );
}

#[tokio::test]
async fn an_upstream_that_talks_nonsense_is_a_502_and_its_connection_is_not_used_again() {
    let endless = format!(
        "HTTP/1.1 200 OK\r\n{}",
        "X: aaaaaaaaaaaaaaaa\r\n".repeat(5_000)
    );
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
        "220 mail.example ESMTP\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        &endless,
    ] {
        let (_cluster, node, _origin) = before_script(answer, Limits::default()).await;
        let got = raw(node.http, &closing("GET", "")).await;
        assert!(got.starts_with("HTTP/1.1 502 "), "{answer:.60}: {got}");
    }
}

#[tokio::test]
async fn an_early_answer_arrives_although_the_body_still_comes() {
    let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    let (_cluster, node, _origin) = before_script(answer, Limits::default()).await;
    let mut visitor = TcpStream::connect(node.http).await.expect("connected");
    let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 300000\r\n\r\n");
    visitor.write_all(head.as_bytes()).await.expect("written");
    visitor.write_all(&[b'x'; 50_000]).await.expect("written");
    let got = read_until(&mut visitor, "\r\n\r\nno").await;
    assert!(got.starts_with("HTTP/1.1 403 "), "{got}");
    // The rest is read and thrown away for a while; then the connection ends.
    for _ in 0..3 {
        visitor.write_all(&[b'x'; 50_000]).await.expect("taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(read_to_close(&mut visitor).await, "");
}

#[tokio::test]
async fn too_large_a_body_is_refused_however_it_tells_its_length() {
    let limits = Limits {
        body_bytes: 1_000,
        ..Limits::default()
    };
    let t = two_nodes(limits).await;
    t.one.open(SITE, 1);
    let told = closing("POST", "Content-Length: 1001\r\n");
    assert!(raw(t.one.http, &told).await.starts_with("HTTP/1.1 413 "));
    let mut untold = closing("POST", "Transfer-Encoding: chunked\r\n");
    untold.extend(format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1_001)).as_bytes());
    assert!(raw(t.one.http, &untold).await.starts_with("HTTP/1.1 413 "));
    assert_eq!(t.origin_one.posts(), 0);
}

#[tokio::test]
async fn a_visitor_who_takes_nothing_is_given_up() {
    let t = two_nodes(Limits {
        stall: Duration::from_millis(200),
        ..Limits::default()
    })
    .await;
    t.one.open(SITE, 1);
    let mut visitor = TcpStream::connect(t.one.http).await.expect("connected");
    let request = format!("GET /endless HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    visitor
        .write_all(request.as_bytes())
        .await
        .expect("written");
    until(|| t.origin_one.hits() == 1).await;
    until(|| t.one.proxy.stats().total.in_flight == 0).await;
}

#[tokio::test]
async fn a_visitor_who_leaves_ends_the_work_for_them() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    for address in [t.two.http, t.one.http] {
        let mut visitor = TcpStream::connect(address).await.expect("connected");
        let request = format!("GET /hold HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        visitor
            .write_all(request.as_bytes())
            .await
            .expect("written");
        until(|| t.two.proxy.stats().total.in_flight == 1).await;
        drop(visitor);
        until(|| t.two.proxy.stats().total.in_flight == 0).await;
    }
}

#[tokio::test]
async fn a_connection_between_nodes_is_used_again_and_never_shared() {
    let t = two_nodes(Limits {
        idle_per_upstream: 2,
        ..Limits::default()
    })
    .await;
    t.two.open(SITE, 1);
    t.two.open(BLOG, 1);
    t.one.routes(&[(SITE, 2, 1), (BLOG, 2, 1)]);
    let tasks = &t.cluster.tasks;
    for number in 0..10 {
        let request = if number % 2 == 0 {
            get("/")
        } else {
            post("/", "a")
        };
        assert_eq!(ask(tasks, t.one.http, request).await.status, 200);
    }
    assert_eq!(t.one.dials(), 1);
    // A slow site does not keep another one waiting.
    let slow: Vec<_> = (0..5)
        .map(|_| begin(tasks, t.one.http, get("/hold")))
        .collect();
    until(|| t.origin_two.hits() == 15).await;
    let mut other = get("/");
    let blog = "blog.example".parse().expect("a value");
    other.headers_mut().insert("host", blog);
    assert_eq!(ask(tasks, t.one.http, other).await.status, 200);
    t.origin_two.let_go(5);
    for answer in slow {
        assert_eq!(soon(answer).await.expect("answered").status, 200);
    }
    // Of the six that there were, two are kept.
    assert_eq!(t.one.dials(), 6);
    let three: Vec<_> = (0..3)
        .map(|_| begin(tasks, t.one.http, get("/hold")))
        .collect();
    until(|| t.origin_two.hits() == 19).await;
    assert_eq!(t.one.dials(), 7);
    t.origin_two.let_go(3);
    for answer in three {
        assert_eq!(soon(answer).await.expect("answered").status, 200);
    }
}

#[tokio::test]
async fn what_may_not_be_repeated_never_goes_over_a_kept_connection_to_the_web_server() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (cluster, node, origin) = before_script(answer, Limits::default()).await;
    for (request, connections) in [
        (get("/"), 1),
        (get("/"), 1),
        (post("/", "a"), 2),
        (get("/"), 2),
        (post("/", "b"), 3),
    ] {
        assert_eq!(ask(&cluster.tasks, node.http, request).await.text(), "ok");
        assert_eq!(origin.connections(), connections);
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_web_server_closed_costs_no_request() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (cluster, node, origin) = before_script(answer, Limits::default()).await;
    origin.close_after_each();
    for _ in 0..5 {
        assert_eq!(ask(&cluster.tasks, node.http, get("/")).await.text(), "ok");
    }
    assert_eq!(origin.connections(), 5);
}
