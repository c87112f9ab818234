# The programs of a cluster with their arguments. Sourced by lab.sh and vm.sh, which say what a
# host is: on, start_part, plug_in, host_lib, and control_ip, etcd_dir. They hold for Kubernetes
# 1.20 up to the present; where the two differ, kube_minor decides.
registry=$control_ip:5000
# Where the API server is found; a control plane of several members has an address for that.
api_ip=$control_ip
service_cidr=10.96.0.0/16
service_ip=10.96.0.1
pod_cidr=10.244.0.0/16

node_ip() { printf '%s.%d' "$lab_net" $((10 + $1)); }
node_pod_cidr() { printf '10.244.%d.0/24' "$1"; }

# `kubectl debug` wants containers that are added to a running pod: to be asked for before 1.23, always there since.
feature_gates() { [ "$kube_minor" -ge 23 ] || printf 'EphemeralContainers=true'; }

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
    local gates
    gates=$(feature_gates)
    start_part control etcd etcd --data-dir "$etcd_dir" --log-outputs stderr \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
    start_part control kube-apiserver "$kube/kube-apiserver" ${gates:+--feature-gates "$gates"} --etcd-servers http://127.0.0.1:2379 --cert-dir /run/kube-apiserver \
        --advertise-address "$control_ip" --secure-port 6443 --service-cluster-ip-range "$service_cidr" --allow-privileged \
        --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --enable-bootstrap-token-auth \
        --client-ca-file "$pki/ca.crt" --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
        --kubelet-preferred-address-types InternalIP --enable-aggregator-routing \
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

push_demo() {
    local layout=$tree/artifacts/demo
    "$tree/images/build.sh" demo "$layout" 2>/dev/null || fail "images/build.sh demo failed; run it by itself to see why"
    skopeo copy --quiet --insecure-policy --dest-tls-verify=false "oci:$layout:demo" "docker://$registry/vks/demo:latest" >/dev/null ||
        fail "skopeo could not push the demo image to $registry"
}

# What nodes and pods use, for `kubectl top`; in front of it stands the API server, which reaches it without a proxy of Services.
start_metrics() {
    kubectl apply -f - >/dev/null <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: vks:metrics }
rules:
- { apiGroups: [""], resources: [nodes, pods], verbs: [list] }
- { apiGroups: [""], resources: [nodes/proxy], verbs: [get] }
- { apiGroups: [""], resources: [services, endpoints], verbs: [create] }
- { apiGroups: [""], resources: [services, endpoints], resourceNames: [vks-metrics], verbs: [get, update] }
- { apiGroups: [""], resources: [configmaps], resourceNames: [extension-apiserver-authentication], verbs: [get] }
- { apiGroups: [apiregistration.k8s.io], resources: [apiservices], verbs: [create] }
- { apiGroups: [apiregistration.k8s.io], resources: [apiservices], resourceNames: [v1beta1.metrics.k8s.io], verbs: [get, update] }
- { apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: vks:metrics }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: vks:metrics }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: vks:metrics }]
YAML
    start_part control metrics "$supervisor" metrics --kubeconfig "$pki/metrics.kubeconfig" --address "$control_ip"
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
    cat >"$lab_dir/$name/registries.conf" <<TOML
[[registry]]
location = "$registry"
insecure = true
TOML
    start_part "$name" spherelet "$spherelet" serve --guest-directory "$guest_dir" --cni-config-directory /var/lib/cni/net.d \
        --registries-conf "$lab_dir/$name/registries.conf" --boot-timeout-seconds 60 --node-api-server "https://$api_ip:6443" --node-name "$name" --first-user-id $((2000000 + (lab_number * 4 + number) * 131072))
}

runs_containerd() { [ "$1" = "$lab_containerd" ]; }

runtime_socket() { if runs_containerd "$1"; then printf /run/containerd/containerd.sock; else printf /run/vks/spherelet.sock; fi; }

start_runtime() { if runs_containerd "$1"; then start_containerd "$1"; else start_spherelet "$1"; fi; }

# The same network and registry as the other nodes'. Its pods need an image "pause" in the registry.
start_containerd() {
    local name=node-$1
    cat >"$lab_dir/$name/containerd.toml" <<TOML
version = 2
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "$registry/pause:latest"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/var/lib/cni/net.d"
[plugins."io.containerd.grpc.v1.cri".registry.mirrors."$registry"]
endpoint = ["http://$registry"]
TOML
    start_part "$name" containerd containerd --config "$lab_dir/$name/containerd.toml" --log-level warn
}

# A kubelet that finds no runtime ends at once.
await_runtime() {
    wait_until 120 "the container runtime of node-$1 answers" on "node-$1" "$spherelet" ping --socket "$(runtime_socket "$1")"
}

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
    on "$name" "$spherelet" join --no-units --server "https://$api_ip:6443" --token "@$pki/token" --ca-file "$pki/ca.crt" \
        --node-name "$name" --node-ip "$(node_ip "$number")" --zone "zone-$number" --pod-cidr "$(node_pod_cidr "$number")" --socket "$(runtime_socket "$number")" \
        --kubelet "$kube/kubelet" --cgroup-root "$(node_cgroup "$number")" --cni-config-directory /var/lib/cni/net.d >/dev/null
    # An oom_score_adj below 0 needs a right that not every machine's root has; and a minute until a changed
    # ConfigMap is seen, or five until pressure on a disk is over, are long for somebody who watches.
    printf '%s\n' 'oomScoreAdj: 0' 'syncFrequency: 10s' 'fileCheckFrequency: 5s' 'evictionPressureTransitionPeriod: 10s' >>"$(host_lib "$name")/kubelet/config.yaml"
}

start_kubelet() {
    local arguments
    mapfile -t arguments <"$(host_lib "node-$1")/kubelet/arguments"
    start_part "node-$1" kubelet "$kube/kubelet" "${arguments[@]}"
}

# Who has the token may ask for a node's certificate, and gets it without a person's consent.
allow_joining() {
    local role
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
    cp "$pki/kube-proxy.kubeconfig" "$(host_lib "$name")/kubelet/kube-proxy.kubeconfig"
    # The limits of connection tracking are the machine's, not a host's: they stay as they are.
    start_part "$name" kube-proxy "$kube/kube-proxy" --kubeconfig /var/lib/kubelet/kube-proxy.kubeconfig --hostname-override "$name" \
        --cluster-cidr "$pod_cidr" --proxy-mode iptables --conntrack-max-per-core 0 --conntrack-min 0 \
        --conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0
}

# What a machine takes beside its pod's own limits, where no Supervisor puts in what the nodes measure.
pod_overhead=96Mi

# What only an administrator may say of a node.
register() {
    local number name
    for ((number = 1; number <= node_count; number++)); do
        name=node-$number
        wait_until 240 "$name registers" kubectl get node "$name"
        kubectl patch node "$name" --type merge -p "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/agent\":\"\"}},\"spec\":{\"podCIDR\":\"$(node_pod_cidr "$number")\"}}" >/dev/null
    done
}

# A Supervisor makes them by itself, from what the nodes say.
make_runtime_classes() {
    local name
    for name in crx crx-isolated; do runtime_class "$name"; done | kubectl apply -f - >/dev/null
}

# The overhead counts on the node and in quotas, as it does in the machine's size.
runtime_class() {
    cat <<YAML
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: { name: "$1" }
handler: "$1"
overhead: { podFixed: { memory: $pod_overhead } }
YAML
}

nodes_ready() {
    [ "$(kubectl get nodes -o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c True)" -ge "$node_count" ]
}
