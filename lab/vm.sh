#!/usr/bin/env bash
# The lab's cluster on hosts of their own, virtual or real: the same programs and settings, with systemd in
# place of namespaces. The Vagrantfile calls it.
#
#   vm.sh certificates DIR       where the hosts are made: what they know each other by; DIR is copied to the first one
#   vm.sh control DIR NODES      on the first host, as root: builds everything, then control plane and registry
#   vm.sh node DIR NUMBER NODES  on each host, as root: makes it node NUMBER of NODES with programs from the first one
#                                (of DIR only ca.crt, token and kube-proxy.kubeconfig are needed)
#
# VKS_VM_NET are the first three numbers of the hosts' network [192.168.57]; host N has the address NET.(10 + N).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(dirname "$here")
export LC_ALL=C
lab_name=vm
lab_dir=/var/lib/vks-lab
lab_net=${VKS_VM_NET:-192.168.57}
control_ip=$lab_net.11
etcd_dir=/var/lib/etcd-vks
lab_containerd=0
files_port=8099
program_dir=/usr/local/lib/vks

say() { printf 'vm: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
usage() { sed -n 's/^#   //p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# What cluster.sh asks of a host: there is but this one.
on() { "${@:2}"; }
plug_in() { :; }
host_lib() { printf /var/lib; }

# start_part HOST PART COMMAND...: as a unit of systemd, now and at each boot
start_part() {
    local part=$2 program argument arguments=
    program=$(command -v "$3") || fail "there is no program $3"
    for argument in "${@:4}"; do arguments+=" \"$argument\""; done
    cat >"/etc/systemd/system/vks-$part.service" <<UNIT
[Unit]
Description=$part of the vks lab
After=network-online.target
Wants=network-online.target
[Service]
ExecStart=$program$arguments
Restart=always
RestartSec=2
[Install]
WantedBy=multi-user.target
UNIT
    systemctl daemon-reload
    systemctl enable --quiet --now "vks-$part.service"
}

. "$here/cluster.sh"
. "$here/pki.sh"

forward() {
    echo 'net.ipv4.ip_forward = 1' >/etc/sysctl.d/90-vks-lab.conf
    echo 1 >/proc/sys/net/ipv4/ip_forward
}

# take_pki DIR: where no other user reads it
take_pki() {
    [ -s "$1/ca.crt" ] || fail "$1/ca.crt is missing. Do: copy the folder that 'vm.sh certificates' made to this host"
    mkdir -p "$lab_dir/control"
    (umask 077 && mkdir -p "$pki" && cp "$1"/* "$pki/")
}

certificates() {
    pki=$1
    make_pki
}

control() {
    take_pki "$1"
    "$tree/vks" build
    node_count=$2
    kube=$("$tree/images/kubernetes/build.sh")
    kube_minor=$("$kube/kube-apiserver" --version | sed -E 's/.*v1\.([0-9]+).*/\1/')
    supervisor=$tree/artifacts/publish/Vks.Supervisor/release/supervisor
    cp "$pki/admin.kubeconfig" "$lab_dir/kubeconfig"
    install -m 755 "$kube/kubectl" /usr/local/bin/kubectl
    mkdir -p /root/.kube && install -m 600 "$pki/admin.kubeconfig" /root/.kube/config
    forward
    start_registry
    push_demo
    start_control_plane
    allow_joining
    start_metrics
    serve_files
    start_part control register "$here/vm.sh" register "$node_count"
    say "the control plane runs on $control_ip; the other hosts can join"
}

# The nodes' programs, which hold no secret, for hosts without a build of their own.
serve_files() {
    local folder=/srv/vks-lab
    mkdir -p "$folder"
    cp "$tree/artifacts/guest/vmlinux" "$tree/artifacts/guest/initramfs.cpio" "$tree/artifacts/guest/artifacts.json" \
        "$tree/artifacts/publish/Vks.Spherelet/release_linux-x64/spherelet" "$kube/kubelet" "$kube/kube-proxy" "$folder/"
    start_part control files python3 -m http.server "$files_port" --bind "$control_ip" --directory "$folder"
}

# Waits for the nodes and gives them what only an administrator may; then it stays, as units with Restart=always should.
register_all() {
    node_count=$1 kube=/usr/local/bin pki=$lab_dir/pki
    register
    make_runtime_classes
    say "all $node_count nodes have registered"
    exec sleep infinity
}

node() {
    local number=$2 name=node-$2 program
    node_count=$3
    take_pki "$1"
    "$tree/vks" packages
    mkdir -p "$program_dir" /usr/lib/vks/guest /etc/vks
    for program in spherelet kubelet kube-proxy vmlinux initramfs.cpio artifacts.json; do
        curl --fail --silent --show-error --retry 30 --retry-connrefused --retry-delay 2 -o "$program_dir/$program" "http://$control_ip:$files_port/$program" ||
            fail "http://$control_ip:$files_port/$program could not be fetched; curl's message is above. Does the first host's control plane run?"
    done
    chmod 755 "$program_dir"/{spherelet,kubelet,kube-proxy}
    mv "$program_dir"/{vmlinux,initramfs.cpio,artifacts.json} /usr/lib/vks/guest/
    install -m 755 "$program_dir/spherelet" "$program_dir/kubelet" /usr/local/bin/
    printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$registry" >/etc/vks/registries.conf
    printf '{ "registriesConf": "/etc/vks/registries.conf" }\n' >/etc/vks/spherelet.json
    forward
    wire_node "$number"
    spherelet join --server "https://$control_ip:6443" --token "@$pki/token" --ca-file "$pki/ca.crt" \
        --node-name "$name" --node-ip "$(node_ip "$number")" --zone "zone-$number" --pod-cidr "$(node_pod_cidr "$number")" --kubelet /usr/local/bin/kubelet
    kube=$program_dir
    start_proxy "$number"
    say "$name joins"
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
    certificates) [ $# -eq 1 ] || usage; certificates "$1" ;;
    control) [ $# -eq 2 ] || usage; control "$1" "$2" ;;
    register) [ $# -eq 1 ] || usage; register_all "$1" ;;
    node) [ $# -eq 3 ] || usage; node "$1" "$2" "$3" ;;
    *) usage ;;
esac
