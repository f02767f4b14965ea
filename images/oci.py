"""Writes OCI image archives without a container daemon, byte for byte the same from the same input.

The archive is an OCI image layout that also carries Docker's manifest.json, so `ctr images import`, `docker load` and
`skopeo` read it. Layers are stored uncompressed: archives are local, and importing then costs no inflating.
"""

import hashlib
import io
import json
import os
import stat
import tarfile

MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_CONFIG = "application/vnd.oci.image.config.v1+json"
MEDIA_LAYER = "application/vnd.oci.image.layer.v1.tar"
CREATED = "1970-01-01T00:00:00Z"


class Tree:
    """The files of one layer. Paths are relative to the root, without a leading slash."""

    def __init__(self):
        self._entries = {}

    def directory(self, path, mode=0o755):
        self._parents(path)
        self._entries[path.strip("/")] = ("dir", mode, b"")

    def file(self, path, content, mode=0o644):
        self._parents(path)
        self._entries[path.strip("/")] = ("file", mode, content)

    def copy(self, source, path, mode=None):
        """The file that source names, symbolic links resolved."""
        with open(source, "rb") as file:
            content = file.read()
        if mode is None:
            mode = 0o755 if os.stat(source).st_mode & stat.S_IXUSR else 0o644
        self.file(path, content, mode)

    def link(self, path, target):
        self._parents(path)
        self._entries[path.strip("/")] = ("link", 0o777, target.encode())

    def __contains__(self, path):
        return path.strip("/") in self._entries

    def _parents(self, path):
        parts = path.strip("/").split("/")[:-1]
        for i in range(len(parts)):
            self._entries.setdefault("/".join(parts[: i + 1]), ("dir", 0o755, b""))

    def tar(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for path in sorted(self._entries):
                kind, mode, content = self._entries[path]
                info = _entry(path, mode)
                if kind == "dir":
                    info.type = tarfile.DIRTYPE
                    archive.addfile(info)
                elif kind == "link":
                    info.type = tarfile.SYMTYPE
                    info.linkname = content.decode()
                    archive.addfile(info)
                else:
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
        return out.getvalue()


def _entry(path, mode):
    info = tarfile.TarInfo(path)
    info.mode, info.mtime = mode, 0
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _json(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def archive(reference, trees, config, architecture):
    """The archive as bytes and the digest of its manifest. config is the image's "config" object."""
    layers = [tree.tar() for tree in trees]
    config_blob = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "created": CREATED,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + _digest(layer) for layer in layers]},
            "history": [{"created": CREATED, "created_by": "knarr images/build.py"} for _ in layers],
        }
    )

    def descriptor(media_type, content):
        return {"mediaType": media_type, "digest": "sha256:" + _digest(content), "size": len(content)}

    manifest_blob = _json(
        {
            "schemaVersion": 2,
            "mediaType": MEDIA_MANIFEST,
            "config": descriptor(MEDIA_CONFIG, config_blob),
            "layers": [descriptor(MEDIA_LAYER, layer) for layer in layers],
        }
    )
    index = descriptor(MEDIA_MANIFEST, manifest_blob)
    index["annotations"] = {
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference.rsplit(":", 1)[-1],
    }
    index["platform"] = {"architecture": architecture, "os": "linux"}
    files = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "manifests": [index]}),
        "manifest.json": _json(
            [
                {
                    "Config": "blobs/sha256/" + _digest(config_blob),
                    "RepoTags": [reference],
                    "Layers": ["blobs/sha256/" + _digest(layer) for layer in layers],
                }
            ]
        ),
    }
    for blob in [config_blob, manifest_blob, *layers]:
        files["blobs/sha256/" + _digest(blob)] = blob
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            info = _entry(path, 0o644)
            info.size = len(files[path])
            tar.addfile(info, io.BytesIO(files[path]))
    return out.getvalue(), "sha256:" + _digest(manifest_blob)
