//! Calls: answered, refused, too long, too late.

use crate::world::World;
use bytes::Bytes;
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_group::calls::{BODY_BYTES_MAX, CallError};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_call_is_answered_and_the_asker_is_known() {
    let world = World::up(2).await;
    world
        .group(2)
        .calls
        .answer("echo", async |peer, body: Bytes| {
            assert_eq!(peer, NodeId(1));
            Ok(body)
        });
    let calls = &world.group(1).calls;
    for length in [0, 1, 70_000, BODY_BYTES_MAX] {
        let body = Bytes::from(vec![7; length]);
        let answer = calls.call(NodeId(2), "echo", body.clone(), DEADLINE).await;
        assert_eq!(answer.expect("answered"), body);
    }
    let long = Bytes::from(vec![0; BODY_BYTES_MAX + 1]);
    let answer = calls.call(NodeId(2), "echo", long, DEADLINE).await;
    assert!(matches!(answer, Err(CallError::TooLong)));
}

#[tokio::test]
async fn json_is_spoken_and_refusals_arrive() {
    let world = World::up(2).await;
    let desk = &world.group(2).calls;
    desk.answer_json("double", async |_peer, n: u32| Ok(2 * n));
    desk.answer_json("no", async |_peer, _: ()| {
        Err::<(), _>(Problem::new(ProblemCode::SiteBusy, "busy").detail("x"))
    });
    let calls = &world.group(1).calls;
    let doubled: u32 = calls
        .call_json(NodeId(2), "double", &21u32, DEADLINE)
        .await
        .expect("answered");
    assert_eq!(doubled, 42);

    let code = |answer: Result<(), CallError>| match answer {
        Err(CallError::Problem(problem)) => problem.code,
        other => panic!("not refused: {other:?}"),
    };
    let busy = calls.call_json(NodeId(2), "no", &(), DEADLINE).await;
    assert_eq!(code(busy), ProblemCode::SiteBusy);
    let absent = calls.call_json(NodeId(2), "absent", &(), DEADLINE).await;
    assert_eq!(code(absent), ProblemCode::NotFound);
    let malformed = calls.call_json(NodeId(2), "double", &"x", DEADLINE).await;
    assert_eq!(code(malformed), ProblemCode::Malformed);
}

#[tokio::test]
async fn a_call_has_a_deadline_and_a_dead_node_is_told_apart() {
    let mut world = World::up(2).await;
    world
        .group(2)
        .calls
        .answer("never", async |_peer, _body| std::future::pending().await);
    let calls = world.group(1).calls.clone();
    let short = Duration::from_millis(300);
    let late = calls.call(NodeId(2), "never", Bytes::new(), short).await;
    let late = late.expect_err("no answer");
    assert!(matches!(late, CallError::Deadline) && late.may_have_happened());
    world.take(2).kill();
    let dead = calls.call(NodeId(2), "never", Bytes::new(), DEADLINE).await;
    let dead = dead.expect_err("no answer");
    assert!(matches!(dead, CallError::Dial(_)) && !dead.may_have_happened());
}
