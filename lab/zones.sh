# Three zones: in each a host with a member of the control plane, and a node. Sourced by lab.sh.
# The control plane is made by `supervisor init` from a file, as on hosts of one's own; what is the
# lab's is the hosts, the file, and certificates for what is no part of it (kube-proxy, metrics).

# Five addresses in a row are the control plane's: three members', the floating one, one for replacements.
member_ip() { printf '%s.%d' "$lab_net" $((20 + $1)); }
floating_ip=$lab_net.24
# A host has an address of its own; its member's comes with the member.
member_host_ip() { printf '%s.%d' "$lab_net" $((30 + $1)); }

supervisor_dir=$lab_dir/supervisor
# On the hosts, and on a disk of this machine: etcd takes its space in pieces of 64 MiB.
member_dir=/var/lib/vks-member

members() { local number; for ((number = 1; number <= zone_count; number++)); do printf 'member-%d\n' "$number"; done; }

member_settings() { printf '%s/%s-%d/member.yaml' "$member_dir" "$lab_name" "$1"; }

# on_member NUMBER ARGUMENTS...: the Supervisor's program there
on_member() { on "member-$1" "$supervisor" "${@:2}"; }

# The file of `supervisor init`. A host is reached by its process: as ssh would, but without keys.
write_control_plane() {
    local number gates
    gates=$(feature_gates)
    cat <<YAML
name: $lab_name
replicas: 3
size: tiny
firstAddress: $(member_ip 1)
prefix: 24
gateway: $lab_net.254
link: eth0
directory: $member_dir
programs: $kube
supervisor: $supervisor
services: $service_cidr
placement: 127.0.0.1:10270
${gates:+featureGates: "$gates"}
zones:
YAML
    for ((number = 1; number <= zone_count; number++)); do
        printf -- '- name: zone-%d\n  hosts:\n  - name: member-%d\n    reach: ["nsenter", "--target", "%s", "--mount", "--uts", "--net", "--pid", "--wd=/", "--"]\n' \
            "$number" "$number" "$(host_pid "member-$number")"
    done
}

start_members() {
    local number line
    for ((number = 1; number <= zone_count; number++)); do
        plug_in "member-$number" "$(member_host_ip "$number")"
        name_host "member-$number" "$(member_host_ip "$number")"
    done
    write_control_plane >"$lab_dir/supervisor.yaml"
    # Hosts of a lab have one clock, this machine's; and where the kubeconfig is, the lab says itself.
    "$supervisor" init -f "$lab_dir/supervisor.yaml" --state-directory "$supervisor_dir" 2>&1 |
        while read -r line; do [[ $line == "mind clock "* || $line == "export "* ]] || step "  $line"; done
}

# show_members: a member's programs write their logs themselves
show_members() {
    local number
    for ((number = 1; number <= zone_count; number++)); do
        printf '\nmember-%d  logs: %s/%s-%d/log\n' "$number" "$(host_lib "member-$number")/${member_dir##*/}" "$lab_name" "$number"
        on_member "$number" member status --config "$(member_settings "$number")" || true
    done
}

# start_member, end_member NUMBER: the member with all its programs
start_member() { on_member "$1" member start --config "$(member_settings "$1")"; }
end_member() { on_member "$1" member stop --config "$(member_settings "$1")"; }
