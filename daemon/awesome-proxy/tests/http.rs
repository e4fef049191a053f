//! Visitors of sites: routed, held, moved, refused; over real sockets.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use hwc_awesome_proxy::Limits;
use hwc_runtime::clock::Clock;
use std::time::Duration;
use support::client::{ask, begin, get, post, raw};
use support::origin::Origin;
use support::{Behind, Cluster, HOST, PATIENCE, SITE, epoch, soon, today, two_nodes, until};

fn short_wait() -> Limits {
    Limits {
        wait: Duration::from_millis(300),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_site_is_served_here_or_by_the_live_node() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    let tasks = &t.cluster.tasks;
    for address in [t.one.http, t.two.http] {
        let answer = ask(tasks, address, get("/a?b=c")).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().starts_with("two GET /a?b=c\n"), "{answer:?}");
        let answer = ask(tasks, address, post("/form", "field=value")).await;
        assert!(answer.text().ends_with("\nfield=value"), "{answer:?}");
    }
    assert_eq!(t.origin_two.posts(), 2);
    assert_eq!(t.origin_one.hits(), 0);
    let stats = t.one.proxy.stats();
    assert_eq!((stats.total.served, stats.total.failed), (2, 0));
}

#[tokio::test]
async fn the_upstream_learns_who_asks_and_nothing_that_was_made_up() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    for address in [t.one.http, t.two.http] {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: 6.6.6.6\r\nX-Hwc-Client: 6.6.6.6\r\n\
             X-Hwc-Hop: 7\r\nForwarded: for=6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nProxy: evil\r\n\
             TE: trailers\r\nKeep-Alive: 1\r\nX-Mine: yes\r\nConnection: close, x-own\r\nX-Own: a\r\n\r\n"
        );
        let answer = raw(address, request.as_bytes()).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        for expected in [
            "x-forwarded-for: 127.0.0.1\n",
            "x-forwarded-proto: http\n",
            "x-forwarded-host: shop.example\n",
            "host: shop.example\n",
            "x-mine: yes\n",
        ] {
            assert!(answer.contains(expected), "{expected} in {answer}");
        }
        for absent in ["6.6.6.6", "x-hwc", "evil", "keep-alive:", "\nte: ", "x-own"] {
            assert!(!answer.contains(absent), "{absent} in {answer}");
        }
    }
}

#[tokio::test]
async fn a_request_without_a_live_node_waits_and_then_flows() {
    let t = two_nodes(Limits::default()).await;
    let here = begin(&t.cluster.tasks, t.one.http, get("/"));
    let there = begin(&t.cluster.tasks, t.two.http, post("/", "body"));
    t.one.until_waiting(SITE, 1).await;
    t.two.until_waiting(SITE, 1).await;
    assert_eq!(t.origin_one.hits(), 0);
    t.one.open(SITE, 1);
    t.two.routes(&[(SITE, 1, 1)]);
    assert!(
        soon(here)
            .await
            .expect("answered")
            .text()
            .starts_with("one GET")
    );
    let posted = soon(there).await.expect("answered");
    assert!(posted.text().starts_with("one POST") && posted.text().ends_with("body"));
    let stats = t.one.proxy.stats().total;
    assert_eq!((stats.waiting, stats.waited), (0, 1));
}

#[tokio::test]
async fn after_its_time_a_request_is_told_to_come_back() {
    let t = two_nodes(short_wait()).await;
    let answer = ask(&t.cluster.tasks, t.one.http, get("/")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "5");
    assert!(answer.text().contains("<html"), "{answer:?}");
    let mut request = get("/");
    request
        .headers_mut()
        .insert("accept", "application/json".parse().expect("a value"));
    let answer = ask(&t.cluster.tasks, t.one.http, request).await;
    assert!(answer.text().contains("\"code\":\"not-now\""), "{answer:?}");
    assert_eq!(t.one.proxy.stats().total.failed, 2);
}

#[tokio::test]
async fn the_waiting_room_is_bounded() {
    let t = two_nodes(Limits {
        waiting_per_dataset: 3,
        ..Limits::default()
    })
    .await;
    let waiting: Vec<_> = (0..3)
        .map(|_| begin(&t.cluster.tasks, t.one.http, get("/")))
        .collect();
    t.one.until_waiting(SITE, 3).await;
    let refused = ask(&t.cluster.tasks, t.one.http, get("/")).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.headers["retry-after"], "5");
    t.one.open(SITE, 1);
    for answer in waiting {
        assert_eq!(soon(answer).await.expect("answered").status, 200);
    }
}

#[tokio::test]
async fn a_visitor_who_leaves_gives_up_the_place() {
    let t = two_nodes(Limits::default()).await;
    let stream = tokio::net::TcpStream::connect(t.one.http)
        .await
        .expect("connected");
    let mut stream = stream;
    let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes())
        .await
        .expect("written");
    t.one.until_waiting(SITE, 1).await;
    drop(stream);
    t.one.until_waiting(SITE, 0).await;
}

#[tokio::test]
async fn a_move_holds_requests_and_loses_none() {
    let t = two_nodes(Limits::default()).await;
    t.one.open(SITE, 1);
    t.two.routes(&[(SITE, 1, 1)]);
    let tasks = &t.cluster.tasks;
    let running = begin(tasks, t.two.http, post("/hold", "running"));
    until(|| t.origin_one.hits() == 1).await;
    t.one.proxy.close_gate(SITE);
    assert_eq!(t.one.proxy.drain(SITE, Duration::from_millis(20)).await, 1);
    let held: Vec<_> = (0..20)
        .map(|number| {
            let from = if number % 2 == 0 { &t.one } else { &t.two };
            begin(tasks, from.http, post("/", &number.to_string()))
        })
        .collect();
    t.one.until_waiting(SITE, 10).await;
    t.origin_one.let_go(1);
    assert_eq!(t.one.proxy.drain(SITE, PATIENCE).await, 0);
    assert_eq!(soon(running).await.expect("answered").text(), "one");
    t.two.open(SITE, 2);
    t.one.routes(&[(SITE, 2, 2)]);
    t.two.routes(&[(SITE, 2, 2)]);
    for (number, answer) in held.into_iter().enumerate() {
        let answer = soon(answer).await.expect("answered");
        assert!(answer.text().starts_with("two POST"), "{answer:?}");
        assert!(
            answer.text().ends_with(&format!("\n{number}")),
            "{answer:?}"
        );
    }
    assert_eq!((t.origin_one.posts(), t.origin_two.posts()), (1, 20));
}

#[tokio::test]
async fn a_node_that_is_not_live_refuses_untouched_and_the_request_follows_the_route() {
    let t = two_nodes(Limits::default()).await;
    // Node one believes in an epoch that node two never had.
    t.two.open(SITE, 5);
    t.one.routes(&[(SITE, 2, 4)]);
    let posted = begin(&t.cluster.tasks, t.one.http, post("/", "precious"));
    t.one.until_waiting(SITE, 1).await;
    assert_eq!(t.origin_two.hits(), 0);
    t.one.routes(&[(SITE, 2, 5)]);
    let answer = soon(posted).await.expect("answered");
    assert!(answer.text().ends_with("\nprecious"), "{answer:?}");
    assert_eq!(t.origin_two.posts(), 1);
}

#[tokio::test]
async fn a_gate_that_opens_without_a_word_is_found() {
    let t = two_nodes(Limits::default()).await;
    t.one.routes(&[(SITE, 2, 1)]);
    let posted = begin(&t.cluster.tasks, t.one.http, post("/", "precious"));
    t.one.until_waiting(SITE, 1).await;
    t.two.open(SITE, 1);
    assert_eq!(soon(posted).await.expect("answered").status, 200);
}

#[tokio::test]
async fn a_get_is_repeated_on_the_next_live_node_and_a_post_is_not() {
    let t = two_nodes(Limits::default()).await;
    let other = Origin::start(&t.cluster.tasks, "three").await;
    let three = t.cluster.node(3, Behind::apache(other.address));
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    let read = begin(&t.cluster.tasks, t.one.http, get("/hold"));
    let written = begin(&t.cluster.tasks, t.one.http, post("/hold", "once"));
    until(|| t.origin_two.hits() == 2).await;
    t.two.kill().await;
    let lost = soon(written).await.expect("answered");
    assert_eq!(lost.status, 502);
    assert!(lost.text().contains("may or may not"), "{lost:?}");
    t.one.until_waiting(SITE, 1).await;
    other.let_go(1);
    three.open(SITE, 2);
    t.one.routes(&[(SITE, 3, 2)]);
    assert_eq!(soon(read).await.expect("answered").text(), "three");
    assert_eq!((t.origin_two.posts(), other.posts()), (1, 0));
}

#[tokio::test]
async fn a_silently_dead_node_is_left_when_another_is_live() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    let read = begin(&t.cluster.tasks, t.one.http, get("/hold"));
    let written = begin(&t.cluster.tasks, t.one.http, post("/hold", "once"));
    until(|| t.origin_two.hits() == 2).await;
    // Node two says nothing at all; it is the new route that ends the waiting.
    t.origin_one.let_go(1);
    t.one.open(SITE, 2);
    assert_eq!(soon(read).await.expect("answered").text(), "one");
    assert_eq!(soon(written).await.expect("answered").status, 502);
    assert_eq!(t.origin_one.posts(), 0);
}

#[tokio::test]
async fn a_page_that_broke_off_in_its_first_moments_is_fetched_again() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    let read = begin(&t.cluster.tasks, t.one.http, get("/halves"));
    until(|| t.origin_two.hits() == 1).await;
    t.two.kill().await;
    t.origin_one.let_go(1);
    t.one.open(SITE, 2);
    let answer = soon(read).await.expect("answered");
    // Either it was read ahead when the node died, and is whole from the other one; or the visitor
    // had its head already and sees that it broke off. Never a mixture.
    match &answer.body {
        Ok(text) => assert_eq!(text, "one: first and second"),
        Err(_broken) => assert_eq!(t.origin_one.hits(), 0),
    }
}

#[tokio::test]
async fn an_unreachable_live_node_is_waited_for() {
    let t = two_nodes(Limits::default()).await;
    t.one.routes(&[(SITE, 9, 1)]);
    let posted = begin(&t.cluster.tasks, t.one.http, post("/", "unsent"));
    t.one.until_waiting(SITE, 1).await;
    t.two.open(SITE, 2);
    t.one.routes(&[(SITE, 2, 2)]);
    assert!(
        soon(posted)
            .await
            .expect("answered")
            .text()
            .ends_with("\nunsent")
    );
}

#[tokio::test]
async fn a_fence_ends_what_runs() {
    let t = two_nodes(Limits::default()).await;
    t.one.open(SITE, 1);
    let read = begin(&t.cluster.tasks, t.one.http, get("/hold"));
    let written = begin(&t.cluster.tasks, t.one.http, post("/hold", "once"));
    until(|| t.origin_one.hits() == 2).await;
    t.one.proxy.fence(SITE);
    assert_eq!(soon(written).await.expect("answered").status, 502);
    assert_eq!(t.one.proxy.drain(SITE, PATIENCE).await, 0);
    t.origin_two.let_go(1);
    t.two.open(SITE, 2);
    t.one.routes(&[(SITE, 2, 2)]);
    assert_eq!(soon(read).await.expect("answered").text(), "two");
}

#[tokio::test]
async fn a_gate_that_nobody_vouches_for_holds_requests_and_answers() {
    let cluster = Cluster::new();
    let origin = Origin::start(&cluster.tasks, "one").await;
    let clock = Clock::manual(today());
    let mut behind = Behind::apache(origin.address);
    behind.limits.gate_lease = Some(Duration::from_secs(4));
    let node = cluster.node_with_clock(1, behind, clock.clone());
    node.open(SITE, 1);
    let running = begin(&cluster.tasks, node.http, get("/hold"));
    until(|| origin.hits() == 1).await;
    // The node is frozen, and wakes.
    clock.advance(Duration::from_secs(60));
    let new = begin(&cluster.tasks, node.http, post("/", "new"));
    node.until_waiting(SITE, 1).await;
    origin.let_go(1);
    // It was replaced meanwhile: the answer that Apache gave is not passed on.
    node.proxy.fence(SITE);
    node.proxy.vouch();
    let other = Origin::start(&cluster.tasks, "two").await;
    let two = cluster.node(2, Behind::apache(other.address));
    other.let_go(1);
    two.open(SITE, 2);
    node.routes(&[(SITE, 2, 2)]);
    assert_eq!(soon(running).await.expect("answered").text(), "two");
    assert!(
        soon(new)
            .await
            .expect("answered")
            .text()
            .starts_with("two POST")
    );
    assert_eq!(origin.hits(), 1);
}

#[tokio::test]
async fn two_nodes_that_believe_in_each_other_end_in_waiting() {
    let t = two_nodes(short_wait()).await;
    t.one.routes(&[(SITE, 2, 1)]);
    t.two.routes(&[(SITE, 1, 1)]);
    let answer = ask(&t.cluster.tasks, t.one.http, get("/")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(t.origin_one.hits() + t.origin_two.hits(), 0);
}

#[tokio::test]
async fn a_request_on_its_second_hop_is_a_loop() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let t = two_nodes(Limits::default()).await;
    t.one.open(SITE, 1);
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let proxy = t.one.proxy.clone();
    let me = t.two.id;
    t.cluster.tasks.spawn("peer", async move {
        proxy.serve_http_peer(me, Box::new(far)).await;
    });
    for (hop, epoch, expected) in [
        (2, epoch(1, 1), "HTTP/1.1 508"),
        (1, epoch(2, 1), "HTTP/1.1 421"),
        (1, epoch(1, 1), "HTTP/1.1 200"),
    ] {
        let request = format!(
            "GET / HTTP/1.1\r\nhost: {HOST}\r\nx-hwc-hop: {hop}\r\nx-hwc-dataset: 1\r\nx-hwc-epoch: {epoch}\r\n\r\n"
        );
        near.write_all(request.as_bytes()).await.expect("written");
        let mut answer = vec![0; 4096];
        let count = soon(near.read(&mut answer)).await.expect("read");
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        assert!(answer.starts_with(expected), "{answer}");
    }
    // A name of another dataset is not served under this one's pass.
    let request = "GET / HTTP/1.1\r\nhost: blog.example\r\nx-hwc-hop: 1\r\nx-hwc-dataset: 1\r\nx-hwc-epoch: 1-1-00000001\r\n\r\n";
    near.write_all(request.as_bytes()).await.expect("written");
    let mut answer = vec![0; 4096];
    let count = soon(near.read(&mut answer)).await.expect("read");
    assert!(answer[..count].starts_with(b"HTTP/1.1 421"));
    assert_eq!(t.origin_one.hits(), 1);
}

#[tokio::test]
async fn websockets_pass_here_and_between_nodes_and_end_at_a_fence() {
    use futures::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    let mut sockets = Vec::new();
    for address in [t.two.http, t.one.http] {
        let stream = tokio::net::TcpStream::connect(address)
            .await
            .expect("connected");
        let url = format!("ws://{HOST}/ws");
        let (mut socket, answer) = soon(tokio_tungstenite::client_async(url, stream))
            .await
            .expect("a websocket");
        assert_eq!(answer.status(), 101);
        for text in ["one", "two"] {
            socket.send(Message::text(text)).await.expect("sent");
            let echo = soon(socket.next()).await.expect("open").expect("a message");
            assert_eq!(echo, Message::text(format!("echo {text}")));
        }
        sockets.push(socket);
    }
    t.two.proxy.fence(SITE);
    for socket in &mut sockets {
        let end = soon(socket.next()).await;
        assert!(end.is_none_or(|message| message.is_err()));
    }
    assert_eq!(t.two.proxy.drain(SITE, PATIENCE).await, 0);
}

#[tokio::test]
async fn a_web_server_that_is_not_there_is_a_502() {
    let cluster = Cluster::new();
    let node = cluster.node(1, Behind::apache(([127, 0, 0, 1], 1).into()));
    node.open(SITE, 1);
    let answer = ask(&cluster.tasks, node.http, get("/")).await;
    assert_eq!(answer.status, 502);
}

#[tokio::test]
async fn unknown_and_suspended_sites_say_so() {
    let t = two_nodes(Limits::default()).await;
    let mut request = get("/");
    request
        .headers_mut()
        .insert("host", "other.example".parse().expect("a value"));
    assert_eq!(ask(&t.cluster.tasks, t.one.http, request).await.status, 404);
    t.one.open(SITE, 1);
    let mut desired = support::desired();
    desired.index += 1;
    for account in desired.accounts.values_mut() {
        account.is_suspended = true;
    }
    let table = t
        .one
        .proxy
        .routes()
        .followed_by(&desired, Default::default());
    t.one.proxy.set_routes(table);
    assert_eq!(
        ask(&t.cluster.tasks, t.one.http, get("/")).await.status,
        403
    );
    assert_eq!(t.origin_one.hits(), 0);
}

#[tokio::test]
async fn a_taken_port_is_named_and_nothing_stays_open() {
    let t = two_nodes(Limits::default()).await;
    let taken = t.one.http;
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let https = free.local_addr().expect("an address");
    drop(free);
    let config = hwc_awesome_proxy::ProxyConfig {
        http: https,
        https: taken,
        mysql_socket: t.cluster.folder.path().join("other.sock"),
        ..Default::default()
    };
    let certificates = std::sync::Arc::new(t.cluster.certificates(Clock::system()));
    let error = hwc_awesome_proxy::AwesomeProxy::start(
        config,
        t.one.id,
        std::sync::Arc::new(Nobody),
        certificates,
        Clock::system(),
        &t.cluster.tasks,
    )
    .expect_err("taken");
    let text = error.to_string();
    assert!(
        text.contains(&taken.port().to_string()) && text.contains("ss -ltnp"),
        "{text}"
    );
    std::net::TcpListener::bind(https).expect("closed again");
}

struct Nobody;

impl hwc_runtime::dial::Dial for Nobody {
    fn dial(
        &self,
        node: hwc_api::ids::NodeId,
        _service: hwc_runtime::dial::Service,
    ) -> futures::future::BoxFuture<
        '_,
        Result<hwc_runtime::dial::PeerStream, hwc_runtime::dial::DialError>,
    > {
        Box::pin(async move { Err(hwc_runtime::dial::DialError::UnknownNode(node)) })
    }
}

#[tokio::test]
async fn shutdown_answers_who_waits_and_lets_who_runs_end() {
    let t = two_nodes(Limits::default()).await;
    let clients = hwc_runtime::lifecycle::Tasks::new();
    t.one.open(SITE, 1);
    let running = begin(&clients, t.one.http, get("/hold"));
    until(|| t.origin_one.hits() == 1).await;
    t.one.proxy.close_gate(SITE);
    let waiting = begin(&clients, t.one.http, get("/"));
    t.one.until_waiting(SITE, 1).await;
    let (late, waiting) = tokio::join!(t.one.proxy.shutdown(PATIENCE), async {
        let waiting = soon(waiting).await.expect("answered");
        t.origin_one.let_go(1);
        waiting
    });
    assert_eq!(waiting.status, 503);
    assert_eq!(soon(running).await.expect("answered").text(), "one");
    assert!(late.is_empty(), "{late:?}");
    assert!(tokio::net::TcpStream::connect(t.one.http).await.is_err());
    let closed = std::os::unix::net::UnixStream::connect(&t.one.mysql_socket);
    assert!(closed.is_err(), "nobody listens any more");
}
