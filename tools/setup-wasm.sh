#!/usr/bin/env bash
# tools/setup-wasm.sh: makes this machine able to build for wasm32-unknown-unknown. Safe to run again.
#
# The ordinary way is `rustup target add`. Where its download can't be had, on Debian: Debian's own
# Rust for web builds (rustc-web) unpacked into a private prefix, its standard library built once
# for WASM from Debian's sources, linked into rustup as the toolchain `hwc-wasm`. Nothing is
# installed over the system's packages but shared libraries.
#
# Prints the toolchain to build with, as its last line; tools/build-panel.sh asks the same question
# with `--print-toolchain` and builds nothing.
set -euo pipefail

target=wasm32-unknown-unknown
name=${HWC_WASM_TOOLCHAIN:-hwc-wasm}
prefix=${HWC_WASM_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/hwc/wasm}
host=$(rustc -vV | sed -n 's/^host: //p')
# The oldest compiler that builds the panel (rust-version in Cargo.toml).
oldest=1.95
# Raise when what this script makes changes.
stamp=$prefix/.done-1

cd "$(dirname "$0")/.."

has_std() { # toolchain
  compgen -G "$(rustc "+$1" --print sysroot 2>/dev/null)/lib/rustlib/$target/lib/libstd-*.rlib" >/dev/null
}

active=$(rustup show active-toolchain | cut -d' ' -f1)
ready() {
  if has_std "$active"; then echo "$active"
  elif [ -e "$stamp" ] && has_std "$name"; then echo "$name"
  else return 1; fi
}

if toolchain=$(ready); then
  [ "${1:-}" = --print-toolchain ] || echo "WASM: ready"
  echo "$toolchain"
  exit 0
fi
if [ "${1:-}" = --print-toolchain ]; then
  echo "no toolchain for $target: run tools/setup-wasm.sh" >&2
  exit 1
fi

echo "WASM: rustup target add $target"
if [ -z "${HWC_WASM_FROM_DEBIAN:-}" ] && timeout 300 rustup target add "$target" && has_std "$active"; then
  echo "$active"
  exit 0
fi

echo "WASM: rustup's target can't be had; building it from Debian's rustc-web (about a minute, 800 MB in $prefix)"
sudo=''; [ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq
deb=$(apt-cache policy rustc-web | sed -n 's/.*Candidate: //p')
version=${deb%%+*}; series=${version%.*}
if [ -z "$deb" ] || [ "$deb" = '(none)' ] || ! dpkg --compare-versions "$version" ge "$oldest"; then
  echo "WASM: Debian offers rustc-web ${deb:-none}, the panel needs $oldest." >&2
  echo "      Enable Debian's security repository (bookworm-security), or give rustup access to its downloads." >&2
  exit 1
fi

rm -rf "$prefix"; mkdir -p "$prefix/debs"
(
  cd "$prefix/debs"
  apt-get -qq download "rustc-web=$deb" "cargo-web=$deb" "libstd-rust-web-$series=$deb" \
    "libstd-rust-web-dev=$deb" "rust-web-src=$deb" 2> >(grep -v unsandboxed >&2)
  for file in *.deb; do dpkg -x "$file" "$prefix"; done
  # The shared libraries that these need, by apt, so that their own dependencies come too.
  libraries=$(for file in libstd-rust-web-"$series"*.deb cargo-web*.deb; do dpkg-deb -f "$file" Depends; done |
    tr ',' '\n' | grep -oE '\blib(llvm|git2|ssh2|curl|ssl|sqlite3)[^ ]*' | sort -u)
  # shellcheck disable=SC2086  # a list of package names
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $libraries >/dev/null
)
rm -rf "$prefix/debs"
sysroot=$prefix/usr
# rustc looks here for rust-lld: rustup's own, as a link, for it finds its libLLVM beside itself.
linker=$(rustc "+$active" --print sysroot)/lib/rustlib/$host/bin/rust-lld
mkdir -p "$sysroot/lib/rustlib/$host/bin"; ln -sfn "$linker" "$sysroot/lib/rustlib/$host/bin/rust-lld"
# rustup puts $sysroot/lib, not the multiarch folder, on the library path.
for file in "$sysroot"/lib/*-linux-gnu/librustc_driver-*.so; do
  folder=$(basename "$(dirname "$file")")
  ln -sfn "$folder/${file##*/}" "$sysroot/lib/${file##*/}"
done
rustup toolchain link "$name" "$sysroot"

# The standard library, with bitcode: without it link-time optimisation has nothing to work on.
build=$prefix/build; mkdir -p "$build/src"; echo '#![no_std]' > "$build/src/lib.rs"
cat > "$build/Cargo.toml" <<'TOML'
[package]
name = "wasm-std"
version = "0.0.0"
edition = "2024"
[workspace]
[profile.release]
opt-level = "s"
codegen-units = 1
TOML
(
  cd "$build"
  env -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET CARGO_TARGET_DIR="$build/target" RUSTC_BOOTSTRAP=1 \
    RUSTFLAGS='-C embed-bitcode=yes' \
    cargo "+$name" build --quiet --release -Z build-std=std,panic_abort --target "$target"
)
library=$sysroot/lib/rustlib/$target/lib; mkdir -p "$library"
cp "$build/target/$target/release/deps/"*.rlib "$library/"; rm -f "$library"/libwasm_std-*
rm -rf "$build"
echo "$deb" > "$stamp"
echo "WASM: ready"
echo "$name"
