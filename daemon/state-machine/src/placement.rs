//! Where the copies of a new dataset go: pure, the same answer on every node.

use hwc_api::ids::NodeId;

/// A node that might hold a copy.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeCandidate {
    /// Which node.
    pub id: NodeId,
    /// Whether it is up and belongs to the cluster.
    pub is_up: bool,
    /// Free bytes of its pool.
    pub free_bytes: u64,
    /// Load average per processor, in percent; 100 is fully busy.
    pub load_percent: u32,
    /// Datasets that it holds already, live ones and replicas.
    pub datasets: u32,
    /// Datasets that it is the preferred live node of.
    pub preferred_live: u32,
}

/// No place for a new dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// Nobody could hold even the first copy.
    #[error("no node is up with at least {needed_bytes} bytes free")]
    NoRoom {
        /// What a node must have free to be considered.
        needed_bytes: u64,
    },
}

/// A node with less than this is not given new datasets: room for what is there to grow.
pub const LEAST_FREE_BYTES: u64 = 256 * 1024 * 1024;

/// Chooses the nodes for a new dataset, the preferred live node first: up, with room, few datasets
/// already, much free space. Fewer than `copies` nodes may be all there are; then all of them.
///
/// # Errors
/// If not a single node is up with enough room.
pub fn choose_replicas(nodes: &[NodeCandidate], copies: u8) -> Result<Vec<NodeId>, PlacementError> {
    let mut fit: Vec<_> = nodes
        .iter()
        .filter(|node| node.is_up && node.free_bytes >= LEAST_FREE_BYTES)
        .collect();
    if fit.is_empty() {
        return Err(PlacementError::NoRoom {
            needed_bytes: LEAST_FREE_BYTES,
        });
    }
    fit.sort_by(|a, b| crowding(a).cmp(&crowding(b)).then(a.id.cmp(&b.id)));
    fit.truncate(usize::from(copies.max(1)));
    // Among the chosen, the one that is preferred least often and least busy serves.
    fit.sort_by_key(|node| (node.preferred_live, node.load_percent / 25, node.id));
    Ok(fit.into_iter().map(|node| node.id).collect())
}

/// How crowded a node would be with one dataset more: datasets per free space. A node with twice
/// the space takes twice the datasets.
fn crowding(node: &NodeCandidate) -> (u128, u32) {
    let datasets = u128::from(node.datasets) + 1;
    // Scaled so that the integer division keeps its precision: 2^64 datasets-bytes is out of reach.
    let per_space = (datasets << 64) / u128::from(node.free_bytes.max(1));
    (per_space, node.load_percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u16, free_gib: u64, datasets: u32) -> NodeCandidate {
        NodeCandidate {
            id: NodeId(id),
            is_up: true,
            free_bytes: free_gib << 30,
            load_percent: 10,
            datasets,
            preferred_live: datasets / 2,
        }
    }

    fn check(nodes: &[NodeCandidate], copies: u8, expected: &[u16]) {
        let expected: Vec<_> = expected.iter().copied().map(NodeId).collect();
        assert_eq!(choose_replicas(nodes, copies), Ok(expected), "{nodes:?}");
    }

    #[test]
    fn copies_go_where_few_datasets_share_much_space() {
        check(
            &[node(1, 10, 5), node(2, 10, 1), node(3, 10, 2)],
            2,
            &[2, 3],
        );
        check(&[node(1, 10, 5), node(2, 100, 9), node(3, 10, 4)], 1, &[2]);
        check(
            &[node(1, 10, 0), node(2, 10, 0), node(3, 10, 0)],
            2,
            &[1, 2],
        );
    }

    #[test]
    fn nodes_that_are_down_or_full_are_not_chosen() {
        let mut down = node(1, 10, 0);
        down.is_up = false;
        let mut full = node(2, 10, 0);
        full.free_bytes = LEAST_FREE_BYTES - 1;
        check(&[down.clone(), full.clone(), node(3, 1, 50)], 2, &[3]);
        let error = choose_replicas(&[down, full], 2).expect_err("a place was found");
        assert_eq!(
            error,
            PlacementError::NoRoom {
                needed_bytes: LEAST_FREE_BYTES
            }
        );
    }

    #[test]
    fn the_one_that_is_preferred_least_serves() {
        let mut busy = node(1, 10, 2);
        busy.preferred_live = 2;
        let mut idle = node(2, 10, 2);
        idle.preferred_live = 0;
        check(&[busy, idle], 2, &[2, 1]);
    }

    #[test]
    fn a_hundred_datasets_spread_evenly() {
        let mut nodes = vec![
            node(1, 50, 0),
            node(2, 50, 0),
            node(3, 50, 0),
            node(4, 50, 0),
        ];
        for _ in 0..100 {
            let chosen = choose_replicas(&nodes, 2).expect("room");
            for node in &mut nodes {
                node.datasets += u32::from(chosen.contains(&node.id));
                node.preferred_live += u32::from(chosen.first() == Some(&node.id));
            }
        }
        for node in &nodes {
            assert_eq!(node.datasets, 50, "{nodes:?}");
            assert!((20..=30).contains(&node.preferred_live), "{nodes:?}");
        }
    }
}
