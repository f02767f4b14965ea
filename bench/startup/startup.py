#!/usr/bin/env python3
"""From starting the kubelet on an empty data directory to its first Ready pod.

  startup.py [--rounds 5] [--containerd all] [--out FILE.json]

containerd runs and has the images, the manifest lies there. Environment as podstart.py. Needs root. See bench/README.md.
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

GOAL_MS = 3000.0
POLL_SECONDS = 0.002
TIMEOUT_SECONDS = 60


def measure_once(folder):
    """A node of its own, so that every directory is new. Times in ms since the kubelet was started."""
    node = Node(containerd_bin=folder)
    api = None
    try:
        node.start_containerd()
        node.import_images()
        manifests = common.Manifests(node)
        manifests.stage(["first"])
        manifests.release(["first"])
        begun = time.monotonic()
        node.start_kubelet()
        answers = time.monotonic()
        api = common.LocalApi(node)
        while not any(pod["ready"] for pod in api.pods()):
            if time.monotonic() - begun > TIMEOUT_SECONDS:
                raise RuntimeError("no pod became Ready\n" + node.tail_log())
            time.sleep(POLL_SECONDS)
        return {"answers": (answers - begun) * 1000, "ready": (time.monotonic() - begun) * 1000}
    finally:
        if api:
            api.close()
        node.stop()


def measure(options, version, folder):
    samples = {"answers": [], "ready": []}
    for number in range(options.rounds + 1):
        times = measure_once(folder)
        if number == 0:
            continue  # warm-up: the program and the plugins come from the disk
        for figure, value in times.items():
            samples[figure].append(value)
        say(f"  containerd {version}: answers after {times['answers']:.0f} ms, first pod Ready after {times['ready']:.0f} ms")
    figures = {name: {**common.summary(values), "values": values} for name, values in samples.items()}
    return {"containerd": version, "answers_ms": figures["answers"], "ready_ms": figures["ready"],
            "goal_met": figures["ready"]["median"] <= GOAL_MS}


def report(result):
    f = result["ready_ms"]
    return (f"Kubelet start to first Ready pod, containerd {result['containerd']}: median {f['median']:.0f} ms, {f['min']:.0f} - "
            f"{f['max']:.0f} of {f['n']}; goal <= {GOAL_MS:.0f} ms: {common.verdict(result['goal_met'])}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="starts after the warm-up")
    parser.add_argument("--containerd", default="all", help='versions, "1.6,1.7", or all that are there')
    parser.add_argument("--out", help="where to write the figures as JSON")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("startup: a node needs root: containers, mounts, network namespaces")
    common.end_cleanly_on_signals()
    output = {"machine": common.machine(), "runs": []}
    for version, folder in common.containerds(options.containerd):
        output["runs"].append(measure(options, version, folder))
        common.write_json(options.out, output)
        print(report(output["runs"][-1]), flush=True)


if __name__ == "__main__":
    main()
