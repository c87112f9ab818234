#!/usr/bin/env bash
# A Kubernetes cluster of one to three nodes on this machine, or of three zones; `./vks lab` calls it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(dirname "$here")
export LC_ALL=C

# Two labs on one machine differ in name and number; the number chooses addresses and user ids.
lab_name=${VKS_LAB_NAME:-lab}
lab_number=${VKS_LAB_NUMBER:-0}
lab_dir=${VKS_LAB_DIR:-/var/lib/vks-$lab_name}
lab_net=10.201.$lab_number
control_ip=$lab_net.1
# The data of a lab need not outlive it: in memory, where no disk delays an answer.
etcd_dir=/run/etcd
# For this script, not for what it starts.
export -n VKS_LAB_NAME VKS_LAB_NUMBER VKS_LAB_DIR VKS_LAB_DISK_MIB VKS_LAB_CONTAINERD VKS_SUPERVISOR
# A node whose pods and images lie on a small disk of its own, of so many MiB; 0 is this machine's disk.
lab_disk_mib=${VKS_LAB_DISK_MIB:-0}
# The number of a node whose pods are containers of containerd and runc, to compare with; 0 is none.
lab_containerd=${VKS_LAB_CONTAINERD:-0}

say() { printf 'lab: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
step() { printf 'lab: %3d s  %s\n' "$SECONDS" "$*" >&2; }

usage() {
    cat >&2 <<EOF
usage: ./vks lab COMMAND

  up [NODES]           a cluster of one to three nodes [1]; takes over from an interrupted one
  up --zones 3         three zones, in each a node and a member of the control plane; a floating address; a Supervisor
  down                 ends it; nothing stays
  status               what runs, and the nodes
  kubectl ARGUMENTS    kubectl on it
  shell HOST           a shell on control, node-1, …, member-1, …
  stop HOST PART       ends one program: etcd, kube-apiserver, spherelet, kubelet, kube-proxy, …, or all of a member: member-1 member
  start HOST PART      starts it again

The cluster's kubeconfig:  export KUBECONFIG=$lab_dir/kubeconfig
Images for it:             skopeo copy --dest-tls-verify=false … docker://$lab_net.1:5000/NAME
Another lab beside it:     VKS_LAB_NAME=two VKS_LAB_NUMBER=1 ./vks lab up
Nodes with a small disk:   VKS_LAB_DISK_MIB=3072 ./vks lab up
A node to compare with:    VKS_LAB_CONTAINERD=2 ./vks lab up 2    (node-2 runs containerd and runc)
EOF
    exit 2
}

[[ $lab_name =~ ^[a-z0-9][a-z0-9-]{0,9}$ ]] || fail "VKS_LAB_NAME must be one to ten small letters, digits and '-'"
[[ $lab_number =~ ^[0-9]$ ]] || fail "VKS_LAB_NUMBER must be one digit"
[[ $lab_disk_mib =~ ^[0-9]{1,7}$ ]] || fail "VKS_LAB_DISK_MIB must be a number of MiB"
[[ $lab_containerd =~ ^[0-3]$ ]] || fail "VKS_LAB_CONTAINERD must be the number of a node"
. "$here/hosts.sh"
. "$here/cluster.sh"
. "$here/pki.sh"
. "$here/zones.sh"

# Three zones have a control plane of their own kind: elsewhere, and with authorities of its own.
choose_control_plane() {
    if [ "$zone_count" -gt 0 ]; then
        api_ip=$floating_ip pki=$supervisor_dir/pki
    else
        api_ip=$control_ip pki=$lab_dir/pki
    fi
}

# What the cluster was made with stays what it runs with.
load_settings() {
    [ -e "$lab_dir/settings" ] || fail "there is no lab '$lab_name'. Do: ./vks lab up"
    zone_count=0
    . "$lab_dir/settings"
    choose_control_plane
}

save_settings() {
    printf '%s=%q\n' node_count "$node_count" zone_count "$zone_count" kube "$kube" kube_minor "$kube_minor" spherelet "$spherelet" supervisor "$supervisor" guest_dir "$guest_dir" lab_containerd "$lab_containerd" >"$lab_dir/settings"
}

# What programs on the hosts change of this machine, since these settings are everybody's.
machine_settings="vm/overcommit_memory kernel/panic kernel/panic_on_oops net/ipv4/ip_forward"

save_machine() {
    local name
    for name in $machine_settings; do printf '%s %s\n' "$name" "$(cat "/proc/sys/$name")"; done >"$lab_dir/machine.before"
    echo 1 >/proc/sys/net/ipv4/ip_forward
    iptables -t nat -A POSTROUTING -s "$lab_net.0/24" ! -d "$lab_net.0/24" -j MASQUERADE
}

restore_machine() {
    local name value
    while iptables -t nat -D POSTROUTING -s "$lab_net.0/24" ! -d "$lab_net.0/24" -j MASQUERADE 2>/dev/null; do :; done
    [ -e "$lab_dir/machine.before" ] || return 0
    while read -r name value; do
        [ "$(cat "/proc/sys/$name")" = "$value" ] || echo "$value" >"/proc/sys/$name"
    done <"$lab_dir/machine.before"
}

hosts() {
    local number
    printf 'control\n'
    members
    for ((number = 1; number <= node_count; number++)); do printf 'node-%d\n' "$number"; done
}

start_node() {
    join_node "$1"
    await_runtime "$1"
    start_kubelet "$1"
    start_proxy "$1"
}

healthy() {
    local host
    for host in $(hosts); do host_pid "$host" >/dev/null || return 1; done
    nodes_ready 2>/dev/null
}

bring_control_plane_up() {
    if [ "$zone_count" -gt 0 ]; then
        step "control plane: three members, Kubernetes 1.$kube_minor"
        start_members
        make_client_pki
        install -m 600 "$supervisor_dir/kubeconfig" "$lab_dir/kubeconfig"
    else
        step "control plane: Kubernetes 1.$kube_minor"
        make_pki
        install -m 600 "$pki/admin.kubeconfig" "$lab_dir/kubeconfig"
        start_control_plane
    fi
}

up() {
    local number host
    zone_count=0
    if [ "${1:-}" = --zones ]; then
        [ "${2:-}" = 3 ] || fail "a lab has three zones, or none: --zones 3"
        zone_count=3
        set -- "${3:-3}"
        [ "$1" = 3 ] || fail "three zones have a node each: '$1' nodes do not fit"
    fi
    node_count=${1:-1}
    [[ $node_count =~ ^[1-3]$ ]] || fail "a lab has one to three nodes, not '$node_count'"
    local wanted=$node_count wanted_zones=$zone_count wanted_containerd=$lab_containerd
    if [ -e "$lab_dir/settings" ]; then
        load_settings
        if [ "$node_count $zone_count $lab_containerd" = "$wanted $wanted_zones $wanted_containerd" ] && healthy; then show; return; fi
        step "taking down what an earlier lab left"
        down
    fi
    node_count=$wanted zone_count=$wanted_zones lab_containerd=$wanted_containerd
    choose_control_plane
    kube=$("$tree/images/kubernetes/build.sh")
    kube_minor=$("$kube/kube-apiserver" --version | sed -E 's/.*v1\.([0-9]+).*/\1/')
    spherelet=${VKS_SPHERELET:-$tree/artifacts/publish/Vks.Spherelet/release_linux-x64/spherelet}
    supervisor=${VKS_SUPERVISOR:-$tree/artifacts/publish/Vks.Supervisor/release/supervisor}
    guest_dir=${VKS_GUEST_DIR:-$tree/artifacts/guest}
    if [ "$lab_containerd" -gt 0 ] && ! { command -v containerd && command -v runc; } >/dev/null; then
        fail "a node with containerd needs containerd and runc. Do: apt-get install containerd runc"
    fi
    [ -x "$spherelet" ] || fail "$spherelet is missing. Do: ./vks lab up (which builds it), or name one with VKS_SPHERELET"
    [ -x "$supervisor" ] || fail "$supervisor is missing. Do: ./vks lab up (which builds it), or name one with VKS_SUPERVISOR"
    SECONDS=0
    mkdir -p "$lab_dir"
    save_settings
    save_machine
    step "hosts: $(hosts | tr '\n' ' ')"
    for host in $(hosts); do start_host "$host"; done
    start_fabric
    for ((number = 1; number <= node_count; number++)); do
        wire_node "$number"
        make_node_cgroup "$number"
        start_runtime "$number"
    done
    start_registry
    bring_control_plane_up
    step "nodes"
    allow_joining
    for ((number = 1; number <= node_count; number++)); do start_node "$number"; done
    push_demo
    register
    [ "$zone_count" -gt 0 ] || make_runtime_classes
    start_metrics
    wait_until 240 "all nodes are Ready" nodes_ready
    wait_until 240 "the default service account" kubectl get serviceaccount default
    step "ready"
    show
}

show() {
    kubectl get nodes -o wide
    [ "$zone_count" -eq 0 ] || { echo; kubectl get supervisors,availabilityzones,hosts.supervisor.vks.dev; }
    cat <<EOF

  export KUBECONFIG=$lab_dir/kubeconfig
  ./vks lab kubectl create deployment web --image $registry/vks/demo:latest --replicas 3
EOF
}

down() {
    local host number folder
    if [ -e "$lab_dir/settings" ]; then
        load_settings
        # Machines leave their control groups only when somebody removes them: a kubelet would start new ones, so it goes first.
        for ((number = 1; number <= node_count; number++)); do
            host=node-$number
            host_pid "$host" >/dev/null || continue
            { end_part "$host" kubelet
              if runs_containerd "$number"; then
                  end_part "$host" containerd
              else
                  end_part "$host" spherelet
                  on "$host" "$spherelet" drain || say "the spherelet of $host could not remove its pods; they are killed"
              fi; } &
        done
        wait
        for host in $(hosts); do
            list_machines "$host" >>"$lab_dir/machines.left"
            end_host "$host"
        done
    fi
    # Deletes with its peer, which went with "control"; here for a lab that was interrupted before.
    ip link delete "$host_link" 2>/dev/null || true
    if [ -d "$lab_dir" ]; then
        remove_machine_cgroups
        restore_machine
        rm -rf --one-file-system "$lab_dir"
    fi
    remove_cgroups
}

# list_machines HOST: those that its spherelet knows. What it has on a small disk of its own is seen through its process.
list_machines() {
    local root folder
    root=$lab_dir/$1/lib
    ! host_pid "$1" >/dev/null || root=/proc/$(host_pid "$1")/root/var/lib
    for folder in "$root"/vks/machines/*/; do [ ! -d "$folder" ] || basename "$folder"; done
}

# Of machines that were killed with their host.
remove_machine_cgroups() {
    local machine group
    [ -e "$lab_dir/machines.left" ] || return 0
    sort -u "$lab_dir/machines.left" | while read -r machine; do
        for group in $(find /sys/fs/cgroup -maxdepth 6 -type d -path "*/vks/$machine"); do rmdir "$group" || true; done
    done
}

status() {
    local host file part state
    [ -e "$lab_dir/settings" ] || { echo "there is no lab '$lab_name'"; return; }
    load_settings
    for host in $(hosts); do
        for file in "$lab_dir/$host"/*.log; do
            part=$(basename "$file" .log)
            [ "$part" != host ] || continue
            state=stopped
            part_alive "$host" "$part" && state=running
            printf '%-9s %-24s %-8s %s\n' "$host" "$part" "$state" "$file"
        done
    done
    [ "$zone_count" -eq 0 ] || show_members
    echo
    kubectl get nodes -o wide || true
}

start_one() {
    case $1/$2 in
        node-[1-3]/spherelet | node-[1-3]/containerd) start_runtime "${1#node-}"; await_runtime "${1#node-}" ;;
        node-[1-3]/kubelet) start_kubelet "${1#node-}" ;;
        node-[1-3]/kube-proxy) start_proxy "${1#node-}" ;;
        control/registry) start_registry ;;
        control/metrics) start_metrics ;;
        member-[1-3]/member) start_member "${1#member-}" ;;
        control/*) [ "$zone_count" -eq 0 ] || fail "control has no program '$2'; a member's are started with: ./vks lab start member-1 member"
                   start_control_plane ;;
        *) fail "host $1 has no program '$2'" ;;
    esac
}

stop_one() {
    case $1/$2 in
        member-[1-3]/member) end_member "${1#member-}" ;;
        member-*) fail "a member starts its programs again by itself. Do: ./vks lab stop $1 member" ;;
        *) end_part "$1" "$2" ;;
    esac
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
    up) up "$@" ;;
    down) down; say "nothing of lab '$lab_name' is left" ;;
    status) status ;;
    kubectl) load_settings; exec "$kube/kubectl" --kubeconfig "$lab_dir/kubeconfig" "$@" ;;
    shell) load_settings; [ $# -eq 1 ] || usage; on "$1" bash || true ;;
    stop) load_settings; [ $# -eq 2 ] || usage; stop_one "$1" "$2" ;;
    start) load_settings; [ $# -eq 2 ] || usage; start_one "$1" "$2" ;;
    *) usage ;;
esac
