#!/usr/bin/env bash
# Builds the guest kernel from Debian's linux-source package and prints the
# folder that holds it (the only line on standard output).
#
#   build.sh           build, or find, the kernel of this tree
#   build.sh --where   print that folder and build nothing; status 1 if it is not built
#
# The result lives at ${VKS_CACHE:-/var/cache/vks}/kernel/<hash>/ and holds
# vmlinux, config, System.map and artifact.json. <hash> covers everything that
# decides the bytes: both config fragments, this script, the versions of the
# source package, the compiler and the linker. A folder with that name is always
# whole: it is built elsewhere and renamed.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${VKS_CACHE:-/var/cache/vks}/kernel
source_dir=${VKS_KERNEL_SOURCE_DIR:-/usr/src}

# Objects in a build, for the progress line only. A wrong number harms nothing.
declare -A expected_objects=([6.1]=1620 [6.12]=1800)

say() { printf '%s\n' "$*" >&2; }
fail() { say "kernel: $*"; exit 1; }

# The newest unpackable source for which this folder has a config.
find_source() {
    local tarball version best=
    for tarball in "$source_dir"/linux-source-*.tar.xz; do
        [ -e "$tarball" ] || continue
        version=${tarball##*/linux-source-}; version=${version%.tar.xz}
        [ -e "$here/config-$version" ] || continue
        if [ -z "$best" ] || [ "$(printf '%s\n%s\n' "$best" "$version" | sort -V | tail -n 1)" = "$version" ]; then
            best=$version
        fi
    done
    [ -n "$best" ] || fail "no kernel source: looked for $source_dir/linux-source-{$(configured_versions)}.tar.xz. Do: apt-get install linux-source"
    printf '%s' "$best"
}

configured_versions() {
    local file list=
    for file in "$here"/config-*; do list+="${list:+,}${file##*/config-}"; done
    printf '%s' "$list"
}

need_tools() {
    local pair missing=()
    for pair in gcc:gcc make:make flex:flex bison:bison bc:bc xz:xz-utils ld:binutils flock:util-linux; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
    done
    # objtool, which the Spectre and Retbleed mitigations need, links with libelf.
    echo '#include <gelf.h>' | gcc -E - >/dev/null 2>&1 || missing+=(libelf-dev)
    [ "${#missing[@]}" -eq 0 ] || fail "cannot build: missing tools. Do: apt-get install ${missing[*]}"
}

# Reads make's output, writes a line that updates (or, without a terminal, a line
# every half minute): objects built, estimated total, time since the start.
show_progress() {
    local total=$1 built=0 shown=-1 began=$SECONDS line elapsed every=1
    [ -t 2 ] || every=30
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$2"
        case $line in '  CC '*|'  AS '*) built=$((built + 1)) ;; esac
        elapsed=$((SECONDS - began))
        if [ $((elapsed / every)) -ne "$shown" ]; then
            shown=$((elapsed / every))
            [ "$built" -le "$total" ] || total=$built
            if [ "$every" -eq 1 ]; then
                printf '\rkernel: %d of about %d objects, %d:%02d ' "$built" "$total" $((elapsed / 60)) $((elapsed % 60)) >&2
            else
                say "kernel: $built of about $total objects, $((elapsed / 60)):$(printf '%02d' $((elapsed % 60)))"
            fi
        fi
    done
    [ "$every" -ne 1 ] || printf '\n' >&2
}

# Every option that the fragments ask for must still be there: Kconfig drops an
# option without a word when something that it depends on is missing.
verify_config() {
    local line lost=()
    while IFS= read -r line; do
        grep -qxF "$line" "$2" || lost+=("${line%%=*}")
    done < <(grep -E '^CONFIG_[A-Z0-9_]+=' "$1")
    [ "${#lost[@]}" -eq 0 ] || fail "Linux $version does not accept these options (renamed, or a dependency is off): ${lost[*]}"
}

version=$(find_source)
package=linux-source-$version
package_version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null) ||
    package_version=$(sha256sum "$source_dir/$package.tar.xz" | cut -c 1-16)
compiler=$(gcc -dumpfullversion 2>/dev/null || echo none)
linker=$(ld --version 2>/dev/null | head -n 1 || true)
hash=$({ cat "$here/config" "$here/config-$version" "$here/build.sh"
         printf '%s\n' "$package_version" "$compiler" "$linker"; } | sha256sum | cut -c 1-16)
out=$cache/$hash

if [ "${1:-}" = --where ]; then
    printf '%s\n' "$out"
    [ -e "$out/vmlinux" ]; exit
fi
[ $# -eq 0 ] || fail "unknown argument '$1' (only --where is known)"

if [ ! -e "$out/vmlinux" ]; then
    need_tools
    mkdir -p "$cache"
    exec 9>"$cache/.lock"
    if ! flock -n 9; then
        say "kernel: another build is running, waiting for it"
        flock 9
    fi
fi

if [ ! -e "$out/vmlinux" ]; then
    # We hold the lock, so whatever is here was left by a build that was killed.
    rm -rf "$cache"/.build.*
    free_kib=$(df --output=avail -k "$cache" | tail -n 1)
    [ "$free_kib" -ge 2500000 ] || fail "building needs 2.4 GiB in $cache, $((free_kib / 1024)) MiB are free"

    work=$(mktemp -d "$cache/.build.XXXXXX")
    # Ends the whole build when this script is interrupted, and leaves no files.
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    say "kernel: building Linux from $package $package_version with gcc $compiler (this happens once)"
    began=$SECONDS
    mkdir "$work/src" "$work/obj" "$work/out"
    tar -xJf "$source_dir/$package.tar.xz" -C "$work/src" --strip-components=1

    # Nothing of the host or the hour enters the image.
    export KBUILD_BUILD_USER=vks KBUILD_BUILD_HOST=vks KBUILD_BUILD_VERSION=1
    KBUILD_BUILD_TIMESTAMP=$(date -u -d "@$(stat -c %Y "$source_dir/$package.tar.xz")" '+%Y-%m-%d %H:%M:%S UTC')
    export KBUILD_BUILD_TIMESTAMP

    cat "$here/config" "$here/config-$version" >"$work/fragment"
    KCONFIG_ALLCONFIG=$work/fragment make -s -C "$work/src" O="$work/obj" allnoconfig >"$work/log" 2>&1 ||
        { tail -n 20 "$work/log" >&2; fail "make allnoconfig failed"; }
    make -s -C "$work/src" O="$work/obj" olddefconfig >>"$work/log" 2>&1
    verify_config "$work/fragment" "$work/obj/.config"

    jobs=$(nproc)
    if ! nice make -C "$work/obj" -j"$jobs" vmlinux 2>&1 9>&- | show_progress "${expected_objects[$version]:-1800}" "$work/log"; then
        cp "$work/log" "$cache/failed.log"
        grep -E 'error|Error|undefined reference' "$work/log" | head -n 20 >&2 || tail -n 20 "$work/log" >&2
        fail "make vmlinux failed; the whole output is in $cache/failed.log"
    fi

    # QEMU reads the whole file at each start: no symbol table in it.
    strip -s -o "$work/out/vmlinux" "$work/obj/vmlinux"
    readelf -n "$work/out/vmlinux" | grep -q Xen || fail "vmlinux has no PVH entry note; QEMU could not boot it"
    cp "$work/obj/.config" "$work/out/config"
    cp "$work/obj/System.map" "$work/out/System.map"
    release=$(cat "$work/obj/include/config/kernel.release")
    digest=$(sha256sum "$work/out/vmlinux" | cut -d ' ' -f 1)
    printf '{"name":"vmlinux","part":"kernel","version":"%s","source":"%s %s","sha256":"%s","size":%d}\n' \
        "$release" "$package" "$package_version" "$digest" "$(stat -c %s "$work/out/vmlinux")" >"$work/out/artifact.json"
    chmod 755 "$work/out"
    rm -rf "$out"
    mv "$work/out" "$out"
    elapsed=$((SECONDS - began))
    say "kernel: $release, $(($(stat -c %s "$out/vmlinux") / 1024)) KiB, built in $((elapsed / 60)):$(printf '%02d' $((elapsed % 60)))"
fi
printf '%s\n' "$out"
