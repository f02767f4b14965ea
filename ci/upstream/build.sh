#!/usr/bin/env bash
# Builds upstream's Kubernetes 1.20.2 from Debian 12's own source package, as peers for tests and benchmarks.
# usage: ci/upstream/build.sh [PROGRAM...]     default: kube-apiserver kube-controller-manager kube-scheduler
# Other PROGRAMs: kubelet, kube-proxy, kubectl, e2e.test.
# Result: $KNARR_UPSTREAM_DIR/bin (default ~/.cache/knarr/upstream). Safe to repeat; what is there is kept.
# Needs about 6 GB of disk and, on two cores, 20 minutes.
set -euo pipefail
dir=${KNARR_UPSTREAM_DIR:-$HOME/.cache/knarr/upstream}
version=1.20.5+really1.20.2
programs=("$@")
[ $# -gt 0 ] || programs=(kube-apiserver kube-controller-manager kube-scheduler)
mkdir -p "$dir/bin"

say() { printf 'upstream: %s\n' "$*"; }

missing=()
for program in "${programs[@]}"; do [ -x "$dir/bin/$program" ] || missing+=("$program"); done
[ ${#missing[@]} -gt 0 ] || { say "all there: ${programs[*]}"; exit 0; }

install_packages() {
  local wanted=(golang-go golang-github-modern-go-reflect2-dev dpkg-dev rsync) absent=()
  for package in "${wanted[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || absent+=("$package")
  done
  [ ${#absent[@]} -eq 0 ] && return
  say "installing ${absent[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${absent[@]}" >/dev/null
}

# A source entry of its own, from the mirror that the machine uses anyway.
fetch_source() {
  [ -e "$dir/source/.complete" ] && return
  local apt=$dir/apt uri
  mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial"
  uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  [ -n "$uri" ] || { say "no Debian source in this machine's apt configuration" >&2; exit 1; }
  printf 'Types: deb-src\nURIs: %s\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$uri" >"$apt/sources/source.sources"
  local options=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/sources" -o Dir::State::Lists="$apt/lists"
    -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root)
  say "fetching the source package"
  apt-get "${options[@]}" update -qq
  rm -rf "$dir/source" && mkdir -p "$dir/source"
  (cd "$dir/source" && apt-get "${options[@]}" source -qq kubernetes >/dev/null)
  mv "$dir"/source/kubernetes-* "$dir/source/kubernetes"
  # The vendored reflect2 relies on runtime internals that Go 1.19 no longer has; list calls would crash.
  rm -rf "$dir/source/kubernetes/vendor/github.com/modern-go/reflect2"
  cp -rL /usr/share/gocode/src/github.com/modern-go/reflect2 "$dir/source/kubernetes/vendor/github.com/modern-go/reflect2"
  rm -f "$dir"/source/kubernetes/vendor/github.com/modern-go/reflect2/*_test.go
  touch "$dir/source/.complete"
}

install_packages
fetch_source
export GOPATH=$dir/gopath GO111MODULE=off GOFLAGS= GOCACHE=$dir/go-build CGO_ENABLED=0
mkdir -p "$GOPATH/src/k8s.io"
ln -sfn "$dir/source/kubernetes" "$GOPATH/src/k8s.io/kubernetes"
cd "$GOPATH/src/k8s.io/kubernetes"
if [ ! -e "$dir/.generated" ]; then
  say "generating code (deep copies, conversions, OpenAPI)"
  KUBE_GIT_VERSION=v1.20.2 make generated_files >"$dir/generate.log" 2>&1 || { tail -n 20 "$dir/generate.log" >&2; exit 1; }
  touch "$dir/.generated"
fi
# Vendored packages have the vendor folder in their path.
stamp=k8s.io/kubernetes/vendor/k8s.io/component-base/version
ldflags="-s -w -X $stamp.gitVersion=v1.20.2 -X $stamp.gitMajor=1 -X $stamp.gitMinor=20 -X $stamp.gitTreeState=clean"
ldflags+=" -X $stamp.gitCommit=faecb196815e248d3ecfb03c680a4507229c2a56 -X $stamp.buildDate=2021-01-13T13:20:00Z"
for program in "${missing[@]}"; do
  say "building $program (v${version#*really})"
  if [ "$program" = e2e.test ]; then
    go test -c -ldflags "$ldflags" -o "$dir/bin/$program" k8s.io/kubernetes/test/e2e
  else
    go build -p 2 -ldflags "$ldflags" -o "$dir/bin/$program" "k8s.io/kubernetes/cmd/$program"
  fi
done
say "built into $dir/bin: ${missing[*]}"
