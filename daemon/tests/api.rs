//! The API as it is: the real router, a real registry on disk, a real group on the loopback.

#[path = "api/access.rs"]
mod access;
#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/fixture.rs"]
mod fixture;
#[path = "api/sessions.rs"]
mod sessions;
