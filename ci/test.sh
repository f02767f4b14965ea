#!/usr/bin/env bash
# test.sh [--config=NAME] unit|integration ...: runs those tests and ends with "N passed, N failed, N skipped".
# Counts are test cases, read from the JUnit files that the test programs write; a program that dies counts as failed.
set -uo pipefail
cd "$(dirname "$0")/.."
flags=()
suites=()
for argument in "$@"; do
  case $argument in
    --*) flags+=("$argument") ;;
    unit | integration) suites+=("$argument") ;;
    *) echo "test.sh: unknown suite \"$argument\"; there are: unit, integration" >&2; exit 2 ;;
  esac
done

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

status=0
run_suite() {
  local name=$1
  shift
  printf '== %s tests\n' "$name"
  # --build_tests_only: libraries that are targets of their own would be compiled a second time, position independent.
  bazel test "${flags[@]}" "$@" --build_tests_only --cache_test_results=no --build_event_json_file="$results/$name.bep"
  local code=$?
  # 4: no test matched.
  [ $code -eq 0 ] || [ $code -eq 4 ] || status=1
}

for suite in "${suites[@]}"; do
  case $suite in
    unit) run_suite unit --test_tag_filters=-integration,-bench --build_tag_filters=-integration,-bench --keep_going //... ;;
    integration)
      if [ "$(id -u)" -ne 0 ]; then
        echo "integration tests start containerd and make network namespaces: run as root" >&2
        status=1
      else
        run_suite integration --test_tag_filters=integration --build_tag_filters=integration --local_test_jobs=1 --keep_going //...
      fi
      ;;
  esac
  python3 ci/count_tests.py collect "$results/$suite.bep" >>"$results/counts" || status=1
done

python3 ci/count_tests.py total "$results/counts" || status=1
exit $status
