#!/usr/bin/env bash
# Ends the node that `make up` started and removes what it made: pods, mounts, links, addresses, rules, cgroups, files.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${KNARR_UP_DIR:-/var/lib/knarr-up}
say() { printf 'down: %s\n' "$*"; }
[ -d "$dir" ] || { say "no node is up"; exit 0; }

end_process() { # by pid: TERM, then KILL after 10 s
  kill -TERM "$1" 2>/dev/null || return 0
  for _ in $(seq 500); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.02; done
  kill -KILL "$1" 2>/dev/null || true
}

if [ -f "$dir/kubelet.pid" ]; then
  pid=$(cat "$dir/kubelet.pid")
  if kill -0 "$pid" 2>/dev/null; then
    say "stopping the pods"
    "$dir/knarr" shutdown --socket="$dir/run/kubelet.sock" --timeout=60s || say "some pods did not end in time; they are killed now"
    end_process "$pid"
  fi
fi
say "stopping containerd"
ci/lib/containerd.sh stop "$dir/c"

# What CNI plugins leave behind once their last pod is gone.
ip link delete cni0 2>/dev/null || true
rm -rf "$dir/cni/state"
for table in nat filter; do
  # Without the chains of the plugins and without the jumps to them; nothing else of the table changes.
  if rules=$(iptables-save -t "$table" 2>/dev/null) && grep -q '^:CNI-' <<<"$rules"; then
    grep -vE '^:CNI-|^-A CNI-|-j CNI-' <<<"$rules" | iptables-restore
  fi
done
[ ! -e "$dir/before" ] || sysctl -qw net.ipv4.ip_forward="$(cat "$dir/before")" || true

awk -v dir="$dir/" 'index($5 "/", dir) == 1 { print length($5), $5 }' /proc/self/mountinfo | sort -rn | cut -d' ' -f2- |
  while read -r mount; do umount -l "$(printf '%b' "$mount")" 2>/dev/null || true; done
find /sys/fs/cgroup/*/knarr-up /sys/fs/cgroup/knarr-up -depth -type d -exec rmdir {} + 2>/dev/null || true
rm -rf --one-file-system "$dir"
rm -f dist/up.env
say "the node is gone"
