#!/usr/bin/env python3
"""Pod starts of the kubelet beside a raw CRI loop, in turn, on one private containerd with the same image and network.

  podstart.py [--rounds 5] [--singles 3] [--burst 30] [--containerd all] [--raw-cri PROGRAM] [--out FILE.json]

Both sides end at the same moment: containerd's event of the last container's process. The raw loop begins at its first
call, the kubelet at the first rename of a manifest. Environment: KNARR_BIN, IMAGES, CONTAINERD_SH (defaults: dist/bin,
dist/images, ci/lib/containerd.sh). Needs root. See bench/README.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
import common  # noqa: E402
from common import say  # noqa: E402
from events import Events  # noqa: E402
from node import Node, wait_for  # noqa: E402

SINGLE_MARGIN_MS = 50.0
BURST_RATIO = 1.15
SETTLE_SECONDS = 1.0
TIMEOUT_SECONDS = 180


class Comparison:
    def __init__(self, options, version, folder):
        self.options = options
        self.version = version
        self.node = Node(containerd_bin=folder)
        self.events = self.api = self.manifests = None
        self.best = {}
        self.samples = {}  # (pods, side, figure) -> milliseconds
        self.serial = 0

    def start(self):
        self.node.start()
        self.manifests = common.Manifests(self.node)
        self.api = common.LocalApi(self.node)
        self.events = Events(self.node)

    def stop(self):
        if self.events:
            self.events.close()
        if self.api:
            self.api.close()
        self.node.stop()

    # ---- one measurement -------------------------------------------------------------------------------------------

    def settle(self):
        """The leftovers of the last measurement are gone and nobody still works on them."""
        wait_for("all pods are gone from the kubelet", lambda: not self.api.pods(), TIMEOUT_SECONDS)
        wait_for("all containers are gone from containerd", lambda: not self.node.container_ids(), TIMEOUT_SECONDS)
        time.sleep(SETTLE_SECONDS)

    def raw(self, pods, parallelism):
        """The raw loop: until the last process runs (by event) and until the last call returned."""
        self.settle()
        self.events.clear()
        done = subprocess.run(
            self.node.in_netns(self.options.raw_cri, f"--endpoint=unix://{self.node.dir}/c/containerd.sock", f"--pods={pods}",
                               f"--parallelism={parallelism}", f"--image={common.IMAGE}", "--command=" + ",".join(common.COMMAND),
                               f"--cgroup-parent={self.node.cgroup}/raw"),
            capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(f"raw_cri: {done.stderr}\n{self.node.tail_log()}")
        run = json.loads(done.stdout)["runs"][0]
        return {"process": self.events.wait_starts(2 * pods, TIMEOUT_SECONDS) - run["begin_unix_ms"], "api": run["total_ms"]}

    def kubelet(self, pods):
        """The kubelet: until the last process runs (by event) and until its local API says that all pods are Running."""
        self.settle()
        self.serial += 1
        names = [f"p{self.serial}-{i}" for i in range(pods)]
        self.manifests.stage(names)
        self.events.clear()
        begun = self.manifests.release(names)
        # Nobody asks the kubelet anything while it works.
        process = self.events.wait_starts(2 * pods, TIMEOUT_SECONDS)
        api = self.api.wait_running(pods, TIMEOUT_SECONDS, 0.002)
        self.manifests.remove_all()
        return {"process": process - begun, "api": api - begun}

    def keep(self, pods, side, times):
        for figure, value in times.items():
            self.samples.setdefault((pods, side, figure), []).append(value)
        say(f"  {side:7} {pods:3} pods: processes run after {times['process']:.0f} ms, "
            f"{'call returned' if side == 'raw' else 'Running'} after {times['api']:.0f} ms")

    # ---- the whole -------------------------------------------------------------------------------------------------

    def warm_up(self):
        """Both sides once without counting; the raw loop's best parallelism for the burst is found by the way."""
        say(f"containerd {self.version}: warm-up")
        self.raw(1, 1)
        self.kubelet(1)
        best = {}
        for _ in range(2):
            for parallelism in self.options.parallelism:
                took = self.raw(self.options.burst, parallelism)["process"]
                best[parallelism] = min(took, best.get(parallelism, took))
                say(f"  raw     {self.options.burst:3} pods, parallelism {parallelism}: {took:.0f} ms")
        self.parallelism_ms = best
        self.best = {1: 1, self.options.burst: min(best, key=best.get)}
        self.kubelet(self.options.burst)

    def measure(self):
        self.warm_up()
        for number in range(1, self.options.rounds + 1):
            say(f"containerd {self.version}: round {number} of {self.options.rounds}")
            for pods in [1] * self.options.singles + [self.options.burst]:
                self.keep(pods, "raw", self.raw(pods, self.best[pods]))
                self.keep(pods, "kubelet", self.kubelet(pods))

    def result(self):
        burst = self.options.burst
        figures = {f"{side}_{pods}_{figure}_ms": {**common.summary(values), "values": values}
                   for (pods, side, figure), values in self.samples.items()}
        median = lambda side, pods, figure: figures[f"{side}_{pods}_{figure}_ms"]["median"]
        over = median("kubelet", 1, "process") - median("raw", 1, "process")
        ratio = median("kubelet", burst, "process") / median("raw", burst, "process")
        return {
            "containerd": self.version,
            "burst": burst,
            "raw_best_parallelism": self.best[burst],
            "raw_ms_by_parallelism": self.parallelism_ms,
            "figures": figures,
            "single_over_raw_ms": over,
            "burst_ratio": ratio,
            "single_goal_met": over <= SINGLE_MARGIN_MS,
            "burst_goal_met": ratio <= BURST_RATIO,
        }


def report(result):
    burst = result["burst"]
    rows = []
    for pods in (1, burst):
        for figure, raw_name, kubelet_name in (("process", "processes run", "processes run"),
                                               ("api", "last call returned", "all Running (local API)")):
            raw, kubelet = (result["figures"][f"{side}_{pods}_{figure}_ms"] for side in ("raw", "kubelet"))
            for side, name, f in (("raw CRI", raw_name, raw), ("kubelet", kubelet_name, kubelet)):
                rows.append([f"{pods} pod{'s' if pods > 1 else ''}, {side}: {name}", f"{f['median']:.1f}",
                             f"{f['min']:.1f} - {f['max']:.1f}", f["n"],
                             f"{kubelet['median'] / raw['median']:.2f}" if side == "kubelet" else ""])
    return "\n".join([
        f"Pod start, containerd {result['containerd']}; raw CRI's best parallelism for {burst} pods: {result['raw_best_parallelism']}",
        "",
        common.table(["", "median ms", "min - max", "n", "kubelet/raw"], rows),
        "",
        f"goal, 1 pod:   kubelet <= raw CRI + {SINGLE_MARGIN_MS:.0f} ms   is + {result['single_over_raw_ms']:.1f} ms   "
        + common.verdict(result["single_goal_met"]),
        f"goal, {burst} pods: kubelet <= raw CRI x {BURST_RATIO}   is x {result['burst_ratio']:.2f}   "
        + common.verdict(result["burst_goal_met"]),
        ""])


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds after the warm-up")
    parser.add_argument("--singles", type=int, default=3, help="single pods in each round, for either side")
    parser.add_argument("--burst", type=int, default=30, help="pods of the burst")
    parser.add_argument("--parallelism", default="1,2,4,8,16", help="parallelisms that the raw loop tries in the warm-up")
    parser.add_argument("--containerd", default="all", help='versions, "1.6,1.7", or all that are there')
    parser.add_argument("--raw-cri", default=common.REPOSITORY + "/bazel-bin/bench/podstart/raw_cri", help="the raw loop's program")
    parser.add_argument("--out", help="where to write the figures as JSON")
    options = parser.parse_args()
    if options.rounds < 1 or options.singles < 1 or options.burst < 2:
        parser.error("--rounds and --singles take 1 or more, --burst takes 2 or more")
    if not os.access(options.raw_cri, os.X_OK):
        parser.error(f"{options.raw_cri} is missing; run: bazel build //bench/podstart:raw_cri")
    options.parallelism = [int(p) for p in options.parallelism.split(",")]
    return options


def main():
    options = parse_arguments()
    if os.geteuid() != 0:
        sys.exit("podstart: a node needs root: containers, mounts, network namespaces")
    common.end_cleanly_on_signals()
    output = {"machine": common.machine(), "runs": []}
    for version, folder in common.containerds(options.containerd):
        comparison = Comparison(options, version, folder)
        try:
            comparison.start()
            comparison.measure()
        finally:
            comparison.stop()
        output["runs"].append(comparison.result())
        common.write_json(options.out, output)
        print(report(output["runs"][-1]), flush=True)


if __name__ == "__main__":
    main()
