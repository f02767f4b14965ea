#!/usr/bin/env bash
exec python3 bench/lib/bench_test.py
