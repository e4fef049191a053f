//! Permission for one more node to join.

use crate::refusal::Refusal;
use hwc_api::time::WallTime;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What is typed on the new node, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinCommand {
    /// The join token.
    pub token: String,
    /// After this it is void.
    pub expires_at: WallTime,
}

/// Makes a join token. Its secret is in this answer, or on the next page, and never again.
///
/// # Errors
/// The visitor is no administrator, settings can't be changed, or nobody answered.
#[server(prefix = "/do", endpoint = "create-join-token")]
pub async fn create_join_token(minutes: u32) -> Result<JoinCommand, Refusal> {
    use crate::server;
    use hwc_api::v1::{CreateJoinToken, CreateJoinTokenBody};

    let call = CreateJoinToken {
        body: CreateJoinTokenBody { minutes },
    };
    let made = server::call(&call).await?;
    server::flash(&made.token);
    Ok(JoinCommand {
        token: made.token,
        expires_at: made.expires_at,
    })
}
