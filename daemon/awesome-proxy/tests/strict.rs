//! What visitors may not send, byte for byte, and that the web server behind sees none of it.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use hwc_awesome_proxy::Limits;
use std::time::Duration;
use support::client::{raw, read_to_close};
use support::origin::Origin;
use support::{Behind, Cluster, SITE, TestNode, soon, until};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

async fn node(limits: Limits) -> (Cluster, TestNode, Origin) {
    let cluster = Cluster::new();
    let origin = Origin::start(&cluster.tasks, "one").await;
    let behind = Behind {
        limits,
        ..Behind::apache(origin.address)
    };
    let node = cluster.node(1, behind);
    node.open(SITE, 1);
    (cluster, node, origin)
}

/// Sends a good request and a bad one behind it on the same connection: the good one is answered,
/// the bad one gets `status`, the connection ends, and the web server saw exactly one.
async fn check(node: &TestNode, origin: &Origin, bad: &str, status: u16) {
    let before = origin.hits();
    let good = "GET /good HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let answer = raw(node.http, format!("{good}{bad}{smuggled}").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{bad:?}: {answer}");
    assert!(
        answer.contains(&format!("HTTP/1.1 {status} ")),
        "{bad:?}: {answer}"
    );
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{bad:?}: {answer}");
    assert!(!answer.contains("/smuggled"), "{bad:?}: {answer}");
    assert_eq!(origin.hits(), before + 1, "{bad:?}");
}

#[tokio::test]
async fn smuggling_shapes_are_refused_and_end_the_connection() {
    let (_cluster, node, origin) = node(Limits::default()).await;
    let post = |rest: &str| format!("POST /bad HTTP/1.1\r\nHost: shop.example\r\n{rest}");
    for bad in [
        post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX"),
        post("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX"),
        post("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        post("Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello"),
        post("Content-Length: 5, 5\r\n\r\nhello"),
        post("Content-Length: +5\r\n\r\nhello"),
        post("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding: identity\r\n\r\n"),
        post("Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n"),
        post("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        post("X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        post("X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        post("X: a\rb\r\n\r\n"),
        post("X: a\0b\r\n\r\n"),
        post("Host: blog.example\r\n\r\n"),
        "POST /bad HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "GET /bad HTTP/1.1\nHost: shop.example\n\n".to_owned(),
        "GET /bad HTTP/1.1\r\n\r\n".to_owned(),
        "GET http://blog.example/bad HTTP/1.1\r\nHost: shop.example\r\n\r\n".to_owned(),
    ] {
        check(&node, &origin, &bad, 400).await;
    }
}

#[tokio::test]
async fn long_requests_and_odd_methods_have_their_own_answers() {
    let (_cluster, node, origin) = node(Limits::default()).await;
    let long = "a".repeat(16 * 1024);
    for (bad, status) in [
        (
            format!("GET /{long} HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
            414,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: shop.example\r\nX: {long}\r\n\r\n"),
            431,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: shop.example\r\n{}\r\n",
                "X: a\r\n".repeat(1_000)
            ),
            431,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: shop.example\r\n{}",
                format!("X: {}\r\n", "a".repeat(4_000)).repeat(16)
            ),
            431,
        ),
        (
            "CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n".to_owned(),
            405,
        ),
        (
            "TRACE / HTTP/1.1\r\nHost: shop.example\r\n\r\n".to_owned(),
            405,
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        (
            "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 99999999999\r\n\r\nabc"
                .to_owned(),
            413,
        ),
    ] {
        let before = origin.hits();
        let answer = raw(node.http, bad.as_bytes()).await;
        let start: String = bad.chars().take(60).collect();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{start}: {answer}"
        );
        assert_eq!(origin.hits(), before, "{start}");
    }
}

#[tokio::test]
async fn a_malformed_body_is_refused_and_what_follows_is_not_a_request() {
    let (_cluster, node, origin) = node(Limits::default()).await;
    let head = "POST /bad HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "0x3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcX\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "0\r\nContent-Length: 5\r\n\r\n",
    ] {
        let answer = raw(
            node.http,
            format!("{head}{body}GET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n").as_bytes(),
        )
        .await;
        assert!(
            !answer.contains("200 OK") && !answer.contains("smuggled"),
            "{body:?}: {answer}"
        );
    }
    assert_eq!(origin.posts(), 0);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (_cluster, node, _origin) = node(Limits::default()).await;
    let mut requests: String = (0..20)
        .map(|number| format!("POST /{number} HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"))
        .collect();
    requests += "GET /last HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    let answer = raw(node.http, requests.as_bytes()).await;
    let order: Vec<_> = answer
        .lines()
        .filter_map(|line| line.strip_prefix("one POST /"))
        .filter_map(|number| number.parse::<usize>().ok())
        .collect();
    assert_eq!(order, (0..20).collect::<Vec<_>>(), "{answer}");
    assert!(answer.contains("one GET /last"));
}

#[tokio::test]
async fn an_old_client_is_served() {
    let (_cluster, node, _origin) = node(Limits::default()).await;
    let answer = raw(node.http, b"GET / HTTP/1.0\r\nHost: shop.example\r\n\r\n").await;
    // In our own version, as RFC 9112 wants it (2.3), and ended by the connection's end.
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.contains("one GET /"));
}

#[tokio::test]
async fn an_h2c_upgrade_is_not_passed_on() {
    let (_cluster, node, _origin) = node(Limits::default()).await;
    let answer = raw(
        node.http,
        b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
          Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    )
    .await
    .to_lowercase();
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    assert!(
        !answer.contains("h2c") && !answer.contains("http2-settings"),
        "{answer}"
    );
}

#[tokio::test]
async fn slow_clients_lose_their_connection() {
    let (_cluster, node, origin) = node(Limits {
        head: Duration::from_millis(150),
        stall: Duration::from_millis(150),
        ..Limits::default()
    })
    .await;
    // A head that never ends.
    let mut head = TcpStream::connect(node.http).await.expect("connected");
    head.write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\nX: ")
        .await
        .expect("written");
    assert!(!read_to_close(&mut head).await.contains("200"));
    // A body that never ends.
    let mut body = TcpStream::connect(node.http).await.expect("connected");
    body.write_all(b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 10\r\n\r\nabc")
        .await
        .expect("written");
    let answer = read_to_close(&mut body).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // A TLS handshake that never begins.
    let mut tls = TcpStream::connect(node.https).await.expect("connected");
    assert_eq!(read_to_close(&mut tls).await, "");
    assert_eq!(origin.posts(), 0);
}

#[tokio::test]
async fn one_address_can_not_take_every_connection() {
    let (_cluster, node, _origin) = node(Limits {
        connections_per_address: 2,
        ..Limits::default()
    })
    .await;
    let ask = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(node.http).await.expect("connected");
        stream.write_all(ask).await.expect("written");
        soon(stream.readable()).await.expect("answered");
        kept.push(stream);
    }
    assert_eq!(raw(node.http, ask).await, "");
    kept.clear();
    let is_free = || async {
        let closing = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
        raw(node.http, closing).await.contains("200 OK")
    };
    soon(async { while !is_free().await {} }).await;
    until(|| node.proxy.stats().total.in_flight == 0).await;
}
