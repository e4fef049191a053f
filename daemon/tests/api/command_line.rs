//! `hwc` as root uses it: the real program against the real API on its control socket.

use crate::fixture::TestApi;
use hwc_api::change::Change;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::{MovePhase, MoveProgress, MoveReason, MoveReport, Pause};
use hwc_api::time::WallTime;
use hwc_runtime::command::{Output, run};
use std::path::{Path, PathBuf};
use std::time::Duration;

const N1: NodeId = NodeId(1);

/// Three nodes, Mara's site live on the first, and the socket of the API.
async fn world() -> (TestApi, PathBuf, DatasetId) {
    let api = TestApi::new().await;
    let mara = api.sign_in("mara").await;
    api.join("n2").await;
    api.join("n3").await;
    let site = api.create_site(&mara, "mara.example").await;
    let files = api.files(site);
    api.see_live(files, N1);
    let socket = api.serve();
    (api, socket, files)
}

async fn hwc(socket: &Path, arguments: &str) -> Output {
    let socket = ["--socket", socket.to_str().expect("a path")];
    let arguments = arguments.split(' ').filter(|word| !word.is_empty());
    let hwc = run(
        env!("CARGO_BIN_EXE_hwc"),
        socket.into_iter().chain(arguments),
    );
    hwc.output().await.expect("hwc runs")
}

/// What `hwc` prints where it succeeds.
async fn done(socket: &Path, arguments: &str) -> String {
    let output = hwc(socket, arguments).await;
    assert!(output.status.success(), "{arguments}: {output:?}");
    output.text()
}

/// What `hwc` complains where it fails.
async fn fails(socket: &Path, arguments: &str) -> String {
    let output = hwc(socket, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{arguments}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until something is so, for at most ten seconds.
async fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..200 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it does not come to that");
}

#[tokio::test]
async fn every_command_explains_itself() {
    for command in [
        "site move",
        "site pin",
        "site hold",
        "explain",
        "moves",
        "node drain",
        "node undrain",
        "node zone",
        "node services",
        "node show",
        "record",
        "replay",
        "cluster show",
        "cluster settings",
        "cluster keys",
        "cluster rotate-key",
        "cluster balancing",
        "cluster registry",
        "cluster declare-lost",
    ] {
        let help = done(Path::new("/nowhere"), &format!("{command} --help")).await;
        assert!(help.contains("Usage: hwc"), "{command}: {help}");
        assert!(help.contains("--json"), "{command}: {help}");
        assert!(!help.contains("The same."), "{command}: {help}");
        assert!(!help.contains("default: \"\""), "{command}: {help}");
    }
}

#[tokio::test]
async fn a_node_is_put_in_a_zone_drained_and_put_back() {
    let (api, socket, files) = world().await;
    assert_eq!(
        done(&socket, "node zone n2 Rack-B").await,
        "n2 stands in zone rack-b.\n"
    );
    let text = done(&socket, "node drain n1 --note disks").await;
    assert!(
        text.starts_with("n1: 0 moved, 1 still live there"),
        "{text}"
    );
    let hint = "“hwc node drain n1 --wait” shows how it goes.";
    assert!(text.contains(hint), "{text}");
    let status = done(&socket, "status").await;
    assert!(status.contains("rack-b   up"), "{status}");
    assert!(status.contains("up, drained"), "{status}");
    assert!(status.contains("1 still live on it: disks"), "{status}");

    done(&socket, "node drain n1 --allow-fewer-copies").await;
    let waiting = done(&socket, "node drain n1 --wait");
    let moving = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        api.see_live(files, NodeId(2));
    };
    let (text, ()) = tokio::join!(waiting, moving);
    assert!(
        text.starts_with("n1 is empty and can be switched off"),
        "{text}"
    );
    let drain = api.desired().nodes[&N1].drain.clone().expect("a drain");
    assert_eq!(
        (drain.note.as_str(), drain.may_lack_copies),
        ("disks", true),
        "asked again, what is not given stays"
    );
    done(
        &socket,
        "node drain n1 --note ram --allow-fewer-copies=false",
    )
    .await;
    let drain = api.desired().nodes[&N1].drain.clone().expect("a drain");
    assert_eq!(
        (drain.note.as_str(), drain.may_lack_copies),
        ("ram", false),
        "what is given counts"
    );

    assert_eq!(
        done(&socket, "node undrain n1").await,
        "n1 takes sites again. What moved away stays where it is.\n"
    );
    let complaint = fails(&socket, "node undrain n1").await;
    assert!(complaint.contains("n1 is not being drained"), "{complaint}");
    let complaint = fails(&socket, "--json node undrain n1").await;
    let problem: serde_json::Value = serde_json::from_str(&complaint).expect("JSON");
    assert_eq!(problem["code"], "node-not-draining");
    let complaint = fails(&socket, "node drain n9").await;
    assert!(complaint.contains("there are n1, n2, n3"), "{complaint}");
}

#[tokio::test]
async fn a_node_becomes_a_witness_and_a_host_again() {
    let (_api, socket, _files) = world().await;
    let off = done(&socket, "node services n3 --off hosting,front-doors").await;
    assert_eq!(off, "Off on n3: hosting, front-doors.\n");
    assert_eq!(done(&socket, "node services n3").await, off);
    let on = done(&socket, "node services n3 --all-on").await;
    assert_eq!(on, "Everything is on on n3.\n");
    let wrong = hwc(&socket, "node services n3 --off mail").await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

/// Does what a brain and its conductor do when they are asked to move a dataset to node 2.
async fn carry_out_a_move(api: &TestApi, files: DatasetId) {
    until(|| !api.brain.lock().expect("not poisoned").asked.is_empty()).await;
    let progress = MoveProgress {
        dataset: files,
        from: N1,
        to: NodeId(2),
        reason: MoveReason::Pin,
        phase: MovePhase::Copying,
        started_at: WallTime(1),
        due_at: None,
        rounds: 1,
        sent_bytes: 3,
        behind_bytes: 1,
        gate_closed_at: None,
    };
    api.see(|picture| {
        picture.moves.insert(files, [(N1, progress)].into());
    });
    tokio::time::sleep(Duration::from_millis(700)).await;
    let now = api.clock.wall();
    let report = MoveReport {
        dataset: files,
        from: N1,
        to: NodeId(2),
        reason: MoveReason::Pin,
        started_at: now,
        ended_at: now.plus_ms(1_500),
        problem: None,
        rounds: 2,
        sent_bytes: 4,
        http: Pause {
            closed_ms: 90,
            held: 5,
            longest_wait_ms: 80,
            failed: 0,
        },
        mysql: Pause::default(),
    };
    let noted = api.registry.change(Change::NoteMove { report }).await;
    noted.expect("a receipt");
    api.see(|picture| picture.moves.clear());
    api.see_live(files, NodeId(2));
}

#[tokio::test]
async fn a_move_is_watched_to_its_receipt() {
    let (api, socket, files) = world().await;
    let watched = hwc(&socket, "site move mara.example n2 --wait");
    let (output, ()) = tokio::join!(watched, carry_out_a_move(&api, files));
    assert!(output.status.success(), "{output:?}");
    let progress = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(progress, "mara.example to n2: copying, 75 %\n");
    assert_eq!(
        output.text(),
        "mara.example: moved from n1 to n2; 4 B in 2 rounds, 1.5 s\n  \
         HTTP   paused 90 ms, 5 requests waited (longest 80 ms), 0 failed\n  \
         MySQL  paused 0 ms, 0 connections waited (longest 0 ms), 0 failed\n"
    );
    let moves = done(&socket, "moves mara.example").await;
    assert!(moves.contains("mara.example  n1    n2  pin"), "{moves}");
    let json = done(&socket, "--json moves --limit 1").await;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["ended"][0]["move"]["http"]["held"], 5, "{json}");

    let complaint = fails(&socket, "site move mara.example n2").await;
    assert!(complaint.contains("live on node n2 already"), "{complaint}");
    let complaint = fails(&socket, "site move --call-off mara.example").await;
    assert!(complaint.contains("No move of this site"), "{complaint}");
    let wrong = hwc(&socket, "site move --call-off mara.example n2").await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[tokio::test]
async fn a_program_that_waits_reads_json_alone() {
    let (api, socket, files) = world().await;
    let watched = hwc(&socket, "--json site move mara.example n2 --wait");
    let (output, ()) = tokio::join!(watched, carry_out_a_move(&api, files));
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let moves: serde_json::Value = serde_json::from_str(&output.text()).expect("JSON");
    assert_eq!(moves["ended"][0]["move"]["to"], 2, "{moves}");

    let drained = hwc(&socket, "--json node drain n2 --wait");
    let moving = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        api.see_live(files, N1);
    };
    let (output, ()) = tokio::join!(drained, moving);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let drain: serde_json::Value = serde_json::from_str(&output.text()).expect("JSON");
    assert_eq!(drain["is_done"], true, "{drain}");
}

#[tokio::test]
async fn a_site_is_pinned_held_and_explained() {
    let (_api, socket, files) = world().await;
    assert_eq!(
        done(&socket, "site pin mara.example n2").await,
        "mara.example is pinned to n2.\n"
    );
    let shown = done(&socket, "site show mara.example").await;
    assert!(shown.contains("n1 (pinned to n2)"), "{shown}");
    let number = format!("Datasets: files {files}");
    assert!(shown.contains(&number), "{shown}");
    assert_eq!(
        done(&socket, "site pin mara.example --none").await,
        "mara.example is pinned to no node.\n"
    );
    assert_eq!(
        done(&socket, "site hold mara.example --minutes 30").await,
        "mara.example is not moved to spread load for 30 minutes.\n"
    );
    let explained = done(&socket, "explain mara.example").await;
    for part in [
        &*format!("mara.example, files (dataset {files}): n1 serves it"),
        "It would not move by itself: it moved not long ago.",
        "  n2    40     yes   40 %",
        "n2: moves to n1 (balance)",
        "\n    NODE  SCORE  COPY",
    ] {
        assert!(explained.contains(part), "{part:?} is not in {explained}");
    }
    let complaint = fails(&socket, "explain nobody.example").await;
    assert!(complaint.contains("there is no site"), "{complaint}");
}

#[tokio::test]
async fn balancing_is_shown_and_changed() {
    let (api, socket, _files) = world().await;
    let text = done(&socket, "cluster balancing --off --moves-per-minute 2").await;
    assert!(
        text.starts_with("Balancing is off.\nAt most 2 planned"),
        "{text}"
    );
    assert_eq!(done(&socket, "cluster balancing").await, text);
    let cluster = api.desired().cluster.clone().expect("a cluster");
    assert_eq!(cluster.balancing.moves_per_minute, 2);
    let complaint = fails(&socket, "cluster balancing --gap-percent 99").await;
    assert!(complaint.contains("99 is out of range"), "{complaint}");
}

#[tokio::test]
async fn a_lost_node_is_given_up_only_with_yes() {
    let (api, socket, _files) = world().await;
    let registry = done(&socket, "cluster registry").await;
    assert!(
        registry.starts_with("Settings can be changed; n1 leads"),
        "{registry}"
    );
    let complaint = fails(&socket, "cluster declare-lost n3 --yes").await;
    assert!(complaint.contains("n3 answers"), "{complaint}");
    api.see_down(NodeId(3));
    let shown = hwc(&socket, "cluster declare-lost n3").await;
    assert_eq!(shown.status.code(), Some(1), "{shown:?}");
    assert!(
        shown.text().starts_with("This gives up n3 for good"),
        "{shown:?}"
    );
    assert!(shown.complaint().contains("add --yes"), "{shown:?}");
    assert!(!api.desired().nodes[&NodeId(3)].is_removed);
    let text = done(&socket, "cluster declare-lost n3 --yes").await;
    assert!(text.starts_with("Given up for good: n3."), "{text}");
    assert!(api.desired().nodes[&NodeId(3)].is_removed);
}

#[tokio::test]
async fn the_kind_of_network_is_shown_and_changed() {
    let (_api, socket, _files) = world().await;
    let text = done(&socket, "cluster settings").await;
    assert!(
        text.starts_with("The network between the nodes is a lan."),
        "{text}"
    );
    let text = done(&socket, "cluster settings --network wan").await;
    assert!(text.contains("n1    lan       at its next start"), "{text}");
    assert!(text.contains("systemctl restart hwcd"), "{text}");
    let wrong = hwc(&socket, "cluster settings --network moon").await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(
        wrong.complaint().contains("there are lan and wan"),
        "{wrong:?}"
    );
    let text = done(&socket, "cluster show").await;
    assert!(
        text.contains("Network: wan (n1, n2, n3: from the next start on)"),
        "{text}"
    );
    assert!(text.contains("Settings can be changed; n1 leads"), "{text}");
    let json = done(&socket, "--json cluster show").await;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["registry"]["standing"], "member", "{json}");
}

#[tokio::test]
async fn the_key_is_replaced_only_with_yes() {
    let (_api, socket, _files) = world().await;
    let before = done(&socket, "--json cluster keys").await;
    let shown = hwc(&socket, "cluster rotate-key").await;
    assert_eq!(shown.status.code(), Some(1), "{shown:?}");
    assert!(shown.text().contains("Nothing is interrupted"), "{shown:?}");
    assert_eq!(done(&socket, "--json cluster keys").await, before);
    let rotated = hwc(&socket, "cluster rotate-key --yes").await;
    assert!(rotated.status.success(), "{rotated:?}");
    assert!(
        rotated.complaint().contains("1 of 3 nodes have key"),
        "{rotated:?}"
    );
    assert!(
        rotated.text().contains("gets it when it returns"),
        "{rotated:?}"
    );
    assert_ne!(done(&socket, "--json cluster keys").await, before);
}

#[tokio::test]
async fn a_node_is_shown_with_what_it_refused() {
    let (api, socket, _files) = world().await;
    api.see(|picture| {
        let report = picture.nodes.get_mut(&N1).expect("a report");
        report
            .refusals
            .datagrams
            .insert("other-cluster".to_owned(), 9);
    });
    let text = done(&socket, "node show n1").await;
    assert!(text.contains("datagram  other-cluster  9"), "{text}");
    let json = done(&socket, "--json node show n1").await;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        json["observed"]["refusals"]["datagrams"]["other-cluster"],
        9
    );
    let complaint = fails(&socket, "node show n9").await;
    assert!(complaint.contains("there are n1, n2, n3"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_recorded_through_any_node_and_replayed() {
    let (api, socket, _files) = world().await;
    let folder = api.journal();
    std::fs::create_dir_all(&folder).expect("a folder");
    let segment = crate::cluster::segment(3);
    std::fs::write(folder.join("0000000001-1.hwcj"), &segment).expect("written");
    let file = folder.join("n1.journal");
    let file = file.to_str().expect("a path");
    let said = done(&socket, &format!("record --node n1 -o {file}")).await;
    assert!(
        said.contains(&format!("{} bytes are in {file}", segment.len())),
        "{said}"
    );
    let steps = done(&socket, &format!("replay {file}")).await;
    assert!(steps.starts_with("#1 0.001 Tick"), "{steps}");
    assert_eq!(steps.matches('#').count(), 3, "{steps}");

    let seen = done(&socket, &format!("--json replay {file} --view --limit 1")).await;
    let seen: serde_json::Value = serde_json::from_str(&seen).expect("JSON");
    assert!(seen["view"].is_object(), "{seen}");
    let plain = done(&socket, &format!("--json replay {file} --limit 1")).await;
    assert!(!plain.contains("view"), "{plain}");

    let missing = folder.join("n2.journal");
    let missing = missing.to_str().expect("a path");
    let complaint = fails(&socket, &format!("record --node n2 -o {missing}")).await;
    assert!(complaint.contains("does not answer"), "{complaint}");
    assert!(!Path::new(missing).exists(), "nothing half-made is left");
    let whole_file = "refused: the whole file";
    for (damage, what, refused) in [
        (
            &segment[..segment.len() - 2],
            "is cut short after",
            "0 events of the journal are whole",
        ),
        (b"HWCJOURN\x63\x00".as_slice(), "has format 99", whole_file),
        (b"PK".as_slice(), "this is no journal", whole_file),
    ] {
        std::fs::write(file, damage).expect("written");
        let complaint = fails(&socket, &format!("replay {file}")).await;
        assert!(complaint.contains(what), "{complaint}");
        assert!(complaint.contains(refused), "{complaint}");
        let complaint = fails(&socket, &format!("--json replay {file}")).await;
        let problem: serde_json::Value = serde_json::from_str(&complaint).expect("JSON alone");
        let message = problem["message"].as_str().expect("a sentence");
        assert!(
            message.contains(what) && message.contains(refused),
            "{message}"
        );
    }
}
