//! Everything that wants a look, on all nodes; or that nothing does.

use crate::components::{Glyph, Icon};
use crate::live::Live;
use crate::node_text;
use crate::refusal::problem_text;
use crate::tr;
use hwc_api::v1::{NodeHealth, NodeView};
use leptos::prelude::*;

/// The card.
#[component]
pub fn Troubles(live: Live) -> impl IntoView {
    let troubles = Memo::new(move |_| {
        live.nodes
            .with(|nodes| nodes.values().flat_map(troubles_of).collect::<Vec<_>>())
    });
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("troubles-title")}</h2></div>
            <ul class="feed">
                {move || {
                    let troubles = troubles.get();
                    if troubles.is_empty() {
                        view! {
                            <li>
                                <Icon glyph=Glyph::Done class="c-ok"/>
                                <span>{tr!("troubles-none")}</span>
                                <small>{tr!("troubles-none-text")}</small>
                            </li>
                        }
                            .into_any()
                    } else {
                        troubles
                            .into_iter()
                            .map(|(node, text)| {
                                view! {
                                    <li>
                                        <Icon glyph=Glyph::Warning class="c-warn"/>
                                        <span><b class="b"><bdi>{node}</bdi></b> " " {text}</span>
                                    </li>
                                }
                            })
                            .collect_view()
                            .into_any()
                    }
                }}
            </ul>
        </section>
    }
    .into_any()
}

fn troubles_of(node: &NodeView) -> Vec<(String, String)> {
    let name = node.node.name.to_string();
    let mut troubles = Vec::new();
    match node.health {
        NodeHealth::Up => {}
        NodeHealth::Suspect => troubles.push((name.clone(), tr!("trouble-suspect"))),
        NodeHealth::Down => troubles.push((name.clone(), tr!("trouble-down"))),
    }
    if let Some(report) = &node.observed {
        for service in node_text::failed_services(report) {
            troubles.push((name.clone(), tr!("trouble-service", service = service)));
        }
        for problem in &report.problems {
            troubles.push((name.clone(), problem_text(problem)));
        }
    }
    troubles
}
