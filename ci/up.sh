#!/usr/bin/env bash
# A node on this machine: a containerd of its own and our kubelet, everything in one private folder. Never touches a
# containerd or kubelet that runs already. `make down` takes it all away again.
#   KNARR_UP_DIR        the folder (default /var/lib/knarr-up; keep it short, sockets live in it)
#   KNARR_POD_CIDR      addresses of the pods (default 10.88.0.0/16)
#   KNARR_KUBELET_PORT  default 10250, KNARR_HEALTHZ_PORT default 10248
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
dir=${KNARR_UP_DIR:-/var/lib/knarr-up}
cidr=${KNARR_POD_CIDR:-10.88.0.0/16}
port=${KNARR_KUBELET_PORT:-10250}
healthz=${KNARR_HEALTHZ_PORT:-10248}

say() { printf 'up: %s\n' "$*"; }
fail() { printf 'up: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || fail "a node needs root: containers, mounts, network namespaces"
[ -x dist/bin/knarr ] || fail "dist/bin/knarr is missing; run: make build"
if [ -f "$dir/kubelet.pid" ] && kill -0 "$(cat "$dir/kubelet.pid")" 2>/dev/null; then
  say "the node is up already (kubelet $(cat "$dir/kubelet.pid")); make down ends it"
  cat dist/up.env
  exit 0
fi
if [ ! -e "$dir" ] && ip link show cni0 >/dev/null 2>&1; then
  fail "there is an interface cni0 of somebody else's on this machine; this node would take it over and delete it"
fi
for p in "$port" "$healthz"; do
  if ss -Hltn "sport = :$p" | grep -q .; then
    fail "port $p is in use (another kubelet?); choose others: KNARR_KUBELET_PORT=… KNARR_HEALTHZ_PORT=… make up"
  fi
done

mkdir -p "$dir"/{manifests,pki,log/pods,kubelet,cni/net.d,cni/relay,cni/bin,run}
chmod 0711 "$dir"
# What `make down` puts back.
[ -e "$dir/before" ] || sysctl -n net.ipv4.ip_forward >"$dir/before"

# containerd sees one network, the relay; the plugins behind it are the kubelet's.
for plugin in /usr/lib/cni/*; do ln -sfn "$plugin" "$dir/cni/bin/"; done
install -m 0755 dist/bin/knarr-cni "$dir/cni/bin/knarr-cni"
ln -sfn knarr-cni "$dir/cni/bin/loopback" # containerd runs it for every sandbox; ours starts faster
if [ ! -e "$dir/pki/ca.crt" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=knarr-up \
    -keyout "$dir/pki/ca.key" -out "$dir/pki/ca.crt" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /O=system:masters/CN=admin \
    -keyout "$dir/pki/admin.key" -out "$dir/pki/admin.csr" 2>/dev/null
  openssl x509 -req -in "$dir/pki/admin.csr" -CA "$dir/pki/ca.crt" -CAkey "$dir/pki/ca.key" -CAcreateserial -days 365 \
    -out "$dir/pki/admin.crt" 2>/dev/null
  chmod 0600 "$dir"/pki/*.key
fi

cat >"$dir/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: $dir/manifests
podCIDR: $cidr
podLogsDir: $dir/log/pods
containerRuntimeEndpoint: unix://$dir/c/containerd.sock
cgroupRoot: /knarr-up
port: $port
healthzPort: $healthz
failSwapOn: false
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: false
  x509:
    clientCAFile: $dir/pki/ca.crt
YAML

say "starting containerd in $dir/c"
CNI_BIN_DIR=$dir/cni/bin CNI_CONF_DIR=$dir/cni/relay "$repository/ci/lib/containerd.sh" start "$dir/c"
shopt -s nullglob
archives=(dist/images/*.tar)
[ ${#archives[@]} -eq 0 ] || "$repository/ci/lib/containerd.sh" import "$dir/c" "${archives[@]}"

# The program runs from a copy: a later build does not pull it from under a running node.
install -m 0755 dist/bin/knarr "$dir/knarr"
ln -sfn knarr "$dir/kubelet-bin"
say "starting the kubelet"
setsid "$dir/knarr" kubelet --config="$dir/kubelet.yaml" --root-dir="$dir/kubelet" \
  --cni-conf-dir="$dir/cni/net.d" --cni-bin-dir=/usr/lib/cni --cni-relay-socket="$dir/run/cni.sock" \
  --cni-state-dir="$dir/cni/state" --cni-relay-conf-dir="$dir/cni/relay" --local-socket="$dir/run/kubelet.sock" >>"$dir/kubelet.log" 2>&1 </dev/null &
pid=$!
echo "$pid" >"$dir/kubelet.pid"
for _ in $(seq 500); do
  kill -0 "$pid" 2>/dev/null || fail "the kubelet ended: $(tail -n 3 "$dir/kubelet.log")"
  curl -fsS "http://127.0.0.1:$healthz/healthz" >/dev/null 2>&1 && [ -S "$dir/run/kubelet.sock" ] && break
  sleep 0.02
done
curl -fsS "http://127.0.0.1:$healthz/healthz" >/dev/null || fail "the kubelet does not answer; see $dir/kubelet.log"

mkdir -p dist
cat >dist/up.env <<ENV
MANIFESTS=$dir/manifests
CONTAINERD_ADDRESS=$dir/c/containerd.sock
CNI_CONF_DIR=$dir/cni/net.d
KNARR_SOCKET=$dir/run/kubelet.sock
KUBELET_LOG=$dir/kubelet.log
KUBELET_PORT=$port
KUBELET_CA=$dir/pki/ca.crt
KUBELET_CLIENT_CERT=$dir/pki/admin.crt
KUBELET_CLIENT_KEY=$dir/pki/admin.key
ENV
cat <<TEXT
up: the node is up. Drop manifests into

      $dir/manifests

    for example:  cp docs/examples/web.yaml $dir/manifests/
    look at it:   export KNARR_SOCKET=$dir/run/kubelet.sock
                  dist/bin/knarr get pods -o wide; dist/bin/knarr why
    the log is    $dir/kubelet.log
    end it:       make down
TEXT
