"""Nothing that crashes or reboots takes a healthy container with it, and nothing is left of what died."""

import os
import signal
import unittest

from node import Node, pod_yaml, wait_for


class RestartTest(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.stop)
        self.node.start()

    def ids(self, names):
        return {name: self.node.pod(name)["containers"][0]["id"] for name in names}

    def test_killed_kubelet_and_containerd_restart_no_container(self):
        node, names = self.node, ["a", "b", "c"]
        for name in names:
            node.write(name + ".yaml", pod_yaml(name))
        for name in names:
            node.ready(name)
        before = self.ids(names)
        for _ in range(3):
            node.restart_kubelet(signal.SIGKILL)
            for name in names:
                node.ready(name)
            self.assertEqual(self.ids(names), before)
        node.containerd_sh("kill")
        node.start_containerd()
        for name in names:
            node.ready(name)
        node.write("d.yaml", pod_yaml("d"))
        node.ready("d")
        self.assertEqual(self.ids(names), before)
        # Both at once, and a manifest that changes meanwhile.
        node.kill_kubelet()
        node.containerd_sh("kill")
        node.write("a.yaml", pod_yaml("a", command="sleep 5000"))
        os.remove(node.manifests + "/b.yaml")
        node.start_containerd()
        node.start_kubelet()
        wait_for("the changed pod was replaced", lambda: (p := node.pod("a")) and p["ready"] and p["containers"][0]["id"] != before["a"])
        node.gone("b")
        self.assertEqual(node.pod("c")["containers"][0]["id"], before["c"])

    def test_a_kubelet_killed_while_it_starts_pods_leaks_nothing(self):
        node = self.node
        for i in range(6):
            node.write(f"p{i}.yaml", pod_yaml(f"p{i}"))
        wait_for("a first container is there", lambda: node.container_ids())
        node.restart_kubelet(signal.SIGKILL)
        for i in range(6):
            node.ready(f"p{i}")
        wait_for("as many attachments as pods", lambda: len(node.veths()) == 6 and len(node.leases()) == 6)
        for i in range(6):
            node.remove(f"p{i}.yaml")
        wait_for("all pods are gone", lambda: not node.state()["pods"])
        wait_for("nothing is left", lambda: not node.container_ids() and not node.veths() and not node.leases())

    def test_another_boot_sweeps_everything_and_starts_afresh(self):
        node = self.node
        node.write("a.yaml", pod_yaml("a"))
        first = node.ready("a")["containers"][0]["id"]
        node.kill_kubelet()
        with open(node.dir + "/kubelet/boot-id", "w") as file:
            file.write("another-boot")
        node.start_kubelet()
        pod = wait_for("a new container runs", lambda: (p := node.pod("a")) and p["ready"] and p["containers"][0]["id"] != first and p)
        self.assertNotIn(first.removeprefix("containerd://"), node.container_ids())
        self.assertEqual(len(node.leases()), 1)
        self.assertEqual(len(node.veths()), 1)
        self.assertEqual(os.path.basename(node.leases()[0]), pod["podIP"])


if __name__ == "__main__":
    unittest.main()
