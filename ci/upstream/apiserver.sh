#!/usr/bin/env bash
# A real kube-apiserver 1.20.2 with an etcd of its own, on loopback, in the foreground until it is ended.
# usage: ci/upstream/apiserver.sh DIRECTORY PORT [FLAG...]
# The directory gets keys, data and logs. Token of an administrator: "admin"; of a user without rights: "nobody".
# PORT is the API's (HTTPS); the two ports after it are etcd's.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
dir=$(mkdir -p "$1" && cd "$1" && pwd) port=$2
shift 2
bin=${KNARR_UPSTREAM_DIR:-$HOME/.cache/knarr/upstream}/bin
[ -x "$bin/kube-apiserver" ] || { echo "no $bin/kube-apiserver: run ci/upstream/build.sh first" >&2; exit 1; }

[ -e "$dir/sa.key" ] || openssl genrsa -out "$dir/sa.key" 2048 2>/dev/null
printf 'admin,admin,1,system:masters\nnobody,nobody,2\n' >"$dir/tokens.csv"
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait' EXIT
etcd_client=$((port + 1)) etcd_peer=$((port + 2))
etcd --data-dir "$dir/etcd" --listen-client-urls "http://127.0.0.1:$etcd_client" \
  --advertise-client-urls "http://127.0.0.1:$etcd_client" --listen-peer-urls "http://127.0.0.1:$etcd_peer" \
  --initial-advertise-peer-urls "http://127.0.0.1:$etcd_peer" --initial-cluster "default=http://127.0.0.1:$etcd_peer" \
  >"$dir/etcd.log" 2>&1 &
pids+=($!)
"$bin/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd_client" --secure-port="$port" --bind-address=127.0.0.1 \
  --cert-dir="$dir/certs" --token-auth-file="$dir/tokens.csv" --authorization-mode=Node,RBAC \
  --service-account-key-file="$dir/sa.key" --service-account-signing-key-file="$dir/sa.key" \
  --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.96.0.0/16 \
  --allow-privileged=true "$@" >"$dir/kube-apiserver.log" 2>&1 &
pids+=($!)
for _ in $(seq 120); do
  if curl -sk -H 'Authorization: Bearer admin' "https://127.0.0.1:$port/readyz" 2>/dev/null | grep -qx ok; then
    echo "ready: https://127.0.0.1:$port (curl -k -H 'Authorization: Bearer admin')"
    break
  fi
  kill -0 "${pids[1]}" || { tail -n 20 "$dir/kube-apiserver.log" >&2; exit 1; }
  sleep 0.5
done
wait "${pids[1]}"
