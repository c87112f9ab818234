#!/usr/bin/env bash
# Builds the disk that a control plane member's machine runs from, and prints its folder: control-plane.sqfs, artifact.json.
#
# Debian's etcd, iproute2, perl and the tools beside them, unpacked and not installed, with all that they depend on;
# Kubernetes' server programs from images/kubernetes/build.sh; the Supervisor's program of this tree; vks-member, which
# the machine starts. Nothing of a cluster is in it: no name, no address, no key.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(cd "$here/../.." && pwd)
part=controlplane
. "$here/../lib.sh"

packages=(coreutils dash e2fsprogs etcd-server iproute2 libgcc-s1 libssl3 libstdc++6 mount perl-base procps tar util-linux zlib1g)
servers=(kube-apiserver kube-controller-manager kube-scheduler)

command -v dotnet >/dev/null || fail "the .NET SDK is missing: no dotnet in PATH"
command -v tar2sqfs >/dev/null || fail "tar2sqfs is missing: apt-get install squashfs-tools-ng"
kubernetes=$("$here/../kubernetes/build.sh")

supervisor_sources() {
    (
        cd "$tree"
        find supervisor spherelet/Protos/Machines Directory.Build.props Directory.Packages.props global.json -type f -not -name '*.md' -not -path '*/bin/*' -not -path '*/obj/*' -print0 |
            sort -z | xargs -0 sha256sum
        dotnet --version
    )
}

# What apt would install on a machine that has nothing: "ADDRESS FILE" of each package.
package_list() {
    local nothing=$1
    : >"$nothing"
    apt-get -o Dir::State::status="$nothing" -o APT::Sandbox::User=root install --print-uris -y --no-install-recommends "${packages[@]}" 2>&1 |
        sed -n "s/^'\(.*\)' \([^ ]*\) .*/\1 \2/p"
}

unpack_packages() {
    local root=$1 debs=$WORK/debs address name
    # The merged-/usr form that Debian has; the packages' files go through these links.
    mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$debs"
    for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
    [ -s "$WORK/list" ] || fail "apt finds no way to have ${packages[*]}. Do: apt-get update"
    apt-get -o Dir::State::status="$WORK/nothing" -o Dir::Cache::archives="$debs" -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
        install --download-only -y --no-install-recommends "${packages[@]}" >"$WORK/log" 2>&1 ||
        { tail -n 5 "$WORK/log" >&2; fail "apt-get could not fetch the packages; its message is above. Do: apt-get update"; }
    for name in "$debs"/*.deb; do
        dpkg-deb --fsys-tarfile "$name" | tar -x --keep-directory-symlink -C "$root"
    done
}

publish_supervisor() {
    say "dotnet publish (compiled ahead of time for its start, about a minute)"
    nice dotnet publish "$tree/supervisor" -c Release -r linux-x64 --self-contained -p:PublishReadyToRun=true -p:RunAnalyzers=false -v quiet --nologo \
        -o "$1" >"$WORK/log" 2>&1 || { tail -n 30 "$WORK/log" >&2; fail "dotnet publish of supervisor failed; its message is above"; }
    find "$1" \( -name '*.pdb' -o -name '*.xml' \) -delete
}

# version_of PROGRAM: as it says, "Kubernetes v1.20.2"
version_of() {
    local said; said=$("$kubernetes/$1" --version) || fail "$kubernetes/$1 does not say its version"
    printf '%s' "${said##* }"
}

write_disk() {
    local root=$WORK/root name
    umask 022
    say "building from ${#packages[@]} packages of Debian, $kubernetes and the tree's Supervisor"
    mkdir -p "$root"
    package_list "$WORK/nothing" >"$WORK/list"
    unpack_packages "$root"
    rm -rf "$root"/usr/share/{doc,man,info,locale,lintian,bash-completion,bug,i18n,zoneinfo} "$root"/var/{cache,lib,log} "$root"/etc/{cron*,systemd,init.d,default,apparmor*} \
        "$root"/usr/lib/{systemd,udev} "$root/boot"
    mkdir -p "$root"/{dev,proc,sys,run,root,tmp,etc,var/lib/vks-member,var/tmp,usr/lib/vks/kubernetes}
    chmod 1777 "$root/tmp" "$root/var/tmp"; chmod 700 "$root/root"
    # dpkg's scripts make these two; none is run here.
    ln -sf dash "$root/usr/bin/sh"
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\n' >"$root/etc/group"
    publish_supervisor "$root/usr/lib/vks/supervisor"
    for name in "${servers[@]}"; do install -m 755 "$kubernetes/$name" "$root/usr/lib/vks/kubernetes/$name"; done
    install -m 755 "$here/vks-member" "$root/usr/sbin/vks-member"
    for name in usr/bin/etcd usr/bin/perl usr/bin/setpriv usr/bin/setsid bin/ip sbin/e2fsck bin/mount bin/kill; do
        [ -x "$root/$name" ] || fail "the packages hold no /$name, which a member needs"
    done
    # What the image says of itself; the Spherelet tells it to whoever wants to put members on its host.
    printf '{"kube-apiserver":"%s","kube-controller-manager":"%s","kube-scheduler":"%s","etcd":"%s","supervisor":"%s"}\n' \
        "$(version_of kube-apiserver)" "$(version_of kube-controller-manager)" "$(version_of kube-scheduler)" \
        "$(sed -n 's:.*/etcd-server_\([^_]*\)_.*:\1:p' "$WORK/list" | sed 's/%2b/+/g; s/%3a/:/g' | head -n 1)" \
        "$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' "$tree/Directory.Build.props")" >"$root/usr/lib/vks/versions.json"
    tar -C "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - . |
        tar2sqfs -q -f -c zstd -X level=3 -b 131072 -j "$(nproc)" "$OUT/control-plane.sqfs" || fail "tar2sqfs could not write the disk"
    printf '{"name":"control-plane.sqfs","part":"controlplane","version":"%s","kubernetes":"%s","sha256":"%s","size":%d}\n' \
        "$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' "$tree/Directory.Build.props")" "$("$kubernetes/kube-apiserver" --version | sed 's/^Kubernetes v//')" \
        "$(file_sha256 "$OUT/control-plane.sqfs")" "$(stat -c %s "$OUT/control-plane.sqfs")" >"$OUT/artifact.json"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=$cache_root/controlplane/$({
    supervisor_sources
    cat "$here/vks-member"
    declare -f package_list unpack_packages publish_supervisor version_of write_disk
    printf '%s\n' "$kubernetes" "${packages[@]}"
    package_list "$scratch/nothing" | cut -d ' ' -f 2
} | short_hash)
build_once "$out" write_disk
say "$out/control-plane.sqfs, $(($(stat -c %s "$out/control-plane.sqfs") / 1048576)) MiB"
printf '%s\n' "$out"
