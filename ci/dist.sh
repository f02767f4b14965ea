#!/usr/bin/env bash
# dist.sh PROGRAM...: stripped programs from the build into dist/bin, `knarr` and links to it for each PROGRAM.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(${BAZEL:-bazel} info bazel-bin 2>/dev/null)
mkdir -p dist/bin
for program in knarr knarr-cni; do
  # A running program is replaced, not written over.
  strip -o "dist/bin/.$program" "$bin/cmd/$program/$program"
  mv "dist/bin/.$program" "dist/bin/$program"
done
for program in "$@"; do ln -sfn knarr "dist/bin/$program"; done
printf 'built: %s\n' "$(cd dist/bin && ls -l knarr knarr-cni | awk '{printf "%s (%.1f MB)  ", $9, $5 / 1e6}')"
