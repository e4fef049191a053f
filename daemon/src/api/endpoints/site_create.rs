//! `POST /sites`: create a site.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor, Object, can};
use crate::api::refusal::{Answer, Body};
use crate::place::{choose_replicas, default_copies};
use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json};
use hwc_api::change::{Applied, Change};
use hwc_api::desired::PhpVersion;
use hwc_api::ids::AccountId;
use hwc_api::names::DomainName;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{CreateSiteBody, Method, SiteView};
use std::sync::Arc;

/// Most copies of a dataset: beyond this every write costs more than the safety is worth.
const COPIES_MAX: u8 = 7;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::CreateSite);
    Endpoint {
        method: Method::Post,
        path: "/sites",
        access,
        handler: post(create),
    }
}

async fn create(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Body(body): Body<CreateSiteBody>,
) -> Answer<SiteView> {
    let account = owner(&actor, body.account)?;
    can(&actor, Action::CreateSite, Object::Of(account))?;
    let domain = parse_domain(&body.domain)?;
    let now = api.now();
    let copies = copies(body.copies)?.unwrap_or_else(|| default_copies(&now));
    let change = Change::CreateSite {
        account,
        domains: vec![domain],
        php: PhpVersion::V8_4,
        replicas: choose_replicas(&now, copies)?,
        copies,
        now: now.at,
    };
    let applied = api.registry.change(change).await?;
    let Applied::Site(id) = applied else {
        return Err(unexpected(&applied).into());
    };
    let site = api
        .after_change(|desired| desired.sites.get(&id).cloned())
        .await;
    let site = site.ok_or_else(|| crate::api::not_found("site"))?;
    tracing::info!(site.id = %id, domain = ?site.main_domain(), "site created");
    Ok(Json(api.now().scene().site(&site)))
}

/// For whom: an account that the request names, or else the actor's own.
fn owner(actor: &Actor, named: Option<AccountId>) -> Result<AccountId, Problem> {
    named.or(actor.account()).ok_or_else(|| {
        let message = "Say for which account: root on a node has none of its own.";
        Problem::new(ProblemCode::Invalid, message).field("account")
    })
}

fn copies(asked: Option<u8>) -> Result<Option<u8>, Problem> {
    match asked {
        Some(copies) if !(1..=COPIES_MAX).contains(&copies) => {
            let message = format!("A site has 1 to {COPIES_MAX} copies, the live one included.");
            Err(Problem::new(ProblemCode::Invalid, message).field("copies"))
        }
        Some(_) | None => Ok(asked),
    }
}

fn parse_domain(text: &str) -> Result<DomainName, Problem> {
    DomainName::parse(text.trim_matches(' ')).map_err(|reason| {
        Problem::new(ProblemCode::DomainInvalid, format!("The domain {reason}."))
            .field("domain")
            .detail(reason.to_string())
    })
}

/// The registry answered with something else than was asked for: a fault of ours.
pub(super) fn unexpected(applied: &Applied) -> Problem {
    tracing::error!(?applied, "the registry answered with something else");
    Problem::new(
        ProblemCode::Internal,
        "The settings answered unexpectedly; see the node's log.",
    )
}
