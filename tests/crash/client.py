"""A small client of the client API, one kept connection for each object."""

import http.client
import json

API = "/api/client/v2.0"
APP = f"{API}/app/crash-abcde"


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status = status
        self.code = body.get("error_code", "") if isinstance(body, dict) else ""


class Unanswered(Exception):
    """No answer came: what the request did is unknown."""


class Client:
    def __init__(self, port, access=None):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.access = access

    def close(self):
        self._connection.close()

    def request(self, method, path, body=None, token=None):
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            self._connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unanswered(str(error)) from None
        value = json.loads(content) if content else None
        if response.status >= 400:
            raise Refused(response.status, value)
        return value

    def call(self, name, *arguments, service=None):
        body = {"name": name, "arguments": list(arguments)}
        if service:
            body["service"] = service
        return self.request("POST", f"{APP}/functions/call", body, self.access)

    def mongo(self, action, collection, **argument):
        return self.call(action, {"database": "crash", "collection": collection, **argument}, service="mongodb-atlas")

    def sign_in(self, provider="anon-user", body=None):
        answer = self.request("POST", f"{APP}/auth/providers/{provider}/login", body or {})
        self.access = answer["access_token"]
        return answer

    def renewed(self, refresh):
        """An access token of the session."""
        return self.request("POST", f"{API}/auth/session", token=refresh)["access_token"]

    def register(self, email, password):
        self.request("POST", f"{APP}/auth/providers/local-userpass/register", {"email": email, "password": password})


def number(value):
    """Of canonical Extended JSON."""
    if isinstance(value, dict):
        return int(next(iter(value.values())))
    return value
