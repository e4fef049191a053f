//! What is drawn instead of a page.

mod not_found;
mod unreachable;

pub use not_found::NotFoundPage;
pub use unreachable::UnreachablePage;
