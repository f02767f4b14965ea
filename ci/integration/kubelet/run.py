#!/usr/bin/env python3
"""Runs the unittest modules named on the command line and writes a JUnit file where Bazel wants it (XML_OUTPUT_FILE)."""

import os
import sys
import time
import unittest
from xml.sax.saxutils import escape, quoteattr

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


class Results(unittest.TextTestResult):
    def __init__(self, *args):
        super().__init__(*args)
        self.cases = []  # (name, seconds, kind, text)

    def startTest(self, test):
        self.begun = time.monotonic()
        super().startTest(test)

    def note(self, test, kind="", text=""):
        self.cases.append((test.id(), time.monotonic() - getattr(self, "begun", time.monotonic()), kind, text))

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.note(test, "failure", self._exc_info_to_string(error, test))

    def addError(self, test, error):
        super().addError(test, error)
        self.note(test, "error", self._exc_info_to_string(error, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped", reason)


def write_junit(path, cases):
    with open(path, "w") as out:
        out.write("<testsuites><testsuite>\n")
        for name, seconds, kind, text in cases:
            body = f"<{kind}>{escape(text)}</{kind}>" if kind else ""
            out.write(f"<testcase name={quoteattr(name)} time=\"{seconds:.2f}\">{body}</testcase>\n")
        out.write("</testsuite></testsuites>\n")


def main():
    suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
    result = unittest.TextTestRunner(resultclass=Results, verbosity=2).run(suite)
    if "XML_OUTPUT_FILE" in os.environ:
        write_junit(os.environ["XML_OUTPUT_FILE"], result.cases)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
