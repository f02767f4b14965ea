"""The arithmetic of the benchmarks: what would silently give wrong figures."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE) + "/idle", os.path.dirname(HERE) + "/podstart"]
import common  # noqa: E402
import events  # noqa: E402
import idle  # noqa: E402
import podstart  # noqa: E402


class BenchTest(unittest.TestCase):
    def test_an_event_line_gives_unix_milliseconds_and_its_topic(self):
        line = '1970-01-02 00:00:01.5 +0000 UTC k8s.io /tasks/start {"container_id":"a","pid":1}\n'
        self.assertEqual(events.parse(line), (86401500.0, "/tasks/start"))
        self.assertEqual(events.parse("1970-01-01 00:00:02 +0000 UTC k8s.io /tasks/exit {}")[0], 2000.0)
        self.assertIsNone(events.parse("ctr: the stream ended"))

    def test_growth_counts_new_threads_from_zero_and_forgets_ended_ones(self):
        before = {"1": (10, 100), "2": (5, 50)}
        after = {"1": (13, 400), "3": (4, 7)}
        self.assertEqual(idle.growth(before, after, 0), 3 + 4)
        self.assertEqual(idle.growth(before, after, 1), 300 + 7)
        self.assertIsNone(idle.growth({"1": (1, None)}, {"1": (2, None)}, 1))

    def test_proc_files_are_read_by_name(self):
        with tempfile.NamedTemporaryFile("w", dir=os.environ.get("TEST_TMPDIR")) as file:
            file.write("5555-7fff ---p 00000000 00:00 0   [rollup]\nPss:            21457 kB\nPss_File:  17000 kB\nName:\t\n")
            file.flush()
            found = idle.fields(file.name)
        self.assertEqual((found["Pss"], found["Pss_File"]), ("21457", "17000"))
        self.assertNotIn("Name", found)

    def test_the_own_process_can_be_measured(self):
        self.assertGreater(idle.memory(os.getpid())["pss_kib"], 1000)
        self.assertIn(str(os.getpid()), idle.per_thread(os.getpid()))
        self.assertGreaterEqual(idle.cpu_seconds(os.getpid()), 0)

    def result(self, single, burst):
        comparison = object.__new__(podstart.Comparison)
        comparison.options = type("Options", (), {"burst": 30})
        comparison.version, comparison.best, comparison.parallelism_ms = "1.6.20", {1: 1, 30: 4}, {4: 1000.0}
        comparison.samples = {}
        for pods, raw, kubelet in ((1, [200.0, 210.0, 900.0], single), (30, [1000.0, 990.0, 1010.0], burst)):
            for side, values in (("raw", raw), ("kubelet", kubelet)):
                for figure in ("process", "api"):
                    comparison.samples[(pods, side, figure)] = values
        return comparison.result()

    def test_goals_are_judged_by_medians(self):
        good = self.result([260.0, 250.0, 2000.0], [1150.0, 1.0, 9000.0])
        self.assertEqual((good["single_over_raw_ms"], good["burst_ratio"]), (50.0, 1.15))
        self.assertTrue(good["single_goal_met"] and good["burst_goal_met"])
        bad = self.result([261.0, 1.0, 2000.0], [1151.0, 1.0, 9000.0])
        self.assertFalse(bad["single_goal_met"] or bad["burst_goal_met"])
        self.assertIn("MISSED", podstart.report(bad))
        self.assertNotIn("MISSED", podstart.report(good))

    def test_a_table_has_aligned_columns(self):
        self.assertEqual(common.table(["", "ms"], [["a", 1], ["long", "22.5"]]).splitlines(),
                         ["        ms", "----  ----", "a        1", "long  22.5"])

    def test_only_the_wanted_containerds_are_taken(self):
        known = {"": "1.6.20", common.REPOSITORY + "/.cache/containerd-1.7/usr/bin": "1.7.24"}
        original, common.containerd_version = common.containerd_version, known.get
        try:
            self.assertEqual([v for v, _ in common.containerds("all")], ["1.6.20", "1.7.24"])
            self.assertEqual([v for v, _ in common.containerds("1.7")], ["1.7.24"])
            self.assertRaises(SystemExit, common.containerds, "1.5")
        finally:
            common.containerd_version = original


if __name__ == "__main__":
    unittest.main()
