#!/usr/bin/env bash
# Every fuzz target with libFuzzer for FUZZ_SECONDS (default 30), or only those named: fuzz.sh [//pkg/...:name ...].
# What it finds is left in dist/fuzz/<name>/ as crash-*; add it to the target's corpus and it is a regression test.
set -uo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-30}
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(bazel query 'attr(deps, "fuzz_replay", kind(cc_test, //...))' 2>/dev/null)
fi
[ ${#targets[@]} -gt 0 ] || { echo "fuzz.sh: no fuzz target found" >&2; exit 1; }
bazel build --config=fuzz "${targets[@]}" || exit 1
bin=$(bazel info --config=fuzz bazel-bin 2>/dev/null)
failed=0
for target in "${targets[@]}"; do
  path=${target#//}
  name=${path##*:}
  folder=${path%%:*}
  work=dist/fuzz/$name
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
