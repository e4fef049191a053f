# Sourced by the scripts beside it: one line per step, with the time it took.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
began=$(date +%s)
# Node from npm, where Debian's is too old for the browser tests (see setup.sh). It comes with a list of
# authorities of its own; Debian's trusts those of the machine, so this one shall too.
node_home=${XDG_CACHE_HOME:-$HOME/.cache}/hwc/node
use_newer_node() {
  PATH=$node_home/bin:$PATH
  export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
}
[ ! -x "$node_home/bin/node" ] || use_newer_node

# step "What is done" command…: runs the command; its output goes to a log, shown if it fails.
# A function as command runs in a subshell and ends at the first of its commands that fails: so this
# must not itself be called where bash forgets `set -e` (in a condition, before || or &&).
step() {
  local title=$1 log from rc
  shift
  mkdir -p "$root/target/logs"
  log=$root/target/logs/$(printf %s "$title" | tr -cs 'A-Za-z0-9' '-' | tr 'A-Z' 'a-z').log
  from=$(date +%s)
  printf '%-58s ' "$title"
  set +e
  (set -e; "$@") >"$log" 2>&1 </dev/null
  rc=$?
  set -e
  if [ "$rc" = 0 ]; then
    printf 'done  %4d s\n' $(($(date +%s) - from))
  else
    printf 'FAILED after %d s; the end of %s:\n' $(($(date +%s) - from)) "${log#"$root"/}"
    tail -n 60 "$log"
    exit "$rc"
  fi
}

finish() { printf '%-58s       %4d s\n' "$1" $(($(date +%s) - began)); }
