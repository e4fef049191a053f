//! Names that the live node's web server has not read of: their requests are held there, others'
//! are not.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use hwc_awesome_proxy::Limits;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use support::client::{ask, begin, get, post};
use support::{SITE, TestNode, soon, two_nodes};

const NEW_NAME: &str = "www.shop.example";

fn has_not_read(node: &TestNode, names: &[&str]) {
    let names: BTreeSet<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let table = node.proxy.routes().as_ref().clone();
    node.proxy.set_routes(table.with_unread(Arc::new(names)));
}

fn to_new_name<B>(mut request: http::Request<B>) -> http::Request<B> {
    let name = NEW_NAME.parse().expect("a value");
    request.headers_mut().insert("host", name);
    request
}

#[tokio::test]
async fn a_name_is_held_until_the_web_server_has_read_of_it() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    has_not_read(&t.two, &[NEW_NAME]);
    // Whether the node through which they come has read of it is no matter.
    has_not_read(&t.one, &[NEW_NAME, support::HOST]);
    let tasks = &t.cluster.tasks;
    let there = begin(tasks, t.one.http, to_new_name(post("/", "body")));
    let here = begin(tasks, t.two.http, to_new_name(get("/")));
    t.two.until_waiting(SITE, 2).await;
    for address in [t.one.http, t.two.http] {
        let answer = ask(tasks, address, get("/")).await;
        assert_eq!(answer.status, 200, "its other name is known");
    }
    assert_eq!((t.origin_two.hits(), t.origin_two.posts()), (2, 0));
    has_not_read(&t.two, &[]);
    let posted = soon(there).await.expect("answered");
    assert!(posted.text().ends_with("\nbody"), "{posted:?}");
    assert_eq!(soon(here).await.expect("answered").status, 200);
    assert_eq!((t.origin_two.hits(), t.origin_two.posts()), (4, 1));
    assert_eq!(t.two.proxy.stats().total.waiting, 0);
}

#[tokio::test]
async fn who_is_held_too_long_is_told_to_come_back() {
    let limits = Limits {
        wait: Duration::from_millis(300),
        ..Limits::default()
    };
    let t = two_nodes(limits).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    has_not_read(&t.two, &[NEW_NAME]);
    for address in [t.one.http, t.two.http] {
        let answer = ask(&t.cluster.tasks, address, to_new_name(get("/"))).await;
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    }
    assert_eq!(t.origin_two.hits(), 0);
}

#[tokio::test]
async fn who_is_held_follows_the_site_to_another_node() {
    let t = two_nodes(Limits::default()).await;
    t.two.open(SITE, 1);
    t.one.routes(&[(SITE, 2, 1)]);
    has_not_read(&t.two, &[NEW_NAME]);
    let tasks = &t.cluster.tasks;
    let there = begin(tasks, t.one.http, to_new_name(post("/", "body")));
    let here = begin(tasks, t.two.http, to_new_name(get("/")));
    t.two.until_waiting(SITE, 2).await;
    assert_eq!(
        t.two.proxy.clear(SITE).await,
        0,
        "nobody is inside for long"
    );
    t.one.open(SITE, 2);
    t.two.routes(&[(SITE, 1, 2)]);
    for asked in [there, here] {
        let answer = soon(asked).await.expect("answered");
        assert!(answer.text().starts_with("one "), "{answer:?}");
    }
    assert_eq!((t.origin_one.hits(), t.origin_two.hits()), (2, 0));
}
