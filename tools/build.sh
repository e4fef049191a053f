#!/usr/bin/env bash
# Builds the programs and the panel for the demo and the tests.
. "$(dirname "$0")/lib.sh"
step "Programs: hwcd, hwc, hwc-panel, hwc-lab, hwc-demo" cargo build -p hwcd -p hwc-panel -p hwc-lab
step "Panel for the browser" tools/build-panel.sh dev
finish "Built"
