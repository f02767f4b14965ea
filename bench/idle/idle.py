#!/usr/bin/env python3
"""What the kubelet costs while nothing happens: memory, CPU, wake-ups and threads with 0, 10 and 100 pods.

  idle.py [--pods 0,10,100] [--window 60] [--settle 20] [--containerd all] [--out FILE.json]

Environment: KNARR_BIN, IMAGES, CONTAINERD_SH (defaults: dist/bin, dist/images, ci/lib/containerd.sh). Needs root, and
memory for containerd's shims: about 1.5 GB for 100 pods. See bench/README.md.
"""

import argparse
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
import common  # noqa: E402
from common import say  # noqa: E402
from node import Node  # noqa: E402

PSS_GOAL_KIB = 16 * 1024
CPU_GOAL_PERCENT = 0.1
GOAL_PODS = 10
START_TIMEOUT_SECONDS = 300


# ---- /proc ---------------------------------------------------------------------------------------------------------

def fields(path):
    """A "Name:  value ..." file of /proc as a dictionary of first words."""
    found = {}
    with open(path) as file:
        for line in file:
            name, colon, rest = line.partition(":")
            if colon and rest.split():
                found[name] = rest.split()[0]
    return found


def memory(pid):
    rollup = fields(f"/proc/{pid}/smaps_rollup")
    status = fields(f"/proc/{pid}/status")
    kib = lambda name: int(rollup[name])
    return {"pss_kib": kib("Pss"), "pss_file_kib": kib("Pss_File"), "rss_kib": kib("Rss"),
            "private_dirty_kib": kib("Private_Dirty"), "anonymous_kib": kib("Anonymous"), "peak_rss_kib": int(status["VmHWM"]), "threads": int(status["Threads"])}


def cpu_seconds(pid):
    """User and system time, of children that were waited for too (an idle kubelet should have none)."""
    with open(f"/proc/{pid}/stat") as file:
        numbers = file.read().rpartition(")")[2].split()
    return sum(int(n) for n in numbers[11:15]) / os.sysconf("SC_CLK_TCK")


def per_thread(pid):
    """{thread id: (voluntary switches, nanoseconds on a CPU or None)}; a thread that ends meanwhile is left out."""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        folder = f"/proc/{pid}/task/{tid}"
        try:
            switches = int(fields(folder + "/status")["voluntary_ctxt_switches"])
            try:
                with open(folder + "/schedstat") as file:
                    ran = int(file.read().split()[0])
            except FileNotFoundError:
                ran = None  # a kernel without CONFIG_SCHED_INFO
        except (FileNotFoundError, ProcessLookupError, KeyError):
            continue
        found[tid] = (switches, ran)
    return found


def wakeups_by_name(pid, before, after):
    """Thread names with the most voluntary switches first: where to look when the kubelet does not sleep."""
    names = {}
    for tid, now in after.items():
        count = now[0] - before.get(tid, (0, 0))[0]
        try:
            with open(f"/proc/{pid}/task/{tid}/comm") as file:
                name = file.read().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if count:
            names[name] = names.get(name, 0) + count
    return dict(sorted(names.items(), key=lambda item: -item[1]))


def growth(before, after, index):
    """The sum over the threads there are now; one that is new began at 0."""
    values = [(now[index], before.get(tid, (0, 0))[index]) for tid, now in after.items()]
    return None if any(v is None for pair in values for v in pair) else sum(now - then for now, then in values)


# ---- measuring -----------------------------------------------------------------------------------------------------

def watch(node, seconds):
    pid = node.process.pid
    threads, cpu, begun = per_thread(pid), cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    cpu = cpu_seconds(pid) - cpu
    now = per_thread(pid)
    ran = growth(threads, now, 1)
    if node.process.poll() is not None:
        raise RuntimeError("the kubelet ended:\n" + node.tail_log())
    return {"window_s": round(took, 3), "cpu_ms": round(cpu * 1000), "cpu_percent": 100 * cpu / took,
            "cpu_ms_by_scheduler": None if ran is None else round(ran / 1e6, 3),
            "wakeups": growth(threads, now, 0), "wakeups_per_s": growth(threads, now, 0) / took,
            "wakeups_by_thread": wakeups_by_name(pid, threads, now), **memory(pid)}


def measure(options, version, folder, done):
    """done(figures) after each number of pods. One kubelet, growing: what 100 pods leave behind does not show at 10."""
    node = Node(containerd_bin=folder)
    api = None
    try:
        node.start()
        manifests = common.Manifests(node)
        api = common.LocalApi(node)
        present = 0
        for pods in options.pods:
            names = [f"idle-{i}" for i in range(present, pods)]
            manifests.stage(names)
            manifests.release(names)
            present = pods
            say(f"containerd {version}: {pods} pods, waiting until they run and all is quiet, then {options.window} s")
            api.wait_running(pods, START_TIMEOUT_SECONDS, 0.2)
            time.sleep(options.settle)
            done({"containerd": version, "pods": pods, **watch(node, options.window)})
    finally:
        if api:
            api.close()
        node.stop()


def report(runs):
    mib = lambda kib: f"{kib / 1024:.1f}"
    rows = [[f"containerd {r['containerd']}, {r['pods']} pods",
             *(mib(r[name]) for name in ("pss_kib", "pss_file_kib", "private_dirty_kib", "peak_rss_kib")), f"{r['cpu_percent']:.3f}", "-" if r["cpu_ms_by_scheduler"] is None else f"{r['cpu_ms_by_scheduler']:.1f}",
             f"{r['wakeups_per_s']:.2f}", r["threads"]] for r in runs]
    header = ["", "PSS MiB", "of it files", "private dirty", "peak RSS", "CPU %", "CPU ms", "wake-ups/s", "threads"]
    lines = [f"The idle kubelet, {runs[0]['window_s']:.0f} s each; memory in MiB", "", common.table(header, rows), ""]
    for r in runs:
        if r["pods"] == GOAL_PODS:
            lines.append(f"goals, containerd {r['containerd']}, {GOAL_PODS} pods: "
                         f"PSS <= {PSS_GOAL_KIB // 1024} MiB  {common.verdict(r['pss_kib'] <= PSS_GOAL_KIB)};  "
                         f"CPU <= {CPU_GOAL_PERCENT} % of a core  {common.verdict(r['cpu_percent'] <= CPU_GOAL_PERCENT)}")
    return "\n".join(lines) + "\n"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pods", default="0,10,100", help="numbers of pods, rising (at most 110, the kubelet's own limit)")
    parser.add_argument("--window", type=float, default=60, help="seconds of watching for each")
    parser.add_argument("--settle", type=float, default=20, help="seconds between the last pod's start and the watching")
    parser.add_argument("--containerd", default="all", help='versions, "1.6,1.7", or all that are there')
    parser.add_argument("--out", help="where to write the figures as JSON")
    options = parser.parse_args()
    options.pods = [int(p) for p in options.pods.split(",")]
    if options.pods != sorted(set(options.pods)) or options.pods[-1] > 110 or options.pods[0] < 0:
        parser.error("--pods takes rising numbers from 0 to 110")
    if options.window <= 0 or options.settle < 0:
        parser.error("--window takes more than 0 seconds, --settle 0 or more")
    return options


def main():
    options = parse_arguments()
    if os.geteuid() != 0:
        sys.exit("idle: a node needs root: containers, mounts, network namespaces")
    common.end_cleanly_on_signals()
    output = {"machine": common.machine(), "runs": []}

    def done(figures):
        output["runs"].append(figures)
        common.write_json(options.out, output)

    for version, folder in common.containerds(options.containerd):
        measure(options, version, folder, done)
    print(report(output["runs"]), flush=True)


if __name__ == "__main__":
    main()
