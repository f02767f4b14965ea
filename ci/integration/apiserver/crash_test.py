"""kill -9 under writing clients, on SQLite: what was acknowledged is there, versions go on, and a watch that
goes on has no gap (or is told that it is too old, and lists).

ROUNDS (2) and WRITERS (16) by environment; long runs are for a machine of one's own.
"""

import http.client
import json
import os
import threading
import time
import unittest

from server import ADMIN, Server, unverified

ROUNDS = int(os.environ.get("ROUNDS", "2"))
WRITERS = int(os.environ.get("WRITERS", "16"))
PATH = "/api/v1/namespaces/default/configmaps"


class Client:
    def __init__(self, server):
        self.http = http.client.HTTPSConnection("127.0.0.1", server.port, context=unverified(), timeout=30)

    def open(self, method, path, body=None):
        self.http.request(method, path, body=json.dumps(body) if body is not None else None, headers={
            "Authorization": "Bearer " + ADMIN, "Content-Type": "application/json"})
        return self.http.getresponse()

    def ask(self, method, path, body=None):
        answer = self.open(method, path, body)
        return answer.status, json.loads(answer.read())


BROKEN = (OSError, http.client.HTTPException, ValueError)  # ValueError: half a JSON document


class Writer(threading.Thread):
    """Creates, updates and deletes objects of its own; knows what was acknowledged last and what is in doubt."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.name_ = server, name
        self.known = {}  # object -> resourceVersion, None when deleted
        self.doubt = None  # the object whose last request got no answer
        self.versions = []
        self.refused = []

    def run(self):
        client, count = Client(self.server), 0
        while True:
            count += 1
            name = f"{self.name_}-{count}"
            steps = [("POST", PATH, {"metadata": {"name": name}, "data": {"n": "0"}})]
            if count % 2:
                steps.append(("PUT", f"{PATH}/{name}", {"metadata": {"name": name}, "data": {"n": "1"}}))
            if count % 4 == 1:
                steps.append(("DELETE", f"{PATH}/{name}", None))
            for method, path, body in steps:
                self.doubt = name
                try:
                    status, answer = client.ask(method, path, body)
                except BROKEN:
                    return
                if status not in (200, 201):
                    self.refused.append((method, path, answer))
                    return
                self.doubt = None
                version = None if method == "DELETE" else answer["metadata"]["resourceVersion"]
                self.known[name] = version
                if version:
                    self.versions.append(int(version))


class Watcher(threading.Thread):
    def __init__(self, server, since):
        super().__init__(daemon=True)
        self.server, self.since, self.events, self.error = server, since, [], None

    def run(self):
        try:
            answer = Client(self.server).open("GET", f"{PATH}?watch=true&resourceVersion={self.since}")
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    self.error = event["object"]
                    return
                meta = event["object"]["metadata"]
                self.events.append((int(meta["resourceVersion"]), event["type"], meta["name"]))
        except BROKEN:
            pass


class Crash(unittest.TestCase):
    def test_kill(self):
        server = Server()
        self.addCleanup(server.close)
        expected, used, doubts = {}, set(), set()
        server.start()
        for round_ in range(ROUNDS):
            start = Client(server).ask("GET", PATH + "?limit=1")[1]["metadata"]["resourceVersion"]
            watcher = Watcher(server, start)
            watcher.start()
            writers = [Writer(server, f"r{round_}-w{i}") for i in range(WRITERS)]
            for writer in writers:
                writer.start()
            time.sleep(1.5 + 0.37 * (round_ % 7))
            server.kill()
            for thread in [*writers, watcher]:
                thread.join(30)
                self.assertFalse(thread.is_alive())
            self.assertEqual([w.refused for w in writers if w.refused], [])
            server.start()

            for writer in writers:
                expected.update(writer.known)
                if writer.doubt:
                    doubts.add(writer.doubt)
                for version in writer.versions:
                    self.assertNotIn(version, used, "a resourceVersion was given twice")
                    used.add(version)
            self.assertGreater(sum(len(w.versions) for w in writers), WRITERS)

            status, found = Client(server).ask("GET", PATH)
            self.assertEqual(status, 200)
            now = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in found["items"]}
            for name, version in expected.items():
                if name not in doubts:
                    self.assertEqual(now.get(name), version, f"{name} in round {round_}")
            list_version = int(found["metadata"]["resourceVersion"])
            self.assertGreaterEqual(list_version, max(used))
            unknown = set(now) - set(expected) - doubts - {"kube-root-ca.crt"}
            self.assertEqual(unknown, set())

            # The watch goes on where it was cut; both halves together tell the whole story once.
            last = watcher.events[-1][0] if watcher.events else int(start)
            resumed = Watcher(server, last)
            resumed.start()
            marker = Client(server).ask("POST", PATH, {"metadata": {"name": f"marker-{round_}"}})[1]
            version = int(marker["metadata"]["resourceVersion"])
            self.assertNotIn(version, used)
            self.assertGreater(version, list_version)
            used.add(version)
            expected[f"marker-{round_}"] = str(version)
            end = time.monotonic() + 15
            while resumed.is_alive() and time.monotonic() < end and not any(
                    name == f"marker-{round_}" for _, _, name in resumed.events):
                time.sleep(0.02)
            if resumed.error:
                # As upstream's: the restarted cache knows nothing older than itself and sends the client to list anew.
                self.assertEqual((resumed.error["code"], resumed.error["reason"]), (410, "Expired"), resumed.error)
                self.assertEqual(resumed.events, [])
            events = watcher.events + resumed.events
            versions = [v for v, _, _ in events]
            self.assertEqual(versions, sorted(set(versions)), "events repeat or are out of order")
            self.assertLessEqual({v for w in writers for v in w.versions if v <= versions[-1]}, set(versions), "a gap")
            state = {}
            for v, kind, name in events:
                self.assertEqual(kind == "ADDED", name not in state, f"{kind} of {name}")
                state.pop(name, None) if kind == "DELETED" else state.__setitem__(name, str(v))
            if not resumed.error:
                self.assertEqual({n: v for n, v in state.items() if n.startswith(f"r{round_}-")},
                                 {n: v for n, v in now.items() if n.startswith(f"r{round_}-")})


if __name__ == "__main__":
    unittest.main()
