# Certificates and kubeconfigs of the lab, by openssl. Sourced by lab.sh and vm.sh.
# Elliptic keys: a hundred of them take as long as one RSA key. Valid for ten days, longer
# than a lab lives.
pki=$lab_dir/pki

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1" 2>/dev/null && chmod 600 "$1"; }

# authority NAME SUBJECT
authority() {
    new_key "$pki/$1.key"
    openssl req -x509 -new -key "$pki/$1.key" -subj "$2" -days 10 -out "$pki/$1.crt"
}

# certificate NAME AUTHORITY SUBJECT [SAN]: for clients, and for servers when names are given
certificate() {
    local usage=clientAuth
    [ -z "${4:-}" ] || usage+=,serverAuth
    new_key "$pki/$1.key"
    openssl req -new -key "$pki/$1.key" -subj "$3" |
        openssl x509 -req -CA "$pki/$2.crt" -CAkey "$pki/$2.key" -set_serial "0x$(openssl rand -hex 8)" -days 10 -out "$pki/$1.crt" \
            -extfile <(printf 'extendedKeyUsage=%s\nkeyUsage=digitalSignature\n' "$usage"; [ -z "${4:-}" ] || printf 'subjectAltName=%s\n' "$4") 2>/dev/null
}

# kubeconfig NAME: with everything in it, so that it can be copied anywhere
kubeconfig() {
    cat <<CONFIG
apiVersion: v1
kind: Config
clusters:
- name: vks-$lab_name
  cluster:
    server: https://$api_ip:6443
    certificate-authority-data: $(base64 -w 0 "$pki/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w 0 "$pki/$1.crt")
    client-key-data: $(base64 -w 0 "$pki/$1.key")
contexts:
- name: vks-$lab_name
  context: {cluster: vks-$lab_name, user: $1}
current-context: vks-$lab_name
CONFIG
}

make_pki() (
    local name
    umask 077
    mkdir -p "$pki"
    authority ca "/CN=vks-$lab_name"
    authority front-proxy-ca "/CN=vks-$lab_name-front-proxy"
    new_key "$pki/service-account.key"
    certificate apiserver ca /CN=kube-apiserver \
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$control_ip,IP:$service_ip"
    certificate apiserver-to-kubelet ca /O=system:masters/CN=kube-apiserver-to-kubelet
    certificate front-proxy front-proxy-ca /CN=front-proxy-client
    certificate admin ca /O=system:masters/CN=admin
    certificate controller-manager ca /CN=system:kube-controller-manager
    certificate scheduler ca /CN=system:kube-scheduler
    for name in admin controller-manager scheduler; do kubeconfig "$name" >"$pki/$name.kubeconfig"; done
    make_client_pki
)

# What nodes and metrics need of an authority that is there.
make_client_pki() (
    local name
    umask 077
    # What a host shows that asks for a node's certificate.
    printf '%s.%s' "$(openssl rand -hex 3)" "$(openssl rand -hex 8)" >"$pki/token"
    certificate kube-proxy ca /CN=system:kube-proxy
    certificate metrics ca /CN=vks:metrics
    for name in kube-proxy metrics; do kubeconfig "$name" >"$pki/$name.kubeconfig"; done
)
