#!/usr/bin/env bash
# tools/build-panel.sh [dev|release]: the browser's half of the panel into target/site.
#
#   target/site/pkg/hwc.js, hwc_bg.wasm, hwc.css   with .gz beside them; in release with .br too
#   target/site/fonts, favicon.svg, ...            from public/
#
# The files are replaced one by one at the end, each whole, so that a panel that runs never sees half.
# The server itself is an ordinary `cargo build -p hwc-panel`.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p target
# One at a time: two builds would pull the new folder from under each other.
exec 9>target/.build-panel.lock
flock 9
mode=${1:-dev}
case $mode in dev | release) ;; *) echo "usage: tools/build-panel.sh [dev|release]" >&2; exit 2 ;; esac

toolchain=$(tools/setup-wasm.sh --print-toolchain 2>/dev/null || tools/setup-wasm.sh | tee /dev/stderr | tail -n 1)
target=wasm32-unknown-unknown
site=target/site
new=target/site.new
built=target/wasm

# Objects of another compiler or standard library are useless, and cargo does not always notice.
std=$(basename "$(rustc "+$toolchain" --print sysroot)"/lib/rustlib/$target/lib/libstd-*.rlib)
if [ "$(cat "$built/.std" 2>/dev/null || true)" != "$std" ]; then
  rm -rf "$built"; mkdir -p "$built"; echo "$std" > "$built/.std"
fi

cargo "+$toolchain" build --quiet -p hwc-panel-frontend --target "$target" --profile "wasm-$mode" --target-dir "$built"
# wasm-bindgen in the version of Cargo.lock; optimised, for it takes a minute otherwise.
cargo build --quiet --release -p hwc-panel-bindgen

rm -rf "$new"; mkdir -p "$new/pkg"
cp -R public/. "$new/"
target/release/hwc-panel-bindgen "$built/$target/wasm-$mode/hwc_panel_frontend.wasm" "$new/pkg" hwc
cat style/tokens.css style/panel.css style/pages.css > "$new/pkg/hwc.css"

if [ "$mode" = release ]; then
  # Shrinks by a third. From npm (binaryen), where the end-to-end tests have brought it.
  optimiser=end2end/node_modules/.bin/wasm-opt
  if [ -x "$optimiser" ]; then
    # These features only: with all of them browsers refuse the module.
    "$optimiser" -Oz --enable-bulk-memory --enable-nontrapping-float-to-int \
      -o "$new/pkg/small.wasm" "$new/pkg/hwc_bg.wasm"
    mv "$new/pkg/small.wasm" "$new/pkg/hwc_bg.wasm"
  else
    echo "build-panel: no wasm-opt (npm install in end2end/ brings it): the module stays a third larger" >&2
  fi
fi

# Compressed here once, not for every visitor: well in release, quickly in dev.
effort=1; [ "$mode" = dev ] || effort=9
for file in "$new"/pkg/hwc.js "$new"/pkg/hwc_bg.wasm "$new"/pkg/hwc.css; do
  gzip --keep "-$effort" "$file"
  if [ "$mode" = release ] && command -v brotli >/dev/null; then brotli --keep --best "$file"; fi
done

# File by file, whole each: the folder itself stays, for it may be mounted into nodes that run.
mkdir -p "$site"
(cd "$new" && find . -type f) | while read -r file; do
  mkdir -p "$site/$(dirname "$file")"
  mv -f "$new/$file" "$site/$file"
  echo "$file"
done | sort > "$built/.site"
(cd "$site" && find . -type f) | sort | comm -23 - "$built/.site" | while read -r file; do rm -f "$site/$file"; done
rm -rf "$new"
wc -c "$site"/pkg/* | sed 's/^/build-panel: /'
