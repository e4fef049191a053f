#!/usr/bin/env bash
# What can be judged without running anything: formatting, lints for the server and for the browser,
# links in the documentation, licences and bans, and the directions of dependencies.
. "$(dirname "$0")/lib.sh"
wasm_toolchain=$(tools/setup-wasm.sh --print-toolchain)
deny() {
  local version=0.20.2
  cargo deny --version 2>/dev/null | grep -q " $version$" || cargo install cargo-deny --quiet --locked --version "$version"
  cargo fetch --quiet
  cargo deny --offline check bans licenses sources
}
step "Formatting" cargo fmt --check
step "Lints, server" cargo clippy --quiet --workspace --exclude hwc-panel-frontend --all-targets -- -D warnings
lint_browser() {
  local what=(--quiet -p hwc-panel-frontend -p hwc-panel-app --features hwc-panel-app/hydrate
    --target wasm32-unknown-unknown --target-dir target/wasm)
  if cargo "+$wasm_toolchain" clippy --version; then
    cargo "+$wasm_toolchain" clippy "${what[@]}" -- -D warnings
  else
    # Debian's compiler for the browser comes without clippy; its own warnings count.
    RUSTFLAGS=-Dwarnings cargo "+$wasm_toolchain" check "${what[@]}"
  fi
}
step "Lints, browser" lint_browser
step "Links in the documentation" env RUSTDOCFLAGS=-Dwarnings cargo doc --quiet --no-deps --document-private-items
step "Directions of dependencies" tools/check-directions.py
step "Licences and bans" deny
finish "Checked"
