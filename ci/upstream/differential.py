#!/usr/bin/env python3
"""Replays generated requests on Knarr's kube-apiserver and on upstream's, and compares the answers.

usage: differential.py [--count N] [--seed S] [--only KIND] [--reference URL] [--verbose]

Environment: KNARR_BIN and KNARR_CACHE as for ci/integration/apiserver; upstream's programs by ci/upstream/build.sh.
Status codes, reasons, causes, messages and objects are compared after uid, times, versions and what a server chooses
are taken out. Every accepted difference is in ACCEPTED with its reason; the rest is printed, and fails the run.
"""
import argparse
import collections
import copy
import json
import os
import pathlib
import random
import re
import ssl
import subprocess
import sys
import tempfile
import http.client

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration" / "apiserver"))
from server import ADMIN, NOBODY, Server, free_port  # noqa: E402

sys.path.insert(0, str(HERE))
from differential_cases import ACCEPTED, KINDS, cases, setup  # noqa: E402


class Peer:
    """One keep-alive connection to a server."""

    def __init__(self, name, port, token, nobody):
        self.name, self.port, self.token, self.nobody = name, port, token, nobody
        self.context = ssl._create_unverified_context()
        self.connection = None

    def request(self, method, path, body=None, content_type="application/json", headers=None,
                token=None):
        data = None
        if body is not None:
            data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        all_headers = {"Authorization": "Bearer " + (token or self.token), "Accept": "application/json", "User-Agent": "differential/1"}
        if data is not None:
            all_headers["Content-Type"] = content_type
        all_headers.update(headers or {})
        for attempt in (0, 1):
            if self.connection is None:
                self.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=30)
            try:
                self.connection.request(method, path, data, all_headers)
                answer = self.connection.getresponse()
                return answer.status, answer.read().decode(errors="replace")
            except (http.client.HTTPException, OSError):
                self.connection = None
                if attempt:
                    raise


# What a server chooses, or what differs by nature.
DROP_META = {"uid", "resourceVersion", "creationTimestamp", "selfLink", "deletionTimestamp"}
CHOSEN = [(re.compile(r"\b(gen-)[bcdfghjklmnpqrstvwxz2456789]{5}\b"), r"\1xxxxx"),
          (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uid>"),
          (re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
          (re.compile(r'(\\?"(resourceVersion|selfLink)\\?":\\?")[^"\\]+'), r"\1<chosen>")]


def normalise(value, path=()):
    if isinstance(value, dict):
        out = {}
        for key, item in value.items():
            if key in DROP_META and path and path[-1] in ("metadata", "details"):
                continue
            if key == "managedFields":
                # By who wrote: entries with the same key are one difference, not two lists of different lengths.
                item = {" ".join((e.get("manager", ""), e.get("operation", ""), e.get("subresource", ""),
                                  e.get("apiVersion", ""))): e.get("fieldsV1") for e in item or []}
            if key == "causes" and path and path[-1] == "details":
                # By field and reason, in the order of the server.
                causes = {}
                for cause in item or []:
                    where = f"{cause.get('field', '')} {cause.get('reason', '')}"
                    said = causes.setdefault(where, [])
                    # Upstream validates some objects twice in an update, and says everything twice.
                    if cause.get("message", "") not in said:
                        said.append(cause.get("message", ""))
                item = {where: "; ".join(said) for where, said in causes.items()}
            if path and path[-1] == "metadata" and key in ("continue", "remainingItemCount"):
                item = "set"
            out[key] = normalise(item, path + (key,))
        return out
    if isinstance(value, list):
        return [normalise(item, path) for item in value]
    if isinstance(value, str):
        for pattern, replacement in CHOSEN:
            value = pattern.sub(replacement, value)
    return value


def parse(text):
    try:
        return json.loads(text)
    except ValueError:
        return {"text": text.strip()}


def differences(ours, theirs, path=""):
    """[(path, ours, theirs)]"""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = []
        for key in sorted(set(ours) | set(theirs)):
            where = f"{path}.{key}" if path else key
            if key not in ours:
                found.append((where, None, theirs[key]))
            elif key not in theirs:
                found.append((where, ours[key], None))
            else:
                found += differences(ours[key], theirs[key], where)
        return found
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        found = []
        for i, (a, b) in enumerate(zip(ours, theirs)):
            found += differences(a, b, f"{path}[]")
        return found
    return [] if ours == theirs else [(path, ours, theirs)]


def accepted(case, difference):
    where, ours, theirs = difference
    for rule in ACCEPTED:
        if not re.search(rule["path"], where):
            continue
        if "case" in rule and not re.search(rule["case"], case["name"]):
            continue
        if "ours" in rule and not re.search(rule["ours"], json.dumps(ours)):
            continue
        if "theirs" in rule and not re.search(rule["theirs"], json.dumps(theirs)):
            continue
        return rule["why"]
    return None


def clean(peer, namespace):
    """The reference outlives the run, and has no controllers that would delete what is in a namespace."""
    for prefix, resource, namespaced, _ in KINDS.values():
        collection = f"{prefix}/namespaces/{namespace}/{resource}" if namespaced else f"{prefix}/{resource}"
        for item in parse(peer.request("GET", collection)[1]).get("items") or []:
            if not namespaced and not item["metadata"]["name"].startswith(namespace + "-"):
                continue
            path = f"{collection}/{item['metadata']['name']}"
            if item["metadata"].get("finalizers"):
                peer.request("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
            peer.request("DELETE", path, {"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
            if resource == "namespaces":
                finalize(peer, item["metadata"]["name"])
    peer.request("DELETE", f"/api/v1/namespaces/{namespace}")
    finalize(peer, namespace)


def finalize(peer, namespace):
    peer.request("PUT", f"/api/v1/namespaces/{namespace}/finalize",
                 {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}, "spec": {"finalizers": []}})


def write_page(options, counts, explained, groups):
    lines = ["# Compatibility of kube-apiserver with upstream", "",
             "For those who want to know what is compared, and what differs on purpose. Written by "
             "`ci/upstream/differential.py --page`; change the rules in `differential_cases.py`, not this page.", "",
             "The test makes objects of every kind below, changes them, breaks them, patches, selects, pages and deletes",
             "them, on Knarr and on upstream's kube-apiserver 1.20.2, and compares status codes, reasons, causes, messages",
             "and objects with managed fields. Taken out are uids, times, resource versions, generated names and self",
             "links. Causes are compared by field and reason, managed fields by manager. Where codes differ, only that is",
             "counted. Knarr answers as 1.32 does: what changed upstream in between is a difference with its reason.", "",
             "Kinds: " + ", ".join(KINDS) + ".", "",
             "Not compared yet: watches, protobuf bodies, custom resources, discovery documents, reviews, binding and",
             "eviction, server-side apply with conflicts.", "",
             f"Last run: {counts['requests']} requests (seed {options.seed}), {counts['differences']} unexplained differences "
             f"of {len(groups)} kinds.", "", "## Accepted differences", "", "| seen | why |", "|---|---|"]
    reasons = dict.fromkeys(rule["why"] for rule in ACCEPTED)
    lines += [f"| {explained[why]} | {why} |" for why in sorted(reasons, key=lambda why: -explained[why])]
    if groups:
        places = collections.Counter()
        for (name, where, _, _), found in groups.items():
            places[f"{found[0][0]['name'].split('/')[1]}: `{where[:90]}`"] += len(found)
        lines += ["", "## Unexplained", "", "Each is a fault of Knarr's, or a rule that is not written yet.", "",
                  "| seen | step and place |", "|---|---|"]
        lines += [f"| {count} | {place} |" for place, count in places.most_common(40)]
    options.page.write_text("\n".join(lines) + "\n")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--count", type=int, default=10000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--only", default="")
    arguments.add_argument("--reference", type=int, help="port of a running reference server (ci/upstream/apiserver.sh)")
    arguments.add_argument("--verbose", action="store_true")
    arguments.add_argument("--page", type=pathlib.Path, help="write docs/compatibility.md with the result")
    arguments.add_argument("--limit", type=int, default=60, help="differences to print")
    options = arguments.parse_args()

    reference = None
    namespace = f"diff-{os.getpid()}"
    port = options.reference
    directory = tempfile.mkdtemp(prefix="knarr-diff-")
    if not port:
        port = free_port()
        reference = subprocess.Popen([HERE / "apiserver.sh", directory, str(port)], stdout=subprocess.PIPE, text=True)
        line = reference.stdout.readline()
        if not line.startswith("ready"):
            sys.exit(f"the reference server does not come up: see {directory}")
    server = Server("--disable-admission-plugins=" + os.environ.get("KNARR_DIFF_DISABLE", "")
                    if os.environ.get("KNARR_DIFF_DISABLE") else "-v=0")
    counts = collections.Counter()
    explained = collections.Counter()
    groups = collections.OrderedDict()
    try:
        peers = [Peer("ours", server.port, ADMIN, NOBODY), Peer("theirs", port, "admin", "nobody")]
        server.start()
        for peer in peers:
            setup(peer, namespace)
        unserved = [name for name, (prefix, resource, _, _) in KINDS.items()
                    if peers[0].request("GET", f"{prefix}/{resource}")[0] == 404]
        if unserved:
            print("not served:", *unserved)
        rng = random.Random(options.seed)
        for case in cases(rng, namespace, options.count, options.only, unserved):
            answers = []
            for peer in peers:
                status, text = peer.request(case["method"], case["path"], copy.deepcopy(case.get("body")),
                                            case.get("type", "application/json"), case.get("headers"),
                                            case.get("token") and peer.nobody)
                answers.append({"http": status, "body": normalise(parse(text))})
                if case.get("unordered"):
                    answers[-1]["body"].get("items", []).sort(key=lambda item: item["metadata"]["name"])
            counts["requests"] += 1
            found = differences(*answers)
            if answers[0]["http"] != answers[1]["http"]:
                # Everything else follows from it.
                said = [{"http": a["http"], "message": a["body"].get("message", "")} for a in answers]
                found = [("http", *said)]
            elif any(f[0].startswith("body.details.causes.") for f in found):
                # The message is made of the causes.
                found = [f for f in found if f[0] != "body.message"]
            for difference in found:
                why = accepted(case, difference)
                if why:
                    explained[why] += 1
                    continue
                counts["differences"] += 1
                key = (case["name"].split("/")[0], re.sub(r"\[\d+\]", "[]", difference[0]),
                       json.dumps(difference[1])[:160], json.dumps(difference[2])[:160])
                groups.setdefault(key, []).append((case, difference))
    finally:
        server.close()
        if not reference:
            clean(peers[1], namespace)
        else:
            reference.terminate()
            reference.wait()
    for (name, where, ours, theirs), found in sorted(groups.items(), key=lambda g: -len(g[1]))[:options.limit]:
        case, _ = found[0]
        print(f"{len(found):5d} x {case['name']}: {where}\n        ours:   {ours}\n        theirs: {theirs}")
        if options.verbose:
            print(f"        {case['method']} {case['path']} {json.dumps(case.get('body'))[:400]}")
            for side in (1, 2):
                print(f"        full: {json.dumps(found[0][1][side])[:3000]}")
    print()
    for why, count in explained.most_common():
        print(f"accepted {count:6d}: {why}")
    print(f"{counts['requests']} requests, {counts['differences']} unexplained differences of {len(groups)} kinds")
    if options.page:
        write_page(options, counts, explained, groups)
    sys.exit(1 if counts["differences"] else 0)


if __name__ == "__main__":
    main()
