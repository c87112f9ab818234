#!/usr/bin/env bash
# Finds, fetches or builds the programs of Kubernetes and prints the folder that holds
# them (the only line on standard output): kube-apiserver, kube-controller-manager,
# kube-scheduler, kubelet, kube-proxy, kubectl. In this order:
#
#   VKS_KUBE_BIN             a folder with all of them: it is printed, nothing is made
#   VKS_KUBE_RELEASE_URL     an official kubernetes-server-linux-amd64.tar.gz (https:// or
#   VKS_KUBE_RELEASE_SHA256  file://), taken only if it has this digest
#   otherwise                Debian 12's source package (1.20.2) with Debian's Go 1.19,
#                            about a quarter of an hour on two CPUs
#
# The last two are kept in ${VKS_CACHE:-/var/cache/vks}/kubernetes/<hash>/. Go and the
# sources are unpacked into the build's folder; nothing is installed, /etc/apt stays.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
part=kubernetes
. "$here/../lib.sh"

programs=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)

# Packages in the build from source, for the progress line only. A wrong number harms nothing.
expected_packages=2120

# whole FOLDER: says which programs it lacks; status 1 when there are any
whole() {
    local program missing=()
    for program in "${programs[@]}"; do [ -x "$1/$program" ] || missing+=("$program"); done
    [ "${#missing[@]}" -eq 0 ] || { say "$1 lacks ${missing[*]}"; return 1; }
}

write_artifact() {
    local version
    version=$("$OUT/kube-apiserver" --version) || fail "the new kube-apiserver does not run on this host"
    version=${version#Kubernetes v}
    printf '{"name":"kubernetes","part":"kubernetes","version":"%s","source":"%s"}\n' "$version" "$1" >"$OUT/artifact.json"
    say "$version in $(($(du -sk "$OUT" | cut -f 1) / 1024)) MiB, done in $((SECONDS / 60)):$(printf '%02d' $((SECONDS % 60)))"
}

release() {
    local program
    say "fetching $VKS_KUBE_RELEASE_URL"
    curl --fail --location --silent --show-error --retry 3 -o "$WORK/server.tar.gz" "$VKS_KUBE_RELEASE_URL" ||
        fail "fetching $VKS_KUBE_RELEASE_URL failed; curl's message is above"
    [ "$(file_sha256 "$WORK/server.tar.gz")" = "$VKS_KUBE_RELEASE_SHA256" ] ||
        fail "$VKS_KUBE_RELEASE_URL has the SHA-256 $(file_sha256 "$WORK/server.tar.gz"), not $VKS_KUBE_RELEASE_SHA256. Do: compare with the digest that the release notes name"
    tar -xzf "$WORK/server.tar.gz" -C "$WORK" --wildcards '*/server/bin/*'
    for program in "${programs[@]}"; do
        mv "$(find "$WORK" -path "*/server/bin/$program" | head -n 1)" "$OUT/" || fail "the archive holds no $program"
    done
    write_artifact "$VKS_KUBE_RELEASE_URL"
}

# Reads go's list of the packages it compiles, keeps the rest as the log, and writes a line that
# updates (or, without a terminal, a line every half minute).
show_progress() {
    local log=$1 built=0 shown=-1 every=1 line
    [ -t 2 ] || every=30
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$log"
        built=$((built + 1))
        [ $((SECONDS / every)) -ne "$shown" ] || continue
        shown=$((SECONDS / every))
        [ "$built" -le "$expected_packages" ] || expected_packages=$built
        line="$built of about $expected_packages packages, $((SECONDS / 60)):$(printf '%02d' $((SECONDS % 60)))"
        if [ "$every" -eq 1 ]; then printf '\r%s: %s ' "$part" "$line" >&2; else say "$line"; fi
    done
    [ "$every" -ne 1 ] || printf '\n' >&2
}

# go's output goes to WORK/log, and to the cache when it fails.
go_or_fail() {
    if ! nice go "$1" -v "${@:2}" 2>&1 >/dev/null | show_progress "$WORK/log"; then
        cp "$WORK/log" "$cache_root/kubernetes/failed.log"
        tail -n 15 "$WORK/log" >&2
        fail "go $1 failed; the whole output is in $cache_root/kubernetes/failed.log"
    fi
}

# The one generated file that Debian's source lacks, and that kube-apiserver cannot do without.
write_openapi() {
    local folders
    go_or_fail build -o "$WORK/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    # Twice the vendor folder: its entries are links, which grep -r follows only when they are named.
    folders=$({ grep -rl '+k8s:openapi-gen=' --include='*.go' vendor/k8s.io/*/ |
                    grep -v -e /code-generator/ -e /sample-apiserver/ -e /gengo/ -e /kube-openapi/
                printf '%s/\n' pkg/apis/abac/v0/x pkg/apis/abac/v1beta1/x; } | xargs -n 1 dirname | sort -u)
    nice "$WORK/openapi-gen" --logtostderr -i "$(printf 'k8s.io/kubernetes/%s,' $folders | sed 's/,$//')" \
        -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
        -h hack/boilerplate/boilerplate.generatego.txt -r "$WORK/violations" >>"$WORK/log" 2>&1 ||
        { tail -n 15 "$WORK/log" >&2; fail "openapi-gen failed; its message is above"; }
}

from_source() {
    local tree flags folder
    say "building Kubernetes $version from Debian's source package (this happens once)"
    mkdir "$WORK/go" "$WORK/source" "$WORK/path"
    fetch_and_unpack "$WORK/go" "$go_package-go" "$go_package-src" "$reflect_package"
    fetch_source "$WORK/source" "kubernetes=$package_version"
    # The tree builds only as a part of a GOPATH: as a module it asks for updates of go.mod.
    mkdir -p "$WORK/path/src/k8s.io"
    tree=$WORK/path/src/k8s.io/kubernetes
    mv "$WORK"/source/kubernetes-*/ "$tree"
    cd "$tree"
    # The vendored reflect2 calls into Go's maps as they were before Go 1.18: with a newer Go it writes to a stray address
    # whenever a map is tested for emptiness, and kube-apiserver dies of it once CustomResourceDefinitions are served.
    rm -rf vendor/github.com/modern-go/reflect2
    cp -r "$WORK/go/usr/share/gocode/src/github.com/modern-go/reflect2" vendor/github.com/modern-go/
    export PATH=$WORK/go/usr/lib/${go_package/lang/}/bin:$PATH GOROOT=$WORK/go/usr/lib/${go_package/lang/}
    export GOPATH=$WORK/path GOCACHE=${GOCACHE:-$WORK/gocache} GO111MODULE=off CGO_ENABLED=0 GOFLAGS=-trimpath GOTMPDIR=$WORK
    export HOME=$WORK GOENV=off
    write_openapi
    flags="-s -w"
    for folder in component-base client-go/pkg; do
        flags+=" -X k8s.io/kubernetes/vendor/k8s.io/$folder/version.gitVersion=v$version"
        flags+=" -X k8s.io/kubernetes/vendor/k8s.io/$folder/version.gitMajor=${version%%.*}"
        flags+=" -X k8s.io/kubernetes/vendor/k8s.io/$folder/version.gitMinor=$(cut -d . -f 2 <<<"$version")"
        flags+=" -X k8s.io/kubernetes/vendor/k8s.io/$folder/version.gitTreeState=archive"
    done
    # Neither the clients of cloud providers nor docker's: a third less to compile, and nothing of it used here.
    go_or_fail build -tags providerless,dockerless -ldflags "$flags" -o "$OUT/" "${programs[@]/#/./cmd/}"
    write_artifact "kubernetes $package_version"
}

if [ -n "${VKS_KUBE_BIN:-}" ]; then
    whole "$VKS_KUBE_BIN" || fail "VKS_KUBE_BIN must name a folder with ${programs[*]}"
    printf '%s\n' "$(cd "$VKS_KUBE_BIN" && pwd)"
    exit
fi

if [ -n "${VKS_KUBE_RELEASE_URL:-}" ]; then
    [[ ${VKS_KUBE_RELEASE_SHA256:-} =~ ^[0-9a-f]{64}$ ]] || fail "VKS_KUBE_RELEASE_SHA256 must be the 64 hex digits of the archive that VKS_KUBE_RELEASE_URL names"
    command -v curl >/dev/null || fail "cannot fetch: curl is missing. Do: apt-get install curl"
    builder=release
    out=$cache_root/kubernetes/$(printf '%s' "$VKS_KUBE_RELEASE_SHA256" | cut -c 1-16)
else
    # A rebuilt binary package (+b1) has the source of the version without that suffix.
    package_version=$(candidate kubernetes-client | sed 's/+b[0-9]*$//')
    version=$(sed -E 's/^.*really//; s/[-+].*$//' <<<"$package_version")
    go_package=golang-1.19
    reflect_package=golang-github-modern-go-reflect2-dev
    [ "${version%.*}" = 1.20 ] || fail "this Debian's Kubernetes is $version, for which there is no recipe here (1.20 of Debian 12 only). Do: set VKS_KUBE_RELEASE_URL and VKS_KUBE_RELEASE_SHA256, or VKS_KUBE_BIN"
    builder=from_source
    out=$cache_root/kubernetes/$({ declare -f from_source write_openapi; printf '%s\n' "$package_version" "$(candidate "$go_package-go")" "$(candidate "$reflect_package")"; } | short_hash)
fi
build_once "$out" "$builder"
whole "$out" || fail "remove $out and run this again"
printf '%s\n' "$out"
