#!/usr/bin/env python3
"""Builds Knarr's images as OCI archives: pause, knarr, and the small images that the tests run.

  build.py [--out DIR] [--bin DIR] [--force] [NAME ...]

Archives are DIR/NAME.tar (default dist/images). An archive whose inputs did not change is left alone. Everything comes
from this machine's Debian packages and from this repository; nothing is downloaded.
"""

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import oci  # noqa: E402

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Missing(Exception):
    """What an image needs is not there; the text says what to do."""


def need(path, hint):
    if not os.path.exists(path):
        raise Missing(f"{path} is missing: {hint}")
    return path


def shared_objects(program):
    """The dynamic loader and the libraries that a program of this machine needs; none for a static one."""
    run = subprocess.run(["ldd", program], capture_output=True, text=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    if run.returncode != 0:
        return []  # "not a dynamic executable"
    found = []
    for line in run.stdout.splitlines():
        words = line.split()
        if "not found" in line:
            raise Missing(f"{program} needs {words[0]}, which this machine lacks")
        path = words[2] if len(words) > 2 and words[1] == "=>" else words[0]
        if path.startswith("/"):
            found.append(path)
    return sorted(found)


def minimal_root(tree):
    """What any program may expect in its root: users, name resolution order, a writable /tmp."""
    tree.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n")
    tree.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    tree.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    tree.directory("root", 0o700)
    tree.directory("tmp", 0o1777)


class Image:
    """One image: its reference, the files it is made from (for the cache), and how."""

    reference = ""

    def inputs(self):
        raise NotImplementedError

    def names(self):
        """What else decides the content: names that files get."""
        return []

    def build(self):
        """A list of trees and the image's config."""
        raise NotImplementedError


class Pause(Image):
    reference = "knarr.dev/pause:1"
    source = os.path.join(HERE, "pause", "pause.cc")

    def inputs(self):
        return [self.source]

    def build(self):
        with tempfile.TemporaryDirectory() as work:
            program = os.path.join(work, "pause")
            # Without -fcf-protection and build id the program is one page of code and one of stack.
            subprocess.run(
                ["g++", "-std=c++20", "-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-static"]
                + ["-fno-exceptions", "-fno-rtti", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fno-pie"]
                + ["-no-pie", "-fcf-protection=none", "-Wl,--build-id=none,-z,noexecstack,-z,noseparate-code,-s"]
                + ["-o", program, "pause.cc"],
                check=True,
                cwd=os.path.dirname(self.source),
            )
            tree = oci.Tree()
            tree.copy(program, "pause")
        return [tree], {"Entrypoint": ["/pause"], "User": "65535:65535", "WorkingDir": "/"}


class Busybox(Image):
    reference = "knarr.dev/test/busybox:1"
    program = "/bin/busybox"

    def inputs(self):
        return [need(self.program, "install busybox-static")]

    def build(self):
        if shared_objects(self.program):
            raise Missing(f"{self.program} is not static: install busybox-static")
        applets = subprocess.run([self.program, "--list"], check=True, capture_output=True, text=True).stdout.split()
        tree = oci.Tree()
        minimal_root(tree)
        tree.copy(self.program, "bin/busybox")
        for applet in applets:
            if applet != "busybox":
                tree.link("bin/" + applet, "busybox")
        for directory in ("dev", "proc", "sys", "var", "usr/bin"):
            tree.directory(directory)
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return [tree], {"Cmd": ["sh"], "Env": [path], "WorkingDir": "/"}


class Nginx(Image):
    reference = "knarr.dev/test/nginx:1"
    program = "/usr/sbin/nginx"
    mime_types = "/etc/nginx/mime.types"

    def inputs(self):
        hint = "install nginx-light"
        own = [os.path.join(HERE, "nginx", name) for name in ("nginx.conf", "index.html")]
        return own + [need(self.program, hint), need(self.mime_types, hint)] + shared_objects(self.program)

    def build(self):
        tree = oci.Tree()
        minimal_root(tree)
        tree.copy(self.program, "usr/sbin/nginx")
        for path in shared_objects(self.program):
            tree.copy(path, path)
        tree.copy(self.mime_types, "etc/nginx/mime.types", 0o644)
        tree.copy(os.path.join(HERE, "nginx", "nginx.conf"), "etc/nginx/nginx.conf", 0o644)
        tree.copy(os.path.join(HERE, "nginx", "index.html"), "www/index.html", 0o644)
        tree.directory("var/log/nginx")  # opened before the configuration is read
        return [tree], {
            "Entrypoint": ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"],
            "ExposedPorts": {"80/tcp": {}},
            "StopSignal": "SIGQUIT",
            "WorkingDir": "/",
        }


class Knarr(Image):
    """The programs of dist/bin: one executable and links to it, with the parts of glibc it is linked to."""

    reference = "knarr.dev/knarr:1"

    def __init__(self, bin_dir):
        self.bin_dir = bin_dir
        self.program = os.path.join(bin_dir, "knarr")

    def names(self):
        names = sorted(os.listdir(self.bin_dir))
        return [n for n in names if os.path.realpath(os.path.join(self.bin_dir, n)) == os.path.realpath(self.program)]

    def inputs(self):
        return [need(self.program, "run make build")] + shared_objects(self.program)

    def build(self):
        libraries, programs = oci.Tree(), oci.Tree()
        minimal_root(libraries)
        for path in shared_objects(self.program):
            libraries.copy(path, path)
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        if os.path.exists(bundle):
            libraries.copy(bundle, bundle, 0o644)
        programs.copy(self.program, "usr/bin/knarr", 0o755)
        for name in self.names():
            if name != "knarr":
                programs.link("usr/bin/" + name, "knarr")
        # Two layers: a new build of Knarr replaces only the second.
        return [libraries, programs], {
            "Entrypoint": ["/usr/bin/knarr"],
            "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            "WorkingDir": "/",
        }


def fingerprint(name, image):
    """Changes when anything that the archive is made from does."""
    total = hashlib.sha256()
    recipe = [os.path.abspath(__file__), os.path.join(HERE, "oci.py")]
    for path in recipe + image.inputs():
        with open(path, "rb") as file:
            total.update(f"{path} {hashlib.sha256(file.read()).hexdigest()}\n".encode())
    total.update(f"{name} {image.reference} {' '.join(image.names())}".encode())
    return total.hexdigest()


def write_atomically(path, content):
    temporary = path + ".new"
    with open(temporary, "wb") as file:
        file.write(content)
    os.rename(temporary, path)


def build(name, image, out_dir, force):
    target, stamp = os.path.join(out_dir, name + ".tar"), os.path.join(out_dir, f".{name}.inputs")
    inputs = fingerprint(name, image)
    if not force and os.path.exists(target) and os.path.exists(stamp):
        with open(stamp, encoding="ascii") as file:
            if file.read() == inputs:
                return
    trees, config = image.build()
    content, digest = oci.archive(image.reference, trees, config, ARCHITECTURES[platform.machine()])
    write_atomically(target, content)
    write_atomically(stamp, inputs.encode())
    print(f"images: {image.reference} {digest} ({len(content) // 1024} KiB) -> {os.path.relpath(target)}")


def main():
    root = os.path.dirname(HERE)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(root, "dist", "images"), metavar="DIR")
    parser.add_argument("--bin", default=os.path.join(root, "dist", "bin"), metavar="DIR", help="where knarr lies")
    parser.add_argument("--force", action="store_true", help="build even what is up to date")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    images = {"pause": Pause(), "busybox": Busybox(), "nginx": Nginx(), "knarr": Knarr(arguments.bin)}
    unknown = [name for name in arguments.names if name not in images]
    if unknown:
        parser.error(f"unknown image {unknown[0]}; there are: {', '.join(images)}")
    os.makedirs(arguments.out, exist_ok=True)
    status = 0
    for name in arguments.names or images:
        try:
            build(name, images[name], arguments.out, arguments.force)
        except Missing as missing:
            print(f"images: {name} not built: {missing}", file=sys.stderr)
            # Asked for by name it is an error; otherwise the others are still worth having.
            status = 1 if name in arguments.names or name != "knarr" else status
    return status


if __name__ == "__main__":
    sys.exit(main())
