#!/usr/bin/env bash
# Takes the demo away without a trace, whether or not it came up whole.
. "$(dirname "$0")/lib.sh"
if [ -x target/debug/hwc-demo ]; then
  target/debug/hwc-demo down
fi
rm -rf target/demo
