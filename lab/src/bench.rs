//! What the benchmarks on real nodes share: a cluster with a customer, a WordPress site, and how
//! figures are put down.

mod figures;
mod site;

pub use figures::{Spread, say, write};
pub use site::{Site, begin};
