#!/usr/bin/env python3
"""From the end of a container's process to the kubelet's status that says so.

  exit.py [--rounds 20] [--containerd all] [--out FILE.json]

A pod that is not restarted has its process killed; the time runs from containerd's own event of the exit until the
local API shows the container as terminated. Environment as podstart.py. Needs root. See bench/README.md.
"""

import argparse
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
import common  # noqa: E402
from common import say  # noqa: E402
from events import Events  # noqa: E402
from node import Node, wait_for  # noqa: E402

GOAL_MS = 50.0
POLL_SECONDS = 0.002
TIMEOUT_SECONDS = 60


def measure_once(node, api, events, manifests, name):
    manifests.stage([name], restart_policy="Never")
    events.clear()
    manifests.release([name])
    events.wait_starts(2, TIMEOUT_SECONDS)
    api.wait_running(1, TIMEOUT_SECONDS, 0.02)
    container = api.pods()[0]["containers"][0]["id"].removeprefix("containerd://")
    events.clear()
    node.ctr("task", "kill", "-s", "SIGKILL", container)
    end = time.monotonic() + TIMEOUT_SECONDS
    while api.pods()[0]["containers"][0]["state"] != "terminated":
        if time.monotonic() > end:
            raise RuntimeError("the kubelet did not notice the exit\n" + node.tail_log())
        time.sleep(POLL_SECONDS)
    seen = time.time() * 1000
    took = seen - events.first_exit(TIMEOUT_SECONDS)
    manifests.remove_all()
    wait_for("the pod is gone", lambda: not api.pods(), TIMEOUT_SECONDS)
    wait_for("its containers are gone", lambda: not node.container_ids(), TIMEOUT_SECONDS)
    return took


def measure(options, version, folder):
    node = Node(containerd_bin=folder)
    events = api = None
    values = []
    try:
        node.start()
        manifests, api, events = common.Manifests(node), common.LocalApi(node), Events(node)
        for number in range(options.rounds + 1):
            took = measure_once(node, api, events, manifests, f"e{number}")
            if number == 0:
                continue  # warm-up
            values.append(took)
            say(f"  containerd {version}: exit seen after {took:.1f} ms")
    finally:
        if events:
            events.close()
        if api:
            api.close()
        node.stop()
    figure = common.summary(values)
    return {"containerd": version, "exit_to_status_ms": {**figure, "values": values}, "goal_met": figure["median"] <= GOAL_MS}


def report(result):
    f = result["exit_to_status_ms"]
    return (f"Container exit to status, containerd {result['containerd']}: median {f['median']:.1f} ms, {f['min']:.1f} - {f['max']:.1f} "
            f"of {f['n']}; goal <= {GOAL_MS:.0f} ms: {common.verdict(result['goal_met'])}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="exits after the warm-up")
    parser.add_argument("--containerd", default="all", help='versions, "1.6,1.7", or all that are there')
    parser.add_argument("--out", help="where to write the figures as JSON")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("exit: a node needs root: containers, mounts, network namespaces")
    common.end_cleanly_on_signals()
    output = {"machine": common.machine(), "runs": []}
    for version, folder in common.containerds(options.containerd):
        output["runs"].append(measure(options, version, folder))
        common.write_json(options.out, output)
        print(report(output["runs"][-1]), flush=True)


if __name__ == "__main__":
    main()
