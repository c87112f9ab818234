# Shared by the build scripts of this folder; sourced, not run.
export LC_ALL=C
cache_root=${VKS_CACHE:-/var/cache/vks}

# The name of the part that speaks; scripts set it.
part=${part:-images}

say() { printf '%s: %s\n' "$part" "$*" >&2; }
fail() { say "$*"; exit 1; }

# sixteen hex digits of what comes in on standard input
short_hash() { sha256sum | cut -c 1-16; }

file_sha256() { sha256sum "$1" | cut -d ' ' -f 1; }

# candidate PACKAGE: the version that apt would take
candidate() {
    local version
    version=$(apt-cache policy "$1" | sed -n 's/^  Candidate: //p')
    case $version in ''|'(none)') fail "apt knows no package $1. Do: apt-get update, and see that Debian's main section is enabled" ;; esac
    printf '%s' "$version"
}

# fetch_and_unpack FOLDER PACKAGE...: the packages' files under FOLDER. Nothing is
# installed: no maintainer script runs and no service starts.
fetch_and_unpack() {
    local folder=$1 debs; shift
    debs=$(mktemp -d "$folder.debs.XXXXXX")
    (cd "$debs" && apt-get download -q "$@" >log 2>&1) ||
        { tail -n 5 "$debs/log" >&2; rm -rf "$debs"; fail "apt-get download $* failed; its message is above. Do: apt-get update"; }
    local deb
    for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$folder"; done
    rm -rf "$debs"
}

# private_apt: an apt of the build's own in WORK, with the host's sources asked for source
# packages; /etc/apt stays as it is.
private_apt() {
    mkdir -p "$WORK/apt/sources" "$WORK/apt/lists/partial" "$WORK/apt/cache/archives/partial"
    local file
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -e "$file" ] || continue
        sed 's/^Types:.*/Types: deb-src/' "$file" >"$WORK/apt/sources/${file##*/}"
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -e "$file" ] || continue
        sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" >"$WORK/apt/sources/${file##*/}"
    done
    cat >"$WORK/apt/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$WORK/apt/sources";
Dir::State::lists "$WORK/apt/lists";
Dir::Cache "$WORK/apt/cache";
APT::Sandbox::User "root";
CONF
}

# fetch_source FOLDER PACKAGE=VERSION: the source package, unpacked and patched, in FOLDER.
# apt checks it against the signatures of the archive.
fetch_source() {
    private_apt
    (
        cd "$1"
        export APT_CONFIG=$WORK/apt/apt.conf
        apt-get -q update
        apt-get -q source --only-source "$2"
    ) >"$WORK/apt/log" 2>&1 || { tail -n 10 "$WORK/apt/log" >&2; fail "fetching the source package ${2/=/ } failed; its message is above"; }
}

# build_once FOLDER FUNCTION: FOLDER is made whole or not at all, by one builder at
# a time. FUNCTION gets an empty folder to fill (as OUT) and a scratch folder (as WORK);
# both go away when it fails or is interrupted.
build_once() {
    local out=$1 builder=$2 parent
    [ ! -e "$out" ] || return 0
    parent=$(dirname "$out")
    mkdir -p "$parent"
    (
        flock -n 9 || { say "another build is running, waiting for it"; flock 9; }
        [ ! -e "$out" ] || exit 0
        # The lock is ours, so whatever is here was left by a build that was killed.
        rm -rf "$parent"/.build.*
        scratch=$(mktemp -d "$parent/.build.XXXXXX")
        trap 'rm -rf "$scratch"' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM HUP
        mkdir "$scratch/out" "$scratch/work"
        # A server that a tool leaves behind (MSBuild does) must not keep the lock.
        OUT=$scratch/out WORK=$scratch/work "$builder" 9>&-
        chmod 755 "$scratch/out"
        mv "$scratch/out" "$out"
    ) 9>"$parent/.lock"
}
