"""containerd's event stream (`ctr events`), from which both sides of the comparison take the moment a process runs."""

import calendar
import re
import subprocess
import threading
import time

# 2026-01-31 12:00:00.123456789 +0000 UTC k8s.io /tasks/start {"container_id":...}
_LINE = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(\.\d+)? \+0000 UTC \S+ (/\S+) ")


def parse(line):
    """(Unix time in ms, topic) of a line, or None."""
    found = _LINE.match(line)
    if not found:
        return None
    seconds = calendar.timegm(tuple(int(found.group(i)) for i in range(1, 7)))
    return seconds * 1000 + float(found.group(7) or 0) * 1000, found.group(8)


class Events:
    """Runs `ctr events` from start to close. The time stamps are containerd's own, so the reader's delay is not in them."""

    def __init__(self, node):
        self.changed = threading.Condition()
        self.seen = 0
        self.starts = []  # time stamps of /tasks/start: one for each sandbox, one for each container
        self.exits = []   # the same of /tasks/exit
        self.ended = False
        self.process = subprocess.Popen(node.ctr_command("events"), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self._subscribed(node)

    def _read(self):
        for line in self.process.stdout:
            event = parse(line)
            if not event:
                continue
            with self.changed:
                self.seen += 1
                if event[1] == "/tasks/start":
                    self.starts.append(event[0])
                elif event[1] == "/tasks/exit":
                    self.exits.append(event[0])
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _subscribed(self, node):
        """ctr does not say when it listens: make events until one arrives."""
        for attempt in range(100):
            node.ctr("images", "label", "knarr.dev/pause:1", f"bench={attempt}")
            with self.changed:
                if self.changed.wait_for(lambda: self.seen or self.ended, 0.1) and not self.ended:
                    return
        raise RuntimeError("containerd sends no events")

    def clear(self):
        with self.changed:
            self.starts.clear()
            self.exits.clear()

    def first_exit(self, timeout):
        """Until a task has ended since clear(); when the first one did, Unix time in ms."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.exits or self.ended, timeout) or not self.exits:
                raise RuntimeError(f"no process ended within {timeout} s")
            return min(self.exits)

    def wait_starts(self, count, timeout):
        """Until `count` tasks have started since clear(); when the last of them did, Unix time in ms."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.starts) >= count or self.ended, timeout):
                raise RuntimeError(f"{len(self.starts)} of {count} processes started within {timeout} s")
            if self.ended:
                raise RuntimeError("ctr events ended")
            if len(self.starts) > count:
                raise RuntimeError(f"{len(self.starts)} processes started, {count} were expected: a pod was started twice")
            return max(self.starts)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.reader.join(timeout=10)
