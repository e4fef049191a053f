//! What is drawn instead of a page.

mod forbidden;
mod not_found;
mod unreachable;

pub use forbidden::ForbiddenPage;
pub use not_found::NotFoundPage;
pub use unreachable::UnreachablePage;
