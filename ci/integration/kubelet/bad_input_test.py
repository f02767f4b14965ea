"""A thousand mutated manifests, bombs and oversize files beside ten good pods: no crash, no good pod touched."""

import os
import random
import time
import unittest

from node import Node, pod_yaml, wait_for

GOOD = 10
MUTANTS = 1000


def mutate(text, random_source):
    """One or two random edits: a byte changed, a span cut or doubled, a line lost or indented."""
    data = bytearray(text.encode())
    for _ in range(random_source.choice((1, 2))):
        at = random_source.randrange(len(data))
        kind = random_source.randrange(5)
        if kind == 0:
            data[at] = random_source.randrange(256)
        elif kind == 1:
            del data[at:at + random_source.randrange(1, 40)]
        elif kind == 2:
            data[at:at] = data[at:at + random_source.randrange(1, 40)]
        elif kind == 3:
            data = data[:at]
        else:
            data[at:at] = random_source.choice((b"\n  ", b"\t", b": ", b"[", b"{", b"&a ", b"*a ", b"\x00", b"'", b"- "))
        if not data:
            data = bytearray(b"{")
    return bytes(data)


class BadInputTest(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.stop)
        self.node.start()
        for i in range(GOOD):
            self.node.write(f"good{i}.yaml", pod_yaml(f"good{i}"))
        for i in range(GOOD):
            self.node.ready(f"good{i}")

    def good_ids(self):
        return [self.node.pod(f"good{i}")["containers"][0]["id"] for i in range(GOOD)]

    def memory(self):
        with open(f"/proc/{self.node.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))

    def test_a_thousand_mutants_touch_no_good_pod(self):
        node, source = self.node, random.Random(20240917)
        before = self.good_ids()
        # Mutants are of a pod that no runtime could start anyway: what is valid by accident must not pull or run.
        template = pod_yaml("mutant", image="127.0.0.1:1/none:1", extra_container="    imagePullPolicy: Never\n")
        for i in range(MUTANTS):
            with open(f"{node.manifests}/mutant{i % 50}.yaml", "wb") as file:
                file.write(mutate(template, source))
            if i % 100 == 99:
                self.assertIsNone(node.process.poll(), node.tail_log())
        wait_for("the kubelet has seen the last ones", lambda: node.bad_manifests())
        self.assertEqual(self.good_ids(), before)
        for i in range(50):
            os.remove(f"{node.manifests}/mutant{i}.yaml")
        wait_for("nothing is complained of", lambda: not node.bad_manifests())
        self.assertEqual(self.good_ids(), before)
        self.assertIsNone(node.process.poll())

    def test_bombs_and_oversize_files_are_refused_in_bounded_memory(self):
        node = self.node
        before, memory = self.good_ids(), self.memory()
        aliases = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12))
        node.write("alias.yaml", aliases)
        node.write("depth.yaml", "a: " + "[" * 100000)
        node.write("depth.json", '{"a":' * 100000)
        node.write("large.yaml", pod_yaml("large") + "# " + "x" * (1 << 20))
        names = ("alias.yaml", "depth.yaml", "depth.json", "large.yaml")
        begun = time.monotonic()
        wait_for("all four are refused", lambda: {os.path.basename(b["file"]) for b in node.bad_manifests()} == set(names))
        self.assertLess(time.monotonic() - begun, 10)
        errors = {os.path.basename(b["file"]): b["error"] for b in node.bad_manifests()}
        self.assertIn("is larger than 1048576 bytes", errors["large.yaml"])
        self.assertLess(self.memory() - memory, 64 << 10)  # KiB
        self.assertEqual(self.good_ids(), before)
        log = node.log_text()
        for name in names:
            self.assertEqual(log.count(f'"InvalidManifest" message="{node.manifests}/{name}'), 1, name)


if __name__ == "__main__":
    unittest.main()
