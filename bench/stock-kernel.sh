#!/usr/bin/env bash
# Prints the path of Debian's own kernel, vmlinuz, for the comparison of boots. The package is unpacked into the cache and never installed:
# no boot loader, no initramfs and no other hook of it runs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
part=stock-kernel
. "$here/../images/lib.sh"

package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
[ -n "$package" ] || fail "apt knows no linux-image-amd64. Do: apt-get update, and see that Debian's main section is enabled"
version=$(candidate "$package")

unpack() {
    say "fetching $package $version, once"
    fetch_and_unpack "$WORK/root" "$package"
    cp "$WORK"/root/boot/vmlinuz-* "$OUT/vmlinuz-${package#linux-image-}"
}

folder=$cache_root/stock-kernel/${package}_$version
build_once "$folder" unpack
printf '%s\n' "$folder/vmlinuz-${package#linux-image-}"
