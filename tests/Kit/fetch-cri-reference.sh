#!/usr/bin/env bash
# Brings the CRI definition that Debian ships, for the test that compares it with ours. Prints the path of a descriptor set.
# Usage: fetch-cri-reference.sh PACKAGE SUITE PROTOC
# apt works on lists and a cache of its own below the cache directory, so nothing of the host's apt changes.
set -euo pipefail

package=$1 suite=$2 protoc=$3
cache=${VKS_CACHE:-/var/cache/vks}/cri-reference/$package-$suite
if [ -s "$cache/api.pb" ]; then
    echo "$cache/api.pb"
    exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/state/lists/partial "$work"/cache/archives/partial "$work"/tree "$work"/none
touch "$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" > "$work/sources.list"
apt=(-qq
    -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache"
    -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts="$work/none"
    -o Acquire::Languages=none -o APT::Sandbox::User=root)
apt-get "${apt[@]}" update >&2
(cd "$work" && apt-get "${apt[@]}" download "$package" >&2)
dpkg-deb -x "$work"/"$package"_*.deb "$work/tree"

# Options of the Go generator and of newer compilers say nothing of the wire, and their definitions are not at hand.
source=$(find "$work/tree" -path '*/apis/runtime/v1/api.proto' | head -n 1)
[ -n "$source" ] || { echo "$package of $suite has no apis/runtime/v1/api.proto" >&2; exit 1; }
sed -e '/gogoproto\|gogo\.proto/d' -e 's/ *\[ *debug_redact *= *true *\]//' "$source" > "$work/api.proto"
"$protoc" --proto_path="$work" --descriptor_set_out="$work/api.pb" api.proto >&2
mv "$work/api.pb" "$cache/api.pb"
echo "$cache/api.pb"
