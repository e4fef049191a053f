//! What goes from node to node on the map: streams of copies, and moves with their names.

use crate::live::site_datasets;
use crate::map_layout::{self, Point, RING, WIDTH};
use crate::move_text;
use hwc_api::ids::NodeId;
use hwc_api::moves::{MovePhase, MoveProgress};
use hwc_api::v1::{MoveView, SiteView};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// The most moves that are named: more would hide the map. All of them are listed below it.
const NAMED_MAX: usize = 3;
/// The most letters of a name.
const LETTERS_MAX: usize = 28;
/// The width of a letter, about.
const LETTER: f64 = 6.4;
/// Beside a name.
const PADDING: f64 = 10.0;
/// Half the height of a name's box.
const HALF_HEIGHT: f64 = 11.0;

/// How many datasets flow from one node to another.
pub(super) fn streams<'site>(
    sites: impl Iterator<Item = &'site SiteView>,
) -> BTreeMap<(NodeId, NodeId), usize> {
    let mut streams = BTreeMap::new();
    for dataset in sites.flat_map(site_datasets) {
        let Some(from) = &dataset.live_node else {
            continue;
        };
        for copy in dataset.copies.iter().filter(|copy| copy.is_reachable) {
            *streams.entry((from.id, copy.node.id)).or_default() += 1;
        }
    }
    streams
}

/// The streams of copies, the wider the more.
pub(super) fn copies(
    streams: &BTreeMap<(NodeId, NodeId), usize>,
    place_of: &BTreeMap<NodeId, Point>,
) -> impl IntoView + use<> {
    streams
        .iter()
        .filter_map(|((from, to), count)| {
            let path = map_layout::stream(*place_of.get(from)?, *place_of.get(to)?);
            let width = (1.2 + (*count as f64).sqrt() * 0.5).min(4.0);
            Some(view! { <path class="rep" d=path stroke-width=format!("{width:.2}")></path> })
        })
        .collect_view()
}

/// Moves: their ways with a dot as far along as each is, and what moves there.
pub(super) fn moves_on_their_way(
    moves: &[MoveView<MoveProgress>],
    place_of: &BTreeMap<NodeId, Point>,
) -> impl IntoView + use<> {
    let mut by_way: BTreeMap<(NodeId, NodeId), Vec<&MoveView<MoveProgress>>> = BTreeMap::new();
    for view in moves {
        by_way
            .entry((view.from.id, view.to.id))
            .or_default()
            .push(view);
    }
    let mut named = 0;
    by_way
        .into_iter()
        .filter_map(|((from, to), moves)| {
            let (from, to) = (*place_of.get(&from)?, *place_of.get(&to)?);
            let under_way: Vec<_> = moves
                .iter()
                .filter(|view| view.of.phase != MovePhase::Planned)
                .collect();
            let first = under_way.first().filter(|_| named < NAMED_MAX);
            named += usize::from(first.is_some());
            let tag = first.map(|view| {
                let at = clear_of_discs(from, to, place_of.values());
                tag(&tag_text(&view.title, under_way.len()), at)
            });
            let dots = under_way
                .iter()
                .map(|view| dot(&view.of, from, to))
                .collect_view();
            let class = if under_way.is_empty() {
                "mv planned"
            } else {
                "mv"
            };
            Some(view! {
                <path class=class d=map_layout::stream(from, to)></path>
                {dots}
                {tag}
            })
        })
        .collect_view()
}

fn dot(progress: &MoveProgress, from: Point, to: Point) -> impl IntoView + use<> {
    let share = f64::from(move_text::percent(progress)) / 100.0;
    let at = map_layout::along(from, to, share);
    view! { <circle class="mvd" cx=format!("{:.1}", at.x) cy=format!("{:.1}", at.y) r="5"></circle> }
}

/// What moves on one way: the first name, and how many more.
fn tag_text(title: &str, count: usize) -> String {
    let mut text: String = title.chars().take(LETTERS_MAX).collect();
    if title.chars().count() > LETTERS_MAX {
        text.push('…');
    }
    if count > 1 {
        text.push_str(&format!(" +{}", count - 1));
    }
    text
}

/// Where on a way its name hides no node: in the middle, or the place that is furthest from all.
fn clear_of_discs<'places>(
    from: Point,
    to: Point,
    places: impl Iterator<Item = &'places Point> + Clone,
) -> Point {
    let room = |at: Point| {
        let distances = places
            .clone()
            .map(|place| (place.x - at.x).hypot(place.y - at.y));
        distances.fold(f64::INFINITY, f64::min)
    };
    let mut best = map_layout::along(from, to, 0.5);
    for share in [0.35, 0.65, 0.25, 0.75] {
        if room(best) > RING + HALF_HEIGHT {
            break;
        }
        let at = map_layout::along(from, to, share);
        if room(at) > room(best) {
            best = at;
        }
    }
    best
}

fn tag(text: &str, middle: Point) -> impl IntoView + use<> {
    let width = text.chars().count() as f64 * LETTER + 2.0 * PADDING;
    let x = middle.x.clamp(width / 2.0 + 4.0, WIDTH - width / 2.0 - 4.0);
    view! {
        <rect
            class="tagb"
            x=format!("{:.1}", x - width / 2.0)
            y=format!("{:.1}", middle.y - HALF_HEIGHT)
            width=format!("{width:.1}")
            height=(2.0 * HALF_HEIGHT).to_string()
            rx=HALF_HEIGHT.to_string()
        ></rect>
        <text class="tag" x=format!("{x:.1}") y=format!("{:.1}", middle.y + 4.0) text-anchor="middle">
            {text.to_owned()}
        </text>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_hides_no_node_that_stands_on_its_way() {
        let at = |x: f64| Point { x, y: 100.0 };
        let places = [at(90.0), at(240.0), at(530.0)];
        let free = clear_of_discs(at(240.0), at(530.0), places.iter());
        assert_eq!(free, map_layout::along(at(240.0), at(530.0), 0.5));
        let beside = clear_of_discs(at(90.0), at(530.0), places.iter());
        for place in places {
            assert!((place.x - beside.x).hypot(place.y - beside.y) > RING);
        }
    }

    #[test]
    fn a_tag_names_the_first_and_counts_the_rest() {
        assert_eq!(tag_text("a.example", 1), "a.example");
        assert_eq!(tag_text("a.example", 3), "a.example +2");
        let long = "ä".repeat(40);
        assert_eq!(tag_text(&long, 1).chars().count(), LETTERS_MAX + 1);
    }
}
