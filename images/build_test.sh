#!/usr/bin/env bash
# Two builds give the same bytes; an unchanged image is not built again; the archives are what the tools expect.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build() { python3 images/build.py --bin "$work/bin" --out "$@"; }
fail() { printf 'build_test: %s\n' "$*" >&2; exit 1; }

mkdir "$work/bin"
cp /bin/true "$work/bin/knarr" && ln -s knarr "$work/bin/kubelet"
build "$work/a" >/dev/null
(umask 077 && sleep 1.1 && build "$work/b" >/dev/null) # another second, another umask
for image in pause busybox nginx knarr; do
  cmp "$work/a/$image.tar" "$work/b/$image.tar" || fail "$image: two builds differ"
done

[ -z "$(build "$work/a")" ] || fail "an unchanged image was built again"
ln -s knarr "$work/bin/kube-proxy"
[ "$(build "$work/a" | grep -c knarr.dev/knarr)" = 1 ] || fail "a new program did not change the image"

python3 - "$work/a" <<'PYTHON'
import hashlib, json, sys, tarfile
for name in ("pause", "busybox", "nginx", "knarr"):
    with tarfile.open(f"{sys.argv[1]}/{name}.tar") as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive}
    for path, content in files.items():
        if path.startswith("blobs/sha256/"):
            assert hashlib.sha256(content).hexdigest() == path.rsplit("/", 1)[1], path
    blob = lambda d: files["blobs/sha256/" + d["digest"].removeprefix("sha256:")]
    manifest = json.loads(blob(json.loads(files["index.json"])["manifests"][0]))
    config = json.loads(blob(manifest["config"]))
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]], name
    assert json.loads(files["manifest.json"])[0]["RepoTags"] == [json.loads(files["index.json"])["manifests"][0]["annotations"]["io.containerd.image.name"]]
    if name == "pause":
        assert len(blob(manifest["layers"][0])) <= 10240, "pause has grown"
PYTHON

rm -rf "$work/bin"
build "$work/c" pause >/dev/null || fail "pause needs no dist/bin"
if build "$work/c" knarr 2>"$work/error"; then fail "knarr was built from nothing"; fi
grep -q 'run make build' "$work/error" || fail "no word about what to do: $(cat "$work/error")"
