//! Server functions: what a page asks of the server, one per file.
//!
//! Each is a public endpoint below `/do`. None decides who may do what: they pass the visitor's
//! session to the API, which authorises. Requests of other web sites never get here
//! (`panel/server`, `origin.rs`).
#![allow(
    missing_docs,
    clippy::too_many_arguments,
    reason = "the macro turns arguments into fields, one for each field of a form; they can't carry documentation"
)]

mod call_off_move;
mod create_account;
mod create_join_token;
mod create_site;
mod declare_lost;
mod delete_account;
mod delete_site;
mod drain_node;
mod explain_site;
mod hold_site;
mod install_app;
mod list_apps;
mod move_site;
mod pin_site;
mod read_balancing;
mod read_cluster_settings;
mod read_frame;
mod read_registry;
mod sealing_key;
mod set_balancing;
mod set_network;
mod set_preferences;
mod set_services;
mod set_zone;
mod sign_in;
mod sign_out;
mod undrain_node;

pub use call_off_move::{CallOffMove, call_off_move};
pub use create_account::{CreateAccount, create_account};
pub use create_join_token::{CreateJoinToken, JoinCommand, create_join_token};
pub use create_site::{CreateSite, create_site};
pub use declare_lost::{
    DeclareLost, PreviewLost, declare_lost, is_repeated, lost_names, preview_lost,
};
pub use delete_account::{DeleteAccount, delete_account};
pub use delete_site::{DeleteSite, delete_site};
pub use drain_node::{DrainNode, drain_node};
pub use explain_site::{ExplainSite, explain_site};
pub use hold_site::{HoldSite, hold_site};
pub use install_app::{InstallApp, install_app};
pub use list_apps::{ListApps, list_apps};
pub use move_site::{MoveSite, move_site};
pub use pin_site::{PinSite, pin_site};
pub use read_balancing::{ReadBalancing, read_balancing};
pub use read_cluster_settings::{ReadClusterSettings, read_cluster_settings};
#[cfg(feature = "ssr")]
pub use read_frame::{About, gather_frame};
pub use read_frame::{ReadFrame, read_frame};
pub use read_registry::{ReadRegistry, read_registry};
pub use sealing_key::{ReadKeys, RotateKeys, read_keys, rotate_keys};
pub use set_balancing::{SetBalancing, set_balancing};
pub use set_network::{SetNetwork, set_network};
pub use set_preferences::{SetPreferences, set_preferences};
pub use set_services::{SetServices, set_services};
pub use set_zone::{SetZone, set_zone};
pub use sign_in::{SignIn, sign_in};
pub use sign_out::{SignOut, sign_out};
pub use undrain_node::{UndrainNode, undrain_node};

/// The node that a form names by its id; none where the field was left empty.
#[cfg(feature = "ssr")]
fn node_in_form(typed: &str) -> Result<Option<hwc_api::ids::NodeId>, crate::refusal::Refusal> {
    use hwc_api::problem::{Problem, ProblemCode};

    if typed.is_empty() {
        return Ok(None);
    }
    typed
        .parse()
        .map(Some)
        .map_err(|_| Problem::new(ProblemCode::UnknownNode, "no node has this id").into())
}
