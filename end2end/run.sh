#!/usr/bin/env bash
# end2end/run.sh [playwright's arguments]: the journeys in a real browser against a real cluster.
#
# Brings up a lab of three nodes of its own and takes it away again, whatever happens. With
# E2E_CLUSTER=target/demo/cluster.json it runs against that cluster and leaves it as it is.
#
#   end2end/run.sh                       everything
#   end2end/run.sh journey -g WordPress  what Playwright's arguments choose
#
# E2E_CHROMIUM   the browser, /usr/bin/chromium unless set
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
programs=$root/target/debug
results=$root/end2end/results
# Booting three nodes and making a cluster of them takes half a minute on a fast machine.
up_limit=300
down_limit=120
# Playwright gives up by itself before (globalTimeout).
tests_limit=1200

say() { printf 'end2end: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }

for program in hwc-lab hwc-demo; do
  [ -x "$programs/$program" ] || fail "$programs/$program is missing: run make build"
done
[ -x end2end/node_modules/.bin/playwright ] || fail "the npm packages are missing: run make setup"
[ -x "${E2E_CHROMIUM:=/usr/bin/chromium}" ] || fail "$E2E_CHROMIUM is missing: run make setup"
rm -rf "$results"
mkdir -p "$results"

free_port() {
  node -e 'const server = require("net").createServer().listen(0, "127.0.0.1", () => {
    console.log(server.address().port); server.close(); })'
}

lab_id=
description=

keep_logs() {
  local node
  for node in n1 n2 n3; do
    timeout 20 "$programs/hwc-lab" --id "$lab_id" logs "$node" -n 20000 >"$results/$node.log" 2>&1 || true
  done
}

finish() {
  local rc=$?
  trap - EXIT INT TERM HUP
  set +e
  cd "$root"
  if [ "$rc" != 0 ]; then
    [ -z "$lab_id" ] || keep_logs
    say "failed; what there is to see is in ${results#"$root"/}:"
    find "$results" -type f \( -name 'trace.zip' -o -name '*.png' -o -name '*.log' \) -not -path '*/shots/*' | sort | sed "s|^$root/|  |"
    say "show a trace by: (cd end2end && npx playwright show-trace PATH/trace.zip)"
  fi
  # A lab that did not come up whole took itself away.
  [ -z "$lab_id" ] || timeout --kill-after=20 "$down_limit" "$programs/hwc-demo" --id "$lab_id" --output "$description" down
  if [ "$rc" != 0 ] && [ -s "$results/results.json" ]; then node end2end/failures.mjs "$results/results.json"; fi
  exit "$rc"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -n "${E2E_CLUSTER:-}" ]; then
  E2E_CLUSTER=$(realpath "$E2E_CLUSTER")
  say "against the cluster of $E2E_CLUSTER"
else
  lab_id=e2e-$$
  port=$(free_port)
  description=$results/cluster.json
  say "bringing up lab $lab_id, its panel on port $port"
  began=$SECONDS
  timeout --foreground --kill-after=30 "$up_limit" "$programs/hwc-demo" --id "$lab_id" --port "$port" --output "$description" up >"$results/up.log" 2>&1 \
    || { cat "$results/up.log" >&2; fail "the lab did not come up"; }
  say "the lab is up after $((SECONDS - began)) s"
  E2E_CLUSTER=$description
fi

# read_json FILE 'expression of it': what JavaScript says of a JSON file.
read_json() { node -p "(it => $2)(JSON.parse(require('fs').readFileSync('$1', 'utf8')))"; }

# The visitors' way in: a port of this machine that leads to the first node that answers.
"$programs/hwc-lab" --id "$(read_json "$E2E_CLUSTER" it.lab_id)" --json \
  forward 0 "$(read_json "$E2E_CLUSTER" 'it.nodes.map(node => node.name).join()'):443" >"$results/forward.json"
E2E_SITES_PORT=$(read_json "$results/forward.json" it.port)
E2E_LAB_PROGRAM=$programs/hwc-lab
export E2E_CLUSTER E2E_SITES_PORT E2E_LAB_PROGRAM E2E_CHROMIUM

cd end2end
node_modules/.bin/tsc
timeout --foreground --kill-after=30 "$tests_limit" node_modules/.bin/playwright test "$@"
