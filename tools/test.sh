#!/usr/bin/env bash
# Everything that must hold, cheapest first: unit and platform tests, the lab, the journey in a real
# browser against a real three-node cluster.
. "$(dirname "$0")/lib.sh"
# Only what this run finds is counted at the end.
rm -f target/logs/*.log
tests() {
  cargo test --workspace --exclude hwc-panel-frontend --exclude hwc-panel-bindgen --exclude hwc-lab
}
step "Unit, property, golden and platform tests" tests
step "Lab tests: real nodes" env HWC_LAB_REQUIRED=1 cargo test -p hwc-lab
step "End to end: the journey in a real browser" end2end/run.sh
grep -hE '^test result: ' target/logs/*.log | awk '{ passed += $4; failed += $6 } END { printf "%d passed, %d failed\n", passed, failed }'
finish "Tested"
