#!/usr/bin/env bash
# Builds crun for the guest from Debian's source package, as one static program, and
# prints the folder that holds it (the only line on standard output).
#
# Debian's own binary is linked with libsystemd and through it with libgcrypt, lzma,
# zstd and lz4: about 6 MiB in the memory of each pod, and ten libraries to load for
# each exec. In the guest there is no systemd to talk to.
#
# Build needs that are packages of their own (headers, static libraries, gperf) are
# unpacked into the build's folder; nothing is installed, and /etc/apt stays as it is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
part=crun
. "$here/../lib.sh"

libraries=(libseccomp-dev libyajl-dev libcap-dev gperf)

for pair in gcc:gcc make:make python3:python3 dpkg-source:dpkg-dev patch:patch xz:xz-utils; do
    command -v "${pair%%:*}" >/dev/null || fail "cannot build: ${pair%%:*} is missing. Do: apt-get install ${pair##*:}"
done

version=$(candidate crun)
out=$cache_root/crun/$({ cat "$here/build.sh"; printf '%s\n' "$version" "$(gcc -dumpfullversion)"; } | short_hash)

build() {
    say "building crun $version, static (this happens once)"
    local began=$SECONDS log=$WORK/log sys=$WORK/sys lib
    mkdir "$sys" "$WORK/source"
    fetch_and_unpack "$sys" "${libraries[@]}"
    lib=$(dirname "$(find "$sys" -name libseccomp.a)")
    # Debian calls the static one libyajl_s.
    ln -sf libyajl_s.a "$lib/libyajl.a"
    fetch_source "$WORK/source" "crun=$version"
    (
        cd "$WORK"/source/crun-*/
        export PATH=$sys/usr/bin:$PATH
        nice ./configure --disable-systemd --disable-criu --disable-dl \
            CFLAGS="-Os -ffunction-sections -fdata-sections" CPPFLAGS="-I$sys/usr/include" \
            LDFLAGS="-static -L$lib -Wl,--gc-sections" LIBS=-lm \
            YAJL_CFLAGS="-I$sys/usr/include" YAJL_LIBS="-L$lib -lyajl"
        # libtool takes -static as "our own libraries only"; -all-static is its word for all.
        nice make -j2 LDFLAGS="-all-static -L$lib -Wl,--gc-sections" all
        strip -s -o "$OUT/crun" crun
    ) >"$log" 2>&1 || { cp "$log" "$cache_root/crun/failed.log"; tail -n 15 "$log" >&2; fail "building crun failed; the whole output is in $cache_root/crun/failed.log"; }
    # No grep -q on a pipe: it would break the pipe that pipefail watches.
    case $(readelf -l "$OUT/crun") in *INTERP*) fail "crun came out dynamically linked" ;; esac
    "$OUT/crun" --version >"$WORK/version" || fail "the new crun does not run on this host"
    printf '{"name":"crun","part":"crun","in":"initramfs.cpio","version":"%s","sha256":"%s","size":%d}\n' \
        "$version" "$(file_sha256 "$OUT/crun")" "$(stat -c %s "$OUT/crun")" >"$OUT/artifact.json"
    say "$version, $(($(stat -c %s "$OUT/crun") / 1024)) KiB, built in $((SECONDS - began)) s"
}

build_once "$out" build
printf '%s\n' "$out"
