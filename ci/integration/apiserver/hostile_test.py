"""What no decent client sends: each is refused or bounded, and the server answers others within a second all the while."""

import http.client
import json
import os
import pathlib
import resource
import select
import socket
import ssl
import struct
import threading
import time
import unittest

from server import ADMIN, Server, unverified

MIB = 1 << 20
# Debug builds and sanitizers are slower; the bounds are for what an optimised server does.
CPU_MILLISECONDS = float(os.environ.get("KNARR_HOSTILE_CPU_MS", "100"))
SERVER = None


class Watchdog(threading.Thread):
    """Asks /readyz four times a second; remembers the slowest answer."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ending = threading.Event()
        self.slowest = 0.0
        self.problems = []

    def run(self):
        while not self.ending.wait(0.25):
            begun = time.monotonic()
            try:
                status, _ = SERVER.request("GET", "/readyz", timeout=5)
                if status != 200:
                    self.problems.append(status)
            except OSError as e:
                self.problems.append(repr(e))
            self.slowest = max(self.slowest, time.monotonic() - begun)


def setUpModule():
    global SERVER
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    SERVER = Server().start()
    # The first of everything makes tables and pools; that is not what is measured.
    for body in ({"metadata": {"name": "warm", "labels": {"a": "b"}}, "data": {"a": "b"}}, {}):
        SERVER.request("POST", "/api/v1/namespaces/default/configmaps", body)
    SERVER.request("GET", "/api/v1/namespaces/default/configmaps")


def tearDownModule():
    SERVER.close()


def private_bytes():
    """Memory that is the server's own (shared pages of the program do not count)."""
    text = pathlib.Path(f"/proc/{SERVER.process.pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(("Private_", "Swap:")))


def cpu_seconds():
    fields = pathlib.Path(f"/proc/{SERVER.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tls(alpn=None, timeout=20):
    context = unverified()
    if alpn:
        context.set_alpn_protocols([alpn])
    return context.wrap_socket(socket.create_connection(("127.0.0.1", SERVER.port), timeout=timeout))


class Hostile(unittest.TestCase):
    def setUp(self):
        self.watchdog = Watchdog()
        self.watchdog.start()
        self.memory = private_bytes()
        self.cpu = cpu_seconds()

    def tearDown(self):
        self.watchdog.ending.set()
        self.watchdog.join()
        self.assertIsNone(SERVER.process.poll(), f"the server ended:\n{SERVER.tail()}")
        self.assertEqual(self.watchdog.problems, [])
        self.assertLess(self.watchdog.slowest, 1.0, "/readyz took longer than a second")

    def bounded(self, requests=1, mib=64, milliseconds=CPU_MILLISECONDS):
        self.assertLess((private_bytes() - self.memory) / MIB, mib, "memory")
        self.assertLess((cpu_seconds() - self.cpu) * 1000 / requests, milliseconds + 250 / requests, "CPU of a request, ms")

    def send(self, method, path, body, content_type="application/json", **headers):
        connection = http.client.HTTPSConnection("127.0.0.1", SERVER.port, timeout=30, context=unverified())
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body=body, headers={
                "Authorization": "Bearer " + ADMIN, "Content-Type": content_type, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (ConnectionError, ssl.SSLError, http.client.HTTPException) as e:
            return 0, repr(e)  # the server hung up while we were still talking
        finally:
            connection.close()

    CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"

    def test_too_large_a_body(self):
        status, text = self.send("POST", self.CONFIG_MAPS, b'{"data":{"a":"' + b"x" * (3 * MIB) + b'"}}')
        self.assertIn(status, (0, 413), text[:200])
        self.bounded()

    def test_too_large_a_body_in_chunks(self):
        def chunks():
            yield b'{"data":{"a":"'
            for _ in range(64):
                yield b"x" * MIB
        status, text = self.send("POST", self.CONFIG_MAPS, chunks(), Transfer_Encoding="chunked")
        self.assertIn(status, (0, 413), text[:200])
        self.bounded()

    def test_deep_json(self):
        for open_, close in (("[", "]"), ('{"a":', "}")):
            depth = 300000
            body = '{"metadata":{"name":"deep"},"x":' + open_ * depth + "1" + close * depth + "}"
            status, text = self.send("POST", self.CONFIG_MAPS, body)
            self.assertEqual(status, 400, text[:200])
            status, text = self.send("PATCH", self.CONFIG_MAPS + "/warm", body, "application/merge-patch+json")
            self.assertIn(status, (400, 422), text[:200])
        self.bounded(4)

    def test_deep_yaml(self):
        for body in ("a: " + "[" * 100000, "a: " + "{a: " * 100000, "\n".join(" " * i + "a:" for i in range(1500)),
                     "- " * 100000):
            status, text = self.send("POST", self.CONFIG_MAPS, body, "application/yaml")
            self.assertIn(status, (400, 413, 422), text[:200])
            status, text = self.send("PATCH", self.CONFIG_MAPS + "/warm?fieldManager=x", body, "application/apply-patch+yaml")
            self.assertIn(status, (400, 413, 422), text[:200])
        self.bounded(8)

    def test_yaml_aliases(self):
        lines = ["a0: &a0 [" + ",".join(["lol"] * 10) + "]"]
        lines += [f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 12)]
        for content_type, method, path in (("application/yaml", "POST", self.CONFIG_MAPS), (
                "application/apply-patch+yaml", "PATCH", self.CONFIG_MAPS + "/warm?fieldManager=x")):
            status, text = self.send(method, path, "\n".join(lines), content_type)
            self.assertIn(status, (400, 413, 422), text[:200])
        self.bounded(2)

    def test_many_operations(self):
        body = json.dumps([{"op": "add", "path": "/data/a", "value": "b"}] * 10001)
        status, text = self.send("PATCH", self.CONFIG_MAPS + "/warm", body, "application/json-patch+json")
        self.assertEqual(status, 413, text[:200])
        self.assertIn("10000", text)
        copies = [{"op": "add", "path": "/data/a", "value": "x" * 100000}]
        copies += [{"op": "copy", "from": "/data", "path": f"/data/c{i}"} for i in range(30)]
        status, text = self.send("PATCH", self.CONFIG_MAPS + "/warm", json.dumps(copies), "application/json-patch+json")
        self.assertIn(status, (400, 413, 422), text[:200])  # doubles each time
        self.bounded(2)

    def test_garbage_protobuf(self):
        protobuf = "application/vnd.kubernetes.protobuf"
        bodies = [b"", b"k8s", b"k8s\0", b"k8s\0" + os.urandom(1000), b"k8s\0" + b"\x12\xff\xff\xff\xff\x0f", os.urandom(MIB),
                  b"k8s\0" + b"\x0a" * 100000, b"k8s\0" + b"\x0b" * 1000000]
        for body in bodies:
            status, text = self.send("POST", self.CONFIG_MAPS, body, protobuf)
            self.assertIn(status, (400, 415, 422), f"{body[:20]}: {text[:200]}")
        self.bounded(len(bodies))

    def test_header_flood(self):
        def flood(lines):
            with tls() as connection:
                try:
                    connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n")
                    for line in lines:
                        connection.sendall(line)
                    connection.sendall(b"\r\n")
                    return connection.recv(4096)[:12]
                except (ConnectionError, ssl.SSLError):
                    return b"closed"
        self.assertIn(flood(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(20000)),
                      (b"HTTP/1.1 431", b"HTTP/1.1 400", b"closed", b""))
        self.assertIn(flood([b"X: " + b"y" * (8 * MIB) + b"\r\n"]), (b"HTTP/1.1 431", b"HTTP/1.1 400", b"closed", b""))
        self.assertIn(flood([b"X:y\r\n"] * 100000), (b"HTTP/1.1 431", b"HTTP/1.1 400", b"closed", b""))
        self.bounded(3)

    def test_many_connections(self):
        held = []
        try:
            for _ in range(300):
                held.append(tls())
            self.assertEqual(SERVER.request("GET", "/readyz")[0], 200)
            self.bounded(len(held), milliseconds=50)
        finally:
            for connection in held:
                connection.close()

    def test_half_open_tls(self):
        held = []
        try:
            for i in range(500):
                connection = socket.create_connection(("127.0.0.1", SERVER.port), timeout=10)
                connection.sendall(b"\x16\x03\x01\x02\x00"[:i % 6])
                held.append(connection)
            time.sleep(1.5)
            self.bounded(len(held))
        finally:
            for connection in held:
                connection.close()

    def test_not_tls(self):
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", SERVER.port), timeout=10) as connection:
                try:
                    connection.sendall(os.urandom(2000))
                    connection.recv(100)
                except ConnectionError:
                    pass
        self.bounded(50)

    def test_slow_writers(self):
        held = []
        try:
            for _ in range(50):
                connection = tls()
                connection.sendall(f"POST {self.CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n"
                                   "Content-Type: application/json\r\nContent-Length: 3000000\r\n\r\n".encode())
                held.append(connection)
            for _ in range(20):
                for connection in held:
                    connection.sendall(b" ")
                time.sleep(0.1)
            self.bounded(len(held))
        finally:
            for connection in held:
                connection.close()

    def test_slow_readers(self):
        for i in range(250):
            body = {"metadata": {"name": f"big-{i}"}, "data": {"a": "x" * 100000}}
            self.assertEqual(self.send("POST", self.CONFIG_MAPS, json.dumps(body))[0], 201)
        self.assertEqual(SERVER.request("GET", self.CONFIG_MAPS)[0], 200)
        before = private_bytes()
        held = []
        try:
            for _ in range(10):
                raw = socket.socket()
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                raw.connect(("127.0.0.1", SERVER.port))
                connection = unverified().wrap_socket(raw)
                connection.sendall(f"GET {self.CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n"
                                   "\r\n".encode())
                held.append(connection)
            for _ in range(20):
                for connection in held:
                    self.assertTrue(connection.recv(100))
                time.sleep(0.1)
            self.assertLess((private_bytes() - before) / MIB, 32)
        finally:
            for connection in held:
                connection.close()
            SERVER.request("DELETE", self.CONFIG_MAPS)

    # HTTP/2 by hand: frames are 3 bytes of length, type, flags, 4 bytes of stream.

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def h2(self):
        connection = tls("h2")
        self.assertEqual(connection.selected_alpn_protocol(), "h2")
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4, 0, 0))
        return connection

    @staticmethod
    def request_headers(path=b"/api/v1/pods"):
        def literal(name, value):  # never indexed, no Huffman
            return bytes([0x10, len(name)]) + name + bytes([len(value)]) + value
        return (b"\x82\x87" + literal(b":path", path) + literal(b":authority", b"x")
                + literal(b"authorization", b"Bearer " + ADMIN.encode()))

    def drain(self, connection):
        """What the server says until it says no more; True when it hung up."""
        connection.settimeout(0.5)
        end = time.monotonic() + 10
        try:
            while time.monotonic() < end:
                if not connection.recv(65536):
                    return True
        except (TimeoutError, ssl.SSLWantReadError):
            return False
        except (ConnectionError, ssl.SSLError):
            return True
        return False

    def attack(self, frames):
        """Sends the frames until all are sent or the server hangs up (its answers are read now and then)."""
        with self.h2() as connection:
            try:
                for frame in frames:
                    connection.sendall(frame)
                    if connection.pending() or select.select([connection], [], [], 0)[0]:
                        if not connection.recv(65536):
                            return "closed"
            except (ConnectionError, ssl.SSLError):
                return "closed"
            return "closed" if self.drain(connection) else "open"

    def test_http2_works_by_hand(self):
        with self.h2() as connection:
            connection.sendall(self.frame(1, 5, 1, self.request_headers()))
            connection.settimeout(5)
            seen = b""
            while b"PodList" not in seen:
                seen += connection.recv(65536)

    def test_rapid_reset(self):
        count = 10000
        batches = ((b"".join(self.frame(1, 5, 2 * i + 1, self.request_headers()) + self.frame(3, 0, 2 * i + 1, b"\0\0\0\x08")
                             for i in range(first, first + 100))) for first in range(0, count, 100))
        self.attack(batches)
        self.bounded(count, milliseconds=5)

    def test_continuation_flood(self):
        def frames():
            yield self.frame(1, 1, 1, self.request_headers())
            for i in range(2000):
                yield self.frame(9, 0, 1, b"\x10\x03x-y\x7f\x80\x78" + b"z" * 15000)
        self.assertEqual(self.attack(frames()), "closed")
        self.bounded()

    def test_ping_and_settings_floods(self):
        for kind, payload in ((6, b"12345678"), (4, b"\0\x03\0\0\0\x64")):
            self.attack(self.frame(kind, 0, 0, payload) * 1000 for _ in range(100))
        self.bounded(200000, milliseconds=1)

    def test_streams_without_windows(self):
        with tls("h2") as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4, 0, 0, b"\0\x04\0\0\0\0"))  # window of 0
            try:
                for i in range(200):
                    connection.sendall(self.frame(1, 5, 2 * i + 1, self.request_headers(b"/api/v1/configmaps")))
            except (ConnectionError, ssl.SSLError):
                pass
            time.sleep(1.5)
            self.bounded(200)


if __name__ == "__main__":
    unittest.main()
