//! `hwc node show`: one node, with its services, problems and what it refused.

use super::nodes::{find_node, nodes_table};
use super::table::table;
use super::{Failure, Session};
use hwc_api::names::NodeName;
use hwc_api::observed::{NodeObserved, RegistryStanding, ServiceState};
use hwc_api::v1::NodeView;
use std::collections::BTreeMap;

pub async fn show(session: &Session, name: &NodeName) -> Result<(), Failure> {
    let node = find_node(session, name).await?;
    session.print(&node, text)
}

fn text(view: &NodeView) -> String {
    let summary = nodes_table(std::slice::from_ref(view));
    let details = view
        .observed
        .as_ref()
        .map_or_else(|| "Nothing has been heard of it yet.\n".to_owned(), details);
    format!("{summary}\n{details}")
}

fn details(report: &NodeObserved) -> String {
    let standing = match report.registry_standing {
        RegistryStanding::Member => "takes part in keeping the settings",
        RegistryStanding::LostSettings => {
            "has lost settings that it had acknowledged: remove it, empty its state folder, let it join again"
        }
        RegistryStanding::Outdated => "is older than the settings: upgrade hwcd on it",
    };
    let mut lines = vec![format!(
        "It runs hwcd {} for a {}, follows change {}, and {standing}.",
        report.version,
        report.network.as_str(),
        report.applied_index
    )];
    for service in &report.services {
        let state = match service.state {
            ServiceState::Running => "runs",
            ServiceState::Stopped => "is stopped",
            ServiceState::Failed => "should run and does not",
        };
        lines.push(format!("{} {state}.", service.name));
    }
    for problem in &report.problems {
        lines.push(format!("Problem: {}", problem.message));
    }
    lines.join("\n") + "\n\n" + &refusals(report)
}

/// What was refused, a line per reason.
fn refusals(report: &NodeObserved) -> String {
    let refusals = &report.refusals;
    let of = |what: &'static str, counters: &BTreeMap<String, u64>| -> Vec<Vec<String>> {
        let row = |(reason, times): (&String, &u64)| {
            vec![what.to_owned(), reason.clone(), times.to_string()]
        };
        counters.iter().map(row).collect()
    };
    let rows = [
        of("datagram", &refusals.datagrams),
        of("connection", &refusals.connections),
        of("board", &refusals.boards),
        of("request", &refusals.requests),
    ]
    .concat();
    if rows.is_empty() {
        return "It refused nothing since its start.\n".to_owned();
    }
    table(&["REFUSED", "REASON", "TIMES"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_listed_by_reason() {
        let mut report: NodeObserved = serde_json::from_value(serde_json::json!({
            "version": "1.2", "boot": 1, "started_at": 0, "reported_at": 0, "load_1m": 0.0,
            "cores": 2, "load": { "cpu_millicores": 0, "io_bytes_per_s": 0,
                "cpu_pressure_percent": 0, "memory_pressure_percent": 0,
                "io_pressure_percent": 0, "requests_per_1000_s": 0 },
            "heaviest": [], "memory_total_bytes": 1, "memory_available_bytes": 1,
            "pool_total_bytes": 1, "pool_free_bytes": 1, "applied_index": 42,
            "is_registry_writable": true, "registry_leader": 1,
            "services": [{ "name": "apache", "state": "failed" }], "problems": []
        }))
        .expect("the report of a version that counted nothing");
        assert_eq!(
            details(&report),
            "It runs hwcd 1.2 for a lan, follows change 42, and takes part in keeping the settings.\n\
             apache should run and does not.\n\n\
             It refused nothing since its start.\n"
        );
        let refusals = &mut report.refusals;
        refusals.datagrams.insert("unauthenticated".to_owned(), 12);
        refusals.connections.insert("unknown-node".to_owned(), 3);
        refusals.requests.insert("node-draining".to_owned(), 2);
        report.registry_standing = RegistryStanding::LostSettings;
        let text = details(&report);
        assert!(text.contains("remove it, empty its state folder"), "{text}");
        assert!(
            text.ends_with(
                "REFUSED     REASON           TIMES\n\
                 datagram    unauthenticated  12\n\
                 connection  unknown-node     3\n\
                 request     node-draining    2\n"
            ),
            "{text}"
        );
    }
}
