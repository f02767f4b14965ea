#!/bin/sh
# Runs the generator's own tests; Bazel starts it in the repository root.
exec python3 pkg/api/schema/gen/gen_test.py
