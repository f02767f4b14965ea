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
        yield from more(rng, namespace, name, collection, f"{namespace}-{name}-{serial}", base)
        serial += 20


def more(rng, namespace, name, collection, object_name, base):
    """What happens to an object beside being written: status, scale, deletion with options, pages, strangers."""
    thing = copy.deepcopy(base)
    thing["metadata"] = {"name": object_name, "labels": {"page": object_name}, "finalizers": ["example.com/f"]}
    item = f"{collection}/{object_name}"
    yield {"name": f"{name}/yaml", "method": "POST", "path": collection, "body": json.dumps(thing), "type": "application/yaml"}
    status = copy.deepcopy(thing)
    status["metadata"] = {"name": object_name, "labels": {"page": object_name, "by": "status"}}
    yield {"name": f"{name}/putstatus", "method": "PUT", "path": item + "/status?dryRun=All", "body": status}
    yield {"name": f"{name}/patchstatus", "method": "PATCH", "path": item + "/status", "type": "application/merge-patch+json",
           "body": {"metadata": {"annotations": {"by": "status"}}, "status": rng.choice([{}, {"replicas": 3}, {"phase": "Failed"},
                                                                                       {"conditions": []}, {"replicas": "x"}])}}
    yield {"name": f"{name}/patchscale", "method": "PATCH", "path": item + "/scale", "type": "application/merge-patch+json",
           "body": {"spec": {"replicas": rng.choice([0, 1, 5, -1])}}}
    yield {"name": f"{name}/precondition", "method": "DELETE", "path": item,
           "body": {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}}
    yield {"name": f"{name}/badoptions", "method": "DELETE", "path": item,
           "body": {"propagationPolicy": "Never", "orphanDependents": True}}
    yield {"name": f"{name}/deletedry", "method": "DELETE", "path": item + "?dryRun=All",
           "body": {"propagationPolicy": rng.choice(["Background", "Foreground", "Orphan"])}}
    yield {"name": f"{name}/deleteheld", "method": "DELETE", "path": item,
           "body": {"propagationPolicy": rng.choice(["Background", "Foreground", "Orphan"]), "gracePeriodSeconds": 0}}
    yield {"name": f"{name}/held", "method": "GET", "path": item}
    yield {"name": f"{name}/release", "method": "PATCH", "path": item, "type": "application/merge-patch+json",
           "body": {"metadata": {"finalizers": None}}}
    yield {"name": f"{name}/released", "method": "GET", "path": item}
    for i in range(3):
        one = copy.deepcopy(base)
        one["metadata"] = {"name": f"{object_name}-{i}", "labels": {"page": object_name}}
        yield {"name": f"{name}/one", "method": "POST", "path": collection, "body": one}
    ours = f"labelSelector=page%3D{object_name}"
    yield {"name": f"{name}/page", "method": "GET", "path": f"{collection}?{ours}&limit=500"}
    yield {"name": f"{name}/listmatch", "method": "GET", "path": f"{collection}?{ours}&resourceVersionMatch=" +
           rng.choice(["Exact", "NotOlderThan", "Sometimes", "Exact&resourceVersion=0", "NotOlderThan&resourceVersion=0",
                       "NotOlderThan&resourceVersion=0&limit=2", "Exact&resourceVersion=x"]),
           "unordered": True}  # 1.20 answers from its cache in no order
    yield {"name": f"{name}/badcontinue", "method": "GET", "path": f"{collection}?limit=1&continue=" +
           rng.choice(["x", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ"])}
    yield {"name": f"{name}/stranger", "method": rng.choice(["GET", "DELETE"]), "path": item, "token": "nobody"}
    yield {"name": f"{name}/strangers", "method": "GET", "path": collection, "token": "nobody"}
    yield {"name": f"{name}/deletecollection", "method": "DELETE", "path": f"{collection}?{ours}"}
    yield {"name": f"{name}/collected", "method": "GET", "path": f"{collection}?{ours}"}
    generated = copy.deepcopy(base)
    generated["metadata"] = {"generateName": "gen-"}
    yield {"name": f"{name}/generate", "method": "POST", "path": collection + "?dryRun=All", "body": generated}
    yield {"name": f"{name}/broken", "method": "POST", "path": collection + "?dryRun=All",
           "body": rng.choice(['{"apiVersion": ', "[]", "null", '"a"', '{"kind": "Nonsense", "apiVersion": "v1"}', "{}",
                               '{"kind": "Pod", "apiVersion": "nonsense/v1"}'])}
    yield {"name": f"{name}/media", "method": "POST", "path": collection + "?dryRun=All", "body": "x", "type": "text/plain"}
    yield {"name": f"{name}/accept", "method": "GET", "path": collection, "headers": {"Accept": "text/html"}}
    yield {"name": f"{name}/options", "method": rng.choice(["POST", "PUT"]), "body": generated,
           "path": (collection if rng.random() < 0.5 else item) + "?dryRun=" + rng.choice(["None", "all", "All&dryRun=All"])}


# Differences that are meant, with the reason; all patterns of a rule must be found. path: where it is, as http,
# body.message, body.spec.x (keys of causes are "field reason", of managedFields "manager operation subresource version");
# case: kind/step; ours, theirs: the values as JSON, null for absent.
NEW = r"(^|\.)(f:)?"
ACCEPTED = [
    {"path": r"columnDefinitions(\[\]\.description)?$", "why": "descriptions of columns are our own words"},

    # Newer than the reference.
    {"case": r"^statefulset/", "path": NEW + r"(persistentVolumeClaimRetentionPolicy|availableReplicas)\b", "theirs": "^null$",
     "why": "fields of StatefulSet that 1.20 does not have"},
    {"case": r"^csidriver/", "path": NEW + r"(requiresRepublish|seLinuxMount|storageCapacity)$", "theirs": "^null$",
     "why": "fields of CSIDriver that 1.20 does not have"},
    {"case": r"^persistentvolume/", "path": r"status\.lastPhaseTransitionTime$", "theirs": "^null$",
     "why": "fields of PersistentVolume that 1.20 does not have"},
    {"case": r"^job/", "path": NEW + r"(completionMode|manualSelector|podReplacementPolicy|suspend|terminating|ready)$",
     "theirs": "^null$", "why": "fields of Job that 1.20 does not have"},
    {"case": r"^job/", "path": r"(controller-uid|batch\.kubernetes\.io/job-name)$",
     "why": "labels of a Job's pods have a prefix since 1.27; the selector uses the new one"},
    {"case": r"^daemonset/", "path": NEW + r"maxSurge$", "theirs": "^null$", "why": "fields of DaemonSet that 1.20 does not have"},
    {"case": r"^(job|cronjob|podtemplate|csidriver)/", "path": r"metadata\.generation$", "theirs": "^null$",
     "why": "kinds that count generations since 1.21 or later"},
    {"path": r"managedFields\.differential (Update|Apply)  \S+\.f:status\b", "ours": "^null$",
     "why": "what an endpoint resets is not owned by who wrote it, since 1.22"},
    {"path": r"managedFields\..*\.f:(selector|scaleTargetRef|roleRef|involvedObject|podSelector|labelSelector)\.", "ours": "^null$",
     "why": "references and selectors are atomic in the schema of 1.32: one owner for the whole"},
    {"case": r"^pod/table$", "path": r"(cells\[\]|columnDefinitions\[\]\.type)$", "ours": r'^"(0|string)"$',
     "why": "restarts of a pod are text since 1.22: they say when the last one was"},
    {"case": r"^hpa/table$", "path": r"cells\[\]$", "ours": '^"cpu: ', "why": "targets of autoscalers name their metric since 1.30"},
    {"case": r"^(csidriver|persistentvolume|persistentvolumeclaim|job|cronjob|priorityclass)/table$", "path": r"cells$",
     "why": "columns that 1.20 does not print"},

    {"case": r"^endpointslice/", "path": r"metadata\.generation$",
     "why": "labels of an EndpointSlice count for its generation since 1.24"},
    {"path": r"causes\..*env\[\]\.name FieldValueInvalid$", "ours": "^null$",
     "theirs": "a valid environment variable name must consist",
     "why": "names of environment variables may be almost anything since 1.32"},
    {"case": r"/(mutant|update)$", "path": r"metadata\.managedFields$", "theirs": "^null$",
     "why": "lists with the same key twice have managers since 1.27; 1.20 gives up on them"},

    {"path": r"metadata\.managedFields\.\S+ Update (status|scale) ", "theirs": "^null$",
     "why": "writers of a subresource have an entry of their own since 1.22"},
    {"path": r"metadata\.managedFields\.\S+ Update  [^ ]+\.f:(metadata\.f:(labels|annotations)\b.*|spec\.f:replicas)$",
     "ours": "^null$", "case": "/(putstatus|patchstatus|patchscale|deletedry|deleteheld|held|release|released|page)$",
     "why": "writers of a subresource have an entry of their own since 1.22"},
    {"case": r"^namespace/", "path": r"(labels(\.f?:?kubernetes\.io/metadata\.name)?|f:labels(\.f:kubernetes\.io/metadata\.name)?)$",
     "ours": r"metadata\.name|^\{\}$|diff-|gen-", "theirs": "^null$", "why": "namespaces have a label with their name since 1.21"},
    {"case": r"^service/", "path": NEW + r"(internalTrafficPolicy|ipFamilies|ipFamilyPolicy|clusterIPs)\b", "theirs": "^null$",
     "why": "fields of Service that 1.20 does not have, or only behind a gate"},
    {"case": r"^pod/", "path": r"status\.qosClass$", "theirs": "^null$", "why": "a status without a class keeps the pod's"},

    # Words of 1.32.
    {"path": "^body\\.message$", "ours": r"in scheme .{1,3}pkg/api/legacyscheme", "theirs": r"in scheme .{1,3}k8s\.io/kubernetes/",
     "why": "1.32 is built without the paths of the machine that built it"},
    {"case": r"^job/", "path": r"causes\.spec\.template FieldValueInvalid$", "ours": r"core\.PodTemplateSpec\{\.\.\.\}",
     "why": "a whole pod template is not printed in Go's syntax"},
    {"case": r"^persistentvolumeclaim/", "path": r"causes\.spec(\.resources\.requests\.storage)? FieldValueForbidden$",
     "theirs": "less than previous value|core.PersistentVolumeClaimSpec",
     "why": "claims may shrink to what they have since 1.32; differences are shown line by line"},
    {"case": r"^node/", "path": r"causes\.spec\.podCIDRs\[\] FieldValueInvalid$", "theirs": "must be valid CIDR",
     "why": "errors of CIDRs have an example since 1.31"},
    {"path": r"causes\..*requests FieldValueInvalid$", "ours": "must be less than or equal to .* limit of",
     "why": "the error tells the limit since 1.26"},
    {"path": r"^body\.message$", "ours": "json: cannot unmarshal", "theirs": "cannot be handled as a|error found in #",
     "why": "errors of JSON types have the words of the library that 1.32 uses"},
    {"path": r"^body\.message$", "ours": "cannot be handled as a", "theirs": "cannot be handled as a.* error found in #",
     "why": "errors of JSON types have the words of the library that 1.32 uses"},
    {"path": r"causes\.patch FieldValueInvalid$", "ours": "json: cannot unmarshal|quantities must|illegal base64",
     "theirs": r"error found in #", "why": "errors of JSON types have the words of the library that 1.32 uses"},
    {"case": r"^pod/", "path": r"causes\.spec FieldValueForbidden$", "ours": "terminationGracePeriodSeconds",
     "why": "pods may change more since 1.22, and the error shows the difference another way"},
    {"case": r"^persistentvolume/", "path": r"causes\.spec\.persistentvolumesource FieldValueForbidden$",
     "theirs": r"core\.PersistentVolumeSource\{", "why": "differences of objects are shown line by line since 1.21"},
    {"case": r"^statefulset/", "path": r"causes\.spec FieldValueForbidden$", "ours": "'ordinals'",
     "why": "StatefulSets may change more fields than in 1.20"},
    {"case": r"^priorityclass/", "path": r"causes\.[vV]alue FieldValueForbidden$", "why": "the field is called value since 1.21"},
    {"path": r"^body\.message$", "theirs": r"found '.*', expected: '=', '!=', '==', 'in', notin'",
     "why": "the parser of selectors lists operators in order since 1.21"},
    {"case": r"^statefulset/field$", "path": "message$", "ours": "not supported for appsv1.StatefulSet",
     "why": "StatefulSet has its own text for unknown field labels since 1.27"},
    {"case": r"^cronjob/field$", "path": "message$", "theirs": 'not supported for .*CronJob',
     "why": "batch/v1beta1, which 1.32 does not serve, has the text of batch/v1 for unknown field labels"},
    {"case": r"^(ingress|networkpolicy)/", "path": r"^body\.(details\.group|message)$", "ours": r"networking\.k8s\.io",
     "theirs": "extensions", "why": "the internal group of networking is no longer extensions"},

    {"case": r"^service/delete", "path": r"^body\.", "theirs": "null|Status|Success|services",
     "why": "deletion of a Service answers with the Service since 1.23"},
    {"case": r"^namespace/field$", "path": r"^body\.items$", "why": "both servers have namespaces of their own"},
    {"case": r"/accept$", "path": r"^body\.message$|^body\.", "theirs": "406: Not Acceptable|null", "ours": "media types|null|406|Not|v1|Status|Failure",
     "why": "what no media type fits is answered by upstream's router as text, by us as a Status"},

    {"case": r"/badcontinue$", "path": r"^body\.message$", "theirs": r'encoded version .{0,2}\\"',
     "why": "the version of a continue token that nobody knows is not quoted in 1.32"},
    {"case": r"^node/", "path": r"causes\.\[\] FieldValueForbidden$", "theirs": "configSource", "ours": "^null$",
     "why": "the configSource of nodes went in 1.26; the field of what cannot change is named"},
    {"case": r"^csidriver/", "path": r"causes\.spec(\.attachedRequired)? FieldValueInvalid$",
     "why": "the spec of a CSIDriver can change in part since 1.21"},
    {"case": r"^pdb/", "path": r"causes\.metadata\.name FieldValueInvalid$", "why": "names of budgets are DNS subdomains since 1.25"},
    {"case": r"^persistentvolume(claim)?/", "path": r"causes\.spec\.accessModes FieldValueNotSupported$", "ours": "ReadWriteOncePod",
     "why": "access modes that 1.20 does not have"},
    {"path": r"causes\.", "theirs": r"resource\.Quantity\{", "ours": "core.ResourceList", "why": "quantities in errors are text, not Go's inner structure"},
    {"case": r"^job/", "path": r"^body\.metadata\.labels", "theirs": "controller-uid|null", "ours": r"controller-uid|job-name",
     "why": "labels of a Job's pods have a prefix since 1.27; the selector uses the new one"},
    {"case": r"/accept$", "path": r"^body\.details$", "ours": "^null$", "why": "an error without details has none in 1.32"},

    # How we are made.
    {"case": r"^daemonset/(table|partial)$", "path": r"deprecated\.daemonset\.template\.generation$", "theirs": "^null$",
     "why": "tables show the metadata of upstream's internal object, where this annotation is a field"},
    {"path": r"causes\.", "theirs": r"(map\[string\]string|core\.ResourceList)\{\}|\(nil\)[:,]",
     "ours": r"(map\[string\]string|core\.ResourceList)(\{\}|\(nil\))[:,]",
     "why": "an empty map and none are the same to us; Go prints them differently"},
    {"case": r"^pod/", "path": "^http$", "theirs": "No API token found for service account",
     "why": "the reference waits for a controller that makes tokens, which does not run"},
    {"case": r"^pod/", "path": "^http$", "theirs": "a valid environment variable name must consist",
     "why": "names of environment variables may be almost anything since 1.32"},
]
