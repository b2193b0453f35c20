"""The Admin API for one app, as the server's first administrator."""

import copy
import json
import pathlib
import urllib.request

from black_box import request_json


class Administrator:
    """`data` is the server's data directory, which holds the administrator's key pair."""

    def __init__(self, url, data, client_app_id):
        self._root, self._token = f"{url}/api/admin/v3.0", None
        keys = json.loads((pathlib.Path(data) / "admin.json").read_text())
        self._token = self._ask("POST", "/auth/providers/mongodb-cloud/login", {
            "username": keys["publicApiKey"], "apiKey": keys["privateApiKey"]})["access_token"]
        self._group = f"/groups/{self._ask('GET', '/auth/profile')['roles'][0]['group_id']}"
        self._look_at(next(one for one in self._ask("GET", f"{self._group}/apps") if one["client_app_id"] == client_app_id))

    def _look_at(self, app):
        self.client_app_id, self._app = app["client_app_id"], f"{self._group}/apps/{app['_id']}"

    def create_app(self, name):
        """The same administrator, of a new app."""
        other = copy.copy(self)
        other._look_at(self._ask("POST", f"{self._group}/apps", {"name": name}))
        return other

    def _ask(self, method, path, body=None):
        return request_json(method, self._root + path, body, self._token)

    def ask(self, method, path, body=None):
        """`path` is below the app."""
        return self._ask(method, self._app + path, body)

    def upload(self, path, name, content):
        """PUT of a file, as a form does it."""
        boundary = "a-boundary-that-no-file-holds"
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        request = urllib.request.Request(
            self._root + self._app + path, head.encode() + content + f"\r\n--{boundary}--\r\n".encode(), {
                "Content-Type": f"multipart/form-data; boundary={boundary}", "Authorization": f"Bearer {self._token}",
            }, method="PUT")
        urllib.request.urlopen(request, timeout=60).close()
