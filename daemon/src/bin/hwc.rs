//! hwc
fn main() {}
