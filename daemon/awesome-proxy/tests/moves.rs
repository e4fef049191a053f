//! Sites that move between nodes while visitors ask for them: nothing fails, nothing is done twice,
//! and what it cost is on the account; over real sockets.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use hwc_awesome_proxy::Limits;
use std::time::Duration;
use support::client::{ask, begin, get, post};
use support::{DATABASE, PATIENCE, SITE, soon, two_nodes, until};

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
    let requests = |node: &support::TestNode| node.proxy.stats().datasets[&SITE].requests;
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
