#!/usr/bin/env bash
# Every fuzz target with libFuzzer for FUZZ_SECONDS (default 30), or only those named, by label or by name:
#   ci/fuzz.sh [//pkg/api/labels:labels_fuzz | labels_fuzz | labels ...]     CLANG: another compiler than ci/packages.txt's
# What it finds is left in dist/fuzz/<package>/<name>/ as crash-*; add it to the target's corpus and it is a regression test.
set -uo pipefail
cd "$(dirname "$0")/.."
bazel=${BAZEL:-bazel}
seconds=${FUZZ_SECONDS:-30}

fail() { printf 'fuzz.sh: %s\n' "$*" >&2; exit 1; }

# The first of the alternatives in ci/packages.txt that is here.
clang=${CLANG:-}
if [ -z "$clang" ]; then
  for candidate in $(grep -E '^clang-' ci/packages.txt | tr '|' ' '); do
    command -v "$candidate" >/dev/null && clang=$candidate && break
  done
fi
[ -n "$clang" ] || fail "no clang on this machine; run: make deps"
options=(--config=fuzz "--repo_env=CC=$clang")

# all TARGETS that are fuzz targets; a name stands for //...:name or //...:name_fuzz.
mapfile -t all < <("$bazel" query 'attr(deps, "fuzz_replay", kind(cc_test, //...))' 2>/dev/null)
[ ${#all[@]} -gt 0 ] || fail "no fuzz target found"
targets=()
for wanted in "$@"; do
  found=()
  for target in "${all[@]}"; do
    name=${target##*:}
    if [ "$wanted" = "$target" ] || [ "$wanted" = "$name" ] || [ "${wanted}_fuzz" = "$name" ]; then found+=("$target"); fi
  done
  [ ${#found[@]} -gt 0 ] || fail "no fuzz target $wanted; there are: ${all[*]##*:}"
  targets+=("${found[@]}")
done
[ $# -gt 0 ] || targets=("${all[@]}")

# FUZZ_JOBS: compilers at once.
"$bazel" build "${options[@]}" ${FUZZ_JOBS:+--jobs="$FUZZ_JOBS"} "${targets[@]}" || exit 1
bin=$("$bazel" info "${options[@]}" bazel-bin 2>/dev/null)
failed=0
for target in "${targets[@]}"; do
  path=${target#//}
  name=${path##*:}
  folder=${path%%:*}
  work=dist/fuzz/${folder#pkg/}/$name
  mkdir -p "$work/corpus"
  seeds=()
  for seed in "$folder"/testdata/*corpus* "$folder"/corpus "$folder/testdata/$name"; do [ -d "$seed" ] && seeds+=("$seed"); done
  printf '== %s for %s s\n' "$target" "$seconds"
  "$bin/$folder/$name" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -artifact_prefix="$work/" -print_final_stats=1 \
    "$work/corpus" "${seeds[@]}" >"$work/log" 2>&1 || { failed=$((failed + 1)); echo "   FAILED; see $work/log"; }
  grep -E 'stat::number_of_executed_units' "$work/log" | sed 's/^/   /'
done
echo "$((${#targets[@]} - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
