#!/usr/bin/env bash
# Installs the Debian packages that Knarr's build, tests and a node need, and unpacks those of a second suite
# (the Kubernetes schema files, a newer containerd) under .cache/ without installing them.
# Safe to repeat; does nothing, offline too, when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache
second_suite=trixie

say() { printf 'deps: %s\n' "$*"; }

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

# any_of TEST LINE: the first of the alternatives `a | b` that passes the test.
any_of() {
  local package
  for package in ${2//|/ }; do "$1" "$package" && printf '%s\n' "$package" && return; done
  return 1
}

# apt-cache also answers for names that packages merely mention, with nothing.
known() { [ -n "$(apt-cache show --no-all-versions "$1" 2>/dev/null)" ]; }

install_missing() {
  local lines=() missing=() line
  while read -r line; do any_of installed "$line" >/dev/null || lines+=("$line"); done \
    < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' ci/packages.txt)
  [ "${#lines[@]}" -eq 0 ] && return
  apt-get update -qq
  for line in "${lines[@]}"; do
    missing+=("$(any_of known "$line")") || { say "this machine's Debian has none of: $line" >&2; exit 1; }
  done
  say "installing ${#missing[@]} packages: ${missing[*]}"
  # policy-rc.d: installing containerd or nginx must not start a service beside one that is running.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1; fi
  local status=0
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null || status=$?
  [ -n "$made" ] && rm -f "$policy"
  return "$status"
}

# An apt configuration of its own: the machine's sources and lists stay as they are. The mirror is the machine's.
second_suite_apt() {
  local dir=$cache/apt program=$1
  shift
  "$program" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$dir/sources" \
    -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" -o Dir::State::status=/dev/null \
    -o APT::Sandbox::User=root "$@"
}

second_suite_source() {
  local dir=$cache/apt uri
  mkdir -p "$dir/sources" "$dir/lists/partial" "$dir/cache/archives/partial"
  uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  [ -n "$uri" ] || { say "no Debian source in this machine's apt configuration; run apt-get update, then try again" >&2; exit 1; }
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$uri" "$second_suite" >"$dir/sources/second.sources"
  second_suite_apt apt-get update -qq
}

# unpack NAME PACKAGE...: fetches the packages of the second suite and unpacks them into .cache/NAME.
unpack() {
  local into=$cache/$1 work
  shift
  [ -e "$into/.complete" ] && return
  [ -e "$cache/apt/updated" ] || { second_suite_source && touch "$cache/apt/updated"; }
  say "unpacking from $second_suite: $*"
  work=$(mktemp -d "$cache/unpack.XXXXXX")
  (cd "$work" && second_suite_apt apt-get download -qq "$@")
  rm -rf "$into" && mkdir -p "$into"
  for deb in "$work"/*.deb; do dpkg -x "$deb" "$into"; done
  rm -rf "$work"
  touch "$into/.complete"
}

# unpack_own NAME PACKAGE...: the same from the machine's own suite.
unpack_own() {
  local into=$cache/$1 work
  shift
  [ -e "$into/.complete" ] && return
  say "unpacking: $*"
  work=$(mktemp -d "$cache/unpack.XXXXXX")
  # A machine on which nothing had to be installed may have no package lists.
  (cd "$work" && { apt-get -o APT::Sandbox::User=root download -qq "$@" 2>/dev/null ||
    { apt-get update -qq && apt-get -o APT::Sandbox::User=root download -qq "$@"; }; })
  rm -rf "$into" && mkdir -p "$into"
  for deb in "$work"/*.deb; do dpkg -x "$deb" "$into"; done
  rm -rf "$work"
  touch "$into/.complete"
}

# The schema as Bazel sees it: the .proto files without gogo's options, the Go type declarations beside them.
prepare_schema() {
  local from=$cache/schema-packages/usr/share/gocode/src made_by into
  made_by=$(sha256sum <ci/deps.sh)
  [ "$(cat "$cache/schema/.made-by" 2>/dev/null)" = "$made_by" ] && return
  into=$(mktemp -d "$cache/schema.XXXXXX") && chmod 755 "$into"
  (cd "$from" && find k8s.io/api k8s.io/apimachinery k8s.io/metrics k8s.io/cri-api go.etcd.io/etcd/api \
    -name '*.proto' ! -path '*testapigroup*' ! -path '*/v1alpha2/api.proto' ! -name version.proto | sort) |
    while read -r proto; do
      mkdir -p "$into/$(dirname "$proto")"
      sed -e '/gogoproto/d' -e '/^import "gogo/d' -e '/google\/api\/annotations/d' -e '/protoc-gen-openapiv2/d' \
        "$from/$proto" >"$into/$proto"
    done
  (cd "$from" && find k8s.io/api k8s.io/apimachinery/pkg/apis k8s.io/apimachinery/pkg/api/resource \
    k8s.io/apimachinery/pkg/util/intstr k8s.io/apimachinery/pkg/runtime k8s.io/metrics/pkg/apis \
    -name '*.go' ! -name '*_test.go' ! -name 'generated.pb.go' ! -name 'zz_generated*' ! -path '*testapigroup*' | sort) |
    while read -r go; do
      mkdir -p "$into/$(dirname "$go")" && cp "$from/$go" "$into/$go"
    done
  printf 'workspace(name = "schema")\n' >"$into/WORKSPACE"
  {
    printf '# Written by ci/deps.sh.\n'
    printf 'K8S_PROTOS = [\n'
    (cd "$into" && find k8s.io -name '*.proto' ! -path '*cri-api*' | sort | sed 's/.*/    "&",/')
    printf ']\n\nGO_TYPES = [\n'
    (cd "$into" && find k8s.io -name '*.go' | sort | sed 's/.*/    "&",/')
    printf ']\n'
  } >"$into/schema.bzl"
  printf 'exports_files(glob(["**/*.proto", "**/*.go"]) + ["BUILD.bazel"])\n' >"$into/BUILD.bazel"
  printf '%s\n' "$made_by" >"$into/.made-by"
  rm -rf "$cache/schema" && mv "$into" "$cache/schema"
}

mkdir -p "$cache"
install_missing
unpack schema-packages golang-k8s-api-dev golang-k8s-apimachinery-dev golang-k8s-metrics-dev \
  golang-github-kubernetes-cri-api-dev golang-etcd-server-dev golang-github-google-gnostic-models-dev
unpack containerd-1.7 containerd
unpack etcd-3.5 etcd-server
unpack kubectl-1.32 kubectl
unpack_own kubectl-1.20 kubernetes-client
prepare_schema
say "all there"
