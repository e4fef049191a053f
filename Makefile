# Two commands matter: `make demo` and `make test`. Both set everything up themselves, as root, on a
# Debian 12 or 13 machine with git, make, curl and rustup's Rust; both may be run again at any time.

.DEFAULT_GOAL := help
.PHONY: help setup build build-release demo demo-down test check bench bench-failover bench-calm bench-move bench-proxy simulate soak clean-lab

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

setup: ## Install what building, the demo and the tests need
	@tools/setup.sh

build: setup ## Build the programs and the panel
	@tools/build.sh

demo: build ## Three nodes, a cluster, a customer: prints where to sign in
	@target/debug/hwc-demo up

demo-down: ## Take the demo away without a trace
	@tools/demo-down.sh

check: setup ## Formatting, lints, documentation, licences, directions of dependencies
	@tools/check.sh

test: build check ## Everything that must hold, the journey in a real browser included
	@tools/test.sh

bench: bench-failover bench-move bench-proxy ## All benchmarks; each prints a table and writes target/bench/<name>.json

build-release: setup ## The same as they are shipped: optimised
	@tools/build.sh release

bench-move: build-release ## A hundred moves of a site under load
	@target/release/hwc-bench-move

bench-failover: build-release ## Twenty kills of a live node under load
	@target/release/hwc-bench-failover

bench-calm: build-release ## An hour of lost packets and nodes that stand still: nothing may fail over for nothing
	@target/release/hwc-bench-calm

bench-proxy: ## The front door's work per request beside HAProxy, nginx and Apache
	@tools/bench-proxy.sh

SIMULATE = cargo run --quiet --release -p hwc-simulator --features seeded-bugs --
simulate: ## Two thousand simulated clusters, half an hour each, then every seeded bug; writes target/bench/simulation.json
	@$(SIMULATE) --seeds 2000 --minutes 30 --bugs

SEEDS ?= 20000
MINUTES ?= 30
FROM ?= 100000
soak: ## Any number of simulated clusters, and a day of the group alone: SEEDS=..., MINUTES=... each, the first one FROM=...
	@$(SIMULATE) --seeds $(SEEDS) --minutes $(MINUTES) --from $(FROM) --output target/bench/soak.json
	@HWC_FUZZ_CASES=20000 HWC_SIM_HOURS=24 cargo test --quiet -p hwc-group --test fuzz --test simulation

clean-lab: ## Remove labs that a crash left behind
	@target/debug/hwc-lab gc
