//! A daemon that gives way to the next one while visitors are connected to it: nobody is refused, no
//! connection is dropped that can be kept, nothing is done twice; over real sockets.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hwc_api::ids::NodeId;
use hwc_awesome_proxy::{ApiUpstream, AwesomeProxy, Limits, Lingering, ProxyConfig, RoutingTable};
use hwc_awesome_proxy::{Doorway, Sockets};
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hyper::Request;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use support::client::{begin, get, h2, is_silent, post, read_until};
use support::origin::Origin;
use support::{Cluster, HOST, PATIENCE, SITE, desired, epoch, soon, two_nodes, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener};
use tokio_tungstenite::tungstenite::Message;

struct Nobody;

impl Dial for Nobody {
    fn dial(&self, node: NodeId, _: Service) -> BoxFuture<'_, Result<PeerStream, DialError>> {
        Box::pin(async move { Err(DialError::UnknownNode(node)) })
    }
}

/// A node whose daemon is restarted.
struct House {
    cluster: Cluster,
    config: ProxyConfig,
    succession: PathBuf,
    kept: Vec<(String, OwnedFd)>,
}

impl House {
    fn new(limits: Limits) -> Self {
        let cluster = Cluster::new();
        let free = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("bound")
        };
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let config = ProxyConfig {
            http: free(),
            https: free(),
            panel: free(),
            mysql_tcp: free(),
            mysql_socket: cluster.folder.path().join("mysqld.sock"),
            panel_upstream: nobody,
            api: ApiUpstream::Tcp(nobody),
            limits,
            ..ProxyConfig::default()
        };
        let succession = cluster.folder.path().join("succession.sock");
        Self {
            cluster,
            config,
            succession,
            kept: Vec::new(),
        }
    }

    /// A daemon that has nothing to say yet.
    fn begin(&mut self, origin: &Origin) -> AwesomeProxy {
        let kept = self.kept.iter().map(|(name, socket)| {
            let copy = socket.try_clone().expect("a copy");
            (name.clone(), copy)
        });
        let opened = Sockets::take_over(&self.config, kept.collect()).expect("free ports");
        assert_eq!(opened.unfit, [""; 0]);
        let fresh = opened.fresh.into_iter();
        let named = |(doorway, socket): (Doorway, _)| (doorway.name().to_owned(), socket);
        self.kept.extend(fresh.map(named));
        let _absent = std::fs::remove_file(&self.succession);
        let listener = std::os::unix::net::UnixListener::bind(&self.succession);
        let mut config = self.config.clone();
        config.apache = origin.address;
        config.panel_upstream = origin.address;
        let clock = Clock::system();
        AwesomeProxy::start_on(
            opened.sockets,
            Some(listener.expect("bound")),
            config,
            NodeId(1),
            Arc::new(Nobody),
            Arc::new(self.cluster.certificates(clock.clone())),
            clock,
            &self.cluster.tasks,
        )
        .expect("started")
    }

    /// A daemon at work, live for the site.
    fn start(&mut self, origin: &Origin, counter: u32) -> AwesomeProxy {
        let proxy = self.begin(origin);
        admit(&proxy, counter);
        proxy
    }

    /// Has a daemon give way; visitors are served in the background.
    async fn linger(&self, proxy: &AwesomeProxy) -> tokio::sync::oneshot::Receiver<usize> {
        let lingering = proxy.linger(self.succession.clone()).await;
        self.wait_for_last(lingering)
    }

    fn wait_for_last(&self, lingering: Lingering) -> tokio::sync::oneshot::Receiver<usize> {
        self.wait_for_last_until(lingering, std::future::pending())
    }

    fn wait_for_last_until(
        &self,
        lingering: Lingering,
        told: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::sync::oneshot::Receiver<usize> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.cluster.tasks.spawn("linger", async move {
            let _nobody = sender.send(lingering.last(PATIENCE, told).await);
        });
        receiver
    }

    async fn origin(&self, name: &'static str) -> Origin {
        Origin::start(&self.cluster.tasks, name).await
    }
}

fn admit(proxy: &AwesomeProxy, counter: u32) {
    proxy.set_routes(RoutingTable::build(&desired(), BTreeMap::new(), NodeId(1)));
    proxy.open_gate(SITE, epoch(counter, 1));
    proxy.admit();
}

fn request(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n{more}\r\n")
}

/// Asks over a connection that stays; gives the whole answer.
async fn ask_over(stream: &mut TcpStream, path: &str, end: &str) -> String {
    let asked = request("GET", path, "");
    stream.write_all(asked.as_bytes()).await.expect("sent");
    read_until(stream, end).await
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    soon(stream.read(&mut [0; 16])).await.is_ok_and(|n| n == 0)
}

#[tokio::test]
async fn a_connection_that_stays_is_answered_by_the_next_daemon_and_new_ones_wait_for_it() {
    let mut house = House::new(Limits::default());
    let (one, two) = (house.origin("one").await, house.origin("two").await);
    let old = house.start(&one, 1);
    let mut staying = TcpStream::connect(house.config.http).await.expect("met");
    let first = ask_over(&mut staying, "/first", "\n\n").await;
    assert!(first.contains("one GET /first"), "{first}");
    let last = house.linger(&old).await;
    // Nobody is there, and nobody is refused.
    let new = begin(&house.cluster.tasks, house.config.http, get("/new"));
    let mut second = Box::pin(ask_over(&mut staying, "/second", "\n\n"));
    let waits = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(waits.is_err(), "there is nobody to answer it");
    let next = house.begin(&two);
    // It listens, but does not know yet what there is.
    let waits = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(waits.is_err(), "it must not be answered yet");
    admit(&next, 2);
    let second = soon(second).await;
    assert!(second.contains("two GET /second"), "{second}");
    assert!(second.contains("x-forwarded-for: 127.0.0.1"), "{second}");
    assert!(second.contains("x-forwarded-proto: http\n"), "{second}");
    assert!(second.contains("connection: close"), "{second}");
    assert!(is_closed(&mut staying).await);
    let new = soon(new).await.expect("answered");
    assert!(new.text().contains("two GET /new"), "{new:?}");
    assert_eq!(soon(last).await, Ok(0), "nobody had to be cut");
    assert_eq!((one.hits(), two.hits()), (1, 2));
}

#[tokio::test]
async fn posts_that_wait_go_to_the_next_daemon_and_are_carried_out_once() {
    let mut house = House::new(Limits::default());
    let (one, two) = (house.origin("one").await, house.origin("two").await);
    let old = house.start(&one, 1);
    old.close_gate(SITE);
    let waiting: Vec<_> = (0..20)
        .map(|number| post("/count", &format!("row {number}")))
        .map(|post| begin(&house.cluster.tasks, house.config.http, post))
        .collect();
    let empty = begin(&house.cluster.tasks, house.config.http, post("/count", ""));
    // One whose body comes only when it is wanted.
    let mut careful = TcpStream::connect(house.config.http).await.expect("met");
    let head = request(
        "POST",
        "/count",
        "expect: 100-continue\r\ncontent-length: 7\r\n",
    );
    careful.write_all(head.as_bytes()).await.expect("sent");
    let waits = |count| {
        let stats = old.stats();
        stats
            .datasets
            .get(&SITE)
            .is_some_and(|s| s.waiting == count)
    };
    until(|| waits(22)).await;
    let last = house.linger(&old).await;
    assert!(is_silent(&mut careful).await, "its body is not wanted yet");
    let next = house.start(&two, 2);
    for (number, answer) in waiting.into_iter().enumerate() {
        let answer = soon(answer).await.expect("answered");
        assert_eq!(
            (answer.status.as_u16(), answer.text()),
            (200, &*format!("row {number}"))
        );
    }
    assert_eq!(soon(empty).await.expect("answered").status, 200);
    read_until(&mut careful, "100 Continue").await;
    careful.write_all(b"careful").await.expect("sent");
    let answer = read_until(&mut careful, "\r\ncareful").await;
    assert!(answer.contains("200 OK"), "{answer}");
    drop(careful);
    assert_eq!(soon(last).await, Ok(0));
    assert!(one.counted().is_empty());
    let counted = two.counted();
    assert_eq!(counted.len(), 22);
    assert!(counted.values().all(|times| *times == 1), "{counted:?}");
    assert_eq!(next.stats().datasets[&SITE].failed, 0);
}

/// On several threads, as in the daemon: who waits may be quicker than the old one's socket.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_daemon_that_gives_way_does_not_bring_requests_to_itself() {
    const WAITING: usize = 300;
    let mut house = House::new(Limits::default());
    let (one, two) = (house.origin("one").await, house.origin("two").await);
    let old = house.start(&one, 1);
    old.close_gate(SITE);
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| begin(&house.cluster.tasks, house.config.http, get("/held")))
        .collect();
    until(|| {
        let stats = old.stats();
        let site = stats.datasets.get(&SITE);
        site.is_some_and(|site| site.waiting == WAITING)
    })
    .await;
    let lingering = old.linger(house.succession.clone()).await;
    assert_eq!(
        lingering.connections(),
        WAITING,
        "visitors, and nobody else"
    );
    let last = house.wait_for_last(lingering);
    house.start(&two, 2);
    for answer in waiting {
        let answer = soon(answer).await.expect("answered");
        assert!(answer.text().contains("two GET /held"), "{answer:?}");
    }
    assert_eq!(soon(last).await, Ok(0), "nobody was left to be cut");
}

#[tokio::test]
async fn an_idle_connection_of_the_daemon_before_keeps_nobody_lingering() {
    let mut house = House::new(Limits::default());
    let one = house.origin("one").await;
    let middle = house.start(&one, 1);
    let stream = tokio::net::UnixStream::connect(&house.succession).await;
    let mut kept = stream.expect("met");
    let mut greeting = [0; 8];
    soon(kept.read_exact(&mut greeting)).await.expect("greeted");
    let lingering = middle.linger(house.succession.clone()).await;
    let closed = soon(kept.read(&mut [0; 16])).await;
    assert_eq!(closed.expect("closed"), 0);
    until(|| lingering.connections() == 0).await;
}

/// As one of too many such daemons is told, and all of them when the machine is shut down.
#[tokio::test]
async fn a_daemon_that_is_told_to_end_lets_the_answers_under_way_end() {
    let mut house = House::new(Limits::default());
    let (one, two) = (house.origin("one").await, house.origin("two").await);
    let old = house.start(&one, 1);
    let mut idle = TcpStream::connect(house.config.http).await.expect("met");
    ask_over(&mut idle, "/", "\n\n").await;
    let mut busy = TcpStream::connect(house.config.http).await.expect("met");
    ask_over(&mut busy, "/", "\n\n").await;
    let lingering = old.linger(house.succession.clone()).await;
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let told = async move {
        let _told = told.await;
    };
    let last = house.wait_for_last_until(lingering, told);
    let _next = house.start(&two, 2);
    let mut answer = Box::pin(ask_over(&mut busy, "/hold", "two"));
    let begun = async { until(|| two.hits() == 1).await };
    tokio::select! {
        () = begun => {}
        _ = &mut answer => panic!("it is held"),
    }
    tell.send(()).expect("it lingers");
    // Who waits for nothing goes at once.
    assert!(is_closed(&mut idle).await);
    two.let_go(1);
    let answer = soon(answer).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(soon(last).await, Ok(2), "both were there when it was told");
}

#[tokio::test]
async fn http2_goes_on_and_is_then_sent_to_the_next_daemon() {
    let mut house = House::new(Limits::default());
    let (one, two) = (house.origin("one").await, house.origin("two").await);
    let old = house.start(&one, 1);
    let tasks = house.cluster.tasks.clone();
    let mut sender = h2::<Full<Bytes>>(&tasks, &house.cluster.ca_pem, house.config.https).await;
    let request = |method: &str, path: &str, body: &'static str| {
        let uri = format!("https://{HOST}{path}");
        let request = Request::builder().method(method).uri(uri);
        request.body(Full::from(body)).expect("a request")
    };
    let first = soon(sender.send_request(request("GET", "/", ""))).await;
    assert_eq!(first.expect("answered").status(), 200);
    let last = house.linger(&old).await;
    let asked = [
        sender.send_request(request("POST", "/count", "over two")),
        sender.send_request(request("GET", "/seen", "")),
    ];
    house.start(&two, 2);
    let mut texts = Vec::new();
    for answer in asked {
        let answer = soon(answer).await.expect("answered");
        assert_eq!(answer.status(), 200);
        let body = soon(answer.collect()).await.expect("a body").to_bytes();
        texts.push(String::from_utf8_lossy(&body).into_owned());
    }
    assert_eq!(texts[0], "over two");
    assert!(texts[1].contains("two GET /seen"), "{texts:?}");
    assert!(texts[1].contains("x-forwarded-proto: https"), "{texts:?}");
    assert_eq!(two.counted()["over two"], 1);
    // GOAWAY: the next request needs a new connection.
    until(|| sender.is_closed()).await;
    assert_eq!(soon(last).await, Ok(0));
    assert_eq!((one.hits(), two.hits()), (1, 1));
}

#[tokio::test]
async fn where_no_daemon_follows_visitors_are_told_to_come_back() {
    let mut house = House::new(Limits {
        successor: Duration::from_millis(400),
        ..Limits::default()
    });
    let one = house.origin("one").await;
    let old = house.start(&one, 1);
    let mut busy = TcpStream::connect(house.config.http).await.expect("met");
    let mut idle = TcpStream::connect(house.config.http).await.expect("met");
    for stream in [&mut busy, &mut idle] {
        ask_over(stream, "/", "\n\n").await;
    }
    let clock = Clock::system();
    let began = clock.now();
    let last = house.linger(&old).await;
    let answer = ask_over(&mut busy, "/", "</html>").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after"), "{answer}");
    assert!(is_closed(&mut busy).await && is_closed(&mut idle).await);
    soon(last).await.expect("ended");
    assert!(clock.now().since(began) < Duration::from_secs(5));
}

#[tokio::test]
async fn waiting_for_the_next_daemon_is_bounded_in_number_and_time() {
    let mut house = House::new(Limits {
        wait: Duration::from_millis(300),
        waiting: 1,
        ..Limits::default()
    });
    let one = house.origin("one").await;
    let old = house.start(&one, 1);
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(house.config.http).await.expect("met");
        ask_over(&mut stream, "/", "\n\n").await;
        streams.push(stream);
    }
    let _last = house.linger(&old).await;
    let clock = Clock::system();
    let began = clock.now();
    let [first, second] = &mut streams[..] else {
        panic!("two");
    };
    first
        .write_all(request("GET", "/", "").as_bytes())
        .await
        .expect("sent");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refused = ask_over(second, "/", "</html>").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(
        clock.now().since(began) < Duration::from_millis(250),
        "at once"
    );
    let late = read_until(first, "</html>").await;
    assert!(late.starts_with("HTTP/1.1 503"), "{late}");
}

#[tokio::test]
async fn nobody_can_pretend_to_be_another_visitor() {
    let mut house = House::new(Limits::default());
    let (one, two) = (house.origin("one").await, house.origin("two").await);
    let old = house.start(&one, 1);
    let forged = "x-hwc-visitor: 192.0.2.66\r\nx-hwc-entrance: panel\r\nx-hwc-hold: end\r\n\
                  x-forwarded-for: 192.0.2.66\r\nx-hwc-client: 192.0.2.66\r\n";
    let mut stream = TcpStream::connect(house.config.http).await.expect("met");
    let ask = request("GET", "/forged", forged);
    stream.write_all(ask.as_bytes()).await.expect("sent");
    let before = read_until(&mut stream, "\n\n").await;
    let last = house.linger(&old).await;
    house.start(&two, 2);
    stream.write_all(ask.as_bytes()).await.expect("sent");
    let after = read_until(&mut stream, "\n\n").await;
    for (answer, name) in [(before, "one"), (after, "two")] {
        assert!(answer.contains(&format!("{name} GET /forged")), "{answer}");
        assert!(answer.contains("x-forwarded-for: 127.0.0.1"), "{answer}");
        assert!(!answer.contains("192.0.2.66"), "{answer}");
        assert!(!answer.contains("x-hwc"), "{answer}");
    }
    drop(stream);
    assert_eq!(soon(last).await, Ok(0));
}

#[tokio::test]
async fn the_panel_is_reached_through_the_next_daemon_and_told_who_asks() {
    let mut house = House::new(Limits::default());
    let (one, two) = (house.origin("one").await, house.origin("two").await);
    let old = house.start(&one, 1);
    let (ca, door) = (house.cluster.ca_pem.clone(), house.config.panel);
    let stream = support::client::tls(&ca, door, "node.example", &[b"http/1.1"]).await;
    let mut stream = stream.expect("TLS");
    let ask = "GET /nodes HTTP/1.1\r\nhost: node.example\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.expect("sent");
    let before = read_until(&mut stream, "\n\n").await;
    assert!(before.contains("one GET /nodes"), "{before}");
    let last = house.linger(&old).await;
    house.start(&two, 2);
    stream.write_all(ask.as_bytes()).await.expect("sent");
    let after = read_until(&mut stream, "\n\n").await;
    assert!(after.contains("two GET /nodes"), "{after}");
    assert!(after.contains("x-hwc-client: 127.0.0.1"), "{after}");
    drop(stream);
    assert_eq!(soon(last).await, Ok(0));
}

#[tokio::test]
async fn a_post_is_not_repeated_when_the_next_daemon_dies_with_it() {
    let mut house = House::new(Limits::default());
    let (one, two) = (house.origin("one").await, house.origin("two").await);
    let old = house.start(&one, 1);
    let mut staying = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(house.config.http).await.expect("met");
        ask_over(&mut stream, "/", "\n\n").await;
        staying.push(stream);
    }
    let last = house.linger(&old).await;
    let [held, taken] = &mut staying[..] else {
        panic!("two");
    };
    for (stream, body) in [(&mut *held, "held"), (&mut *taken, "taken")] {
        let head = request(
            "POST",
            "/count",
            &format!("content-length: {}\r\n", body.len()),
        );
        stream
            .write_all((head + body).as_bytes())
            .await
            .expect("sent");
    }
    // A daemon that takes requests and dies: of one it had the head only, of the other everything.
    let _absent = std::fs::remove_file(&house.succession);
    let dying = UnixListener::bind(&house.succession).expect("bound");
    let (mut seen, mut has_taken) = (0, false);
    while seen < 2 {
        let (mut stream, _) = soon(dying.accept()).await.expect("reached");
        stream.write_all(b"hwcdoor1").await.expect("greeted");
        let mut heard = vec![0; 4_096];
        let count = soon(stream.read(&mut heard)).await.expect("read");
        let heard = String::from_utf8_lossy(&heard[..count]).into_owned();
        if !heard.contains("POST") {
            continue;
        }
        assert!(
            heard.contains("x-hwc-hold: body") && heard.ends_with("\r\n\r\n"),
            "{heard}"
        );
        if heard.contains("content-length: 5") && !has_taken {
            has_taken = true;
            stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await
                .expect("asked");
            let count = soon(stream.read(&mut [0; 64])).await.expect("read");
            assert_eq!(count, 5);
        }
        seen += 1;
    }
    drop(dying);
    house.start(&two, 2);
    let answer = read_until(held, "\r\nheld").await;
    assert!(answer.contains("200 OK"), "{answer}");
    let answer = read_until(taken, "</html>").await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(two.counted(), BTreeMap::from([("held".to_owned(), 1)]));
    drop(staying);
    assert_eq!(soon(last).await, Ok(0));
}

#[tokio::test]
async fn websockets_are_told_to_come_back() {
    let mut house = House::new(Limits::default());
    let one = house.origin("one").await;
    let old = house.start(&one, 1);
    let stream = TcpStream::connect(house.config.http).await.expect("met");
    let url = format!("ws://{HOST}/ws");
    let joined = soon(tokio_tungstenite::client_async(url, stream)).await;
    let (mut socket, _answer) = joined.expect("a WebSocket");
    socket.send(Message::text("hello")).await.expect("sent");
    assert!(soon(socket.next()).await.expect("open").is_ok());
    let last = house.linger(&old).await;
    let Some(Ok(Message::Close(Some(close)))) = soon(socket.next()).await else {
        panic!("it must be told");
    };
    assert_eq!(u16::from(close.code), 1012);
    drop(socket);
    assert_eq!(soon(last).await, Ok(0));
}

#[tokio::test]
async fn an_answer_of_another_node_is_passed_on_to_its_end() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    let answer = begin(&t.cluster.tasks, t.one.http, get("/halves"));
    until(|| t.origin_two.hits() == 1).await;
    let path = t.cluster.folder.path().join("succession.sock");
    let lingering = t.one.proxy.linger(path).await;
    assert_eq!(lingering.connections(), 1);
    let tasks = t.cluster.tasks.clone();
    tasks.spawn("linger", async move {
        lingering.last(PATIENCE, std::future::pending()).await;
    });
    t.origin_two.let_go(1);
    let answer = soon(answer).await.expect("answered");
    assert_eq!(answer.text(), "two: first and second");
}

#[tokio::test]
async fn the_socket_between_daemons_wants_to_know_who_the_visitor_is() {
    let mut house = House::new(Limits::default());
    let one = house.origin("one").await;
    house.start(&one, 1);
    let mut stream = tokio::net::UnixStream::connect(&house.succession)
        .await
        .expect("met");
    let mut greeting = [0; 8];
    soon(stream.read_exact(&mut greeting))
        .await
        .expect("greeted");
    let ask = request("GET", "/", "");
    stream.write_all(ask.as_bytes()).await.expect("sent");
    let answer = read_until(&mut stream, "</html>").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(one.hits(), 0);
    let new = support::client::ask(&house.cluster.tasks, house.config.http, get("/")).await;
    assert_eq!(new.status, 200);
}
