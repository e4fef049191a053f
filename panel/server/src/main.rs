//! hwc-panel
fn main() {}
