#!/usr/bin/env bash
# Bazel's entry: finds the programs and images among the test's data, then runs the modules named as arguments.
set -euo pipefail
root=$PWD
export KNARR_BIN=$root/cmd IMAGES=$root/images CONTAINERD_SH=$root/ci/lib/containerd.sh
exec python3 "$root/ci/integration/kubelet/run.py" "$@"
