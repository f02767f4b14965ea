#!/usr/bin/env bash
# What `make images` calls; see build.py.
exec python3 "$(dirname "$0")/build.py" "$@"
