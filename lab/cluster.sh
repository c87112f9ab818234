# The programs of a cluster with their arguments. Sourced by lab.sh. They hold for Kubernetes
# 1.20 up to the present; where the two differ, kube_minor decides.
registry=$lab_net.1:5000
service_cidr=10.96.0.0/16
service_ip=10.96.0.1
pod_cidr=10.244.0.0/16

node_ip() { printf '%s.%d' "$lab_net" $((10 + $1)); }
node_pod_cidr() { printf '10.244.%d.0/24' "$1"; }

kubectl() { "$kube/kubectl" --kubeconfig "$lab_dir/kubeconfig" "$@"; }

# wait_until SECONDS WHAT COMMAND...: polls; WHAT is told when it takes longer, with the logs' folder
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2
    until "${@:3}" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || fail "$what: not within $1 s. The logs are in $lab_dir/*/*.log"
        sleep 0.1
    done
}

start_registry() {
    cat >"$lab_dir/control/registry.yml" <<YAML
version: 0.1
log: { level: warn }
storage: { filesystem: { rootdirectory: /var/lib/registry } }
http: { addr: "$registry" }
YAML
    start_part control registry docker-registry serve "$lab_dir/control/registry.yml"
}

start_control_plane() {
    # The data of a lab need not outlive it: in memory, where no disk delays an answer.
    start_part control etcd etcd --data-dir /run/etcd --log-outputs stderr \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
    start_part control kube-apiserver "$kube/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --cert-dir /run/kube-apiserver \
        --advertise-address "$lab_net.1" --secure-port 6443 --service-cluster-ip-range "$service_cidr" --allow-privileged \
        --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --enable-bootstrap-token-auth \
        --client-ca-file "$pki/ca.crt" --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
        --kubelet-preferred-address-types InternalIP \
        --kubelet-client-certificate "$pki/apiserver-to-kubelet.crt" --kubelet-client-key "$pki/apiserver-to-kubelet.key" \
        --service-account-issuer https://kubernetes.default.svc.cluster.local \
        --service-account-key-file "$pki/service-account.key" --service-account-signing-key-file "$pki/service-account.key" \
        --requestheader-client-ca-file "$pki/front-proxy-ca.crt" --requestheader-allowed-names front-proxy-client \
        --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
        --requestheader-extra-headers-prefix X-Remote-Extra- \
        --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key"
    wait_until 300 "kube-apiserver is ready" kubectl get --raw /readyz
    start_part control kube-controller-manager "$kube/kube-controller-manager" --kubeconfig "$pki/controller-manager.kubeconfig" \
        --cert-dir /run/kube-controller-manager --leader-elect=false --use-service-account-credentials \
        --root-ca-file "$pki/ca.crt" --service-account-private-key-file "$pki/service-account.key" \
        --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key"
    start_part control kube-scheduler "$kube/kube-scheduler" --kubeconfig "$pki/scheduler.kubeconfig" \
        --cert-dir /run/kube-scheduler --leader-elect=false
}

# Pods of all nodes know each other's addresses; only what leaves the cluster takes the node's.
wire_node() {
    local number=$1 name=node-$1 other
    plug_in "$name" "$(node_ip "$number")"
    for ((other = 1; other <= node_count; other++)); do
        [ "$other" -eq "$number" ] || on "$name" ip route add "$(node_pod_cidr "$other")" via "$(node_ip "$other")"
    done
    on "$name" iptables -t nat -A POSTROUTING -s "$(node_pod_cidr "$number")" ! -d "$pod_cidr" -j MASQUERADE
    # A Service whose pod is on the same bridge: its answers must pass the translation, too.
    [ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || on "$name" sh -c 'echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables'
}

start_spherelet() {
    local number=$1 name=node-$1
    mkdir -p "$lab_dir/$name/lib/vks"
    cat >"$lab_dir/$name/lib/vks/registries.conf" <<TOML
[[registry]]
location = "$registry"
insecure = true
TOML
    start_part "$name" spherelet "$spherelet" serve --guest-directory "$guest_dir" --cni-config-directory /var/lib/cni/net.d \
        --registries-conf /var/lib/vks/registries.conf --boot-timeout-seconds 60 --first-user-id $((2000000 + (lab_number * 4 + number) * 131072))
}

# A kubelet that finds no runtime ends at once.
await_spherelet() { wait_until 120 "the spherelet of node-$1 answers" on "node-$1" "$spherelet" ping; }

# Kubelets make control groups for pods below the one that the lab made for the node.
node_cgroup() { printf '/vks-%s/node-%d' "$lab_name" "$1"; }

make_node_cgroup() {
    local root group
    group=$(node_cgroup "$1")
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        mkdir -p "/sys/fs/cgroup$group"
        for root in /sys/fs/cgroup "/sys/fs/cgroup${group%/*}" "/sys/fs/cgroup$group"; do
            for controller in cpu cpuset memory pids hugetlb io; do echo "+$controller" >"$root/cgroup.subtree_control" 2>/dev/null || true; done
        done
    else
        for root in /sys/fs/cgroup/*/; do [ ! -e "${root}cgroup.procs" ] || mkdir -p "$root$group"; done
    fi
}

remove_cgroups() {
    local folder
    for folder in "/sys/fs/cgroup/vks-$lab_name" /sys/fs/cgroup/*/"vks-$lab_name"; do
        [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} +
    done
}

# What a real host does to become a node, without systemd: the kubelet gets its certificate by a signing request.
join_node() {
    local number=$1 name=node-$1
    on "$name" "$spherelet" join --no-units --server "https://$lab_net.1:6443" --token "@$pki/token" --ca-file "$pki/ca.crt" \
        --node-name "$name" --node-ip "$(node_ip "$number")" --zone "zone-$number" --pod-cidr "$(node_pod_cidr "$number")" \
        --kubelet "$kube/kubelet" --cgroup-root "$(node_cgroup "$number")" --cni-config-directory /var/lib/cni/net.d >/dev/null
    # An oom_score_adj below 0 needs a right that not every machine's root has; and a minute until a changed
    # ConfigMap is seen is long for somebody who watches.
    printf '%s\n' 'oomScoreAdj: 0' 'syncFrequency: 10s' 'fileCheckFrequency: 5s' >>"$lab_dir/$name/lib/kubelet/config.yaml"
}

start_kubelet() {
    local arguments
    mapfile -t arguments <"$lab_dir/node-$1/lib/kubelet/arguments"
    start_part "node-$1" kubelet "$kube/kubelet" "${arguments[@]}"
}

# Who has the token may ask for a node's certificate, and gets it without a person's consent.
allow_joining() {
    local role
    [ -e "$pki/token" ] || printf '%s.%s' "$(openssl rand -hex 3)" "$(openssl rand -hex 8)" >"$pki/token"
    kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Secret
metadata: { name: bootstrap-token-$(cut -d . -f 1 "$pki/token"), namespace: kube-system }
type: bootstrap.kubernetes.io/token
stringData:
  token-id: "$(cut -d . -f 1 "$pki/token")"
  token-secret: "$(cut -d . -f 2 "$pki/token")"
  usage-bootstrap-authentication: "true"
$(for role in system:node-bootstrapper system:certificates.k8s.io:certificatesigningrequests:nodeclient; do role_binding "$role" system:bootstrappers; done)
$(role_binding system:certificates.k8s.io:certificatesigningrequests:selfnodeclient system:nodes)
YAML
}

role_binding() {
    cat <<YAML
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: "vks:${1##*:}" }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "$1" }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: Group, name: "$2" }]
YAML
}

start_proxy() {
    local number=$1 name=node-$1
    cp "$pki/kube-proxy.kubeconfig" "$lab_dir/$name/lib/kubelet/kube-proxy.kubeconfig"
    # The limits of connection tracking are the machine's, not a host's: they stay as they are.
    start_part "$name" kube-proxy "$kube/kube-proxy" --kubeconfig /var/lib/kubelet/kube-proxy.kubeconfig --hostname-override "$name" \
        --cluster-cidr "$pod_cidr" --proxy-mode iptables --conntrack-max-per-core 0 --conntrack-min 0 \
        --conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0
}

# What only an administrator may say of a node, and the classes of pods that a Spherelet knows.
register() {
    local number name
    for ((number = 1; number <= node_count; number++)); do
        name=node-$number
        wait_until 240 "$name registers" kubectl get node "$name"
        kubectl patch node "$name" --type merge -p "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/agent\":\"\"}},\"spec\":{\"podCIDR\":\"$(node_pod_cidr "$number")\"}}" >/dev/null
    done
    local group=node.k8s.io/v1
    for name in crx crx-isolated; do
        printf '{"apiVersion":"%s","kind":"RuntimeClass","metadata":{"name":"%s"},"handler":"%s"}\n' "$group" "$name" "$name" | kubectl apply -f - >/dev/null
    done
}

nodes_ready() {
    [ "$(kubectl get nodes -o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c True)" -ge "$node_count" ]
}
