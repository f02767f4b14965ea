#!/usr/bin/env bash
# test.sh MODULE...: Bazel's entry; finds the programs and the unpacked kubectls and runs the modules.
set -euo pipefail
root=$PWD
# Unpacked by `make deps` into the source tree, which the runfiles link to.
source_root=$(cd "$(dirname "$(readlink -f "$0")")/../../.." && pwd)
export KNARR_BIN=$root/cmd/knarr KNARR_CACHE=${KNARR_CACHE:-$source_root/.cache}
export PYTHONPATH=$root/ci/integration/apiserver PYTHONDONTWRITEBYTECODE=1
exec python3 "$root/ci/integration/kubelet/run.py" "$@"
