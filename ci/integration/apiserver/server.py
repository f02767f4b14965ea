"""A kube-apiserver of ours for tests: its own directory, loopback, TLS, tokens, both kubectls.

Environment: KNARR_BIN (directory of the programs), KNARR_CACHE (unpacked packages: kubectl-1.20, kubectl-1.32).
"""
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ADMIN = "admin-token"
NOBODY = "nobody-token"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def unverified():
    """A client's TLS without trust; ssl.create_default_context() would read all of the machine's authorities each time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Server:
    def __init__(self, *flags, directory=None, storage=None, etcd=None):
        self.dir = pathlib.Path(directory or tempfile.mkdtemp(prefix="knarr-api-"))
        self.own_dir = directory is None
        self.port = free_port()
        self.flags = list(flags)
        self.etcd = etcd
        self.process = None
        (self.dir / "tokens.csv").write_text(f"{ADMIN},admin,1,system:masters\n{NOBODY},nobody,2\n")
        if not (self.dir / "sa.key").exists():
            subprocess.run(["openssl", "genrsa", "-out", self.dir / "sa.key", "2048"], check=True,
                           stderr=subprocess.DEVNULL)
        for name, token in (("admin", ADMIN), ("nobody", NOBODY)):
            self.kubeconfig(name).write_text(json.dumps({
                "apiVersion": "v1", "kind": "Config", "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(self, user="admin"):
        return self.dir / f"{user}.kubeconfig"

    def command(self):
        storage = ["--etcd-servers=" + self.etcd] if self.etcd else [f"--data-dir={self.dir}/data"]
        return [os.path.join(os.environ["KNARR_BIN"], "knarr"), "kube-apiserver", *storage,
                f"--secure-port={self.port}", "--bind-address=127.0.0.1", f"--cert-dir={self.dir}/certs",
                f"--token-auth-file={self.dir}/tokens.csv", "--authorization-mode=Node,RBAC",
                f"--service-account-key-file={self.dir}/sa.key",
                f"--service-account-signing-key-file={self.dir}/sa.key",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged=true", *self.flags]

    def start(self, wait=True):
        self.log = open(self.dir / "apiserver.log", "ab")
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        end = time.monotonic() + seconds
        last = None
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"kube-apiserver ended with {self.process.returncode}:\n{self.tail()}")
            try:
                status, body = self.request("GET", "/readyz?verbose")
                if status == 200:
                    return
                last = body
            except OSError as e:
                last = e
            time.sleep(0.05)
        raise RuntimeError(f"kube-apiserver is not ready: {last}\n{self.tail()}")

    def tail(self, lines=30):
        return "\n".join((self.dir / "apiserver.log").read_text(errors="replace").splitlines()[-lines:])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=40):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(seconds)

    def close(self):
        try:
            self.stop()
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            if self.own_dir and not os.environ.get("KNARR_KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def request(self, method, path, body=None, token=ADMIN, headers=None, timeout=30):
        """(status, body as text); JSON bodies are dicts."""
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", "Bearer " + token)
        for key, value in (headers or {}).items():
            request.add_header(key, value)
        try:
            with urllib.request.urlopen(request, context=unverified(), timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def json(self, method, path, body=None, **kwargs):
        status, text = self.request(method, path, body, **kwargs)
        return status, json.loads(text)

    def kubectl(self, *args, version="1.32", user="admin", stdin=None, check=True, timeout=60):
        binary = pathlib.Path(os.environ["KNARR_CACHE"]) / f"kubectl-{version}/usr/bin/kubectl"
        home = self.dir / f"home-{version}"
        home.mkdir(exist_ok=True)
        run = subprocess.run([binary, f"--kubeconfig={self.kubeconfig(user)}", *args], input=stdin, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                             env={"HOME": str(home), "PATH": os.environ["PATH"], "KUBE_EDITOR": os.environ.get(
                                 "KUBE_EDITOR", "true")})
        if check and run.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(args)}: exit {run.returncode}\n{run.stdout}{run.stderr}\n"
                                 f"{self.tail(10)}")
        return run
