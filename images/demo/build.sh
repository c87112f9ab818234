#!/usr/bin/env bash
# Builds the demo image: busybox and lighttpd from Debian packages, as an OCI layout.
#
#   build.sh OUTDIR    OUTDIR becomes an OCI layout with one image, tag "demo"
#
# Three layers: the base (busybox and its names), the web server with the libraries it
# loads, and our page. The packages are unpacked, never installed, so no server starts here.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
part=demo
. "$here/../lib.sh"

[ $# -eq 1 ] || fail "usage: build.sh OUTDIR"
out=$1

versions=$(printf '%s %s' "busybox-static $(candidate busybox-static)" "lighttpd $(candidate lighttpd)")
layout=$cache_root/demo/$({ cat "$here"/* "$here/../lib.sh"; printf '%s\n' "$versions"; } | short_hash)

# The libraries that apt's lighttpd asks for, by Debian's names, which differ by release.
library_packages() {
    apt-cache show --no-all-versions lighttpd | sed -n 's/^Depends: //p' | head -n 1 | tr ',|' '\n\n' |
        sed -n 's/^ *\(lib[a-z0-9.+-]*\).*/\1/p' | sort -u
}

# add_libraries ROOT PROGRAM...: copies what the programs load, and what that loads in turn
add_libraries() {
    local root=$1 file name found queue=("${@:2}")
    while [ "${#queue[@]}" -gt 0 ]; do
        file=${queue[0]}; queue=("${queue[@]:1}")
        while IFS= read -r name; do
            [ ! -e "$root/usr/lib/x86_64-linux-gnu/$name" ] || continue
            found=$(find "$WORK/packages" -name "$name" | head -n 1)
            [ -n "$found" ] || fail "$(basename "$file") needs $name, which none of the packages holds"
            install -D -m 644 "$found" "$root/usr/lib/x86_64-linux-gnu/$name"
            queue+=("$found")
        done < <(readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    done
}

base_layer() {
    local root=$1 name
    # The merged-/usr form that Debian has.
    mkdir -p "$root"/{dev,etc,proc,root,run,sys,usr/bin,usr/sbin,usr/lib,usr/lib64,var/www}
    mkdir -p "$root/var/tmp"; mkdir -m 1777 "$root/tmp"; chmod 1777 "$root/var/tmp"
    ln -s usr/bin "$root/bin"; ln -s usr/sbin "$root/sbin"; ln -s usr/lib "$root/lib"; ln -s usr/lib64 "$root/lib64"
    install -m 755 "$(find "$WORK/packages" -path '*bin/busybox' -type f)" "$root/usr/bin/busybox"
    for name in $("$root/usr/bin/busybox" --list); do
        [ "$name" = busybox ] || ln -s busybox "$root/usr/bin/$name"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/false\n' >"$root/etc/passwd"
    printf 'root:x:0:\nwww-data:x:33:\n' >"$root/etc/group"
}

server_layer() {
    local root=$1 name modules=$WORK/packages/usr/lib/lighttpd loader
    install -D -m 755 "$WORK/packages/usr/sbin/lighttpd" "$root/usr/sbin/lighttpd"
    for name in mod_indexfile mod_staticfile; do
        # Newer lighttpd has these built in.
        [ ! -e "$modules/$name.so" ] || install -D -m 644 "$modules/$name.so" "$root/usr/lib/lighttpd/$name.so"
    done
    add_libraries "$root" "$root/usr/sbin/lighttpd"
    loader=$(find "$WORK/packages" -name ld-linux-x86-64.so.2 -type f | head -n 1)
    install -D -m 755 "$loader" "$root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    mkdir -p "$root/usr/lib64"
    ln -s ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$root/usr/lib64/ld-linux-x86-64.so.2"
}

page_layer() {
    install -D -m 755 "$here/start" "$1/usr/local/bin/start"
    install -D -m 644 "$here/lighttpd.conf" "$1/etc/lighttpd/lighttpd.conf"
}

# store FILE: moves it among the blobs and prints "digest size"
store() {
    local digest size
    digest=$(file_sha256 "$1"); size=$(stat -c %s "$1")
    mv "$1" "$OUT/blobs/sha256/$digest"
    printf 'sha256:%s %s' "$digest" "$size"
}

# add_layer NAME: packs WORK/NAME; fixed owner, time and order give the same bytes each time
add_layer() {
    local digest size
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --format=posix \
        --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime -C "$WORK/$1" -cf "$WORK/$1.tar" .
    diff_ids+="${diff_ids:+,}\"sha256:$(file_sha256 "$WORK/$1.tar")\""
    gzip -n -6 "$WORK/$1.tar"
    read -r digest size <<<"$(store "$WORK/$1.tar.gz")"
    layers+="${layers:+,}{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"$digest\",\"size\":$size}"
}

build() {
    local diff_ids= layers= config_digest config_size digest size name
    umask 022
    say "building from $versions"
    mkdir -p "$WORK/packages" "$OUT/blobs/sha256"
    # shellcheck disable=SC2046
    fetch_and_unpack "$WORK/packages" busybox-static lighttpd $(library_packages)
    for name in base server page; do
        mkdir "$WORK/$name"
        "${name}_layer" "$WORK/$name"
        add_layer "$name"
    done
    printf '{"created":"1970-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{"ExposedPorts":{"80/tcp":{}},"Env":["PATH=/usr/local/bin:/usr/sbin:/usr/bin"],"Entrypoint":["/usr/local/bin/start"],"WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
        "$diff_ids" >"$WORK/config"
    read -r config_digest config_size <<<"$(store "$WORK/config")"
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[%s]}' \
        "$config_digest" "$config_size" "$layers" >"$WORK/manifest"
    read -r digest size <<<"$(store "$WORK/manifest")"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"demo"}}]}' \
        "$digest" "$size" >"$OUT/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$OUT/oci-layout"
}

build_once "$layout" build
mkdir -p "$out"
cp -r "$layout/blobs" "$layout/oci-layout" "$out/"
cp "$layout/index.json" "$out/.index.json.new"
mv "$out/.index.json.new" "$out/index.json"
say "$out, tag demo, $(du -sk "$layout" | cut -f 1) KiB"
