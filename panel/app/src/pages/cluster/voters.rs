//! Who keeps the settings: whether they can be changed, who votes, who only follows, what to do when
//! most of the voters are gone.

use crate::actions::read_registry;
use crate::components::{Crumb, Glyph, HealthBadge, Icon, Place, RefusalBanner, Screen, Skeleton};
use crate::i18n::format;
use crate::live::{Live, use_live};
use crate::tr;
use hwc_api::ids::NodeId;
use hwc_api::observed::RegistryStanding;
use hwc_api::v1::{NodeHealth, NodeView, RegistryView, WriteObstacle};
use leptos::prelude::*;

/// The page.
#[component]
pub fn VotersPage() -> impl IntoView {
    let live = use_live();
    let title = tr!("voters-title");
    // Asked for anew when a node goes or comes, or the settings become read-only.
    let scene = Memo::new(move |_| {
        let nodes = live.nodes.with(|nodes| {
            let seen = nodes
                .values()
                .map(|node| (node.node.id, node.health, node.switched_off.clone()));
            seen.collect::<Vec<_>>()
        });
        (nodes, live.settings.get().is_writable)
    });
    let registry = Resource::new(move || scene.get(), |_| read_registry());
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::Voters crumbs=vec![Crumb::here(title.clone())]>
            <div class="page-h"><h1>{title}</h1></div>
            <div class="grid cols-main">
                <div class="stackv">
                    <Transition fallback=|| view! { <Skeleton/> }>
                        {move || Suspend::new(async move {
                            match registry.await {
                                Ok(registry) => {
                                    view! {
                                        <State registry=registry.clone()/>
                                        <Keepers live registry/>
                                    }
                                        .into_any()
                                }
                                Err(refusal) => {
                                    view! { <RefusalBanner refusal=Signal::stored(Some(refusal))/> }.into_any()
                                }
                            }
                        })}
                    </Transition>
                </div>
                <section class="card">
                    <div class="card-h"><h2>{tr!("voters-how")}</h2></div>
                    <ul class="list how">
                        <li><Icon glyph=Glyph::Shield/><span>{tr!("voters-how-majority")}</span></li>
                        <li><Icon glyph=Glyph::Copy/><span>{tr!("voters-how-learners")}</span></li>
                        <li><Icon glyph=Glyph::Eye/><span>{tr!("voters-how-witness")}</span></li>
                        <li><Icon glyph=Glyph::Site/><span>{tr!("voters-how-sites")}</span></li>
                    </ul>
                </section>
            </div>
        </Screen>
    }
    .into_any()
}

/// Whether settings can be changed, and how many more voters may fail.
#[component]
fn State(registry: RegistryView) -> impl IntoView {
    let quorum = Quorum::of(&registry);
    let (tone, glyph, fact) = if !registry.is_writable {
        ("bad", Glyph::Failed, tr!("voters-read-only"))
    } else if quorum.may_fail() == 0 {
        ("warn", Glyph::Warning, tr!("voters-on-edge"))
    } else {
        ("ok", Glyph::Done, tr!("voters-writable"))
    };
    let counts = tr!(
        "voters-counts",
        answering = quorum.answering as u64,
        voters = quorum.voters as u64,
        needed = quorum.needed() as u64
    );
    let then = if registry.is_writable {
        tr!("voters-may-fail", count = quorum.may_fail() as u64)
    } else {
        obstacle(registry.obstacle)
    };
    view! {
        <section class="card">
            <div class="card-b stackv gap-2">
                <p class="st big b" data-s=tone>
                    <Icon glyph/>
                    <span>{fact}</span>
                </p>
                <p class="s13">{counts} " " {then}</p>
                {standing(registry.standing)
                    .map(|text| {
                        view! {
                            <p class="st" data-s="bad">
                                <Icon glyph=Glyph::Warning/>
                                <span>{text}</span>
                            </p>
                        }
                    })}
            </div>
            {(!registry.out_of_reach.is_empty())
                .then(|| {
                    view! {
                        <div class="card-f">
                            <a class="btn" href="/voters/lost">{tr!("lost-begin")}</a>
                            <span>{tr!("lost-begin-hint")}</span>
                        </div>
                    }
                })}
        </section>
    }
    .into_any()
}

/// Why settings can't be changed, and what helps.
fn obstacle(obstacle: Option<WriteObstacle>) -> String {
    match obstacle {
        Some(WriteObstacle::NoLeader) => tr!("voters-no-leader"),
        Some(WriteObstacle::LostSettings | WriteObstacle::Outdated) => String::new(),
        Some(WriteObstacle::NoMajority { .. }) | None => tr!("voters-no-majority"),
    }
}

/// What is wrong with the node behind this panel.
fn standing(standing: RegistryStanding) -> Option<String> {
    match standing {
        RegistryStanding::Member => None,
        RegistryStanding::LostSettings => Some(tr!("standing-lost-settings")),
        RegistryStanding::Outdated => Some(tr!("standing-outdated")),
    }
}

/// How many voters there are, and how many of them answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quorum {
    voters: usize,
    answering: usize,
}

impl Quorum {
    fn of(registry: &RegistryView) -> Self {
        let voters = registry.voters.len();
        Self {
            voters,
            answering: voters.saturating_sub(registry.out_of_reach.len()),
        }
    }

    /// How many must have a change on disk.
    const fn needed(self) -> usize {
        self.voters / 2 + 1
    }

    /// How many more may fail before settings become read-only.
    const fn may_fail(self) -> usize {
        self.answering.saturating_sub(self.needed())
    }
}

/// All nodes, and what each is to the settings.
#[component]
fn Keepers(live: Live, registry: RegistryView) -> impl IntoView {
    // Drawn anew as a whole when a node goes or comes.
    let rows = live
        .nodes
        .with_untracked(|nodes| nodes.values().cloned().collect::<Vec<_>>())
        .into_iter()
        .map(|node| row(&node, &registry))
        .collect_view();
    view! {
        <section class="card">
            <div class="card-h">
                <h2>{tr!("voters-nodes")}</h2>
                <span class="muted">{tr!("voters-change", index = format::number(registry.index))}</span>
            </div>
            <div class="tbl-w">
                <table class="tbl fold dense">
                    <thead>
                        <tr>
                            <th scope="col">{tr!("column-node")}</th>
                            <th scope="col">{tr!("column-state")}</th>
                            <th scope="col">{tr!("column-part")}</th>
                            <th scope="col">{tr!("node-zone")}</th>
                            <th scope="col" class="num">{tr!("column-change")}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn row(node: &NodeView, registry: &RegistryView) -> impl IntoView + use<> {
    let id = node.node.id;
    let health: NodeHealth = node.health;
    let applied = node.observed.as_ref().map_or_else(
        || "–".to_owned(),
        |report| format::number(report.applied_index),
    );
    view! {
        <tr>
            <td>
                <a class="t" href=format!("/nodes/{id}/settings")><bdi>{node.node.name.to_string()}</bdi></a>
            </td>
            <td class="state"><HealthBadge health=Signal::stored(health)/></td>
            <td class="full" data-l=tr!("column-part")>{part(id, registry)}</td>
            <td data-l=tr!("node-zone")><bdi>{node.zone.to_string()}</bdi></td>
            <td class="num" data-l=tr!("column-change")>{applied}</td>
        </tr>
    }
}

/// What a node is to the settings.
fn part(id: NodeId, registry: &RegistryView) -> String {
    let is_in = |nodes: &[hwc_api::v1::NodeRef]| nodes.iter().any(|node| node.id == id);
    if is_in(&registry.voters) {
        // Without a majority nobody orders anything, whoever did so last.
        let is_leader = registry.is_writable
            && registry
                .leader
                .as_ref()
                .is_some_and(|leader| leader.id == id);
        match (is_leader, is_in(&registry.witnesses)) {
            (true, true) => tr!("part-leader-witness"),
            (true, false) => tr!("part-leader"),
            (false, true) => tr!("part-witness"),
            (false, false) => tr!("part-voter"),
        }
    } else if is_in(&registry.learners) {
        tr!("part-learner")
    } else {
        tr!("part-none")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_of_the_voters_is_needed() {
        for (voters, answering, needed, may_fail) in [
            (1, 1, 1, 0),
            (2, 2, 2, 0),
            (3, 3, 2, 1),
            (3, 2, 2, 0),
            (3, 1, 2, 0),
            (5, 5, 3, 2),
            (7, 6, 4, 2),
        ] {
            let quorum = Quorum { voters, answering };
            assert_eq!((quorum.needed(), quorum.may_fail()), (needed, may_fail));
        }
    }
}
