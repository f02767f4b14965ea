#!/usr/bin/env bash
# A private containerd in one folder, beside any other that runs on the machine. Used by `make up` and by the tests.
#
#   containerd.sh start DIR            writes DIR/config.toml, starts containerd, returns when it answers
#   containerd.sh import DIR TAR...    imports image archives for the kubelet and pins the pause image
#   containerd.sh stop DIR             ends it and everything that runs in it; removes its mounts, sandboxes and state
#   containerd.sh kill DIR             SIGKILL to containerd alone (a crash); start brings it back
#
# DIR must be short (a socket's path has 107 bytes). What stays in DIR after stop: config.toml and log.
# Environment:
#   KNARR_CONTAINERD_BIN   folder with containerd, ctr and containerd-shim-runc-v2 (default: those in PATH)
#   CNI_BIN_DIR            default /usr/lib/cni
#   CNI_CONF_DIR           default DIR/cni/net.d, made empty: until a configuration is there only host-network pods start
#   SANDBOX_IMAGE          default knarr.dev/pause:1
#   SNAPSHOTTER            default overlayfs where it can be mounted, else native
set -euo pipefail

fail() { printf 'containerd.sh: %s\n' "$*" >&2; exit 1; }

tool() { # the program of the chosen containerd
  if [ -n "${KNARR_CONTAINERD_BIN:-}" ]; then printf '%s/%s' "$KNARR_CONTAINERD_BIN" "$1"; else command -v "$1"; fi
}

overlay_works() {
  local probe result=1
  probe=$(mktemp -d "$1/overlay.XXXXXX")
  mkdir "$probe"/{lower,upper,work,merged}
  if mount -t overlay overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" "$probe/merged" 2>/dev/null; then
    umount "$probe/merged" && result=0
  fi
  rm -rf "$probe"
  return $result
}

# Lowering oom_score_adj takes CAP_SYS_RESOURCE (bit 24); without it sandboxes would fail to start.
restrict_oom() {
  local effective
  effective=$(awk '/^CapEff:/ { print $2 }' /proc/self/status)
  if (((0x$effective >> 24) & 1)); then printf false; else printf true; fi
}

render() {
  local dir=$1
  local snapshotter=${SNAPSHOTTER:-}
  [ -n "$snapshotter" ] || { overlay_works "$dir" && snapshotter=overlayfs || snapshotter=native; }
  cat <<TOML
# Written by ci/lib/containerd.sh.
version = 2
root = "$dir/root"
state = "$dir/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.nri.v1.nri", "io.containerd.internal.v1.restart"
]

[grpc]
  address = "$dir/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = "$dir/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${SANDBOX_IMAGE:-knarr.dev/pause:1}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  restrict_oom_score_adj = $(restrict_oom)
  netns_mounts_under_state_dir = true
  tolerate_missing_hugetlb_controller = true

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "$dir/runc"
        SystemdCgroup = false

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${CNI_BIN_DIR:-/usr/lib/cni}"
    conf_dir = "${CNI_CONF_DIR:-$dir/cni/net.d}"

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$dir/certs.d"
TOML
}

running() { # the pid of DIR's containerd, if it runs
  local pid
  pid=$(cat "$1/containerd.pid" 2>/dev/null) || return 1
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "--config $1/config.toml" && printf '%s' "$pid"
}

start() {
  local dir=$1 pid state
  [ ${#dir} -le 80 ] || fail "$dir: too long, the sockets inside it could not be bound"
  running "$dir" >/dev/null && return
  mkdir -p "$dir" "$dir/certs.d" "${CNI_CONF_DIR:-$dir/cni/net.d}"
  chmod 0711 "$dir" # containers with user namespaces walk through it
  render "$dir" >"$dir/config.toml.new" && mv "$dir/config.toml.new" "$dir/config.toml"
  local bin=${KNARR_CONTAINERD_BIN:-}
  PATH=${bin:+$bin:}$PATH setsid "$(tool containerd)" --config "$dir/config.toml" >>"$dir/log" 2>&1 </dev/null &
  pid=$!
  printf '%s\n' "$pid" >"$dir/containerd.pid"
  for _ in $(seq 600); do
    # The CRI plugin is the last to be ready: it has then recovered what ran before.
    if [ -S "$dir/containerd.sock" ] &&
      state=$("$(tool ctr)" -a "$dir/containerd.sock" --connect-timeout 1s plugins ls id==cri 2>/dev/null | awk '$2 == "cri" { print $NF }'); then
      [ "$state" != ok ] || return 0
      [ "$state" != error ] || fail "containerd's CRI plugin does not work: $(grep -F 'grpc.v1.cri' "$dir/log" | tail -n 1)"
    fi
    kill -0 "$pid" 2>/dev/null || fail "containerd ended: $(grep -E 'level=(error|fatal)|^containerd:' "$dir/log" | tail -n 3)"
    sleep 0.02
  done
  fail "containerd does not answer on $dir/containerd.sock; see $dir/log"
}

import() {
  local dir=$1 archive
  shift
  for archive in "$@"; do
    "$(tool ctr)" -a "$dir/containerd.sock" -n k8s.io images import "$archive" >/dev/null || fail "cannot import $archive"
  done
  local pause=${SANDBOX_IMAGE:-knarr.dev/pause:1}
  "$(tool ctr)" -a "$dir/containerd.sock" -n k8s.io images label "$pause" io.cri-containerd.pinned=pinned >/dev/null 2>&1 || true
}

# Pids of the shims that belong to DIR's containerd (they carry its address on their command line).
shims() {
  local status
  for status in /proc/[0-9]*/cmdline; do
    tr '\0' ' ' 2>/dev/null <"$status" | grep -qE -- "^[^ ]*containerd-shim.* -address $1/containerd.sock( |$)" || continue
    status=${status#/proc/}
    printf '%s\n' "${status%/cmdline}"
  done
}

end_process() { # TERM, then KILL after 5 s
  kill -TERM "$1" 2>/dev/null || return 0
  for _ in $(seq 250); do
    [ -e "/proc/$1" ] && [ "$(awk '/^State:/ { print $2 }' "/proc/$1/status" 2>/dev/null)" != Z ] || return 0
    sleep 0.02
  done
  kill -KILL "$1" 2>/dev/null || true
}

unmount_below() {
  local mount
  # Deepest first. Spaces are \040 in mountinfo.
  awk -v dir="$1/" 'index($5 "/", dir) == 1 { print length($5), $5 }' /proc/self/mountinfo | sort -rn | cut -d' ' -f2- |
    while read -r mount; do umount -l "$(printf '%b' "$mount")" 2>/dev/null || true; done
}

stop() {
  local dir=$1 pid id
  [ -d "$dir" ] || return 0
  if pid=$(running "$dir"); then end_process "$pid"; fi
  # Without containerd nothing restarts or answers; now the containers, their cgroups, their shims.
  if [ -d "$dir/runc/k8s.io" ]; then
    for id in $(ls "$dir/runc/k8s.io"); do
      runc --root "$dir/runc/k8s.io" delete --force "$id" 2>/dev/null || true
    done
  fi
  local sockets
  sockets=$(cat "$dir"/state/io.containerd.runtime.v2.task/k8s.io/*/address 2>/dev/null | sed 's|unix://|\n|g' | sort -u || true)
  for pid in $(shims "$dir"); do kill -KILL "$pid" 2>/dev/null || true; done
  for id in $sockets; do rm -f "$id"; done
  unmount_below "$dir"
  rm -rf --one-file-system "$dir"/{root,state,runc,opt,certs.d,cni,containerd.pid,containerd.sock,containerd.sock.ttrpc}
}

crash() {
  local pid
  pid=$(running "$1") || fail "no containerd of $1 is running"
  kill -KILL "$pid"
}

[ $# -ge 2 ] || { sed -n '2,/^set -e/p' "$0" | sed -e 's/^# \{0,1\}//' -e '/^set -e/d' >&2; exit 2; }
action=$1 dir=$(realpath -m "$2")
shift 2
case $action in
  start) start "$dir" ;;
  import) import "$dir" "$@" ;;
  stop) stop "$dir" ;;
  kill) crash "$dir" ;;
  *) fail "unknown action \"$action\"; there are: start, import, stop, kill" ;;
esac
