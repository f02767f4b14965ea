#!/usr/bin/env bash
# test.sh [--containerd-1.7] MODULE...: Bazel's entry; finds programs and images among the test's data and runs the modules.
set -euo pipefail
root=$PWD
export KNARR_BIN=$root/cmd IMAGES=$root/images CONTAINERD_SH=$root/ci/lib/containerd.sh
if [ "$1" = --containerd-1.7 ]; then
  shift
  # Unpacked by `make deps` into the source tree, which the runfiles link to.
  source_root=$(cd "$(dirname "$(readlink -f "$0")")/../../.." && pwd)
  export KNARR_CONTAINERD_BIN=${KNARR_CONTAINERD_1_7:-$source_root/.cache/containerd-1.7/usr/bin}
fi
exec python3 "$root/ci/integration/kubelet/run.py" "$@"
