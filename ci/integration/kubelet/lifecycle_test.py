"""Pods from manifests on a real containerd: start, update, bad input, restarts, volumes, probes, removal."""

import calendar
import json
import os
import subprocess
import time
import unittest

from node import Node, pod_yaml, wait_for


class LifecycleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node()
        try:
            cls.node.start()
        except BaseException:
            cls.node.stop()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.node.stop()

    def tearDown(self):
        for name in os.listdir(self.node.manifests):
            os.remove(f"{self.node.manifests}/{name}")
        wait_for("all pods are gone", lambda: not self.node.state()["pods"], 40)

    def container(self, name, container="main"):
        return next(c for c in self.node.pod(name)["containers"] if c["name"] == container)

    # ---- start, update, remove -------------------------------------------------------------------------------------

    def test_a_web_server_answers_and_leaves_nothing_behind(self):
        node = self.node
        node.write("web.yaml", """apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {index.html: "hello from a manifest\\n"}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: nginx
    image: knarr.dev/test/nginx:1
    ports: [{containerPort: 80, hostPort: 8088}]
    readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
    volumeMounts: [{name: pages, mountPath: /www}]
  volumes: [{name: pages, configMap: {name: web}}]
""")
        pod = node.ready("web")
        self.assertEqual(node.http(f"http://{pod['podIP']}/"), "hello from a manifest\n")
        gateway = "10.99.0.1"
        self.assertEqual(node.http(f"http://{gateway}:8088/"), "hello from a manifest\n")
        uid = pod["uid"]
        self.assertTrue(os.path.isdir(f"{node.dir}/kubelet/pods/{uid}"))
        node.remove("web.yaml")
        node.gone("web")
        self.assertFalse(os.path.exists(f"{node.dir}/kubelet/pods/{uid}"))
        wait_for("no container is left", lambda: not node.container_ids())
        self.assertEqual(node.veths(), [])
        self.assertEqual(node.leases(), [])
        self.assertIsNone(node.http(f"http://{gateway}:8088/", timeout=1))

    def test_a_typo_keeps_the_pod_running_and_is_named_with_its_place(self):
        node = self.node
        node.write("a.yaml", pod_yaml("a"))
        before = node.ready("a")["containers"][0]["id"]
        node.write("a.yaml", pod_yaml("a").replace("command:", "comand:"))
        bad = wait_for("the manifest is refused", node.bad_manifests)
        self.assertIn("a.yaml", bad[0]["error"])
        self.assertIn('unknown field "spec.containers[0].comand"', bad[0]["error"])
        self.assertEqual(node.pod("a")["containers"][0]["id"], before)
        why = node.knarr_command("why", "a")
        self.assertEqual(why.returncode, 3)
        self.assertIn("last good manifest", why.stdout)
        node.write("a.yaml", pod_yaml("a"))
        wait_for("the complaint ends", lambda: not node.bad_manifests())
        self.assertEqual(node.pod("a")["containers"][0]["id"], before)

    def test_an_update_with_an_image_that_cannot_be_pulled_leaves_the_old_pod_alone(self):
        node = self.node
        node.write("a.yaml", pod_yaml("a"))
        before = node.ready("a")["containers"][0]["id"]
        node.write("a.yaml", pod_yaml("a", image="127.0.0.1:1/no/such:1"))
        wait_for("the update is refused", lambda: "FailedUpdate" in node.log_text())
        self.assertIn(before.removeprefix("containerd://"), node.container_ids())
        node.write("a.yaml", pod_yaml("a", command="sleep 4000"))
        wait_for("the next version runs", lambda: (p := node.pod("a")) and p["ready"] and p["containers"][0]["id"] not in ("", before))

    def test_after_orders_the_start(self):
        node = self.node
        node.write("1.yaml", pod_yaml("late", extra_meta="  annotations: {knarr.dev/after: early}"))
        node.write("2.yaml", pod_yaml("early", command="sleep 1; touch /tmp/up; sleep 3600", extra_container="""    readinessProbe:
      exec: {command: [ls, /tmp/up]}
      periodSeconds: 1
"""))
        wait_for("the late one waits", lambda: (p := node.pod("late")) and "early" in p.get("why", ""))
        node.ready("late")
        self.assertTrue(node.pod("early")["ready"])

    # ---- containers ------------------------------------------------------------------------------------------------

    def test_init_containers_run_in_order_and_sidecars_beside_the_rest(self):
        node = self.node
        node.write("a.yaml", """apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{name: shared, emptyDir: {}}]
  initContainers:
  - {name: one, image: "knarr.dev/test/busybox:1", command: [sh, -c, "echo one >> /s/order"], volumeMounts: [{name: shared, mountPath: /s}]}
  - {name: side, image: "knarr.dev/test/busybox:1", restartPolicy: Always, command: [sh, -c, "echo side >> /s/order; sleep 3600"], volumeMounts: [{name: shared, mountPath: /s}]}
  - {name: two, image: "knarr.dev/test/busybox:1", command: [sh, -c, "sleep 0.3; echo two >> /s/order"], volumeMounts: [{name: shared, mountPath: /s}]}
  containers:
  - {name: main, image: "knarr.dev/test/busybox:1", command: [sh, -c, "echo main >> /s/order; sleep 3600"], volumeMounts: [{name: shared, mountPath: /s}]}
""")
        node.ready("a")
        order = wait_for("main has written", lambda: (t := node.exec("a", "cat", "/s/order", container="main").stdout) and "main" in t and t)
        self.assertEqual(order.split(), ["one", "side", "two", "main"])

    def test_a_container_that_ends_is_restarted_and_its_logs_are_kept(self):
        node = self.node
        node.write("a.yaml", pod_yaml("a", command="echo run; sleep 0.5; exit 3"))
        wait_for("it was restarted", lambda: (p := node.pod("a")) and p["containers"] and p["containers"][0]["restarts"] >= 1, 60)
        previous = node.knarr_command("logs", "a", "--previous")
        self.assertEqual(previous.stdout, "run\n", previous.stderr)
        wait_for("it backs off", lambda: "CrashLoopBackOff" in json.dumps(node.pod("a")), 60)
        self.assertIn("exit code 3", node.knarr_command("why", "a").stdout)
        previous = node.knarr_command("logs", "a", "--previous")
        self.assertEqual(previous.stdout, "run\n", previous.stderr)

    def test_a_failed_liveness_probe_restarts_the_container(self):
        node = self.node
        node.write("a.yaml", pod_yaml("a", command="touch /tmp/ok; sleep 2; rm /tmp/ok; sleep 3600", extra_container="""    livenessProbe:
      exec: {command: [ls, /tmp/ok]}
      periodSeconds: 1
      failureThreshold: 1
"""))
        wait_for("it was restarted", lambda: (p := node.pod("a")) and p["containers"] and p["containers"][0]["restarts"] >= 1, 60)
        self.assertIn("Liveness probe failed", node.log_text())

    def test_environment_and_volumes_arrive_as_written(self):
        node = self.node
        node.write("a.yaml", """apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {key: s3cret}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: blue, size: "4"}
---
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: demo}}
spec:
  terminationGracePeriodSeconds: 1
  hostname: thebox
  hostAliases: [{ip: 10.1.2.3, hostnames: [alias.example]}]
  securityContext: {runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000}
  volumes:
  - {name: secret, secret: {secretName: token, defaultMode: 0440}}
  - {name: scratch, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
  - {name: info, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  - {name: all, projected: {sources: [{configMap: {name: settings}}, {secret: {name: token}}]}}
  containers:
  - name: main
    image: knarr.dev/test/busybox:1
    command: [sh, -c, "sleep 3600"]
    env:
    - {name: COLOUR, valueFrom: {configMapKeyRef: {name: settings, key: colour}}}
    - {name: KEY, valueFrom: {secretKeyRef: {name: token, key: key}}}
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: BOTH, value: "$(COLOUR)-$(POD)"}
    envFrom: [{prefix: X_, configMapRef: {name: settings}}]
    resources: {limits: {memory: 32Mi, cpu: 200m}}
    volumeMounts:
    - {name: secret, mountPath: /secret, readOnly: true}
    - {name: scratch, mountPath: /scratch}
    - {name: info, mountPath: /info}
    - {name: all, mountPath: /all}
    - {name: scratch, mountPath: /sub, subPath: a/b}
""")
        pod = node.ready("a")
        run = lambda text: node.exec("a", "sh", "-c", text).stdout.strip()
        self.assertEqual(run("echo $COLOUR $KEY $POD $IP $BOTH $X_size"), f"blue s3cret a-node1 {pod['podIP']} blue-a-node1 4")
        self.assertEqual(run("cat /secret/key /info/labels"), 's3cretapp="demo"')
        self.assertEqual(run("cat /all/colour /all/key"), "blues3cret")
        self.assertEqual(run("id -u; id -g; id -G").split(), ["1000", "2000", "2000", "3000"])
        self.assertEqual(run("stat -L -c %a:%g /secret/key"), "440:3000")
        self.assertEqual(run("hostname"), "thebox")
        self.assertIn("10.1.2.3\talias.example", run("cat /etc/hosts"))
        self.assertEqual(run("touch /sub/x && ls /scratch/a/b"), "x")
        self.assertNotEqual(node.exec("a", "sh", "-c", "dd if=/dev/zero of=/scratch/big bs=1k count=2000").returncode, 0)
        limit = subprocess.run(["bash", "-c", f"cat /sys/fs/cgroup/memory{node.cgroup}/kubepods/pod{pod['uid']}/memory.limit_in_bytes"],
                               capture_output=True, text=True).stdout.strip()
        self.assertEqual(limit, str(32 << 20))

    def test_a_changed_config_map_arrives_without_a_restart(self):
        node = self.node
        config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: live}\ndata: {k: %s}\n"
        node.write("config.yaml", config % "one")
        node.write("a.yaml", pod_yaml("a", extra_pod="  volumes: [{name: c, configMap: {name: live}}]",
                                      extra_container="    volumeMounts: [{name: c, mountPath: /c}]\n"))
        before = node.ready("a")["containers"][0]["id"]
        self.assertEqual(node.exec("a", "cat", "/c/k").stdout, "one")
        node.write("config.yaml", config % "two")
        wait_for("the new value is there", lambda: node.exec("a", "cat", "/c/k").stdout == "two")
        self.assertEqual(node.pod("a")["containers"][0]["id"], before)

    # ---- command line and server -----------------------------------------------------------------------------------

    def test_exec_gives_output_and_exit_code_and_logs_follow(self):
        node = self.node
        node.write("a.yaml", pod_yaml("a", command="echo first; sleep 1; echo second; sleep 3600"))
        node.ready("a")
        done = node.exec("a", "sh", "-c", "echo out; echo err >&2; exit 7")
        self.assertEqual((done.stdout, done.returncode), ("out\n", 7), done.stderr)
        self.assertIn("err\n", done.stderr)
        # Standard input ends, and so does what reads it.
        cat = subprocess.run(node.in_netns(node.knarr, "exec", "-i", "a", "--socket=" + node.socket, "--", "cat"),
                             input="x" * 300000 + "end", capture_output=True, text=True, timeout=30)
        self.assertEqual((cat.stdout[-4:], len(cat.stdout), cat.returncode), ("xend", 300003, 0), cat.stderr)
        follow = subprocess.Popen(node.in_netns(node.knarr, "logs", "-f", "a", "--socket=" + node.socket), stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual([follow.stdout.readline(), follow.stdout.readline()], ["first\n", "second\n"])
        finally:
            follow.kill()
            follow.wait()
            follow.stdout.close()

    def test_the_server_knows_its_clients_by_certificate(self):
        node = self.node
        node.write("a.yaml", pod_yaml("a"))
        node.ready("a")

        def ask(path, who=None):
            extra = ["--cert", f"{node.dir}/pki/{who}.crt", "--key", f"{node.dir}/pki/{who}.key"] if who else []
            return node.run_in_netns("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", *extra, "https://127.0.0.1:10250" + path)

        self.assertEqual(ask("/pods"), "401")
        self.assertEqual(ask("/pods", "dev"), "403")
        self.assertEqual(ask("/pods", "admin"), "200")
        for path in ("/stats/summary", "/metrics", "/metrics/resource", "/metrics/probes", "/configz", "/containerLogs/default/a-node1/main"):
            self.assertEqual((path, ask(path, "admin")), (path, "200"))
        self.assertEqual(node.http("http://127.0.0.1:10248/healthz"), "ok")
        summary = json.loads(subprocess.run(["curl", "-s", "--unix-socket", node.socket, "http://k/stats/summary"],
                                            capture_output=True, text=True).stdout)
        with open("/proc/stat") as file:
            boot = next(int(line.split()[1]) for line in file if line.startswith("btime "))
        started = calendar.timegm(time.strptime(summary["node"]["startTime"], "%Y-%m-%dT%H:%M:%SZ"))
        self.assertLess(abs(started - boot), 5)
        metrics = subprocess.run(["curl", "-s", "--unix-socket", node.socket, "http://k/metrics"], capture_output=True, text=True).stdout
        for line in ("kubelet_running_pods 1\n", 'kubelet_running_containers{container_state="running"} 1\n', "process_resident_memory_bytes "):
            self.assertIn(line, metrics)


if __name__ == "__main__":
    unittest.main()
