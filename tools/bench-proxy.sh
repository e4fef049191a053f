#!/usr/bin/env bash
# The front door's processor time per request beside HAProxy's, nginx's and Apache's, which are
# installed from Debian when they are missing, and neither started nor enabled. Loopback only.
. "$(dirname "$0")/lib.sh"

missing=()
for package in haproxy nginx apache2-bin; do
  dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
install_proxies() {
  # A service that a package brings must start neither here nor at the next boot.
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap "rm -f $policy" EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
  local package
  for package in "$@"; do
    if [ -e "/lib/systemd/system/$package.service" ]; then systemctl disable "$package"; fi
  done
}
if [ "${#missing[@]}" != 0 ]; then
  [ "$(id -u)" = 0 ] || { echo "Run this as root: it installs ${missing[*]} from Debian." >&2; exit 1; }
  step "Debian packages: ${missing[*]}" install_proxies "${missing[@]}"
fi
step "Front door, optimised" cargo build --release -p hwc-awesome-proxy --example bench-proxy
target/release/examples/bench-proxy "$@"
