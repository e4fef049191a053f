//! What was acknowledged on one node is seen on another that asks.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_on_one_node_is_seen_on_every_other() {
    let cluster = Cluster::new();
    let nodes = cluster.of(3).await;
    voters_become(&nodes, &[1, 2, 3]).await;
    for number in 0..30 {
        let login = format!("user-{number}");
        let made = nodes[number % 3].change(customer(&login)).await;
        let Ok(Applied::Account(account)) = made else {
            panic!("{made:?}");
        };
        let reader = &nodes[(number + 1) % 3];
        reader.catch_up().await;
        let desired = reader.desired().borrow().clone();
        assert!(desired.accounts.contains_key(&account), "{login}");
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_the_copy_has_to_do() {
    let cluster = Cluster::new();
    let nodes = cluster.of(3).await;
    voters_become(&nodes, &[1, 2, 3]).await;
    cluster.net.cut(NodeId(2));
    within("the copy is read", nodes[1].catch_up()).await;
    assert!(nodes[1].desired().borrow().nodes.contains_key(&NodeId(3)));
    cluster.end().await;
}
