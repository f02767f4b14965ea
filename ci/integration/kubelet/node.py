"""A whole node for tests: a private containerd and our kubelet, in a network namespace and folders of their own.

Environment: KNARR_BIN (folder with knarr and knarr-cni, as Bazel's cmd/ or as dist/bin/), IMAGES (folder with pause.tar,
busybox.tar, nginx.tar), CONTAINERD_SH (ci/lib/containerd.sh), KNARR_CONTAINERD_BIN (folder of another containerd than the
one in PATH; Node's argument wins over it).
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest


class Timeout(AssertionError):
    pass


def wait_for(what, condition, timeout=30.0):
    """Polls a condition until it is true; its last value is returned. `what` names it in the failure."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"not within {timeout} s: {what}")
        time.sleep(0.02)


def program_path(name):
    """A program of ours in KNARR_BIN: Bazel gives each a folder of its own, dist/bin holds them side by side."""
    folder = os.environ["KNARR_BIN"]
    for path in (f"{folder}/{name}/{name}", f"{folder}/{name}"):
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"there is no {name} in {folder} (KNARR_BIN); run: make build")


class Node:
    def __init__(self, extra_config="", containerd_bin=None):
        """containerd_bin: folder with containerd, ctr and the shim; "": those in PATH; None: as KNARR_CONTAINERD_BIN says."""
        self.containerd_bin = os.environ.get("KNARR_CONTAINERD_BIN", "") if containerd_bin is None else containerd_bin
        if self.containerd_bin and not os.path.exists(self.containerd_bin + "/containerd"):
            raise unittest.SkipTest(f"{self.containerd_bin} has no containerd; make deps unpacks it")
        programs = {name: program_path(name) for name in ("knarr", "knarr-cni")}  # before there is anything to clean up
        self.dir = tempfile.mkdtemp(prefix="knt.", dir="/tmp")
        os.chmod(self.dir, 0o711)
        self.name = os.path.basename(self.dir).replace(".", "-").lower()
        self.netns = "/run/netns/" + self.name
        self.manifests = self.dir + "/manifests"
        self.socket = self.dir + "/run/kubelet.sock"
        self.log = self.dir + "/kubelet.log"
        self.cgroup = "/" + self.name
        self.process = None
        for folder in ("manifests", "run", "cni/net.d", "cni/relay", "cni/bin", "pki", "images"):
            os.makedirs(f"{self.dir}/{folder}")
        for plugin in os.listdir("/usr/lib/cni"):
            os.symlink("/usr/lib/cni/" + plugin, f"{self.dir}/cni/bin/{plugin}")
        for name, path in programs.items():
            shutil.copy2(path, f"{self.dir}/cni/bin/{name}")
        os.remove(f"{self.dir}/cni/bin/loopback")
        os.symlink("knarr-cni", f"{self.dir}/cni/bin/loopback")
        self.knarr = self.dir + "/cni/bin/knarr"
        self.config = f"""apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: {self.manifests}
podCIDR: 10.99.0.0/24
podLogsDir: {self.dir}/log
containerRuntimeEndpoint: unix://{self.dir}/c/containerd.sock
cgroupRoot: {self.cgroup}
failSwapOn: false
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: false}}
  x509: {{clientCAFile: {self.dir}/pki/ca.crt}}
{extra_config}"""
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.run_in_netns("ip", "link", "set", "lo", "up")
        self.make_certificates()

    # ---- processes -------------------------------------------------------------------------------------------------

    def in_netns(self, *command):
        # nsenter, not "ip netns exec": that one mounts a fresh /sys without the cgroup hierarchies.
        return ["nsenter", "--net=" + self.netns, *command]

    def run_in_netns(self, *command, **kwargs):
        return subprocess.run(self.in_netns(*command), check=True, capture_output=True, text=True, **kwargs).stdout

    def try_containerd_sh(self, *args):
        env = dict(os.environ, CNI_BIN_DIR=self.dir + "/cni/bin", CNI_CONF_DIR=self.dir + "/cni/relay",
                   KNARR_CONTAINERD_BIN=self.containerd_bin)
        return subprocess.run(self.in_netns(os.environ["CONTAINERD_SH"], args[0], self.dir + "/c", *args[1:]), env=env,
                              capture_output=True, text=True)

    def containerd_sh(self, *args):
        done = self.try_containerd_sh(*args)
        assert done.returncode == 0, done.stderr

    def make_certificates(self):
        pki = self.dir + "/pki"
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        run = lambda *a: subprocess.run(["openssl", *a], check=True, capture_output=True)
        run("req", "-x509", *ec, "-days", "2", "-subj", "/CN=test", "-keyout", pki + "/ca.key", "-out", pki + "/ca.crt")
        for name, subject in (("admin", "/O=system:masters/CN=admin"), ("dev", "/O=dev/CN=dev")):
            run("req", *ec, "-subj", subject, "-keyout", f"{pki}/{name}.key", "-out", f"{pki}/{name}.csr")
            run("x509", "-req", "-in", f"{pki}/{name}.csr", "-CA", pki + "/ca.crt", "-CAkey", pki + "/ca.key",
                "-CAcreateserial", "-days", "2", "-out", f"{pki}/{name}.crt")

    def start_containerd(self):
        self.containerd_sh("start")

    def import_images(self):
        images = os.environ["IMAGES"]
        self.containerd_sh("import", *(f"{images}/{name}.tar" for name in ("pause", "busybox", "nginx")))

    def start_kubelet(self):
        with open(self.dir + "/kubelet.yaml", "w") as file:
            file.write(self.config)
        log = open(self.log, "a")
        self.process = subprocess.Popen(
            self.in_netns(self.knarr, "kubelet", "--config=" + self.dir + "/kubelet.yaml", "--root-dir=" + self.dir + "/kubelet",
                          "--cert-dir=" + self.dir + "/pki", "--hostname-override=node1", "--cni-conf-dir=" + self.dir + "/cni/net.d",
                          "--cni-bin-dir=/usr/lib/cni", "--cni-relay-socket=" + self.dir + "/run/cni.sock",
                          "--cni-state-dir=" + self.dir + "/cni/state", "--cni-relay-conf-dir=" + self.dir + "/cni/relay",
                          "--local-socket=" + self.socket),
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        try:
            wait_for("the kubelet answers", lambda: self.process.poll() is not None or self.try_state() is not None)
        except Timeout as failure:
            raise Timeout(f"{failure}\n{self.tail_log()}") from None
        assert self.process.poll() is None, "the kubelet ended:\n" + self.tail_log()

    def start(self):
        self.start_containerd()
        self.import_images()
        self.start_kubelet()

    def kill_kubelet(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait(timeout=30)

    def restart_kubelet(self, how=signal.SIGKILL):
        self.kill_kubelet(how)
        self.start_kubelet()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.knarr_command("shutdown", "--timeout=20s")
            self.kill_kubelet(signal.SIGTERM)
        self.try_containerd_sh("stop")
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)
        self.unmount_below(self.dir)
        for root, folders, _ in os.walk("/sys/fs/cgroup", topdown=False):
            if self.cgroup + "/" in root + "/":
                try:
                    os.rmdir(root)
                except OSError:
                    pass
        shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def unmount_below(folder):
        with open("/proc/self/mountinfo") as file:
            points = [line.split()[4] for line in file]
        for point in sorted((p for p in points if p.startswith(folder + "/")), key=len, reverse=True):
            subprocess.run(["umount", "-l", point], capture_output=True)

    # ---- what the node says ----------------------------------------------------------------------------------------

    def knarr_command(self, *args, **kwargs):
        return subprocess.run(self.in_netns(self.knarr, *args), env=dict(os.environ, KNARR_SOCKET=self.socket), capture_output=True,
                              text=True, timeout=60, **kwargs)

    def try_state(self):
        done = subprocess.run(["curl", "-sf", "--unix-socket", self.socket, "http://kubelet/knarr/v1/pods"], capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def state(self):
        state = self.try_state()
        assert state is not None, "the kubelet does not answer; log:\n" + self.tail_log()
        return state

    def pod(self, name):
        """The pod that the manifest called `name` (static pods carry the node's name), or None."""
        for pod in self.state()["pods"]:
            if pod["name"] == name + "-node1":
                return pod
        return None

    def ready(self, name, timeout=40.0):
        try:
            return wait_for(f"pod {name} is Ready", lambda: (p := self.pod(name)) and p["ready"] and p, timeout)
        except Timeout as failure:
            raise Timeout(f"{failure}\n{json.dumps(self.pod(name), indent=1)}\n{self.tail_log()}") from None

    def gone(self, name, timeout=40.0):
        wait_for(f"pod {name} is gone", lambda: self.pod(name) is None, timeout)

    def bad_manifests(self):
        return self.state()["badManifests"]

    def tail_log(self, lines=25):
        with open(self.log) as file:
            return "".join(file.readlines()[-lines:])

    def log_text(self):
        with open(self.log) as file:
            return file.read()

    # ---- manifests -------------------------------------------------------------------------------------------------

    def write(self, name, text):
        path = f"{self.manifests}/{name}"
        with open(path + ".tmp", "w") as file:
            file.write(text)
        os.rename(path + ".tmp", path)
        return path

    def remove(self, name):
        os.remove(f"{self.manifests}/{name}")

    # ---- the machine below -----------------------------------------------------------------------------------------

    def ctr_command(self, *args):
        return [os.path.join(self.containerd_bin, "ctr"), "-a", self.dir + "/c/containerd.sock", "-n", "k8s.io", *args]

    def ctr(self, *args):
        done = subprocess.run(self.ctr_command(*args), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def container_ids(self):
        return set(self.ctr("containers", "list", "-q").split())

    def http(self, url, timeout=5):
        done = subprocess.run(self.in_netns("curl", "-sS", "-m", str(timeout), url), capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def veths(self):
        return [line for line in self.run_in_netns("ip", "-o", "link", "show", "type", "veth").splitlines() if line]

    def leases(self):
        found = []
        for root, _, files in os.walk(self.dir + "/cni"):
            found += [os.path.join(root, f) for f in files if f.startswith("10.99.")]
        return found

    def exec(self, pod, *command, container=None):
        extra = ["-c", container] if container else []
        return self.knarr_command("exec", pod, *extra, "--", *command)


def pod_yaml(name, command="sleep 3600", image="knarr.dev/test/busybox:1", extra_container="", extra_pod="", extra_meta=""):
    """A one-container pod of busybox; the extra parts are YAML already indented for their place."""
    return f"""apiVersion: v1
kind: Pod
metadata:
  name: {name}
{extra_meta}
spec:
  terminationGracePeriodSeconds: 1
{extra_pod}
  containers:
  - name: main
    image: {image}
    command: ["sh", "-c", {json.dumps(command)}]
{extra_container}
"""
