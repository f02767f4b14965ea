#!/usr/bin/env python3
"""Counts test cases from Bazel's build event file (JSON) and the JUnit files that it names.

collect BEP: one line "passed failed skipped" per test target on standard output; skips with their reasons on stderr.
total FILE:  the closing line over all of them; exit 1 when anything failed or nothing ran.
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


def test_results(bep_path):
    """(label, status, path of test.xml or None) of every test run; tests that did not build have status NO_BUILD."""
    tests, runs = set(), {}
    with open(bep_path, encoding="utf-8", errors="replace") as file:
        for line in file:
            event = json.loads(line)
            identity = event.get("id", {})
            if "targetConfigured" in identity and event.get("configured", {}).get("testSize"):
                tests.add(identity["targetConfigured"]["label"])
            if "testResult" in identity:
                result = event.get("testResult", {})
                outputs = {o["name"]: o.get("uri", "") for o in result.get("testActionOutput", [])}
                xml = urllib.parse.unquote(outputs.get("test.xml", "").removeprefix("file://")) or None
                runs[identity["testResult"]["label"]] = (result.get("status", "UNKNOWN"), xml)
            if "targetCompleted" in identity and not event.get("completed", {}).get("success"):
                label = identity["targetCompleted"]["label"]
                if label in tests:
                    runs.setdefault(label, ("NO_BUILD", None))
    for label, (status, xml) in sorted(runs.items()):
        yield label, status, xml


def count_xml(path):
    """Passed, failed, skipped and the names of the skipped test cases of one JUnit file."""
    passed = failed = 0
    skipped = []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped.append(case.get("name", "?"))
        else:
            passed += 1
    return passed, failed, skipped


def collect(bep_path):
    for label, status, xml in test_results(bep_path):
        passed, failed, skipped = 0, 0, []
        try:
            if xml:
                passed, failed, skipped = count_xml(xml)
        except (OSError, ElementTree.ParseError):
            passed, failed, skipped = 0, 0, []
        if status == "PASSED" and passed + failed + len(skipped) == 0:
            passed = 1  # a test program without cases of its own, such as a fuzz corpus replay
        if status != "PASSED" and failed == 0:
            failed = 1
        for name in skipped:
            print(f"skipped: {label} {name}", file=sys.stderr)
        print(passed, failed, len(skipped), label)


def total(counts_path):
    passed = failed = skipped = 0
    try:
        with open(counts_path, encoding="utf-8") as file:
            for line in file:
                p, f, s, label = line.split(maxsplit=3)
                passed, failed, skipped = passed + int(p), failed + int(f), skipped + int(s)
                if int(f):
                    print(f"failed: {label.strip()} ({f} test cases)", file=sys.stderr)
    except FileNotFoundError:
        pass
    sys.stderr.flush()
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    if sys.argv[1] == "collect":
        collect(sys.argv[2])
    else:
        sys.exit(total(sys.argv[2]))
