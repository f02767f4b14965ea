"""What both benchmarks need: a node of the integration tests, the containerds there are, statistics, tables, output."""

import http.client
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, REPOSITORY + "/ci/integration/kubelet")
os.environ.setdefault("KNARR_BIN", REPOSITORY + "/dist/bin")
os.environ.setdefault("IMAGES", REPOSITORY + "/dist/images")
os.environ.setdefault("CONTAINERD_SH", REPOSITORY + "/ci/lib/containerd.sh")

IMAGE = "knarr.dev/test/busybox:1"
COMMAND = ["sleep", "100000"]


# ---- the machine ---------------------------------------------------------------------------------------------------

def containerd_version(folder):
    """"1.6.20" of the containerd in a folder ("": in PATH), or None."""
    try:
        said = subprocess.run([os.path.join(folder, "containerd"), "--version"], capture_output=True, text=True).stdout
    except OSError:
        return None
    found = re.search(r"\bv?(\d+\.\d+\.\d+)", said)
    return found.group(1) if found else None


def containerds(wanted):
    """[(version, folder)] of the system's containerd and of the one that `make deps` unpacks, if it is another version.
    wanted: "all", or the beginnings of versions, separated by commas ("1.6,1.7")."""
    there = []
    for folder in ("", REPOSITORY + "/.cache/containerd-1.7/usr/bin"):
        version = containerd_version(folder)
        if version and version not in [v for v, _ in there]:
            there.append((version, folder))
    if wanted != "all":
        there = [(v, f) for v, f in there if any(v == w or v.startswith(w + ".") for w in wanted.split(","))]
    if not there:
        sys.exit(f"no containerd {wanted} on this machine; run: make deps")
    return there


def machine():
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "load_1min": os.getloadavg()[0],
        "knarr_bin": os.environ["KNARR_BIN"],
    }


def end_cleanly_on_signals():
    """SIGTERM and SIGHUP unwind like an exception, so that the node is taken down again."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))


# ---- pods ----------------------------------------------------------------------------------------------------------

def manifest(name, restart_policy="Always"):
    """The kubelet's counterpart of raw_cri's pod: one container of the same image and command, no probes."""
    return json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 1, "restartPolicy": restart_policy,
                 "containers": [{"name": "main", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": COMMAND}]}})


class Manifests:
    """Manifests written beside the kubelet's directory and renamed into it, as an editor or a deployment tool does."""

    def __init__(self, node):
        self.node = node
        self.staging = node.dir + "/staging"
        os.makedirs(self.staging, exist_ok=True)
        self.present = []

    def stage(self, names, restart_policy="Always"):
        for name in names:
            with open(f"{self.staging}/{name}.json", "w") as file:
                file.write(manifest(name, restart_policy))

    def release(self, names):
        """Renames them into place; the Unix time in ms just before the first rename."""
        begun = time.time() * 1000
        for name in names:
            os.rename(f"{self.staging}/{name}.json", f"{self.node.manifests}/{name}.json")
        self.present += names
        return begun

    def remove_all(self):
        for name in self.present:
            os.remove(f"{self.node.manifests}/{name}.json")
        self.present = []


class LocalApi:
    """The kubelet's local socket over one kept connection: cheap enough to ask every few milliseconds."""

    class _Connection(http.client.HTTPConnection):
        def __init__(self, path):
            super().__init__("kubelet", timeout=30)
            self.path = path

        def connect(self):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self.path)

    def __init__(self, node):
        self.connection = self._Connection(node.socket)

    def close(self):
        self.connection.close()

    def pods(self):
        self.connection.request("GET", "/knarr/v1/pods")
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"/knarr/v1/pods: status {answer.status}: {body[:200]!r}")
        return json.loads(body)["pods"]

    def wait_running(self, count, timeout, interval):
        """Until `count` pods are Running and no other is there; the Unix time in ms of the answer that said so."""
        end = time.monotonic() + timeout
        while True:
            pods = self.pods()
            now = time.time() * 1000
            running = [p for p in pods if p["phase"] == "Running"]
            if len(running) == count == len(pods):
                restarted = [p["name"] for p in pods if any(c["restarts"] for c in p["containers"])]
                if restarted:
                    raise RuntimeError(f"restarted during the benchmark: {', '.join(restarted)}")
                return now
            if time.monotonic() > end:
                waiting = [f"{p['name']}: {p.get('why', '')}" for p in pods if p["phase"] != "Running"]
                raise RuntimeError(f"{len(running)} of {count} pods Running after {timeout} s; {'; '.join(waiting[:3])}")
            time.sleep(interval)


# ---- figures -------------------------------------------------------------------------------------------------------

def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def table(header, rows):
    """Plain text, first column left, the others right."""
    cells = [header] + [[str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    line = lambda row: "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip()
    return "\n".join([line(cells[0]), "  ".join("-" * w for w in widths)] + [line(row) for row in cells[1:]])


def verdict(met):
    return "met" if met else "MISSED"


def write_json(path, value):
    if not path:
        return
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".new", "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")
    os.rename(path + ".new", path)


def say(text):
    """Progress; the tables alone go to standard output."""
    print(text, file=sys.stderr, flush=True)
