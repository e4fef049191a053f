#!/usr/bin/env bash
# Installs what building, the demo and the tests need: Debian packages, the WASM target, the node
# image with the mirror of applications, and the browser tests' npm packages. Safe to run again: a
# machine that has everything passes in seconds. Everything comes through the package managers that
# the machine is configured with.
. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
  echo "Run this as root: it installs Debian packages and boots containers." >&2
  exit 1
fi
command -v rustup >/dev/null || { echo "Install Rust with rustup first." >&2; exit 1; }

packages() { grep -hvE '^\s*(#|$)' tools/*-packages.txt | sort -u; }
missing_packages() {
  packages | while read -r package; do
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'install ok installed' || echo "$package"
  done
  # Node and npm may come from elsewhere than Debian.
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
}
install_packages() {
  # A service that a package brings must not start here: the tests start their own.
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap "rm -f $policy" EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}
# The browser tests want Node 20. Debian 12 has 18; npm carries newer ones as packages.
node_is_new() { [ "$(node --version | sed 's/^v//; s/\..*//')" -ge 20 ]; }
newer_node() {
  local machine
  case $(uname -m) in x86_64) machine=x64 ;; aarch64) machine=arm64 ;; *) echo "no Node for $(uname -m)"; return 1 ;; esac
  mkdir -p "$node_home"
  npm install --no-audit --no-fund --prefix "$node_home" "node-linux-$machine@22"
  ln -sfn "node_modules/node-linux-$machine/bin" "$node_home/bin"
}
browser_packages() {
  local stamp=end2end/node_modules/.installed
  if [ "$(cat "$stamp" 2>/dev/null)" = "$(sha256sum <end2end/package-lock.json)" ]; then return; fi
  (cd end2end && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund)
  sha256sum <end2end/package-lock.json >"$stamp"
}

mapfile -t missing < <(missing_packages)
[ "${#missing[@]}" = 0 ] || step "Debian packages: ${#missing[@]} to install" install_packages "${missing[@]}"
step "Rust: rustfmt and clippy" rustup component add rustfmt clippy
step "Rust: standard library for WASM" tools/setup-wasm.sh
if ! node_is_new; then
  step "Browser tests: Node 22 from npm" newer_node
  use_newer_node
fi
step "Browser tests: npm packages" browser_packages
step "Lab tool" cargo build --quiet -p hwc-lab
step "Node image (Debian 13) and mirror of applications" target/debug/hwc-lab image build
finish "Set-up complete"
