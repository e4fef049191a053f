# Sourced by the scripts beside it: one line per step, with the time it took.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
began=$(date +%s)
# Node from npm, where Debian's is too old for the browser tests (see setup.sh).
node_home=${XDG_CACHE_HOME:-$HOME/.cache}/hwc/node
[ ! -x "$node_home/bin/node" ] || PATH=$node_home/bin:$PATH

# step "What is done" command…: runs the command; its output goes to a log, shown if it fails.
step() {
  local title=$1 log from rc=0
  shift
  mkdir -p "$root/target/logs"
  log=$root/target/logs/$(echo "$title" | tr -cs 'A-Za-z0-9' '-' | tr 'A-Z' 'a-z').log
  from=$(date +%s)
  printf '%-58s ' "$title"
  "$@" >"$log" 2>&1 </dev/null || rc=$?
  if [ "$rc" = 0 ]; then
    printf 'done  %4d s\n' $(($(date +%s) - from))
  else
    printf 'FAILED after %d s; the end of %s:\n' $(($(date +%s) - from)) "${log#"$root"/}"
    tail -n 60 "$log"
    exit "$rc"
  fi
}

finish() { printf '%-58s       %4d s\n' "$1" $(($(date +%s) - began)); }
