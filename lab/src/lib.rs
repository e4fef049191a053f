//! Several full Debian nodes on one machine, for the demo, the tests and the benchmarks.
