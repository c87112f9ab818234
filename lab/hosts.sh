# A host of the lab: one process that holds a network, mount, process and UTS namespace.
# Sourced by lab.sh. What runs on a host ends, and what it mounted or plugged in goes, with
# that process; so nothing of a lab can outlive it, however it ends.
#
# A host has its own /run, /var/lib and /var/log, so programs use the paths that they have
# on a real machine. Everything else is this machine's own.

# All hosts hang on one bridge, which is in the network namespace of "control"; so is the
# end of the cable to this machine.
fabric=fabric
host_link=vks-$lab_name

# host_pid HOST: the process that holds it, as this machine numbers it; status 1 when there is none
host_pid() {
    local pid
    pid=$(cat "$lab_dir/$1/host.pid" 2>/dev/null) || return 1
    # A number may have been given to another program since.
    [ "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -d ' ' -f 1-3)" = "bash $lab_dir/$1/init $1" ] || return 1
    printf '%s' "$pid"
}

# host_lib HOST: its /var/lib, as this machine names it
host_lib() { printf '%s/%s/lib' "$lab_dir" "$1"; }

# on HOST COMMAND...: runs the command there
on() {
    local pid
    pid=$(host_pid "$1") || fail "there is no host $1. Do: ./vks lab up"
    nsenter --target "$pid" --mount --uts --net --pid --wd=/ -- "${@:2}"
}

# start_host HOST: makes it, without network
start_host() {
    local name=$1 dir=$lab_dir/$1 launcher child
    mkdir -p "$dir/lib" "$dir/log"
    cat >"$dir/init" <<INIT
set -e
hostname "\$1"
mount -t tmpfs -o mode=755,size=1g run /run
mount --bind "$dir/log" /var/log
# The lab's own folder stays where it is, though it may lie below what is covered here.
mount --bind "$lab_dir" /mnt
mount --bind "$dir/lib" /var/lib
mkdir -p "$lab_dir"
mount --move /mnt "$lab_dir"
mkdir /run/lock /run/netns
if [ "${lab_disk_mib:-0}" -gt 0 ] && [ "\$1" != control ]; then
    mkdir -p /var/lib/vks
    mount -t tmpfs -o mode=700,size=${lab_disk_mib:-0}m disk /var/lib/vks
fi
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
touch /run/ready
# Takes the exit code of whatever is left without a parent, which is all that a host's first process must do.
while :; do sleep 3600 & wait \$!; done
INIT
    setsid unshare --net --mount --uts --pid --fork --kill-child --mount-proc --propagation private \
        bash "$dir/init" "$name" >"$dir/host.log" 2>&1 </dev/null &
    launcher=$!
    for ((i = 0; i < 200; i++)); do
        child=$(cat "/proc/$launcher/task/$launcher/children" 2>/dev/null) || fail "host $name ended at once: $(cat "$dir/host.log")"
        if [ -n "$child" ]; then
            echo "${child% }" >"$dir/host.pid"
            if [ -e "/proc/${child% }/root/run/ready" ] && [ "$(readlink "/proc/${child% }/ns/net")" != "$(readlink /proc/self/ns/net)" ]; then return 0; fi
        fi
        sleep 0.05
    done
    fail "host $name did not come up within 10 s: $(cat "$dir/host.log")"
}

# start_fabric: the bridge in "control", and the cable to this machine
start_fabric() {
    on control ip -batch - <<IP
link add $fabric type bridge
link set $fabric up
address add $lab_net.1/24 dev $fabric
IP
    ip link add "$host_link" type veth peer name machine netns "$(host_pid control)"
    ip address add "$lab_net.254/24" dev "$host_link"
    ip link set "$host_link" up
    on control ip -batch - <<IP
link set machine master $fabric up
route add default via $lab_net.254
IP
}

# plug_in HOST ADDRESS: a cable from the host to the bridge
plug_in() {
    # Not by way of "on": the other host's process id means something only out here.
    nsenter --target "$(host_pid control)" --net ip link add "to-$1" type veth peer name eth0 netns "$(host_pid "$1")"
    on control ip link set "to-$1" master "$fabric" up
    on "$1" ip -batch - <<IP
address add $2/24 dev eth0
link set eth0 up
route add default via $lab_net.254
IP
}

# name_host HOST ADDRESS: the host finds its own name
name_host() {
    { cat /etc/hosts; printf '%s %s\n' "$2" "$1"; } >"$lab_dir/$1/hosts"
    on "$1" mount --bind "$lab_dir/$1/hosts" /etc/hosts
}

# end_host HOST: ends all that runs there; a host that is not there is no error
end_host() {
    local pid
    pid=$(host_pid "$1") || return 0
    kill -KILL "$pid"
    timeout 20 tail --pid="$pid" -f /dev/null || fail "host $1 (process $pid) outlived SIGKILL by 20 s"
    rm -f "$lab_dir/$1/host.pid"
}

# part_alive HOST PART: the program that was started as PART still runs
part_alive() {
    local pid
    host_pid "$1" >/dev/null || return 1
    # One that has ended and whose exit code nobody has taken yet does not run.
    pid=$(cat "$lab_dir/$1/$2.pid" 2>/dev/null) && [ -n "$pid" ] && on "$1" sh -c 'kill -0 "$1" && ! grep -q "^State:.Z" "/proc/$1/status"' part "$pid" 2>/dev/null
}

# start_part HOST PART COMMAND...: starts a program on the host and leaves it running
start_part() {
    local host=$1 part=$2
    if part_alive "$host" "$part"; then return 0; fi
    on "$host" bash -c 'setsid "$@" 3>&- & echo $! >&3' start "${@:3}" >>"$lab_dir/$host/$part.log" 2>&1 </dev/null 3>"$lab_dir/$host/$part.pid"
}

# end_part HOST PART: TERM, ten seconds, KILL
end_part() {
    local pid
    if part_alive "$1" "$2"; then
        pid=$(cat "$lab_dir/$1/$2.pid")
        on "$1" bash -c 'kill -TERM "$1"; timeout 10 tail --pid="$1" -f /dev/null || kill -KILL "$1"' part "$pid" || true
    fi
    rm -f "$lab_dir/$1/$2.pid"
}
