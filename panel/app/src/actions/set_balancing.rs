//! Changing how load is spread.

use crate::refusal::Refusal;
use leptos::prelude::*;

/// Changes the rules of balancing. `is_on` is `yes` or nothing, as check boxes are sent; the others
/// are whole numbers as they were typed.
///
/// # Errors
/// The visitor is no administrator, a number is none or out of its range, settings can't be
/// changed, or nobody answered.
#[server(prefix = "/do", endpoint = "set-balancing")]
pub async fn set_balancing(
    #[server(default)] is_on: String,
    moves_per_minute: String,
    moves_at_once: String,
    cool_down_s: String,
    veto_s: String,
    busy_percent: String,
    gap_percent: String,
    patience_s: String,
) -> Result<(), Refusal> {
    use crate::server;
    use hwc_api::balancing::Balancing;
    use hwc_api::v1::SetBalancing;

    let typed = [
        ("is_on", is_on.as_str()),
        ("moves_per_minute", moves_per_minute.as_str()),
        ("moves_at_once", moves_at_once.as_str()),
        ("cool_down_s", cool_down_s.as_str()),
        ("veto_s", veto_s.as_str()),
        ("busy_percent", busy_percent.as_str()),
        ("gap_percent", gap_percent.as_str()),
        ("patience_s", patience_s.as_str()),
    ];
    let read = || {
        Ok(Balancing {
            is_on: is_on == "yes",
            moves_per_minute: number("moves_per_minute", &moves_per_minute)?,
            moves_at_once: number("moves_at_once", &moves_at_once)?,
            cool_down_s: number("cool_down_s", &cool_down_s)?,
            veto_s: number("veto_s", &veto_s)?,
            busy_percent: number("busy_percent", &busy_percent)?,
            gap_percent: number("gap_percent", &gap_percent)?,
            patience_s: number("patience_s", &patience_s)?,
        })
    };
    let body = read().map_err(|refusal: Refusal| refusal.keeping(typed))?;
    server::call(&SetBalancing { body })
        .await
        .map_err(|refusal| refusal.keeping(typed))?;
    leptos_axum::redirect("/balancing?done=balancing-saved");
    Ok(())
}

/// A number that was typed into this field. Which range it must lie in is the cluster's to say; what
/// is no number at all, or none that fits its type, is told here.
#[cfg(feature = "ssr")]
fn number<N: std::str::FromStr>(field: &str, typed: &str) -> Result<N, Refusal> {
    use hwc_api::problem::{Problem, ProblemCode};

    typed.trim().parse().map_err(|_no_number| {
        Problem::new(
            ProblemCode::Invalid,
            "This is no whole number that fits here.",
        )
        .field(field)
        .into()
    })
}
