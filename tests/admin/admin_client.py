"""The Admin API as its callers speak it: every answer is checked for what they rely on."""

import http.client
import json
import urllib.parse

ADMIN = "/api/admin/v3.0"


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class AdminClient:
    """One administrator. `app` is the internal id that paths below an app are for."""

    def __init__(self, url):
        parsed = urllib.parse.urlparse(url)
        self.host, self.port = parsed.hostname, parsed.port
        self.url = url
        self.token = self.refresh_token = self.group = self.app = self.client_app_id = None

    def raw(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def call(self, method, path, body=None, token=None, content_type="application/json"):
        """`body`: None for none, str and bytes as they are, anything else as JSON."""
        headers = {"Accept": "application/json"}
        bearer = token or self.token
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        if body is not None:
            headers["Content-Type"] = content_type
            if not isinstance(body, (str, bytes)):
                body = json.dumps(body)
        answer = self.raw(method, path, body, headers)
        # Callers compare the header as a whole, and parse whatever carries it.
        kind = answer.headers.get("Content-Type")
        if answer.body:
            assert kind in ("application/json", "application/zip"), (method, path, kind)
        else:
            assert kind is None, (method, path, kind)
        assert answer.headers["x-appservices-request-id"]
        return answer

    def expect(self, status, method, path, body=None, **others):
        answer = self.call(method, path, body, **others)
        assert answer.status == status, (method, path, answer.status, answer.body[:2000])
        return answer.json if answer.body and answer.headers["Content-Type"] == "application/json" else answer.body

    def login(self, user="unique_user@domain.com", password="password"):
        session = self.expect(200, "POST", f"{ADMIN}/auth/providers/local-userpass/login",
                              {"username": user, "password": password, "provider": "userpass"})
        assert sorted(session) == ["access_token", "device_id", "refresh_token", "user_id"], session
        assert all(isinstance(value, str) for value in session.values())
        self.token, self.refresh_token = session["access_token"], session["refresh_token"]
        profile = self.expect(200, "GET", f"{ADMIN}/auth/profile")
        self.group = profile["roles"][0]["group_id"]
        return profile

    @property
    def apps(self):
        return f"{ADMIN}/groups/{self.group}/apps"

    def create_app(self, name="test", **members):
        app = self.expect(201, "POST", self.apps, {"name": name, **members})
        self.app, self.client_app_id = app["_id"], app["client_app_id"]
        return app

    def delete_app(self):
        assert self.expect(204, "DELETE", f"{self.apps}/{self.app}") == b""

    def path(self, path):
        return f"{self.apps}/{self.app}{path}"

    def get(self, path, status=200):
        return self.expect(status, "GET", self.path(path))

    def post(self, path, body=None, status=201):
        return self.expect(status, "POST", self.path(path), body)

    def put(self, path, body=None, status=204):
        return self.expect(status, "PUT", self.path(path), body)

    def patch(self, path, body=None, status=204):
        return self.expect(status, "PATCH", self.path(path), body)

    def delete(self, path, status=204):
        return self.expect(status, "DELETE", self.path(path))


class AppUser:
    """A client of an app, as an SDK would be."""

    def __init__(self, admin, client_app_id=None):
        self.admin = admin
        self.base = f"/api/client/v2.0/app/{client_app_id or admin.client_app_id}"
        self.token = None

    def _call(self, method, path, body, token=None):
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = self.admin.raw(method, path, json.dumps(body), headers)
        return answer

    def login(self, provider="anon-user", credential=None, status=200):
        answer = self._call("POST", f"{self.base}/auth/providers/{provider}/login", credential or {})
        assert answer.status == status, (answer.status, answer.body)
        if status == 200:
            self.token, self.id = answer.json["access_token"], answer.json["user_id"]
            self.refresh_token = answer.json["refresh_token"]
        return answer.json

    def attempt(self, provider, credential):
        """The status of a sign-in that may be refused."""
        return self._call("POST", f"{self.base}/auth/providers/{provider}/login", credential).status

    def call(self, name, *arguments, service=None, status=200):
        body = {"name": name, "arguments": list(arguments)}
        if service:
            body["service"] = service
        answer = self._call("POST", f"{self.base}/functions/call", body, self.token)
        assert answer.status == status, (name, answer.status, answer.body)
        return answer.json
