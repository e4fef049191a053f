//! Where things are drawn on the map of nodes: pure geometry, in the units of the drawing. Zones and
//! the places of nodes in them are found in `places`.

mod places;

pub use places::{Plan, ZoneBox, plan};

use std::f64::consts::{PI, TAU};

/// Width of the drawing.
pub const WIDTH: f64 = 700.0;
/// Radius of a node's disc.
pub const DISC: f64 = 42.0;
/// Radius of the ring around it that shows the load.
pub const RING: f64 = 44.0;
/// The most nodes that a map shows; beyond it the table is the better picture.
pub const NODES_MAX: usize = 24;
/// The most sites that a node shows one by one.
pub const DOTS_MAX: usize = 60;

/// A point of the drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// Where the dots of so many sites are inside a disc: a sunflower, densest in the middle.
#[must_use]
pub fn dots(sites: usize, disc: Point) -> Vec<Point> {
    let golden = PI * (3.0 - 5.0_f64.sqrt());
    let shown = sites.min(DOTS_MAX);
    // Few sites stay together in the middle instead of hugging the ring.
    let spread = (DISC - 12.0) * (shown.max(10) as f64 / DOTS_MAX as f64).sqrt().max(0.45);
    (0..shown)
        .map(|index| {
            let radius = spread * (index as f64 / shown as f64).sqrt();
            let angle = golden * index as f64;
            Point {
                x: disc.x + radius * angle.cos(),
                y: disc.y + radius * angle.sin(),
            }
        })
        .collect()
}

/// The ring's part that is `share` (0 to 1) long, from the top, clockwise, as SVG's `d`.
#[must_use]
pub fn arc(disc: Point, share: f64) -> String {
    let share = share.clamp(0.0, 0.999);
    let angle = share * TAU;
    let end_x = disc.x + RING * angle.sin();
    let end_y = disc.y - RING * angle.cos();
    let is_large = u8::from(share > 0.5);
    format!(
        "M{:.1} {:.1}A{RING} {RING} 0 {is_large} 1 {end_x:.1} {end_y:.1}",
        disc.x,
        disc.y - RING
    )
}

/// The ends and the bend of what goes from one disc's ring to another's.
fn bow(from: Point, to: Point) -> [Point; 3] {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length = dx.hypot(dy).max(1.0);
    let (unit_x, unit_y) = (dx / length, dy / length);
    let edge = RING + 6.0;
    let bend = length * 0.08;
    let begin = Point {
        x: from.x + unit_x * edge,
        y: from.y + unit_y * edge,
    };
    let middle = Point {
        x: f64::midpoint(from.x, to.x) - unit_y * bend,
        y: f64::midpoint(from.y, to.y) + unit_x * bend,
    };
    let end = Point {
        x: to.x - unit_x * edge,
        y: to.y - unit_y * edge,
    };
    [begin, middle, end]
}

/// A stream from one disc's ring to another's, slightly bent, as SVG's `d`.
#[must_use]
pub fn stream(from: Point, to: Point) -> String {
    let [begin, middle, end] = bow(from, to);
    format!(
        "M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}",
        begin.x, begin.y, middle.x, middle.y, end.x, end.y
    )
}

/// The place on a stream that is `share` (0 to 1) of the way along it.
#[must_use]
pub fn along(from: Point, to: Point, share: f64) -> Point {
    let [begin, middle, end] = bow(from, to);
    let share = share.clamp(0.0, 1.0);
    let rest = 1.0 - share;
    let weigh = |begin: f64, middle: f64, end: f64| {
        rest * rest * begin + 2.0 * rest * share * middle + share * share * end
    };
    Point {
        x: weigh(begin.x, middle.x, end.x),
        y: weigh(begin.y, middle.y, end.y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_goes_from_ring_to_ring() {
        let (from, to) = (Point { x: 0.0, y: 0.0 }, Point { x: 400.0, y: 0.0 });
        let edge = RING + 6.0;
        let at = |share| along(from, to, share);
        assert!((at(0.0).x - edge).abs() < 1e-9 && at(0.0).y.abs() < 1e-9);
        assert!((at(1.0).x - (400.0 - edge)).abs() < 1e-9);
        assert!((at(0.5).x - 200.0).abs() < 1e-9 && at(0.5).y > 0.0);
        assert!((at(7.0).x - at(1.0).x).abs() < 1e-9);
    }

    #[test]
    fn dots_stay_inside_their_disc() {
        let disc = Point { x: 90.0, y: 104.0 };
        for sites in [0, 1, 7, 60, 5000] {
            let dots = dots(sites, disc);
            assert_eq!(dots.len(), sites.min(DOTS_MAX));
            for dot in dots {
                assert!((dot.x - disc.x).hypot(dot.y - disc.y) <= DISC - 8.0);
            }
        }
    }

    #[test]
    fn rings_and_streams_are_numbers_whatever_the_load() {
        let disc = Point { x: 90.0, y: 104.0 };
        for share in [-1.0, 0.0, 0.5, 1.0, 40.0] {
            assert!(!arc(disc, share).contains("NaN"));
        }
        assert!(!stream(disc, disc).contains("NaN"));
    }
}
