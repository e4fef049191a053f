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

mod create_account;
mod create_join_token;
mod create_site;
mod delete_account;
mod delete_site;
mod install_app;
mod list_apps;
mod read_frame;
mod set_preferences;
mod sign_in;
mod sign_out;

pub use create_account::{CreateAccount, create_account};
pub use create_join_token::{CreateJoinToken, JoinCommand, create_join_token};
pub use create_site::{CreateSite, create_site};
pub use delete_account::{DeleteAccount, delete_account};
pub use delete_site::{DeleteSite, delete_site};
pub use install_app::{InstallApp, install_app};
pub use list_apps::{ListApps, list_apps};
#[cfg(feature = "ssr")]
pub use read_frame::gather_frame;
pub use read_frame::{ReadFrame, read_frame};
pub use set_preferences::{SetPreferences, set_preferences};
pub use sign_in::{SignIn, sign_in};
pub use sign_out::{SignOut, sign_out};
