//! Zones as boxes, and where in them the nodes stand.

use super::{Point, WIDTH};
use std::collections::BTreeMap;

/// Room for a disc with its name below.
const CELL_WIDTH: f64 = 140.0;
const CELL_HEIGHT: f64 = 170.0;
/// The widest that discs stand apart.
const GAP_MAX: f64 = 300.0;
/// From the top of a row to the middle of its discs.
const DISC_MIDDLE: f64 = 78.0;
/// Inside a box, around everything.
const MARGIN: f64 = 24.0;
/// Around the boxes.
const EDGE: f64 = 4.0;
/// Between boxes.
const BETWEEN: f64 = 16.0;
/// Of a box that stands alone in its row, while others stand side by side.
const LONE_WIDTH: f64 = 440.0;

/// Where everything of the map stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where each node stands, in the order in which their zones were given.
    pub places: Vec<Point>,
    /// The zones, by name.
    pub zones: Vec<ZoneBox>,
    /// How high the drawing becomes.
    pub height: f64,
}

/// A zone.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneBox {
    /// What it is called.
    pub name: String,
    /// Its corner at the top left.
    pub corner: Point,
    /// How wide it is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
    /// Which of the nodes stand in it.
    pub nodes: Vec<usize>,
}

/// Plans the map of nodes that stand in these zones: a single zone takes the whole width, several
/// stand in pairs.
#[must_use]
pub fn plan(zones: &[String]) -> Plan {
    let mut by_zone: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, zone) in zones.iter().enumerate() {
        by_zone.entry(zone).or_default().push(index);
    }
    let by_zone: Vec<(&str, Vec<usize>)> = by_zone.into_iter().collect();
    let mut plan = Plan {
        places: vec![Point { x: 0.0, y: 0.0 }; zones.len()],
        zones: Vec::with_capacity(by_zone.len()),
        height: 0.0,
    };
    let is_alone = by_zone.len() < 2;
    let mut top = EDGE;
    for row in by_zone.chunks(2) {
        let (width, mut left) = match row.len() {
            _ if is_alone => (WIDTH - 2.0 * EDGE, EDGE),
            1 => (LONE_WIDTH, (WIDTH - LONE_WIDTH) / 2.0),
            _ => ((WIDTH - 2.0 * EDGE - BETWEEN) / 2.0, EDGE),
        };
        let heights = row.iter().map(|(_, nodes)| height(nodes.len(), width));
        let height = heights.fold(0.0, f64::max);
        for (name, nodes) in row {
            let corner = Point { x: left, y: top };
            for (node, place) in nodes.iter().zip(places(nodes.len(), corner, width)) {
                if let Some(slot) = plan.places.get_mut(*node) {
                    *slot = place;
                }
            }
            plan.zones.push(ZoneBox {
                name: (*name).to_owned(),
                corner,
                width,
                height,
                nodes: nodes.clone(),
            });
            left += width + BETWEEN;
        }
        top += height + BETWEEN;
    }
    plan.height = (top - BETWEEN + EDGE).max(CELL_HEIGHT);
    plan
}

/// How many of so many nodes stand in each row of a box: three form a triangle, more of them rows
/// that are shifted against each other, so that streams don't hide discs.
fn rows(nodes: usize, width: f64) -> Vec<usize> {
    let room = (((width - 2.0 * MARGIN) / CELL_WIDTH) as usize).max(1);
    let is_wide = room > 2;
    let per_row = match nodes {
        0..=2 => room.min(2),
        3 if is_wide => return vec![1, 2],
        3..=8 => room.min(3),
        _ => room.min(4),
    };
    let mut rows: Vec<usize> = Vec::new();
    let mut left = nodes;
    while left > 0 {
        let takes = if rows.len().is_multiple_of(2) {
            per_row
        } else {
            per_row.max(2) - 1
        };
        let row = takes.max(1).min(left);
        rows.push(row);
        left -= row;
    }
    rows
}

fn height(nodes: usize, width: f64) -> f64 {
    MARGIN + CELL_HEIGHT * rows(nodes, width).len().max(1) as f64
}

fn places(nodes: usize, corner: Point, width: f64) -> Vec<Point> {
    let mut places = Vec::with_capacity(nodes);
    for (row, count) in rows(nodes, width).iter().enumerate() {
        let gap = (width - 2.0 * MARGIN) / *count as f64;
        let gap = gap.min(GAP_MAX);
        let start = corner.x + width / 2.0 - gap * (*count as f64 - 1.0) / 2.0;
        for column in 0..*count {
            places.push(Point {
                x: start + gap * column as f64,
                y: corner.y + MARGIN + CELL_HEIGHT * row as f64 + DISC_MIDDLE,
            });
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::super::{NODES_MAX, RING};
    use super::*;

    fn in_zones(nodes: usize, zones: usize) -> Vec<String> {
        (0..nodes)
            .map(|node| format!("z{:02}", node % zones))
            .collect()
    }

    #[test]
    fn discs_lie_inside_their_zone_and_apart() {
        for zones in [1, 2, 3, 5, 24] {
            for nodes in 0..=NODES_MAX {
                let plan = plan(&in_zones(nodes, zones));
                assert_eq!(plan.places.len(), nodes);
                assert_eq!(plan.zones.len(), zones.min(nodes));
                for zone in &plan.zones {
                    assert!(
                        zone.corner.x >= EDGE && zone.corner.x + zone.width <= WIDTH - EDGE + 1e-9
                    );
                    assert!(zone.corner.y + zone.height <= plan.height - EDGE + 1e-9);
                    for node in &zone.nodes {
                        let place = plan.places[*node];
                        let (x, y) = (place.x - zone.corner.x, place.y - zone.corner.y);
                        assert!(
                            x >= RING && x <= zone.width - RING,
                            "{zones}/{nodes}: {place:?}"
                        );
                        assert!(
                            y >= RING && y <= zone.height - RING,
                            "{zones}/{nodes}: {place:?}"
                        );
                    }
                }
                for (index, place) in plan.places.iter().enumerate() {
                    for other in plan.places.iter().skip(index + 1) {
                        let distance = (place.x - other.x).hypot(place.y - other.y);
                        assert!(
                            distance > 2.0 * RING,
                            "{zones}/{nodes}: {place:?} {other:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn zones_never_overlap_and_keep_their_own_nodes() {
        let plan = plan(&in_zones(7, 3));
        let names: Vec<(&str, &[usize])> = plan
            .zones
            .iter()
            .map(|zone| (zone.name.as_str(), zone.nodes.as_slice()))
            .collect();
        assert_eq!(
            names,
            [
                ("z00", &[0, 3, 6][..]),
                ("z01", &[1, 4][..]),
                ("z02", &[2, 5][..])
            ]
        );
        for (index, zone) in plan.zones.iter().enumerate() {
            for other in plan.zones.iter().skip(index + 1) {
                let beside = zone.corner.x + zone.width <= other.corner.x
                    || other.corner.x + other.width <= zone.corner.x;
                let below = zone.corner.y + zone.height <= other.corner.y;
                assert!(beside || below, "{zone:?} {other:?}");
            }
        }
    }
}
