#!/usr/bin/env python3
"""Knarr's kube-apiserver beside upstream's 1.20.2: the same etcd binary (one for each server), and Knarr on SQLite.

usage: apiserver.py [--rounds N] [--seconds S] [--out FILE] [--skip-upstream]

Environment: KNARR_BIN, KNARR_CACHE (see ci/integration/apiserver/server.py), LOAD (the load program).
Rounds are interleaved: every server takes its turn at each kind of work before the next round begins. CPU is that of the
API server and, where it has one, its etcd; ratios are upstream / Knarr for time and memory, Knarr / upstream for rates.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "ci" / "integration" / "apiserver"))
from server import ADMIN, Server, free_port  # noqa: E402


def memory(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0


class Side:
    def __init__(self, name):
        self.name, self.results, self.memory = name, {}, {}

    def load(self, mode, **options):
        command = [os.environ["LOAD"], f"--port={self.port}", f"--token={self.token}", f"--mode={mode}",
                   "--pids=" + ",".join(str(p) for p in self.pids)]
        command += [f"--{key}={value}" for key, value in options.items()]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        return json.loads(run.stdout)

    def record(self, what, result):
        self.results.setdefault(what, []).append(result)


class Knarr(Side):
    token = ADMIN

    def __init__(self, name, with_etcd):
        super().__init__(name)
        self.etcd = None
        url = None
        if with_etcd:
            port, peer = free_port(), free_port()
            self.etcd_dir = tempfile.TemporaryDirectory(prefix="knarr-bench-etcd-")
            url = f"http://127.0.0.1:{port}"
            self.etcd = subprocess.Popen(
                ["etcd", "--data-dir", self.etcd_dir.name, "--listen-client-urls", url, "--advertise-client-urls", url,
                 "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls",
                 f"http://127.0.0.1:{peer}", "--initial-cluster", f"default=http://127.0.0.1:{peer}"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.server = Server(etcd=url).start()
        self.port = self.server.port
        self.pid = self.server.process.pid
        self.pids = [self.pid] + ([self.etcd.pid] if self.etcd else [])

    def close(self):
        self.server.close()
        if self.etcd:
            self.etcd.kill()
            self.etcd.wait()
            self.etcd_dir.cleanup()


class Upstream(Side):
    token = "admin"

    def __init__(self):
        super().__init__("upstream 1.20.2, etcd")
        self.dir = tempfile.TemporaryDirectory(prefix="knarr-bench-upstream-")
        self.port = free_port()
        self.process = subprocess.Popen([ROOT / "ci/upstream/apiserver.sh", self.dir.name, str(self.port)],
                                        stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline().startswith("ready"):
            sys.exit("upstream's server does not come up")
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], stdout=subprocess.PIPE, text=True).stdout.split()
        self.pids = [int(c) for c in children if os.path.basename(os.readlink(f"/proc/{c}/exe")) in ("etcd", "kube-apiserver")]
        self.pid = next(p for p in self.pids if os.readlink(f"/proc/{p}/exe").endswith("kube-apiserver"))

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.dir.cleanup()


def median(side, what, key):
    return statistics.median(r[key] for r in side.results[what])


def table(sides):
    def rate(r):
        return r["operations"] / r["seconds"]

    def per_cpu(r):
        return r["operations"] / max(r["cpu_seconds"], 1e-6)

    lines = ["| work | server | per second | per CPU-second | p50 ms | p99 ms |", "|---|---|---|---|---|---|"]
    for what in sides[0].results:
        for side in sides:
            results = side.results[what]
            lines.append("| {} | {} | {:.0f} | {:.0f} | {:.2f} | {:.2f} |".format(
                what, side.name, statistics.median(map(rate, results)), statistics.median(map(per_cpu, results)),
                median(side, what, "p50_ms"), median(side, what, "p99_ms")))
    lines += ["", "| memory (PSS of the API server), MiB | " + " | ".join(s.name for s in sides) + " |",
              "|---|" + "---|" * len(sides)]
    for what in sides[0].memory:
        lines.append(f"| {what} | " + " | ".join(f"{s.memory[what]:.1f}" for s in sides) + " |")
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=4)
    arguments.add_argument("--objects", type=int, default=10000)
    arguments.add_argument("--watchers", type=int, default=1000)
    arguments.add_argument("--out")
    arguments.add_argument("--skip-upstream", action="store_true")
    options = arguments.parse_args()
    sides = [Knarr("Knarr, SQLite", False), Knarr("Knarr, etcd", True)]
    if not options.skip_upstream:
        sides.append(Upstream())
    try:
        time.sleep(5)
        for side in sides:
            side.memory["at rest"] = memory(side.pid)
        lists = "/api/v1/namespaces/bench/configmaps"
        for side in sides:
            create_namespace(side, "bench")
            fill(side, lists, options.objects)
            side.memory[f"{options.objects} ConfigMaps of 300 bytes"] = memory(side.pid)
        for number in range(options.rounds):
            for side in sides:
                name = f"r{number}"
                seconds = options.seconds
                side.record("create, 1 client", side.load("create", clients=1, seconds=seconds, prefix=name + "a"))
                side.record("create, 64 clients", side.load("create", clients=64, seconds=seconds, prefix=name + "b"))
                side.record("GET, 8 clients", side.load("get", clients=8, seconds=seconds, path=lists, prefix="f"))
                side.record(f"LIST of {options.objects}", side.load("list", clients=2, seconds=seconds, path=lists))
                side.record(f"LIST of {options.objects}, resourceVersion=0",
                            side.load("list", clients=2, seconds=seconds, path=lists + "?resourceVersion=0"))
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
        for side in sides:
            side.memory["after lists and creates"] = memory(side.pid)
        for side in sides:
            side.record(f"events to {options.watchers} watchers at 200/s",
                        side.load("watch", clients=options.watchers, seconds=options.seconds * 2, prefix="w"))
            side.memory[f"with {options.watchers} watchers, afterwards"] = memory(side.pid)
        # Only the last has been done once.
        report = table(sides)
        print(report)
        if options.out:
            pathlib.Path(options.out).write_text(json.dumps(
                {s.name: {"results": s.results, "memory": s.memory} for s in sides}, indent=1))
    finally:
        for side in sides:
            side.close()


def create_namespace(side, name):
    body = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    subprocess.run(["curl", "-sk", "-o", "/dev/null", "-H", f"Authorization: Bearer {side.token}", "-H",
                    "Content-Type: application/json", "-d", body, f"https://127.0.0.1:{side.port}/api/v1/namespaces"],
                   check=True)


def fill(side, path, count):
    # The get load asks for f-0 ... f-999; the rest has other names.
    subprocess.run([os.environ["LOAD"], f"--port={side.port}", f"--token={side.token}", "--mode=fill", "--clients=16",
                    f"--objects={count}", f"--path={path}", "--prefix=f", "--seconds=600"], check=True,
                   stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
