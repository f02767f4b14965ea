"""CustomResourceDefinitions on a running server: definition, objects, versions, apply, deletion, restart.

    KNARR_BIN=<directory of knarr> python3 -m unittest -v custom_resources_test
"""
import copy
import json
import time
import unittest

import server

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}


def definition():
    schema = {"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "required": ["color"], "properties": {
            "color": {"type": "string", "enum": ["red", "blue"]},
            "size": {"type": "integer", "minimum": 1, "default": 3},
            "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                      "items": {"type": "object", "required": ["name"], "properties": {
                          "name": {"type": "string"}, "count": {"type": "integer"}}}}}},
        "status": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}
    more = {"subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size",
                                                     "statusReplicasPath": ".status.size"}},
            "selectableFields": [{"jsonPath": ".spec.color"}], "schema": schema}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"},
            "spec": {"group": "example.com", "scope": "Namespaced",
                     "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
                     "versions": [{"name": "v1beta1", "served": True, "storage": False, **copy.deepcopy(more)},
                                  {"name": "v1", "served": True, "storage": True, **copy.deepcopy(more)}]}}


def widget(name="w", version="v1", **spec):
    return {"apiVersion": f"example.com/{version}", "kind": "Widget", "metadata": {"name": name},
            "spec": {"color": "red", **spec}}


def path(version="v1", rest=""):
    return f"/apis/example.com/{version}/namespaces/default/widgets{rest}"


class CustomResourcesTest(unittest.TestCase):
    def setUp(self):
        self.server = server.Server().start()
        self.addCleanup(self.server.close)
        status, answer = self.server.json("POST", DEFINITIONS, definition())
        self.assertEqual(status, 201, answer)
        self.until(lambda: self.conditions().get("Established") == "True")

    def until(self, is_so, seconds=20):
        end = time.monotonic() + seconds
        while not is_so():
            self.assertLess(time.monotonic(), end, self.server.tail())
            time.sleep(0.02)

    def conditions(self):
        status, answer = self.server.json("GET", DEFINITIONS + "/widgets.example.com")
        return {c["type"]: c["status"] for c in answer["status"].get("conditions", [])} if status == 200 else {}

    def refused(self, method, at, body, message, headers=None):
        status, answer = self.server.json(method, at, body, headers=headers)
        self.assertIn(status, (400, 409, 422), answer)
        self.assertIn(message, answer["message"])

    def test_objects_are_checked_defaulted_and_converted(self):
        self.refused("POST", path(), widget(color="green"),
                     'spec.color: Unsupported value: "green": supported values: "red", "blue"')
        self.refused("POST", path(), widget(size=0),
                     "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1")
        self.refused("POST", path() + "?fieldValidation=Strict", widget(junk=1), 'unknown field "spec.junk"')
        status, made = self.server.json("POST", path("v1beta1"), widget(version="v1beta1", junk=1))
        self.assertEqual(status, 201, made)
        self.assertEqual(made["spec"], {"color": "red", "size": 3})
        for version in ("v1", "v1beta1"):
            _, got = self.server.json("GET", path(version, "/w"))
            self.assertEqual(got["apiVersion"], f"example.com/{version}")
            _, listed = self.server.json("GET", path(version) + "?fieldSelector=spec.color%3Dred")
            self.assertEqual([i["apiVersion"] for i in listed["items"]], [f"example.com/{version}"])
        _, none = self.server.json("GET", path() + "?fieldSelector=spec.color%3Dblue")
        self.assertEqual(none["items"], [])

    def test_status_scale_and_apply(self):
        self.assertEqual(self.server.request("POST", path(), widget())[0], 201)
        _, scale = self.server.json("PATCH", path(rest="/w/scale"), {"spec": {"replicas": 7}}, headers=MERGE)
        self.assertEqual((scale["kind"], scale["spec"]), ("Scale", {"replicas": 7}))
        _, got = self.server.json("PATCH", path(rest="/w/status"), {"spec": {"size": 1}, "status": {"size": 6}},
                                  headers=MERGE)
        self.assertEqual((got["spec"]["size"], got["status"], got["metadata"]["generation"]), (7, {"size": 6}, 2))
        for manager, part in (("one", {"name": "a", "count": 1}), ("two", {"name": "b", "count": 1})):
            status, got = self.server.json("PATCH", path(rest=f"/w?fieldManager={manager}"),
                                           widget(parts=[part]), headers=APPLY)
            self.assertEqual(status, 200, got)
        self.assertEqual([p["name"] for p in got["spec"]["parts"]], ["a", "b"])
        self.refused("PATCH", path(rest="/w?fieldManager=three"), widget(parts=[{"name": "b", "count": 2}]),
                     'conflict with "two": .spec.parts[name="b"].count', headers=APPLY)

    def test_deletion_waits_for_objects_and_frees_the_name(self):
        held = widget()
        held["metadata"]["finalizers"] = ["example.com/hold"]
        self.assertEqual(self.server.request("POST", path(), held)[0], 201)
        self.assertEqual(self.server.request("POST", path(), widget("free"))[0], 201)
        self.server.request("DELETE", DEFINITIONS + "/widgets.example.com")
        self.until(lambda: self.server.request("GET", path(rest="/free"))[0] == 404)
        self.assertEqual(self.conditions().get("Terminating"), "True")
        status, answer = self.server.json("POST", path(), widget("late"))
        self.assertEqual((status, answer["message"]),
                         (405, "create not allowed while custom resource definition is terminating"))
        self.server.request("PATCH", path(rest="/w"), {"metadata": {"finalizers": None}}, headers=MERGE)
        self.until(lambda: self.server.request("GET", DEFINITIONS + "/widgets.example.com")[0] == 404)
        self.until(lambda: self.server.request("GET", path())[0] == 404)
        self.assertEqual(self.server.request("POST", DEFINITIONS, definition())[0], 201)

    def test_a_restart_serves_what_was_defined(self):
        self.assertEqual(self.server.request("POST", path(), widget())[0], 201)
        self.server.stop()
        self.server.start()
        self.until(lambda: self.server.request("GET", path(rest="/w"))[0] == 200)
        _, group = self.server.json("GET", "/apis/example.com")
        self.assertEqual([v["version"] for v in group["versions"]], ["v1", "v1beta1"])
        self.until(lambda: self.server.request(
            "GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com")[0] == 200)

    def test_definitions_are_refused_in_upstreams_words(self):
        bad = definition()
        bad["metadata"]["name"] = "gadgets.example.com"
        bad["spec"]["names"] = {"plural": "gadgets", "kind": "Gadget"}
        bad["spec"]["versions"][0]["storage"] = True
        self.refused("POST", DEFINITIONS, bad, "must have exactly one version marked as storage version")
        bad["spec"]["versions"][0]["storage"] = False
        bad["spec"]["conversion"] = {"strategy": "Webhook"}
        self.refused("POST", DEFINITIONS, bad, "conversion webhooks are not supported by this server")
        moved = definition()
        moved["spec"]["scope"] = "Cluster"
        _, present = self.server.json("GET", DEFINITIONS + "/widgets.example.com")
        moved["metadata"]["resourceVersion"] = present["metadata"]["resourceVersion"]
        self.refused("PUT", DEFINITIONS + "/widgets.example.com", moved,
                     'spec.scope: Invalid value: "Cluster": field is immutable')


if __name__ == "__main__":
    unittest.main()
