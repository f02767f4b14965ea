#!/usr/bin/env bash
# What `make bench` calls, after it has built dist/bin and dist/images: all benchmarks, with the optimised build.
# Figures go to dist/bench/{podstart,startup,exit,idle}.json, the tables to dist/bench/report.txt and the terminal.
#   ROUNDS      rounds of podstart after its warm-up (default 5)
#   WINDOW      seconds of watching for each number of pods in idle (default 60)
#   CONTAINERD  versions, "1.6,1.7" (default: all that are there)
#   KNARR_BIN, IMAGES, RAW_CRI   other programs and images than those of this tree
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/dist/bench
bazel=${BAZEL:-bazel}

fail() { printf 'bench: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || fail "a node needs root: containers, mounts, network namespaces"
export KNARR_BIN=${KNARR_BIN:-$PWD/dist/bin} IMAGES=${IMAGES:-$PWD/dist/images} CONTAINERD_SH=$PWD/ci/lib/containerd.sh
[ -d "$KNARR_BIN" ] || fail "$KNARR_BIN is missing; run: make build"
[ -f "$IMAGES/busybox.tar" ] || fail "$IMAGES/busybox.tar is missing; run: make images"
if [ -z "${RAW_CRI:-}" ]; then
  "$bazel" build //bench/podstart:raw_cri
  RAW_CRI=$("$bazel" info bazel-bin 2>/dev/null)/bench/podstart/raw_cri
fi

mkdir -p "$out"
{
  bench/podstart/podstart.py --raw-cri "$RAW_CRI" --rounds "${ROUNDS:-5}" --containerd "${CONTAINERD:-all}" --out "$out/podstart.json"
  bench/startup/startup.py --rounds "${ROUNDS:-5}" --containerd "${CONTAINERD:-all}" --out "$out/startup.json"
  bench/exit/exit.py --containerd "${CONTAINERD:-all}" --out "$out/exit.json"
  bench/idle/idle.py --window "${WINDOW:-60}" --containerd "${CONTAINERD:-all}" --out "$out/idle.json"
} | tee "$out/report.txt"
