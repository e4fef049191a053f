//! hwcd
fn main() {}
