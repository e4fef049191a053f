//! One-click applications: what there is ([`catalogue`]), where its files come from ([`archive`]),
//! and how it gets into a site ([`installer`]).

pub mod archive;
pub mod catalogue;
pub mod installer;
mod progress;
mod sandboxed;
mod scripts;
pub mod unpack;

pub use catalogue::Catalogue;
pub use installer::{DatabaseAccess, InstallRequest, Installer};
