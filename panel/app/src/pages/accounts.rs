//! Accounts, for administrators.

mod create;
mod delete;
mod list;

pub use create::CreateAccountPage;
pub use delete::DeleteAccountPage;
pub use list::AccountsPage;
