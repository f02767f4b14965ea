#!/usr/bin/env bash
# Makes the codec's test vectors anew, with upstream's Go types: see README.md. Not part of the build.
# Needs ci/deps.sh to have run. Everything goes into a folder of its own; nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=${VECTORS_WORK:-$root/.cache/vectors}
apt=$root/.cache/apt

packages=(
  golang-1.24-go golang-1.24-src golang-github-fxamacker-cbor-dev golang-github-go-logr-logr-dev
  golang-github-gogo-protobuf-dev golang-github-google-gofuzz-dev golang-github-google-uuid-dev
  golang-github-json-iterator-go-dev golang-github-modern-go-concurrent-dev golang-github-modern-go-reflect2-dev
  golang-github-spf13-pflag-dev golang-github-x448-float16-dev golang-golang-x-net-dev golang-golang-x-text-dev
  golang-google-protobuf-dev golang-goprotobuf-dev golang-gopkg-inf.v0-dev golang-k8s-api-dev
  golang-k8s-apimachinery-dev golang-k8s-klog-dev golang-k8s-kube-openapi-dev golang-k8s-sigs-json-dev
  golang-k8s-sigs-structured-merge-diff-dev golang-k8s-sigs-yaml-dev golang-k8s-utils-dev
)

if [ ! -e "$work/.complete" ]; then
  mkdir -p "$work/deb" "$work/apt/archives/partial" "$work/root"
  (cd "$work/deb" && apt-get -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/sources" \
    -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$work/apt" -o Dir::State::status=/dev/null \
    -o APT::Sandbox::User=root download -qq "${packages[@]}")
  for deb in "$work"/deb/*.deb; do dpkg -x "$deb" "$work/root"; done
  touch "$work/.complete"
fi

export GOROOT=$work/root/usr/lib/go-1.24 GO111MODULE=off GOCACHE=$work/gocache GOFLAGS=-mod= GOTOOLCHAIN=local
export GOPATH=$work/root/usr/share/gocode
rm -rf "$GOPATH/src/vectors" && mkdir -p "$GOPATH/src/vectors" pkg/api/codec/testdata/vectors
cp ci/vectors/*.go "$GOPATH/src/vectors/"
TZ=UTC "$GOROOT/bin/go" run vectors "$root/pkg/api/codec/testdata/vectors"
