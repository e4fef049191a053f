//! The brain: pure, no IO, no clock, no async; events in, actions out.
