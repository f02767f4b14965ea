"""The requests of differential.py: objects of many kinds, mutations of them, and what is done to them."""
import copy
import json


def meta(name, **more):
    return {"name": name, **more}


POD_SPEC = {"containers": [{"name": "c", "image": "nginx:1.0", "ports": [{"containerPort": 80}],
                            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                            "env": [{"name": "A", "value": "b"}]}],
            "automountServiceAccountToken": False}


def template():
    return {"metadata": {"labels": {"app": "x"}}, "spec": copy.deepcopy(POD_SPEC)}


# kind -> (path of the collection without namespace, namespaced, object)
KINDS = {
    "configmap": ("/api/v1", "configmaps", True,
                  {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}, "binaryData": {"bin": "AAEC"}}),
    "secret": ("/api/v1", "secrets", True,
               {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"k": "dg=="}, "stringData": {"s": "t"}}),
    "serviceaccount": ("/api/v1", "serviceaccounts", True, {"apiVersion": "v1", "kind": "ServiceAccount"}),
    "endpoints": ("/api/v1", "endpoints", True,
                  {"apiVersion": "v1", "kind": "Endpoints",
                   "subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"name": "p", "port": 80}]}]}),
    "pod": ("/api/v1", "pods", True, {"apiVersion": "v1", "kind": "Pod", "spec": POD_SPEC}),
    "service": ("/api/v1", "services", True,
                {"apiVersion": "v1", "kind": "Service",
                 "spec": {"clusterIP": "None", "selector": {"app": "x"}, "ports": [{"port": 80, "targetPort": "http"}]}}),
    "replicationcontroller": ("/api/v1", "replicationcontrollers", True,
                              {"apiVersion": "v1", "kind": "ReplicationController",
                               "spec": {"replicas": 2, "selector": {"app": "x"}, "template": template()}}),
    "limitrange": ("/api/v1", "limitranges", True,
                   {"apiVersion": "v1", "kind": "LimitRange",
                    "spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "10Ti"}}]}}),
    "resourcequota": ("/api/v1", "resourcequotas", True,
                      {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"count/widgets.x": "5"}}}),
    "persistentvolumeclaim": ("/api/v1", "persistentvolumeclaims", True,
                              {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                               "spec": {"accessModes": ["ReadWriteOnce"],
                                        "resources": {"requests": {"storage": "1Gi"}}}}),
    "persistentvolume": ("/api/v1", "persistentvolumes", False,
                         {"apiVersion": "v1", "kind": "PersistentVolume",
                          "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                                   "hostPath": {"path": "/tmp/x"}}}),
    "node": ("/api/v1", "nodes", False, {"apiVersion": "v1", "kind": "Node", "spec": {"podCIDR": "10.2.0.0/24"}}),
    "namespace": ("/api/v1", "namespaces", False, {"apiVersion": "v1", "kind": "Namespace"}),
    "podtemplate": ("/api/v1", "podtemplates", True,
                    {"apiVersion": "v1", "kind": "PodTemplate", "template": template()}),
    "deployment": ("/apis/apps/v1", "deployments", True,
                   {"apiVersion": "apps/v1", "kind": "Deployment",
                    "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "x"}}, "template": template()}}),
    "replicaset": ("/apis/apps/v1", "replicasets", True,
                   {"apiVersion": "apps/v1", "kind": "ReplicaSet",
                    "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "x"}}, "template": template()}}),
    "daemonset": ("/apis/apps/v1", "daemonsets", True,
                  {"apiVersion": "apps/v1", "kind": "DaemonSet",
                   "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template()}}),
    "statefulset": ("/apis/apps/v1", "statefulsets", True,
                    {"apiVersion": "apps/v1", "kind": "StatefulSet",
                     "spec": {"serviceName": "s", "selector": {"matchLabels": {"app": "x"}}, "template": template()}}),
    "job": ("/apis/batch/v1", "jobs", True,
            {"apiVersion": "batch/v1", "kind": "Job",
             "spec": {"template": {"spec": {**POD_SPEC, "restartPolicy": "Never"}}}}),
    "cronjob": ("/apis/batch/v1beta1", "cronjobs", True,
                {"apiVersion": "batch/v1beta1", "kind": "CronJob",
                 "spec": {"schedule": "*/5 * * * *",
                          "jobTemplate": {"spec": {"template": {"spec": {**POD_SPEC, "restartPolicy": "OnFailure"}}}}}}),
    "hpa": ("/apis/autoscaling/v1", "horizontalpodautoscalers", True,
            {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
             "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}, "minReplicas": 1,
                      "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}}),
    "pdb": ("/apis/policy/v1beta1", "poddisruptionbudgets", True,
            {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget",
             "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}}),
    "ingress": ("/apis/networking.k8s.io/v1", "ingresses", True,
                {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                 "spec": {"rules": [{"host": "a.example.com", "http": {"paths": [
                     {"path": "/", "pathType": "Prefix",
                      "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}}),
    "networkpolicy": ("/apis/networking.k8s.io/v1", "networkpolicies", True,
                      {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                       "spec": {"podSelector": {"matchLabels": {"a": "b"}},
                                "ingress": [{"ports": [{"port": 80}], "from": [{"podSelector": {}}]}]}}),
    "role": ("/apis/rbac.authorization.k8s.io/v1", "roles", True,
             {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
              "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    "rolebinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", True,
                    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
                     "subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}]}),
    "clusterrole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False,
                    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                     "rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]}),
    "storageclass": ("/apis/storage.k8s.io/v1", "storageclasses", False,
                     {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "x.io/y"}),
    "priorityclass": ("/apis/scheduling.k8s.io/v1", "priorityclasses", False,
                      {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 10}),
    "lease": ("/apis/coordination.k8s.io/v1", "leases", True,
              {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
               "spec": {"holderIdentity": "me", "leaseDurationSeconds": 10}}),
    "endpointslice": ("/apis/discovery.k8s.io/v1beta1", "endpointslices", True,
                      {"apiVersion": "discovery.k8s.io/v1beta1", "kind": "EndpointSlice", "addressType": "IPv4",
                       "endpoints": [{"addresses": ["10.1.2.3"]}], "ports": [{"name": "p", "port": 80}]}),
    "runtimeclass": ("/apis/node.k8s.io/v1", "runtimeclasses", False,
                     {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "runc"}),
    "csidriver": ("/apis/storage.k8s.io/v1", "csidrivers", False,
                  {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "spec": {"attachRequired": False}}),
    "event": ("/api/v1", "events", True,
              {"apiVersion": "v1", "kind": "Event", "reason": "R", "message": "m", "type": "Normal",
               "involvedObject": {"kind": "Pod", "name": "p", "apiVersion": "v1"}}),
}

# Values that take the place of others: of the wrong type, out of range, ill-formed.
SCALARS = ["", "a", "UPPER", "a b", "-1", "x" * 300, "é", "10.0.0.300", "http://[", "5Gi", "1.5", "*/99", -1, 0, 1, 65536,
           70000, 2147483648, 1.5, True, False, None, [], {}, [None], ["a", "a"], {"a": "b"}, {"bad key!": "v"},
           {"k": "bad value!"}]


def setup(peer, namespace):
    peer.request("POST", "/api/v1/namespaces",
                 {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    peer.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts",
                 {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})


def paths_in(value, path=()):
    """Every place in a tree."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from paths_in(value[key], path + (key,))
    elif isinstance(value, list):
        for i in range(len(value)):
            yield from paths_in(value[i], path + (i,))


def put(tree, path, value):
    for key in path[:-1]:
        tree = tree[key]
    tree[path[-1]] = value


def drop(tree, path):
    for key in path[:-1]:
        tree = tree[key]
    del tree[path[-1]]


def mutate(rng, thing):
    """A copy with one to three changes."""
    thing = copy.deepcopy(thing)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        places = [p for p in paths_in(thing) if p and p[0] not in ("apiVersion", "kind")]
        if not places:
            break
        path = rng.choice(places)
        kind = rng.random()
        if kind < 0.25:
            drop(thing, path)
        elif kind < 0.85:
            put(thing, path, copy.deepcopy(rng.choice(SCALARS)))
        else:
            target = thing
            for key in path[:-1]:
                target = target[key]
            if isinstance(target, dict):
                target["unknownField"] = 1
            elif isinstance(target, list) and target:
                target.append(copy.deepcopy(target[0]))
    return thing


def cases(rng, namespace, count, only, without=()):
    names = [k for k in KINDS if (not only or k == only) and k not in without]
    serial = 0
    while serial < count:
        name = rng.choice(names)
        prefix, resource, namespaced, base = KINDS[name]
        collection = f"{prefix}/namespaces/{namespace}/{resource}" if namespaced else f"{prefix}/{resource}"
        serial += 1
        thing = copy.deepcopy(base)
        object_name = f"{namespace}-{name}-{serial}"
        thing["metadata"] = {"name": object_name, "labels": {"serial": "x"}, "annotations": {"n": "v"}}
        item = f"{collection}/{object_name}"
        yield {"name": f"{name}/create", "method": "POST", "path": collection, "body": thing}
        yield {"name": f"{name}/again", "method": "POST", "path": collection, "body": thing}
        yield {"name": f"{name}/get", "method": "GET", "path": item}
        for _ in range(4):
            fresh = copy.deepcopy(thing)
            fresh["metadata"]["name"] += f"-{serial}"
            mutant = mutate(rng, fresh)
            yield {"name": f"{name}/mutant", "method": "POST", "path": collection + "?dryRun=All", "body": mutant}
            serial += 1
        for _ in range(3):
            mutant = mutate(rng, thing)
            if isinstance(mutant.get("metadata"), dict):
                mutant["metadata"]["name"] = object_name
            yield {"name": f"{name}/update", "method": "PUT", "path": item + "?dryRun=All", "body": mutant}
            serial += 1
        yield {"name": f"{name}/merge", "method": "PATCH", "path": item, "type": "application/merge-patch+json",
               "body": {"metadata": {"labels": {"serial": None, "b": "c"}}}}
        yield {"name": f"{name}/strategic", "method": "PATCH", "path": item,
               "type": "application/strategic-merge-patch+json",
               "body": {"metadata": {"annotations": {"x": "y"}, "finalizers": ["example.com/f"]}}}
        yield {"name": f"{name}/json", "method": "PATCH", "path": item, "type": "application/json-patch+json",
               "body": [{"op": "remove", "path": "/metadata/finalizers"},
                        {"op": "test", "path": "/metadata/labels/b", "value": "c"}]}
        place = rng.choice([p for p in paths_in(base) if p and p[0] not in ("apiVersion", "kind")] or [("metadata",)])
        yield {"name": f"{name}/jsonpatch", "method": "PATCH", "path": item + "?dryRun=All",
               "type": "application/json-patch+json",
               "body": [{"op": rng.choice(["add", "replace", "remove", "test"]),
                         "path": "/" + "/".join(str(k).replace("~", "~0").replace("/", "~1") for k in place),
                         "value": copy.deepcopy(rng.choice(SCALARS))}]}
        tree = value = {}
        for key in place:
            if isinstance(key, int):
                break
            value[key] = {}
            parent, value = value, value[key]
        if place and not isinstance(place[0], int):
            parent[[k for k in place if not isinstance(k, int)][-1]] = copy.deepcopy(rng.choice(SCALARS))
        yield {"name": f"{name}/mergemutant", "method": "PATCH", "path": item + "?dryRun=All",
               "type": rng.choice(["application/merge-patch+json", "application/strategic-merge-patch+json"]),
               "body": tree}
        yield {"name": f"{name}/apply", "method": "PATCH", "path": item + "?fieldManager=m&force=true",
               "type": "application/apply-patch+yaml",
               "body": {"apiVersion": base["apiVersion"], "kind": base["kind"],
                        "metadata": {"name": object_name, "labels": {"applied": "1"}}}}
        yield {"name": f"{name}/selector", "method": "GET",
               "path": collection + "?labelSelector=" + rng.choice(["applied%3D1", "applied", "!applied", "applied+in+(1,2)",
                                                                      "a+b", "=x", "applied!=1"]) +
                       f"&fieldSelector=metadata.name%3D{object_name}"}
        yield {"name": f"{name}/field", "method": "GET",
               "path": collection + "?fieldSelector=" + rng.choice(["metadata.name%3Dnone", "spec.nodeName%3Dx", "nonsense",
                                                                      "status.phase!%3DRunning"])}
        yield {"name": f"{name}/status", "method": "GET", "path": item + "/status"}
        yield {"name": f"{name}/scale", "method": "GET", "path": item + "/scale"}
        yield {"name": f"{name}/table", "method": "GET", "path": item,
               "headers": {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}}
        yield {"name": f"{name}/partial", "method": "GET", "path": item,
               "headers": {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}}
        yield {"name": f"{name}/delete", "method": "DELETE", "path": item,
               "body": {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}}
        yield {"name": f"{name}/gone", "method": "GET", "path": item}
        serial += 22


# Differences that are meant, with the reason. path: regular expression on http, body.message, body.spec.x, ...
ACCEPTED = [
    {"path": r"columnDefinitions\[\]\.description$", "why": "descriptions of columns are our own words"},
]
