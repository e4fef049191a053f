//! hwcd
