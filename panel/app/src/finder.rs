//! What Ctrl K finds: objects first, then what can be done with them, then pages.

use crate::components::Glyph;
use crate::tr;
use hwc_api::v1::{NodeView, SiteView};

/// The most that is listed: more than a screen is no choice.
const FOUND_MAX: usize = 9;

/// Something that can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// What it is called.
    pub name: String,
    /// A word more about it.
    pub note: String,
    /// Where it leads.
    pub href: String,
    /// Its icon.
    pub glyph: Glyph,
}

/// The groups, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// A site.
    Site,
    /// A node.
    Node,
    /// Something to do with a site, a node or the cluster.
    Deed,
    /// A page.
    Page,
}

impl FindingKind {
    /// What the group is called.
    #[must_use]
    pub fn title(self) -> String {
        match self {
            Self::Site => tr!("nav-sites"),
            Self::Node => tr!("nav-nodes"),
            Self::Deed => tr!("find-do"),
            Self::Page => tr!("find-go"),
        }
    }
}

/// Everything that can be found about a site; only administrators move it.
#[must_use]
pub fn of_site(site: &SiteView, state: String, is_administrator: bool) -> Vec<Finding> {
    let home = format!("/sites/{}", site.id);
    let title = || site.title.clone();
    let mut findings = vec![
        Finding {
            kind: FindingKind::Site,
            name: title(),
            note: state,
            href: home.clone(),
            glyph: Glyph::Site,
        },
        deed(
            tr!("find-install", site = title()),
            format!("{home}/apps"),
            Glyph::Apps,
        ),
    ];
    if is_administrator {
        findings.push(deed(
            tr!("find-move", site = title()),
            format!("{home}/move"),
            Glyph::Move,
        ));
    }
    findings
}

/// Everything that can be found about a node.
#[must_use]
pub fn of_node(node: &NodeView) -> [Finding; 3] {
    let id = node.node.id;
    let name = || node.node.name.to_string();
    let drain = if node.drain.is_some() {
        tr!("find-undrain", node = name())
    } else {
        tr!("find-drain", node = name())
    };
    [
        Finding {
            kind: FindingKind::Node,
            name: name(),
            note: node.address.to_string(),
            href: format!("/nodes?view=cards&node={id}"),
            glyph: Glyph::Node,
        },
        deed(drain, format!("/nodes/{id}/drain"), Glyph::Move),
        deed(
            tr!("find-node-settings", node = name()),
            format!("/nodes/{id}/settings"),
            Glyph::Node,
        ),
    ]
}

/// Something to do.
#[must_use]
pub const fn deed(name: String, href: String, glyph: Glyph) -> Finding {
    Finding {
        kind: FindingKind::Deed,
        name,
        note: String::new(),
        href,
        glyph,
    }
}

/// A page of the panel.
#[must_use]
pub fn page(name: String, href: &str) -> Finding {
    Finding {
        kind: FindingKind::Page,
        name,
        note: String::new(),
        href: href.to_owned(),
        glyph: Glyph::Chevron,
    }
}

/// What fits the words that were typed, the best of each group first. Deeds wait until something
/// is typed: without words they only repeat the objects.
#[must_use]
pub fn search(typed: &str, all: &[Finding]) -> Vec<Finding> {
    let typed = typed.trim().to_lowercase();
    let words: Vec<&str> = typed.split_whitespace().collect();
    let mut fitting: Vec<(FindingKind, usize, &Finding)> = all
        .iter()
        .filter(|finding| !(words.is_empty() && finding.kind == FindingKind::Deed))
        .filter_map(|finding| {
            let name = finding.name.to_lowercase();
            let fits = words.iter().all(|word| name.contains(word));
            // What begins with the words stands before what only contains them.
            let position = words.first().and_then(|word| name.find(word)).unwrap_or(0);
            fits.then_some((finding.kind, position.min(1), finding))
        })
        .collect();
    fitting.sort_by_key(|(kind, position, _)| (*kind, *position));
    fitting
        .into_iter()
        .take(FOUND_MAX)
        .map(|(_, _, finding)| finding.clone())
        .collect()
}

/// The next choice when an arrow is pressed; goes round.
#[must_use]
pub const fn step(chosen: usize, count: usize, down: bool) -> usize {
    if count == 0 {
        0
    } else if down {
        (chosen + 1) % count
    } else {
        (chosen + count - 1) % count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: FindingKind, name: &str) -> Finding {
        Finding {
            kind,
            name: name.to_owned(),
            note: String::new(),
            href: "/".to_owned(),
            glyph: Glyph::Chevron,
        }
    }

    fn names(typed: &str) -> Vec<String> {
        let all = [
            finding(FindingKind::Page, "New site"),
            finding(FindingKind::Deed, "Install an app on shop.example"),
            finding(FindingKind::Site, "my-shop.example"),
            finding(FindingKind::Site, "Shop.example"),
            finding(FindingKind::Node, "n1"),
        ];
        let found = search(typed, &all);
        found.into_iter().map(|finding| finding.name).collect()
    }

    #[test]
    fn objects_come_before_deeds_and_beginnings_before_middles() {
        assert_eq!(
            names(" SHOP "),
            [
                "Shop.example",
                "my-shop.example",
                "Install an app on shop.example"
            ]
        );
        assert_eq!(names("app shop"), ["Install an app on shop.example"]);
        assert_eq!(names("nothing of the kind"), Vec::<String>::new());
    }

    #[test]
    fn nothing_typed_offers_objects_and_pages() {
        assert_eq!(
            names(""),
            ["my-shop.example", "Shop.example", "n1", "New site"]
        );
    }

    #[test]
    fn arrows_go_round() {
        assert_eq!(step(2, 3, true), 0);
        assert_eq!(step(0, 3, false), 2);
        assert_eq!(step(0, 0, true), 0);
    }
}
