"""Who may do what: every route and verb that discovery names, with no, wrong, powerless and good credentials."""

import http.client
import json
import os
import ssl
import subprocess
import time
import unittest

from server import ADMIN, NOBODY, Server, unverified

SERVER = None
METHODS = {"create": "POST", "delete": "DELETE", "deletecollection": "DELETE", "get": "GET", "list": "GET",
           "patch": "PATCH", "update": "PUT", "watch": "GET"}
# What anybody may see who is somebody, and what even nobody may see (system:discovery, system:public-info-viewer).
FOR_AUTHENTICATED = {"/api", "/apis", "/healthz", "/livez", "/readyz", "/openapi", "/version"}
PUBLIC = {"/healthz", "/livez", "/readyz", "/version"}
# Reviews of oneself are everybody's (system:basic-user).
OF_ONESELF = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}


def setUpModule():
    global SERVER
    SERVER = Server()
    make_ca("clients-ca", "clients")
    SERVER.flags.append(f"--client-ca-file={SERVER.dir}/clients-ca.crt")
    SERVER.flags.append("--enable-admission-plugins=NodeRestriction")
    SERVER.start()


def tearDownModule():
    SERVER.close()


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_ca(file, name):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", SERVER.dir / f"{file}.key", "-out",
            SERVER.dir / f"{file}.crt", "-days", "2", "-subj", f"/CN={name}")


def make_client(ca, file, subject):
    base = SERVER.dir
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", base / f"{file}.key", "-out", base / f"{file}.csr",
            "-subj", subject)
    openssl("x509", "-req", "-in", base / f"{file}.csr", "-CA", base / f"{ca}.crt", "-CAkey", base / f"{ca}.key",
            "-CAcreateserial", "-days", "2", "-out", base / f"{file}.crt")
    return base / f"{file}.crt", base / f"{file}.key"


class Connection:
    """One kept connection: thousands of requests without a handshake each."""

    def __init__(self, certificate=None):
        context = unverified()
        if certificate:
            context.load_cert_chain(*certificate)
        self.http = http.client.HTTPSConnection("127.0.0.1", SERVER.port, context=context, timeout=30)

    def ask(self, method, path, token=None, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            headers["Authorization"] = "Bearer " + token
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        try:
            self.http.request(method, path, body=body, headers=headers)
            answer = self.http.getresponse()
            return answer.status, answer.read().decode()
        except (http.client.HTTPException, ConnectionError):
            self.http.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()


def routes():
    """(method, path, resource) of everything that discovery names."""
    def document(path):
        return json.loads(SERVER.request("GET", path)[1])

    versions = ["/api/v1"] + ["/apis/" + v["groupVersion"] for g in document("/apis")["groups"] for v in g["versions"]]
    for version in versions:
        for resource in document(version)["resources"]:
            name, _, sub = resource["name"].partition("/")
            base = version + ("/namespaces/default" if resource["namespaced"] else "") + "/" + name
            for verb in resource["verbs"]:
                path = base
                if sub or verb in ("delete", "get", "patch", "update"):
                    path = f"{base}/x" + (f"/{sub}" if sub else "")
                if verb == "watch":
                    path += "?watch=true"
                yield METHODS[verb], path, resource["name"]


class EveryRoute(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.routes = sorted(set(routes()))
        cls.others = ["/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz", "/livez", "/livez/ping",
                      "/readyz", "/version", "/openapi/v2", "/openapi/v3", "/metrics", "/logs", "/debug/pprof", "/nothing",
                      "/.well-known/openid-configuration", "/openid/v1/jwks"]

    def each(self, expected, token=None, routes=None):
        """Every route's status and reason; what differs from expected(method, path, resource)."""
        wrong = []
        with Connection() as connection:
            for method, path, resource in routes or self.routes:
                status, text = connection.ask(method, path, token)
                want = expected(method, path, resource)
                if status not in want:
                    wrong.append(f"{method} {path}: {status}, not {want}: {text[:200]}")
                elif status in (401, 403) and json.loads(text).get("code") != status:
                    wrong.append(f"{method} {path}: no Status: {text[:200]}")
        self.assertEqual(wrong[:20], [], f"{len(wrong)} of {len(routes or self.routes)}")

    def test_there_are_many(self):
        self.assertGreater(len(self.routes), 500)

    def test_without_credentials(self):
        self.each(lambda *_: {403})

    def test_without_rights(self):
        self.each(lambda _, path, resource: {400, 415, 422} if resource in OF_ONESELF else {403}, NOBODY)

    def test_with_a_wrong_token(self):
        self.each(lambda *_: {401}, "wrong-token")

    def test_paths_without_resources(self):
        def first(path):
            return "/" + path.split("/")[1]

        others = [("GET", path, "") for path in self.others]
        self.each(lambda _, path, __: {200} if path in PUBLIC else {403}, routes=others)
        self.each(lambda _, path, __: {200} if first(path) in FOR_AUTHENTICATED and path != "/livez/ping" else {403},
                  NOBODY, others)
        self.each(lambda *_: {401}, "wrong-token", others)

    def test_nothing_was_made(self):
        with Connection() as connection:
            for method, path, resource in self.routes:
                if method == "POST" and "/" not in resource and "review" not in resource:
                    connection.ask(method, path, NOBODY, {})
            self.assertEqual(connection.ask("GET", "/api/v1/namespaces/default/pods/x", ADMIN)[0], 404)

    def test_odd_headers(self):
        for header in ("Bearer", "Bearer ", "Bearer  " + NOBODY + "x", "Basic YWRtaW46YWRtaW4=", "bearer " + ADMIN + "x",
                       "Bearer " + "a" * 20000, "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30."):
            with Connection() as connection:
                status, text = connection.ask("GET", "/api/v1/pods", Authorization=header)
                self.assertIn(status, (401, 403), f"{header[:40]}: {text[:200]}")


class Identities(unittest.TestCase):
    def whoami(self, connection, token=None, **headers):
        status, text = connection.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", token, {
            "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}, **headers)
        if status != 201:
            return status, text
        user = json.loads(text)["status"]["userInfo"]
        return user["username"], user.get("groups", [])

    def test_client_certificates(self):
        admin = make_client("clients-ca", "boss", "/O=system:masters/CN=boss")
        with Connection(admin) as connection:
            self.assertEqual(self.whoami(connection), ("boss", ["system:masters", "system:authenticated"]))
            self.assertEqual(connection.ask("GET", "/api/v1/secrets")[0], 200)
        node = make_client("clients-ca", "node", "/O=system:nodes/CN=system:node:n1")
        with Connection(node) as connection:
            self.assertEqual(connection.ask("GET", "/api/v1/nodes/n1")[0], 404)
            self.assertEqual(connection.ask("GET", "/api/v1/secrets")[0], 403)
            me = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
            self.assertEqual(connection.ask("POST", "/api/v1/nodes", body=me)[0], 201)
            me["metadata"]["name"] = "n2"
            self.assertEqual(connection.ask("POST", "/api/v1/nodes", body=me)[0], 403)
            self.assertEqual(connection.ask("GET", "/api/v1/pods?fieldSelector=spec.nodeName=n1")[0], 200)

    def test_a_stranger_has_signed(self):
        make_ca("strange-ca", "clients")
        stranger = make_client("strange-ca", "stranger", "/O=system:masters/CN=boss")
        try:
            with Connection(stranger) as connection:
                self.assertEqual(connection.ask("GET", "/api/v1/secrets")[0], 401)
        except (ssl.SSLError, ConnectionError):
            pass  # refused in the handshake: as good

    def test_client_ca_is_read_again(self):
        make_ca("second-ca", "second")
        second = make_client("second-ca", "later", "/O=system:masters/CN=later")
        both = (SERVER.dir / "clients-ca.crt").read_text() + (SERVER.dir / "second-ca.crt").read_text()
        (SERVER.dir / "new.crt").write_text(both)
        os.replace(SERVER.dir / "new.crt", SERVER.dir / "clients-ca.crt")
        end, seen = time.monotonic() + 75, None
        while time.monotonic() < end:
            with Connection(second) as connection:
                try:
                    seen = self.whoami(connection)
                except (ssl.SSLError, ConnectionError) as e:
                    seen = (e, None)
            if seen[0] == "later":
                return
            time.sleep(0.2)
        self.fail(f"the new authority is not known: {seen}")

    def test_service_account(self):
        with Connection() as connection:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "worker"}}
            accounts = "/api/v1/namespaces/default/serviceaccounts"
            self.assertEqual(connection.ask("POST", accounts, ADMIN, account)[0], 201)
            request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
            status, text = connection.ask("POST", accounts + "/worker/token", ADMIN, request)
            self.assertEqual(status, 201, text)
            token = json.loads(text)["status"]["token"]
            name, groups = self.whoami(connection, token)
            self.assertEqual(name, "system:serviceaccount:default:worker")
            self.assertEqual(sorted(groups), ["system:authenticated", "system:serviceaccounts",
                                              "system:serviceaccounts:default"])
            self.assertEqual(connection.ask("GET", "/api/v1/pods", token)[0], 403)
            role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reader"},
                    "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]}
            roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
            self.assertEqual(connection.ask("POST", roles, ADMIN, role)[0], 201)
            binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                       "metadata": {"name": "worker"},
                       "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
                       "subjects": [{"kind": "ServiceAccount", "name": "worker", "namespace": "default"}]}
            status, text = connection.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", ADMIN, binding)
            self.assertEqual(status, 201, text)
            deadline = time.monotonic() + 5  # the authorizer follows by watch
            while connection.ask("GET", "/api/v1/configmaps", token)[0] == 403 and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertEqual(connection.ask("GET", "/api/v1/configmaps", token)[0], 200)
            self.assertEqual(connection.ask("GET", "/api/v1/secrets", token)[0], 403)
            self.assertEqual(connection.ask("GET", "/api/v1/configmaps", token[:-4] + "AAAA")[0], 401)
            connection.ask("DELETE", accounts + "/worker", ADMIN)
            deadline = time.monotonic() + 15
            while (status := connection.ask("GET", "/api/v1/configmaps", token)[0]) != 401 and time.monotonic() < deadline:
                time.sleep(0.1)
            self.assertEqual(status, 401)

    def test_impersonation(self):
        with Connection() as connection:
            self.assertEqual(self.whoami(connection, ADMIN, Impersonate_User="jane", Impersonate_Group="dev"),
                             ("jane", ["dev", "system:authenticated"]))
            status, text = self.whoami(connection, NOBODY, Impersonate_User="jane")
            self.assertEqual(status, 403)
            self.assertIn('users "jane" is forbidden: User "nobody" cannot impersonate resource "users" in API group "" '
                          'at the cluster scope', json.loads(text)["message"])
            self.assertEqual(connection.ask("GET", "/api/v1/secrets", ADMIN, Impersonate_User="jane")[0], 403)
            self.assertIn(connection.ask("GET", "/api/v1/secrets", ADMIN, Impersonate_Group="system:masters")[0], (400, 403, 500))


if __name__ == "__main__":
    unittest.main()
