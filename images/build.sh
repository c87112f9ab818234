#!/usr/bin/env bash
# Builds what a pod's guest boots from, and the demo image.
#
#   build.sh kernel            the guest kernel             -> artifacts/guest/vmlinux
#   build.sh agent             the agent, PID 1 of a guest  (NativeAOT; kept in the cache)
#   build.sh initramfs         agent, crun and enter        -> artifacts/guest/initramfs.cpio
#   build.sh rehearsal         the image that guests started in advance try themselves on
#                                                           -> artifacts/guest/rehearsal.sqfs
#   build.sh guest             all of the above, with       -> artifacts/guest/artifacts.json
#   build.sh controlplane      the disk of a control plane member's machine, listed in artifacts.json, too
#                                                           -> artifacts/guest/control-plane.sqfs
#   build.sh demo OUTDIR       the demo image as an OCI layout, tag "demo"
#
# Everything is keyed by the content of what it is made from; what is there already
# is not made again. Slow results live in ${VKS_CACHE:-/var/cache/vks}.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(dirname "$here")
guest=$tree/artifacts/guest
. "$here/lib.sh"

usage() { sed -n '2,/^set/p' "$here/build.sh" | sed -n 's/^# \{0,1\}//p' >&2; exit 2; }

# timed WHAT FUNCTION: runs it and says how long it took
timed() {
    local began ended
    began=$(date +%s%N)
    part=$1
    "$2"
    ended=$(date +%s%N)
    say "done in $(((ended - began) / 1000000)) ms"
    part=images
}

# publish FILE NAME: FILE becomes artifacts/guest/NAME in one step, and only if it differs,
# so that a running guest or a template keeps the file that it was started from.
publish() {
    mkdir -p "$guest"
    if cmp -s "$1" "$guest/$2"; then return 0; fi
    cp "$1" "$guest/.$2.new"
    mv "$guest/.$2.new" "$guest/$2"
}

kernel() {
    kernel_dir=$("$here/kernel/build.sh")
    publish "$kernel_dir/vmlinux" vmlinux
    say "$guest/vmlinux, $(($(stat -c %s "$guest/vmlinux") / 1024)) KiB"
}

agent_sources() {
    (
        cd "$tree"
        # git would miss files that are not committed yet; find sees what dotnet sees.
        find images/agent runtime/Guest/Protocol Directory.Build.props Directory.Packages.props global.json \
            -type f -not -path '*/bin/*' -not -path '*/obj/*' -print0 | sort -z | xargs -0 sha256sum
        dotnet --version
    )
}

publish_agent() {
    say "dotnet publish (NativeAOT, about a minute)"
    nice dotnet publish "$tree/images/agent" -c Release -r linux-x64 -v quiet --nologo -o "$WORK/publish" >"$WORK/log" 2>&1 ||
        { tail -n 30 "$WORK/log" >&2; fail "dotnet publish of images/agent failed; its message is above"; }
    strip -s -o "$OUT/vks-agent" "$WORK/publish/vks-agent"
    case $(readelf -l "$OUT/vks-agent") in *INTERP*) fail "the agent came out dynamically linked; nothing in the initramfs could load it" ;; esac
    printf '{"name":"init","part":"agent","in":"initramfs.cpio","version":"%s","sha256":"%s","size":%d}\n' \
        "$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' "$tree/Directory.Build.props")" \
        "$(file_sha256 "$OUT/vks-agent")" "$(stat -c %s "$OUT/vks-agent")" >"$OUT/artifact.json"
}

agent() {
    command -v dotnet >/dev/null || fail "the .NET SDK is missing: no dotnet in PATH"
    local stamp; stamp=$(agent_sources | short_hash)
    agent_dir=$cache_root/agent/$stamp
    build_once "$agent_dir" publish_agent
    say "$agent_dir/vks-agent, $(($(stat -c %s "$agent_dir/vks-agent") / 1024)) KiB"
}

crun() { crun_dir=$("$here/crun/build.sh"); }

# No C library: its start would be most of what the program does. Nothing of the compiler's own may need one either.
write_enter() {
    gcc -O2 -Wall -Wextra -Werror -static -nostdlib -ffreestanding -fno-builtin -fno-pie -no-pie -fno-stack-protector -fcf-protection=none \
        -fno-asynchronous-unwind-tables -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack -o "$OUT/enter" "$here/enter/enter.c" ||
        fail "gcc could not build images/enter/enter.c; its message is above"
    strip -s "$OUT/enter"
    printf '{"name":"enter","part":"enter","in":"initramfs.cpio","version":"1","sha256":"%s","size":%d}\n' \
        "$(file_sha256 "$OUT/enter")" "$(stat -c %s "$OUT/enter")" >"$OUT/artifact.json"
}

enter() {
    local stamp; stamp=$({ sha256sum <"$here/enter/enter.c"; declare -f write_enter; gcc --version; } | short_hash)
    enter_dir=$cache_root/enter/$stamp
    build_once "$enter_dir" write_enter
}

# What the kernel needs before the agent runs: /dev/console for the agent's stdio, and
# the empty folders that the agent mounts on.
write_initramfs() {
    . "$here/newc.sh"
    local folder
    for folder in dev proc sys run etc root usr usr/bin var; do newc_dir "$folder" 755; done
    newc_dir tmp 1777
    newc_link bin usr/bin
    newc_link var/run ../run
    newc_chardev dev/console 600 5 1
    newc_chardev dev/null 666 1 3
    newc_file etc/passwd 644 "$here/initramfs/passwd"
    newc_file etc/group 644 "$here/initramfs/group"
    newc_file usr/bin/crun 755 "$crun_dir/crun"
    newc_file usr/bin/enter 755 "$enter_dir/enter"
    newc_file init 755 "$agent_dir/vks-agent"
    newc_end
}

initramfs() {
    [ -n "${agent_dir:-}" ] || timed agent agent
    part=initramfs
    crun
    enter
    mkdir -p "$guest"
    write_initramfs >"$guest/.initramfs.cpio.tmp"
    publish "$guest/.initramfs.cpio.tmp" initramfs.cpio
    rm -f "$guest/.initramfs.cpio.tmp"
    say "$guest/initramfs.cpio, $(($(stat -c %s "$guest/initramfs.cpio") / 1024)) KiB"
}

# A disk like those of images, with one small program and something to read. Everything that would make two builds
# differ is fixed, since the file is part of what is published.
write_rehearsal() {
    local root=$WORK/root
    mkdir -p "$root"
    gcc -Os -static -nostdlib -fno-stack-protector -fno-asynchronous-unwind-tables -Wl,--build-id=none -o "$root/program" "$here/rehearsal/program.c" ||
        fail "gcc could not build the rehearsal program"
    strip -s "$root/program"
    cp "$crun_dir/crun" "$root/data"
    chmod 755 "$root" "$root/program" && chmod 644 "$root/data"
    tar -C "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - . |
        tar2sqfs -q -f -c zstd -X level=3 -b 131072 -j 1 "$OUT/rehearsal.sqfs" || fail "tar2sqfs could not write the rehearsal image"
    printf '{"name":"rehearsal.sqfs","part":"rehearsal","version":"1","sha256":"%s","size":%d}\n' \
        "$(file_sha256 "$OUT/rehearsal.sqfs")" "$(stat -c %s "$OUT/rehearsal.sqfs")" >"$OUT/artifact.json"
}

rehearsal() {
    [ -n "${crun_dir:-}" ] || crun
    part=rehearsal
    command -v tar2sqfs >/dev/null || fail "tar2sqfs is missing: apt-get install squashfs-tools-ng"
    local stamp; stamp=$({ sha256sum <"$here/rehearsal/program.c"; declare -f write_rehearsal; echo "$crun_dir"; gcc --version; } | short_hash)
    rehearsal_dir=$cache_root/rehearsal/$stamp
    build_once "$rehearsal_dir" write_rehearsal
    publish "$rehearsal_dir/rehearsal.sqfs" rehearsal.sqfs
    say "$guest/rehearsal.sqfs, $(($(stat -c %s "$guest/rehearsal.sqfs") / 1024)) KiB"
}

# write_manifest: artifacts.json from one artifact a line on standard input
write_manifest() {
    local file=$guest/.artifacts.json.tmp
    mkdir -p "$guest"
    { printf '{\n  "artifacts": [\n'; sed 's/^/    /; $!s/$/,/'; printf '  ]\n}\n'; } >"$file"
    publish "$file" artifacts.json
    rm -f "$file"
}

# The artifacts of artifacts.json, one a line.
manifest() { if [ -e "$guest/artifacts.json" ]; then sed -n 's/^    \({.*}\),\{0,1\}$/\1/p' "$guest/artifacts.json"; fi; }

guest_artifacts() {
    cat "$kernel_dir/artifact.json" "$agent_dir/artifact.json" "$crun_dir/artifact.json" "$enter_dir/artifact.json"
    printf '{"name":"initramfs.cpio","part":"initramfs","version":"%s","sha256":"%s","size":%d}\n' \
        "$(sed -n 's/.*"version":"\([^"]*\)".*/\1/p' "$agent_dir/artifact.json")" \
        "$(file_sha256 "$guest/initramfs.cpio")" "$(stat -c %s "$guest/initramfs.cpio")"
    cat "$rehearsal_dir/artifact.json"
    # Built on its own, and as it was then.
    if [ -e "$guest/control-plane.sqfs" ]; then manifest | grep '"part":"controlplane"' || true; fi
}

guest() {
    timed kernel kernel
    timed initramfs initramfs
    timed rehearsal rehearsal
    # Whole before it is written: it reads what it replaces.
    local artifacts; artifacts=$(guest_artifacts)
    printf '%s\n' "$artifacts" | write_manifest
}

controlplane() {
    local folder
    folder=$("$here/controlplane/build.sh")
    publish "$folder/control-plane.sqfs" control-plane.sqfs
    local artifacts; artifacts=$(manifest | grep -v '"part":"controlplane"' || true; cat "$folder/artifact.json")
    printf '%s\n' "$artifacts" | sed '/^$/d' | write_manifest
}

demo() {
    out_dir=$(mkdir -p "$demo_out" && cd "$demo_out" && pwd)
    "$here/demo/build.sh" "$out_dir"
}

case ${1:-} in
    kernel)    [ $# -eq 1 ] || usage; timed kernel kernel ;;
    agent)     [ $# -eq 1 ] || usage; timed agent agent ;;
    initramfs) [ $# -eq 1 ] || usage; timed initramfs initramfs ;;
    rehearsal) [ $# -eq 1 ] || usage; timed rehearsal rehearsal ;;
    guest)     [ $# -eq 1 ] || usage; timed guest guest ;;
    controlplane) [ $# -eq 1 ] || usage; timed controlplane controlplane ;;
    demo)      [ $# -eq 2 ] || usage; demo_out=$2; timed demo demo ;;
    *)         usage ;;
esac
