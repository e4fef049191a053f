//! Revoked sessions and API tokens: who may still come in.

use super::draft::{Draft, not_found};
use crate::settings::Edit;
use hwc_api::change::Applied;
use hwc_api::desired::ApiToken;
use hwc_api::ids::{AccountId, SessionId, TokenId};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;

/// A revocation is never shortened, and forgotten only once its session has expired by itself.
pub(super) fn revoke(
    draft: &mut Draft<'_>,
    session: SessionId,
    expires_at: WallTime,
    now: WallTime,
) -> Applied {
    let revocations = &draft.settings().revocations;
    let until = revocations
        .get(&session)
        .map_or(expires_at, |known| (*known).max(expires_at));
    for (other, expires_at) in revocations {
        if *expires_at < now && *other != session {
            draft.edit(Edit::DeleteRevocation(*other));
        }
    }
    draft.edit(Edit::PutRevocation(session, until));
    Applied::Done
}

pub(super) fn create_token(
    draft: &mut Draft<'_>,
    account: AccountId,
    label: &str,
    secret_hash: &str,
    now: WallTime,
    expires_at: WallTime,
) -> Result<Applied, Problem> {
    let account = draft.account_in_good_standing(account)?;
    let mut tokens = draft.desired().tokens.values();
    if tokens.any(|token| token.secret_hash == secret_hash) {
        return Err(Problem::new(
            ProblemCode::Conflict,
            "This API token exists already. Make a new one.",
        ));
    }
    let id = TokenId(draft.take(|counters| &mut counters.token)?);
    draft.edit(Edit::PutToken(ApiToken {
        id,
        account: account.id,
        label: label.to_owned(),
        secret_hash: secret_hash.to_owned(),
        created_at: now,
        expires_at,
    }));
    Ok(Applied::Token(id))
}

pub(super) fn delete_token(draft: &mut Draft<'_>, token: TokenId) -> Result<Applied, Problem> {
    if !draft.desired().tokens.contains_key(&token) {
        return Err(not_found("API token", token).field("token"));
    }
    draft.edit(Edit::DeleteToken(token));
    Ok(Applied::Done)
}
