#!/usr/bin/env bash
# Makes test vectors anew, with upstream's Go types and libraries: see README.md. Not part of the build.
# Needs ci/deps.sh to have run. Everything goes into a folder of its own; nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=${VECTORS_WORK:-$root/.cache/vectors}
apt=$root/.cache/apt

packages=(
  golang-1.24-go golang-1.24-src golang-github-davecgh-go-spew-dev golang-github-emicklei-go-restful-dev
  golang-github-evanphx-json-patch-dev golang-github-fxamacker-cbor-dev golang-github-go-logr-logr-dev
  golang-github-go-openapi-jsonpointer-dev golang-github-go-openapi-jsonreference-dev
  golang-github-go-openapi-swag-dev golang-github-gogo-protobuf-dev golang-github-google-gnostic-models-dev
  golang-github-google-gofuzz-dev golang-github-google-uuid-dev golang-github-josharian-intern-dev
  golang-github-json-iterator-go-dev golang-github-mailru-easyjson-dev golang-github-modern-go-concurrent-dev
  golang-github-modern-go-reflect2-dev golang-github-pkg-errors-dev golang-github-spf13-pflag-dev
  golang-github-x448-float16-dev golang-golang-x-net-dev golang-golang-x-text-dev golang-google-protobuf-dev
  golang-gopkg-inf.v0-dev golang-gopkg-yaml.v3-dev golang-goprotobuf-dev golang-k8s-api-dev
  golang-k8s-apimachinery-dev golang-k8s-client-go-dev golang-k8s-klog-dev golang-k8s-kube-openapi-dev
  golang-k8s-sigs-json-dev golang-k8s-sigs-structured-merge-diff-dev golang-k8s-sigs-yaml-dev
  golang-k8s-utils-dev
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
# make PACKAGE FOLDER: runs FOLDER's program, which writes the vectors of PACKAGE.
make() {
  local into=$root/$1/testdata/vectors program=$GOPATH/src/vectors/${1##*/}
  rm -rf "$program" && mkdir -p "$program" "$into"
  cp "$2"/*.go "$program/"
  echo "module vectors" >"$program/go.mod"  # makes /v4 in import paths work without modules
  TZ=UTC "$GOROOT/bin/go" run "vectors/${1##*/}" "$into"
}
make pkg/api/codec ci/vectors
make pkg/api/patch ci/vectors/patch
make pkg/api/managedfields ci/vectors/managedfields
