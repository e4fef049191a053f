//! hwc-lab
fn main() {}
