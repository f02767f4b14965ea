"""kubectl 1.20 and 1.32 against our kube-apiserver: what people type, and what they see."""

import json
import os
import pathlib
import re
import subprocess
import unittest

from server import Server

SERVER = None


def setUpModule():
    global SERVER
    SERVER = Server().start()


def tearDownModule():
    SERVER.close()


# Printed headers by resource: always, and what -o wide adds.
COLUMNS = {
    "apiservices": ("NAME SERVICE AVAILABLE AGE", ""),
    "clusterrolebindings": ("NAME ROLE AGE", "USERS GROUPS SERVICEACCOUNTS"),
    "clusterroles": ("NAME CREATED AT", ""),
    "componentstatuses": ("NAME STATUS MESSAGE ERROR", ""),
    "configmaps": ("NAME DATA AGE", ""),
    "controllerrevisions": ("NAME CONTROLLER REVISION AGE", ""),
    "cronjobs": ("NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE AGE", "CONTAINERS IMAGES SELECTOR"),
    "csidrivers": ("NAME ATTACHREQUIRED PODINFOONMOUNT STORAGECAPACITY TOKENREQUESTS REQUIRESREPUBLISH MODES AGE", ""),
    "csinodes": ("NAME DRIVERS AGE", ""),
    "customresourcedefinitions": ("NAME CREATED AT", ""),
    "daemonsets": ("NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE SELECTOR AGE", "CONTAINERS IMAGES SELECTOR"),
    "deployments": ("NAME READY UP-TO-DATE AVAILABLE AGE", "CONTAINERS IMAGES SELECTOR"),
    "endpoints": ("NAME ENDPOINTS AGE", ""),
    "endpointslices": ("NAME ADDRESSTYPE PORTS ENDPOINTS AGE", ""),
    "events": ("LAST SEEN TYPE REASON OBJECT MESSAGE",
               "LAST SEEN TYPE REASON OBJECT SUBOBJECT SOURCE MESSAGE FIRST SEEN COUNT NAME"),
    "flowschemas": ("NAME PRIORITYLEVEL MATCHINGPRECEDENCE DISTINGUISHERMETHOD AGE MISSINGPL", ""),
    "horizontalpodautoscalers": ("NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE", ""),
    "ingressclasses": ("NAME CONTROLLER PARAMETERS AGE", ""),
    "ingresses": ("NAME CLASS HOSTS ADDRESS PORTS AGE", ""),
    "jobs": ("NAME STATUS COMPLETIONS DURATION AGE", "CONTAINERS IMAGES SELECTOR"),
    "leases": ("NAME HOLDER AGE", ""),
    "limitranges": ("NAME CREATED AT", ""),
    "namespaces": ("NAME STATUS AGE", ""),
    "networkpolicies": ("NAME POD-SELECTOR AGE", ""),
    "nodes": ("NAME STATUS ROLES AGE VERSION", "INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME"),
    "persistentvolumeclaims": ("NAME STATUS VOLUME CAPACITY ACCESS MODES STORAGECLASS VOLUMEATTRIBUTESCLASS AGE",
                               "VOLUMEMODE"),
    "persistentvolumes": ("NAME CAPACITY ACCESS MODES RECLAIM POLICY STATUS CLAIM STORAGECLASS VOLUMEATTRIBUTESCLASS "
                          "REASON AGE", "VOLUMEMODE"),
    "poddisruptionbudgets": ("NAME MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS AGE", ""),
    "pods": ("NAME READY STATUS RESTARTS AGE", "IP NODE NOMINATED NODE READINESS GATES"),
    "podtemplates": ("NAME CONTAINERS IMAGES POD LABELS", ""),
    "priorityclasses": ("NAME VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY", ""),
    "prioritylevelconfigurations": ("NAME TYPE NOMINALCONCURRENCYSHARES QUEUES HANDSIZE QUEUELENGTHLIMIT AGE", ""),
    "replicasets": ("NAME DESIRED CURRENT READY AGE", "CONTAINERS IMAGES SELECTOR"),
    "replicationcontrollers": ("NAME DESIRED CURRENT READY AGE", "CONTAINERS IMAGES SELECTOR"),
    "resourcequotas": ("NAME AGE REQUEST LIMIT", ""),
    "rolebindings": ("NAME ROLE AGE", "USERS GROUPS SERVICEACCOUNTS"),
    "roles": ("NAME CREATED AT", ""),
    "runtimeclasses": ("NAME HANDLER AGE", ""),
    "secrets": ("NAME TYPE DATA AGE", ""),
    "serviceaccounts": ("NAME SECRETS AGE", ""),
    "services": ("NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE", "SELECTOR"),
    "statefulsets": ("NAME READY AGE", "CONTAINERS IMAGES"),
    "storageclasses": ("NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE", ""),
    "volumeattachments": ("NAME ATTACHER PV NODE ATTACHED AGE", ""),
}

# One object of each kind whose columns are looked at.
POD_SPEC = {"containers": [{"name": "c", "image": "i"}]}
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": POD_SPEC}
SELECTOR = {"matchLabels": {"app": "x"}}
OBJECTS = [
    ("v1", "ConfigMap", {"data": {"a": "b"}}),
    ("apps/v1", "ControllerRevision", {"revision": 1, "data": {}}),
    ("batch/v1", "CronJob", {"spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": {
        "spec": {**POD_SPEC, "restartPolicy": "Never"}}}}}}),
    ("storage.k8s.io/v1", "CSIDriver", {"spec": {}}),
    ("storage.k8s.io/v1", "CSINode", {"spec": {"drivers": []}}),
    ("apps/v1", "DaemonSet", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    ("apps/v1", "Deployment", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    ("v1", "Endpoints", {"subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}]}),
    ("discovery.k8s.io/v1", "EndpointSlice", {"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.1.1"]}]}),
    ("v1", "Event", {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "NS"}, "reason": "R", "type": "Normal"}),
    ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", {"spec": {"priorityLevelConfiguration": {"name": "exempt"}}}),
    ("autoscaling/v2", "HorizontalPodAutoscaler", {"spec": {"maxReplicas": 3, "scaleTargetRef": {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}}),
    ("networking.k8s.io/v1", "IngressClass", {"spec": {"controller": "example.com/c"}}),
    ("networking.k8s.io/v1", "Ingress", {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}}}),
    ("batch/v1", "Job", {"spec": {"template": {"spec": {**POD_SPEC, "restartPolicy": "Never"}}}}),
    ("coordination.k8s.io/v1", "Lease", {"spec": {"holderIdentity": "me"}}),
    ("v1", "LimitRange", {"spec": {"limits": [{"type": "Container", "default": {"cpu": "9"}}]}}),
    ("networking.k8s.io/v1", "NetworkPolicy", {"spec": {"podSelector": {}}}),
    ("v1", "Node", {}),
    ("v1", "PersistentVolumeClaim", {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {
        "requests": {"storage": "1Gi"}}}}),
    ("v1", "PersistentVolume", {"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
                                         "hostPath": {"path": "/tmp/x"}}}),
    ("policy/v1", "PodDisruptionBudget", {"spec": {"minAvailable": 1, "selector": SELECTOR}}),
    ("v1", "Pod", {"spec": POD_SPEC}),
    ("v1", "PodTemplate", {"template": TEMPLATE}),
    ("scheduling.k8s.io/v1", "PriorityClass", {"value": 7}),
    ("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", {"spec": {
        "type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}}),
    ("apps/v1", "ReplicaSet", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    ("v1", "ReplicationController", {"spec": {"selector": {"app": "x"}, "template": TEMPLATE}}),
    ("v1", "ResourceQuota", {"spec": {"hard": {"pods": "9"}}}),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", {"roleRef": {
        "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"}, "subjects": []}),
    ("rbac.authorization.k8s.io/v1", "Role", {"rules": []}),
    ("node.k8s.io/v1", "RuntimeClass", {"handler": "runc"}),
    ("v1", "Secret", {"stringData": {"a": "b"}}),
    ("v1", "ServiceAccount", {}),
    ("v1", "Service", {"spec": {"selector": {"app": "x"}, "ports": [{"port": 80}]}}),
    ("apps/v1", "StatefulSet", {"spec": {"selector": SELECTOR, "template": TEMPLATE, "serviceName": "x"}}),
    ("storage.k8s.io/v1", "StorageClass", {"provisioner": "example.com/p"}),
    ("storage.k8s.io/v1", "VolumeAttachment", {"spec": {"attacher": "a.example.com", "nodeName": "n", "source": {
        "persistentVolumeName": "x"}}}),
]

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "spec": {"scope": "Namespaced", "versions": [{
        "name": "v1", "served": True, "storage": True,
        "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
                                                 "statusReplicasPath": ".status.replicas"}},
        "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Colour", "type": "string", "jsonPath": ".spec.colour", "priority": 1}],
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "spec": {"type": "object", "description": "What is wanted of the widget.", "required": ["size"],
                     "properties": {
                         "size": {"type": "integer", "minimum": 1, "maximum": 9, "description": "How large."},
                         "replicas": {"type": "integer", "default": 1},
                         "colour": {"type": "string", "enum": ["red", "blue"]},
                         "parts": {"type": "array", "x-kubernetes-list-type": "map",
                                   "x-kubernetes-list-map-keys": ["name"], "items": {
                                       "type": "object", "required": ["name"], "properties": {
                                           "name": {"type": "string"}, "count": {"type": "integer"}}}}}},
            "status": {"type": "object", "properties": {"replicas": {"type": "integer"},
                                                        "phase": {"type": "string"}}}}}}}]}}


def normal(header):
    return " ".join(header.split())


class Cases:
    """The cases; a class for each version of kubectl runs them in a namespace of its own."""

    version = ""

    @classmethod
    def setUpClass(cls):
        binary = pathlib.Path(os.environ["KNARR_CACHE"]) / f"kubectl-{cls.version}/usr/bin/kubectl"
        if not binary.exists():
            raise unittest.SkipTest(f"no kubectl {cls.version} on this machine (make deps unpacks it where Debian has it)")
        cls.binary = binary
        cls.minor = int(re.match(r"v1\.(\d+)", json.loads(SERVER.kubectl(
            "version", "--client", "-o", "json", version=cls.version).stdout)["clientVersion"]["gitVersion"]).group(1))
        cls.ns = "k" + cls.version.replace(".", "-")
        SERVER.kubectl("create", "namespace", cls.ns, version=cls.version)
        SERVER.kubectl("create", "serviceaccount", "default", "-n", cls.ns, version=cls.version)

    def k(self, *args, ok=True, stdin=None, user="admin", env=None, timeout=60):
        """Runs kubectl in the namespace; returns standard output (and error when it is to fail)."""
        if isinstance(stdin, (dict, list)):
            stdin = json.dumps(stdin)
        old = {name: os.environ.get(name) for name in env or {}}
        os.environ.update(env or {})
        try:
            run = SERVER.kubectl("-n", self.ns, *args, version=self.version, user=user, stdin=stdin, check=False,
                                 timeout=timeout)
        finally:
            for name, value in old.items():
                os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
        self.assertEqual(run.returncode == 0, ok, f"kubectl {' '.join(args)}\n{run.stdout}{run.stderr}")
        return run.stdout if ok else run.stdout + run.stderr

    def background(self, *args):
        process = subprocess.Popen([self.binary, f"--kubeconfig={SERVER.kubeconfig()}", "-n", self.ns, *args], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env={"HOME": str(SERVER.dir / f"home-{self.version}")})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def watching(self, *args):
        """kubectl in the background, once its watch is open: what happens from now on is seen."""
        process = self.background(*args, "-v=6")
        said = []
        for line in process.stdout:
            said.append(line)
            if "watch=true" in line:
                return process
        self.fail(f"kubectl {' '.join(args)} never watched:\n{''.join(said)}")

    def get(self, *args):
        return json.loads(self.k("get", *args, "-o", "json"))

    def config_map(self, name, **data):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}

    def test_create_and_conflict(self):
        self.assertEqual(self.k("create", "configmap", "made", "--from-literal=a=b"), "configmap/made created\n")
        self.assertIn('Error from server (AlreadyExists): configmaps "made" already exists',
                      self.k("create", "configmap", "made", ok=False).replace("error: failed to create configmap: ",
                                                                              "Error from server (AlreadyExists): "))
        self.assertEqual(self.get("cm", "made")["data"], {"a": "b"})
        self.assertIn('(NotFound): configmaps "none" not found', self.k("get", "cm", "none", ok=False))
        self.assertEqual(self.k("delete", "cm", "made"), 'configmap "made" deleted\n')

    def test_replace_conflict(self):
        self.k("create", "configmap", "rep", "--from-literal=a=1")
        old = self.get("cm", "rep")
        self.k("patch", "cm", "rep", "-p", '{"data":{"a":"2"}}')
        self.assertIn('Operation cannot be fulfilled on configmaps "rep": the object has been modified; please apply '
                      'your changes to the latest version and try again', self.k("replace", "-f", "-", stdin=old, ok=False))
        old["metadata"].pop("resourceVersion")
        self.assertEqual(self.k("replace", "-f", "-", stdin=old), "configmap/rep replaced\n")

    def test_apply(self):
        one = self.config_map("app", a="1", b="1")
        self.assertEqual(self.k("apply", "-f", "-", stdin=one), "configmap/app created\n")
        self.assertEqual(self.k("apply", "-f", "-", stdin=one), "configmap/app unchanged\n")
        self.k("patch", "cm", "app", "--type=merge", "-p", '{"data":{"other":"x"}}')
        self.assertEqual(self.k("apply", "-f", "-", stdin=self.config_map("app", a="2")), "configmap/app configured\n")
        self.assertEqual(self.get("cm", "app")["data"], {"a": "2", "other": "x"})

    def test_apply_merges_lists_by_key(self):
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "merge"},
                      "spec": {"selector": SELECTOR, "template": {**TEMPLATE, "spec": {"containers": [
                          {"name": "c", "image": "i:1"}]}}}}
        self.k("apply", "-f", "-", stdin=deployment)
        self.k("patch", "deploy", "merge", "-p",
               '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"s"}]}}}}')
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "i:2"
        self.k("apply", "-f", "-", stdin=deployment)
        containers = self.get("deploy", "merge")["spec"]["template"]["spec"]["containers"]
        self.assertEqual({c["name"]: c["image"] for c in containers}, {"c": "i:2", "side": "s"})
        self.k("set", "image", "deploy/merge", "side=s:3")
        self.assertEqual(self.k("get", "deploy", "merge", "-o",
                                'jsonpath={.spec.template.spec.containers[?(@.name=="side")].image}'), "s:3")

    def test_apply_refuses_unknown_fields(self):
        bad = {**self.config_map("unknown", a="1"), "colour": "red"}
        answer = self.k("apply", "-f", "-", stdin=bad, ok=False)
        self.assertRegex(answer, r'unknown field "colour"')

    def test_server_side_apply(self):
        def ssa(manager, *flags, ok=True, **data):
            return self.k("apply", "--server-side", f"--field-manager={manager}", *flags, "-f", "-",
                          stdin=self.config_map("ssa", **data), ok=ok)

        self.assertEqual(ssa("one", a="1"), "configmap/ssa serverside-applied\n")
        ssa("two", b="2")
        self.assertEqual(self.get("cm", "ssa")["data"], {"a": "1", "b": "2"})
        conflict = ssa("two", a="x", b="2", ok=False)
        self.assertIn('conflict with "one"', conflict)
        self.assertIn(".data.a", conflict)
        ssa("two", "--force-conflicts", a="x", b="2")
        self.assertEqual(self.get("cm", "ssa")["data"]["a"], "x")
        ssa("two", b="2")  # gives up a, which nobody else applied since
        self.assertEqual(self.get("cm", "ssa")["data"], {"b": "2"})
        flags = ["--show-managed-fields"] if self.minor >= 21 else []
        managers = {m["manager"]: m["operation"] for m in self.get("cm", "ssa", *flags)["metadata"]["managedFields"]}
        self.assertEqual(managers.get("two"), "Apply")

    def test_edit(self):
        self.k("create", "configmap", "edited", "--from-literal=a=before")
        self.k("edit", "cm", "edited", env={"KUBE_EDITOR": "sed -i s/before/after/"})
        self.assertEqual(self.get("cm", "edited")["data"], {"a": "after"})

    def test_patch_types(self):
        self.k("create", "configmap", "patched", "--from-literal=a=1")
        self.k("patch", "cm", "patched", "--type=strategic", "-p", '{"data":{"b":"2"}}')
        self.k("patch", "cm", "patched", "--type=merge", "-p", '{"data":{"a":null}}')
        self.k("patch", "cm", "patched", "--type=json", "-p", '[{"op":"add","path":"/data/c","value":"3"}]')
        self.assertEqual(self.get("cm", "patched")["data"], {"b": "2", "c": "3"})
        self.k("patch", "cm", "patched", "--type=json", "-p", '[{"op":"test","path":"/data/c","value":"4"}]', ok=False)
        self.assertEqual(self.k("patch", "cm", "patched", "-p", "{}"), "configmap/patched patched (no change)\n")

    def test_label_and_annotate(self):
        self.k("create", "configmap", "marked")
        self.k("label", "cm", "marked", "colour=red", "size=1")
        self.assertIn("already has a value", self.k("label", "cm", "marked", "colour=blue", ok=False))
        self.k("label", "cm", "marked", "colour=blue", "size-", "--overwrite")
        self.k("annotate", "cm", "marked", "note=hello world")
        meta = self.get("cm", "marked")["metadata"]
        self.assertEqual((meta["labels"], meta["annotations"]), ({"colour": "blue"}, {"note": "hello world"}))
        self.assertIn("invalid label value", self.k("label", "cm", "marked", "colour=a b", ok=False))

    def test_scale(self):
        self.k("create", "deployment", "scaled", "--image=i")
        self.assertIn("scaled", self.k("scale", "deploy/scaled", "--replicas=3"))
        self.assertEqual(self.get("deploy", "scaled")["spec"]["replicas"], 3)
        self.assertIn("Expected replicas to be 2, was 3",
                      self.k("scale", "deploy/scaled", "--current-replicas=2", "--replicas=4", ok=False))
        self.k("autoscale", "deploy/scaled", "--max=5", "--cpu-percent=80")
        self.assertEqual(self.get("hpa", "scaled")["spec"]["maxReplicas"], 5)

    def test_explain(self):
        text = self.k("explain", "pod.spec.containers.imagePullPolicy")
        self.assertIn("Always", text)
        self.assertRegex(text, r"KIND:\s+Pod")
        self.assertIn("RESOURCE" if self.minor < 27 else "FIELDS", self.k("explain", "deployment.spec.template"))

    def test_wait(self):
        SERVER.kubectl("create", "namespace", self.ns + "-wait", version=self.version)
        if self.minor >= 23:
            self.k("wait", "--for=jsonpath={.status.phase}=Active", f"namespace/{self.ns}-wait", "--timeout=10s")
        self.k("create", "configmap", "gone")
        waiting = self.watching("wait", "--for=delete", "configmap/gone", "--timeout=20s")
        self.k("delete", "cm", "gone")
        self.assertEqual(waiting.wait(20), 0)
        self.assertIn("timed out", self.k("wait", "--for=condition=Ready", "namespace/" + self.ns, "--timeout=1s", ok=False))

    def test_watch(self):
        watch = self.watching("get", "cm", "-w", "--watch-only", "-o", "name", "--field-selector=metadata.name=seen")
        self.k("create", "configmap", "unseen")
        self.k("create", "configmap", "seen")
        self.k("label", "cm", "seen", "a=b")
        seen = (line for line in watch.stdout if line.startswith("configmap/"))
        self.assertEqual([next(seen), next(seen)], ["configmap/seen\n"] * 2)

    def test_diff(self):
        self.k("create", "configmap", "differs", "--from-literal=a=one")
        answer = self.k("diff", "-f", "-", stdin=self.config_map("differs", a="two"), ok=False)
        self.assertIn("-  a: one", answer)
        self.assertIn("+  a: two", answer)

    def test_discovery(self):
        names = self.k("api-resources", "-o", "name").split()
        for name in ("pods", "deployments.apps", "roles.rbac.authorization.k8s.io", "leases.coordination.k8s.io"):
            self.assertIn(name, names)
        self.assertEqual(len(names), len(set(names)))
        self.assertNotIn("nodes", self.k("api-resources", "-o", "name", "--namespaced=true").split())
        versions = self.k("api-versions").split()
        self.assertEqual(versions, sorted(versions))
        for version in ("v1", "apps/v1", "batch/v1", "policy/v1"):
            self.assertIn(version, versions)

    def test_can_i(self):
        self.assertEqual(self.k("auth", "can-i", "create", "pods"), "yes\n")
        self.assertIn("no", self.k("auth", "can-i", "create", "pods", user="nobody", ok=False))
        everything = self.k("auth", "can-i", "--list")
        self.assertRegex(everything, r"\*\.\*\s+\[\]\s+\[\]\s+\[\*\]")
        self.assertIn("selfsubjectaccessreviews.authorization.k8s.io", self.k("auth", "can-i", "--list", user="nobody"))
        self.assertEqual(self.k("auth", "can-i", "list", "secrets", "--as=nobody", "--as-group=system:masters"), "yes\n")
        if self.minor >= 28:
            self.assertIn("nobody", self.k("auth", "whoami", user="nobody"))

    def test_no_metrics(self):
        self.assertIn("etrics", self.k("top", "nodes", ok=False))

    def test_token(self):
        self.k("create", "serviceaccount", "robot")
        if self.minor < 24:
            return
        token = self.k("create", "token", "robot", "--duration=20m").strip()
        status, text = SERVER.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}, token=token)
        self.assertEqual(status, 201, text)
        self.assertEqual(json.loads(text)["status"]["userInfo"]["username"], f"system:serviceaccount:{self.ns}:robot")

    def test_dry_run(self):
        self.assertIn("dry run", self.k("run", "dry", "--image=i", "--dry-run=server"))
        text = self.k("run", "dry", "--image=i", "--dry-run=server", "-o", "json")
        self.assertEqual(json.loads(text)["spec"]["dnsPolicy"], "ClusterFirst")
        self.assertIn("NotFound", self.k("get", "pod", "dry", ok=False))

    def test_finalizers(self):
        held = self.config_map("held")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        self.k("create", "-f", "-", stdin=held)
        self.k("delete", "cm", "held", "--wait=false")
        self.assertIn("deletionTimestamp", self.get("cm", "held")["metadata"])
        deleting = self.watching("delete", "cm", "held")
        self.k("patch", "cm", "held", "--type=json", "-p", '[{"op":"remove","path":"/metadata/finalizers"}]')
        self.assertEqual(deleting.wait(20), 0)
        self.assertIn("NotFound", self.k("get", "cm", "held", ok=False))

    def test_delete_foreground(self):
        flag = "--cascade=foreground" if self.minor >= 20 else "--cascade"
        self.k("create", "deployment", "front", "--image=i")
        self.k("delete", "deploy", "front", flag, "--wait=false")
        self.assertEqual(self.get("deploy", "front")["metadata"]["finalizers"], ["foregroundDeletion"])
        self.k("patch", "deploy", "front", "--type=json", "-p", '[{"op":"remove","path":"/metadata/finalizers"}]')
        self.assertIn("NotFound", self.k("get", "deploy", "front", ok=False))

    def test_output_formats(self):
        for index in range(5):
            self.k("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": [{
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": f"form-{index}", "labels": {"form": str(index % 2)}},
                "stringData": {"n": str(9 - index)}}]})
        names = [f"form-{i}" for i in range(5)]
        every = ["get", "secret", "-l", "form"]
        self.assertEqual(self.k(*every, "-o", "name").split(), ["secret/" + name for name in names])
        self.assertEqual(self.k(*every, "-o", "jsonpath={.items[*].metadata.name}").split(), names)
        self.assertEqual(normal(self.k(*every, "-o", "custom-columns=N:.metadata.name", "--no-headers")), " ".join(names))
        self.assertEqual(self.k("get", "secret", "form-1", "-o", "go-template={{.type}}"), "Opaque")
        self.assertIn("\nkind: Secret\n", self.k("get", "secret", "form-1", "-o", "yaml"))
        self.assertEqual(self.get("secret", "form-1")["kind"], "Secret")
        self.assertEqual(json.loads(self.k(*every, "-o", "json"))["kind"], "List")
        self.assertEqual(self.k(*every, "--sort-by=.data.n", "-o", "name").split(),
                         ["secret/" + name for name in reversed(names)])
        self.assertEqual(self.k(*every, "--chunk-size=2", "-o", "name").split(), ["secret/" + name for name in names])
        self.assertEqual(len(self.k(*every, "--chunk-size=2", "--no-headers").splitlines()), 5)
        self.assertEqual(self.k("get", "secret", "-l", "form in (1),form!=0", "-o", "name").split(),
                         ["secret/form-1", "secret/form-3"])
        self.assertEqual(self.k("get", "secret", "--field-selector=metadata.name=form-2", "-o", "name"), "secret/form-2\n")
        self.assertIn('field label not supported: spec.none',
                      self.k("get", "secret", "--field-selector=spec.none=x", ok=False))
        self.assertRegex(self.k("get", "secret", "-L", "form", "-l", "form"), r"NAME +TYPE +DATA +AGE +FORM\n")
        self.assertIn("form=1", self.k("get", "secret", "form-1", "--show-labels"))
        self.assertEqual(self.k("delete", "secret", "-l", "form").count("deleted"), 5)

    def test_raw(self):
        self.assertEqual(self.k("get", "--raw", "/readyz"), "ok")
        self.assertEqual(json.loads(self.k("get", "--raw", "/version"))["major"], "1")
        self.assertIn("apiserver_request_total", self.k("get", "--raw", "/metrics"))
        self.assertEqual(json.loads(self.k("get", "--raw", f"/api/v1/namespaces/{self.ns}"))["metadata"]["name"], self.ns)

    def test_describe(self):
        self.k("run", "described", "--image=nginx", "--labels=a=b")
        text = self.k("describe", "pod", "described")
        self.assertRegex(text, r"Image: +nginx\n")
        self.assertRegex(text, r"Status: +Pending\n")
        self.assertRegex(self.k("describe", "namespace", self.ns), r"Status: +Active\n")
        self.assertIn("described", self.k("get", "all"))
        self.k("delete", "pod", "described", "--now", "--wait=false")

    def test_expose(self):
        self.k("create", "deployment", "shown", "--image=i")
        self.k("expose", "deploy/shown", "--port=80", "--target-port=8080", "--type=NodePort")
        spec = self.get("svc", "shown")["spec"]
        self.assertTrue(spec["clusterIP"].startswith("10.96."))
        self.assertIn(spec["ports"][0]["nodePort"], range(30000, 32768))
        self.k("delete", "svc", "shown")

    def test_printed_columns(self):
        objects = []
        for api_version, kind, body in OBJECTS:
            text = json.dumps(body).replace('"NS"', f'"{self.ns}"')
            name = "columns-" + self.ns
            objects.append({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **json.loads(text)})
        objects.append(self.crd("columns"))
        self.k("create", "--validate=false", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": objects})
        self.addCleanup(self.k, "delete", "--wait=false", "-f", "-",
                        stdin={"apiVersion": "v1", "kind": "List", "items": objects})
        for wide in (False, True):
            with self.subTest(wide=wide):
                # One call for all: each kind begins with its header.
                text = self.k("get", ",".join(COLUMNS), *(["-o", "wide"] if wide else []))
                headers = [normal(line) for line in text.splitlines() if line.startswith(("NAME ", "LAST SEEN "))]
                self.assertEqual(headers, [plain if not wide or not more else more if more.startswith("LAST") else
                                           f"{plain} {more}" for plain, more in COLUMNS.values()])

    # Custom kinds.

    def crd(self, word):
        group = f"{word}-{self.ns}.example.com"
        crd = json.loads(json.dumps(CRD))
        crd["metadata"] = {"name": f"widgets.{group}"}
        crd["spec"]["group"] = group
        short = "w" + word[:1] + self.ns.replace("-", "")
        crd["spec"]["names"] = {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": [short],
                                "categories": ["c" + short]}
        return crd

    def widget(self, crd, name, **spec):
        return {"apiVersion": crd["spec"]["group"] + "/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}

    def define(self, word):
        crd = self.crd(word)
        self.k("apply", "-f", "-", stdin=crd)
        self.addCleanup(lambda: self.k("delete", "crd", crd["metadata"]["name"], "--ignore-not-found", "--wait=false"))
        self.k("wait", "--for=condition=Established", "crd/" + crd["metadata"]["name"], "--timeout=15s")
        return crd, "widgets." + crd["spec"]["group"]

    def test_custom_kind(self):
        crd, resource = self.define("kind")
        short = crd["spec"]["names"]["shortNames"][0]
        self.k("apply", "-f", "-", stdin=self.widget(crd, "w", size=3, colour="red"))
        self.assertEqual(normal(self.k("get", short).split("\n")[0]), "NAME SIZE")
        self.assertEqual(normal(self.k("get", short, "-o", "wide")), "NAME SIZE COLOUR w 3 red")
        self.assertIn("w", self.k("get", "c" + short))
        self.assertEqual(self.get(short, "w")["spec"]["replicas"], 1)  # the schema's default
        for spec, words in (({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
                            ({"size": 1, "colour": "green"}, 'spec.colour: Unsupported value: "green": supported values: "red", "blue"'),
                            ({}, "spec.size: Required value")):
            self.assertIn(words, self.k("create", "--validate=false", "-f", "-", stdin=self.widget(crd, "bad", **spec),
                                        ok=False))
        self.k("patch", short, "w", "--type=merge", "-p", '{"spec":{"colour":"blue"}}')
        self.assertEqual(self.get(short, "w")["spec"]["colour"], "blue")
        self.k("label", short, "w", "a=b")
        self.assertEqual(self.k("get", short, "-l", "a=b", "-o", "name").strip(), f"widget.{crd['spec']['group']}/w")
        self.k("scale", resource + "/w", "--replicas=4")
        self.assertEqual(self.get(short, "w")["spec"]["replicas"], 4)
        if self.minor >= 24:
            self.k("patch", short, "w", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Fine"},"spec":{"size":8}}')
            widget = self.get(short, "w")
            self.assertEqual((widget["status"]["phase"], widget["spec"]["size"]), ("Fine", 3))
        self.k("patch", short, "w", "--type=merge", "-p", '{"status":{"phase":"Bad"}}')
        self.assertNotEqual(self.get(short, "w").get("status", {}).get("phase"), "Bad")
        self.k("delete", "crd", crd["metadata"]["name"], "--timeout=20s")
        self.k("get", resource, ok=False)

    def test_custom_kind_server_side_apply(self):
        crd, resource = self.define("ssa")

        def ssa(manager, *flags, ok=True, **spec):
            return self.k("apply", "--server-side", "--validate=false", f"--field-manager={manager}", *flags, "-f", "-",
                          stdin=self.widget(crd, "s", **spec), ok=ok)

        ssa("one", size=1, parts=[{"name": "wheel", "count": 2}])
        ssa("two", size=1, parts=[{"name": "door", "count": 1}])
        self.assertEqual({p["name"] for p in self.get(resource, "s")["spec"]["parts"]}, {"wheel", "door"})
        self.assertIn("conflict", ssa("two", size=2, ok=False))
        ssa("two", "--force-conflicts", size=2)
        spec = self.get(resource, "s")["spec"]
        self.assertEqual((spec["size"], [p["name"] for p in spec["parts"]]), (2, ["wheel"]))

    def test_custom_kind_explained(self):
        crd, resource = self.define("doc")
        text, version = "", f"--api-version={crd['spec']['group']}/v1"
        for _ in range(20):  # the document follows the definition a little later
            run = SERVER.kubectl("explain", "widgets.spec", version, version=self.version, check=False)
            text = run.stdout + run.stderr
            if "How large." in text:
                break
        self.assertIn("What is wanted of the widget.", text)
        self.assertIn("How large.", text)
        if self.minor >= 25:
            self.assertIn("unknown field", self.k("apply", "-f", "-", stdin=self.widget(crd, "x", size=1, shape="round"),
                                                  ok=False))


class Kubectl120(Cases, unittest.TestCase):
    version = "1.20"


class Kubectl132(Cases, unittest.TestCase):
    version = "1.32"


if __name__ == "__main__":
    unittest.main()
