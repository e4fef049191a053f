#!/usr/bin/env bash
# tools/build.sh [dev|release]: the programs and the panel. The demo and the tests take the first;
# the benchmarks on real nodes measure what is shipped, the second.
. "$(dirname "$0")/lib.sh"
mode=${1:-dev}
case $mode in
  dev) profile=() ;;
  release) profile=(--release) ;;
  *) echo "usage: tools/build.sh [dev|release]" >&2; exit 2 ;;
esac
step "Programs: hwcd, hwc, hwc-panel, hwc-lab, hwc-demo" cargo build "${profile[@]}" -p hwcd -p hwc-panel -p hwc-lab
step "Panel for the browser" tools/build-panel.sh "$mode"
finish "Built"
