//! Going on without nodes that are gone for good.

use crate::refusal::Refusal;
use hwc_api::v1::DeclareLostView;
use leptos::prelude::*;

/// What it would mean to declare these nodes lost; `nodes` are their ids with commas between.
///
/// # Errors
/// The visitor is no administrator, a node answers, or nobody answered.
#[server(prefix = "/do", endpoint = "preview-lost")]
pub async fn preview_lost(nodes: String) -> Result<DeclareLostView, Refusal> {
    crate::server::ask(&declare(&nodes, false)?).await
}

/// Declares these nodes lost. `confirm` must repeat their names, as the preview shows them.
///
/// # Errors
/// The visitor is no administrator, the names were not repeated, a node answers, or nobody answered.
#[server(prefix = "/do", endpoint = "declare-lost")]
pub async fn declare_lost(nodes: String, confirm: String) -> Result<(), Refusal> {
    use crate::server;
    use hwc_api::problem::{Problem, ProblemCode};

    let meant = server::call(&declare(&nodes, false)?).await?;
    if !is_repeated(&confirm, &lost_names(&meant)) {
        let problem = Problem::new(ProblemCode::Invalid, "The names were not repeated.");
        return Err(
            Refusal::from(problem.field("confirm")).keeping([("confirm", confirm.as_str())])
        );
    }
    server::call(&declare(&nodes, true)?).await?;
    leptos_axum::redirect("/voters?done=nodes-lost");
    Ok(())
}

/// The names that are to be repeated.
#[must_use]
pub fn lost_names(meant: &DeclareLostView) -> String {
    let names: Vec<String> = meant
        .lost
        .iter()
        .map(|node| node.name.to_string())
        .collect();
    names.join(" ")
}

/// Whether the names were typed, however many spaces or commas stand between them.
#[must_use]
pub fn is_repeated(typed: &str, names: &str) -> bool {
    let mut typed = typed
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty());
    names.split(' ').all(|name| typed.next() == Some(name)) && typed.next().is_none()
}

#[cfg(feature = "ssr")]
fn declare(nodes: &str, is_confirmed: bool) -> Result<hwc_api::v1::DeclareLost, Refusal> {
    use hwc_api::problem::{Problem, ProblemCode};
    use hwc_api::v1::{DeclareLost, DeclareLostBody};

    let ids: Result<Vec<_>, _> = nodes.split(',').map(str::parse).collect();
    let nodes = ids.map_err(|_| Problem::new(ProblemCode::UnknownNode, "no node has this id"))?;
    Ok(DeclareLost {
        body: DeclareLostBody {
            nodes,
            is_confirmed,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_repeated_in_full_and_nothing_else() {
        for typed in ["n2 n3", " n2,  n3 ", "n2,n3"] {
            assert!(is_repeated(typed, "n2 n3"), "{typed}");
        }
        for typed in ["", "n2", "n2 n3 n4", "n3 n2", "N2 n3"] {
            assert!(!is_repeated(typed, "n2 n3"), "{typed}");
        }
    }
}
