//! TLS by name, HTTP/2, and the panel's door.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hwc_awesome_proxy::ApiUpstream;
use hwc_runtime::lifecycle::Tasks;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::client::{ask, get, raw, tls};
use support::origin::Origin;
use support::{Behind, Cluster, HOST, SITE, TestNode, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Door {
    cluster: Cluster,
    node: TestNode,
    _site: Origin,
    _panel: Origin,
    _api: Origin,
}

async fn door() -> Door {
    let cluster = Cluster::new();
    let site = Origin::start(&cluster.tasks, "site").await;
    let panel = Origin::start(&cluster.tasks, "panel").await;
    let api = Origin::start(&cluster.tasks, "api").await;
    let socket = cluster.folder.path().join("api.sock");
    bridge(&cluster.tasks, &socket, api.address);
    let node = cluster.node(
        1,
        Behind {
            panel: panel.address,
            api: ApiUpstream::Unix(socket),
            ..Behind::apache(site.address)
        },
    );
    node.open(SITE, 1);
    Door {
        cluster,
        node,
        _site: site,
        _panel: panel,
        _api: api,
    }
}

/// Serves a Unix socket by passing every connection on to a TCP port.
fn bridge(tasks: &Tasks, path: &std::path::Path, to: std::net::SocketAddr) {
    let listener = tokio::net::UnixListener::bind(path).expect("a socket");
    let own = tasks.clone();
    tasks.spawn_until_stopped("bridge", async move {
        loop {
            let (mut near, _unnamed) = listener.accept().await.expect("a connection");
            own.spawn_until_stopped("bridged", async move {
                let mut far = tokio::net::TcpStream::connect(to).await.expect("listening");
                let _ended = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
}

/// Sends bytes over TLS and reads to the end.
async fn secure(door: &Door, address: std::net::SocketAddr, name: &str, bytes: &str) -> String {
    let stream = tls(&door.cluster.ca_pem, address, name, &[b"http/1.1"]).await;
    let mut stream = stream.expect("a TLS connection");
    stream.write_all(bytes.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    // The end may come without TLS's own goodbye.
    let _end = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn closing(host: &str, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Hwc-Client: 6.6.6.6\r\nConnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn every_known_name_has_its_certificate_and_strangers_see_the_nodes_own() {
    let door = door().await;
    let https = door.node.https;
    let ca = &door.cluster.ca_pem;
    for name in [
        HOST,
        "www.shop.example",
        "panel.example",
        "node.example",
        "127.0.0.1",
    ] {
        let connected = tls(ca, https, name, &[]).await;
        assert!(connected.is_ok(), "{name}: {:?}", connected.err());
    }
    for name in ["other.example", "xshop.example"] {
        let refused = tls(ca, https, name, &[])
            .await
            .expect_err("not for that name");
        assert!(
            refused.to_string().contains("not valid for name"),
            "{refused}"
        );
    }
    let answer = secure(&door, https, "node.example", &closing("other.example", "/")).await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[tokio::test]
async fn a_certificate_is_issued_once_and_again_before_it_ends() {
    use hwc_api::names::DomainName;
    use hwc_awesome_proxy::CertificateSource;
    use hwc_runtime::clock::Clock;
    use std::time::Duration;
    let cluster = Cluster::new();
    let clock = Clock::manual(support::today());
    let certificates = cluster.certificates(clock.clone());
    let name = DomainName::parse(HOST).expect("a domain");
    let first = certificates.certificate(&name).expect("issued");
    clock.advance(Duration::from_secs(59 * 86_400));
    let same = certificates.certificate(&name).expect("issued");
    assert!(std::sync::Arc::ptr_eq(&first, &same));
    clock.advance(Duration::from_secs(2 * 86_400));
    let next = certificates.certificate(&name).expect("issued");
    assert!(!std::sync::Arc::ptr_eq(&first, &next));
}

#[tokio::test]
async fn sites_are_served_over_tls() {
    let door = door().await;
    let answer = secure(&door, door.node.https, HOST, &closing(HOST, "/a")).await;
    assert!(answer.contains("site GET /a"), "{answer}");
    assert!(answer.contains("x-forwarded-proto: https"), "{answer}");
    assert!(!answer.contains("6.6.6.6"), "{answer}");
}

async fn over_h2(
    door: &Door,
    requests: Vec<Request<Full<Bytes>>>,
) -> Vec<Result<Response<String>, hyper::Error>> {
    let stream = tls(&door.cluster.ca_pem, door.node.https, HOST, &[b"h2"])
        .await
        .expect("a TLS connection");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("a handshake");
    door.cluster.tasks.spawn("h2 client", async move {
        let _ended = connection.await;
    });
    let mut answers = Vec::new();
    for request in requests {
        answers.push(match soon(sender.send_request(request)).await {
            Ok(answer) => {
                let (parts, body) = answer.into_parts();
                let body = soon(body.collect()).await.expect("a body").to_bytes();
                let text = String::from_utf8_lossy(&body).into_owned();
                Ok(Response::from_parts(parts, text))
            }
            Err(error) => Err(error),
        });
    }
    answers
}

#[tokio::test]
async fn http2_is_served_and_judged() {
    let door = door().await;
    let request = |method: Method, uri: &str| {
        Request::builder()
            .method(method)
            .uri(uri)
            .header("cookie", "a=1")
            .header("cookie", "b=2")
    };
    let url = format!("https://{HOST}/a");
    let empty = Full::<Bytes>::default;
    let answers = over_h2(
        &door,
        vec![
            request(Method::GET, &url).body(empty()).expect("a request"),
            request(Method::POST, &url)
                .body(Full::from("over h2"))
                .expect("a request"),
            request(Method::GET, &url)
                .header("host", "blog.example")
                .body(empty())
                .expect("a request"),
            request(
                Method::GET,
                &format!("https://{HOST}/{}", "a".repeat(16 * 1024)),
            )
            .body(empty())
            .expect("a request"),
            request(Method::GET, &url)
                .header("x-long", "a".repeat(64 * 1024))
                .body(empty())
                .expect("a request"),
            request(Method::GET, &url).body(empty()).expect("a request"),
        ],
    )
    .await;
    let status: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().map(|answer| answer.status().as_u16()).ok())
        .collect();
    assert_eq!(
        status,
        [
            Some(200),
            Some(200),
            Some(400),
            Some(414),
            Some(431),
            Some(200)
        ]
    );
    let first = answers[0].as_ref().expect("an answer").body();
    assert!(
        first.contains("site GET /a") && first.contains("cookie: a=1; b=2"),
        "{first}"
    );
    let second = answers[1].as_ref().expect("an answer").body();
    assert!(second.ends_with("\nover h2"), "{second}");
}

#[tokio::test]
async fn the_panel_has_its_own_door_and_its_names() {
    let door = door().await;
    let (https, panel) = (door.node.https, door.node.panel);
    for (address, host, path, expected) in [
        (panel, "node.example", "/sites", "panel GET /sites"),
        (
            panel,
            HOST,
            "/api/v1/sites?a=b",
            "api GET /api/v1/sites?a=b",
        ),
        (https, "panel.example", "/", "panel GET /"),
        (https, "panel.example", "/api/v1/me", "api GET /api/v1/me"),
        (https, "127.0.0.1", "/api/v1", "api GET /api/v1"),
    ] {
        let answer = secure(&door, address, "node.example", &closing(host, path)).await;
        assert!(answer.contains(expected), "{host} {path}: {answer}");
        assert!(answer.contains("x-hwc-client: 127.0.0.1"), "{answer}");
        assert!(!answer.contains("6.6.6.6"), "{answer}");
    }
    let mut request = get("/sites?a=b");
    request
        .headers_mut()
        .insert("host", "panel.example".parse().expect("a value"));
    let answer = ask(&door.cluster.tasks, door.node.http, request).await;
    assert_eq!(answer.status, 308);
    let expected = format!("https://panel.example:{}/sites?a=b", https.port());
    assert_eq!(answer.headers["location"], expected);
}

#[tokio::test]
async fn websockets_reach_the_panel_through_tls() {
    use futures::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let door = door().await;
    let stream = tls(
        &door.cluster.ca_pem,
        door.node.panel,
        "node.example",
        &[b"http/1.1"],
    )
    .await
    .expect("a TLS connection");
    let (mut socket, _answer) = soon(tokio_tungstenite::client_async(
        "wss://node.example/ws",
        stream,
    ))
    .await
    .expect("a websocket");
    socket.send(Message::text("hello")).await.expect("sent");
    let echo = soon(socket.next()).await.expect("open").expect("a message");
    assert_eq!(echo, Message::text("echo hello"));
}

#[tokio::test]
async fn a_panel_that_is_not_there_says_so() {
    let cluster = Cluster::new();
    let origin = Origin::start(&cluster.tasks, "site").await;
    let node = cluster.node(1, Behind::apache(origin.address));
    let stream = tls(&cluster.ca_pem, node.panel, "node.example", &[]).await;
    let mut stream = stream.expect("a TLS connection");
    stream
        .write_all(closing("node.example", "/").as_bytes())
        .await
        .expect("written");
    let mut answer = Vec::new();
    let _end = soon(stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after"),
        "{answer}"
    );
    // TLS to the plain door is not HTTP.
    assert!(
        raw(node.http, &[22, 3, 1, 2, 0, 1, b'\n'])
            .await
            .starts_with("HTTP/1.1 400")
    );
}
