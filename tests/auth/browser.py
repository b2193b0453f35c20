"""A browser that follows the redirects of a sign-in on a provider's page, one step at a time, with cookies."""

import http.client
import urllib.parse

PAGE = "http://app.example.org/redirect"


class Browser:
    def __init__(self):
        self.cookies = {}

    def get(self, url, headers=(), body=None):
        """(status, headers by lower-case name, body) of one request; a body makes it a form."""
        parts = urllib.parse.urlsplit(url)
        fields = dict(headers)
        if self.cookies:
            fields["Cookie"] = "other=1; " + "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        try:
            connection.request("GET" if body is None else "POST", parts.path + "?" + parts.query, body, fields)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            content = answer.read()
        finally:
            connection.close()
        if "set-cookie" in found:
            self._keep(found["set-cookie"])
        return answer.status, found, content

    def _keep(self, cookie):
        pair, *attributes = [part.strip() for part in cookie.split(";")]
        name, _, value = pair.partition("=")
        assert "HttpOnly" in attributes and "Path=/api/client/v2.0/auth/callback" in attributes, cookie
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    def follow(self, url):
        """Follows redirects up to the app's page; what its fragment says."""
        for _ in range(4):
            status, headers, body = self.get(url)
            assert status == 302, (status, body)
            url = headers["location"]
            if url.startswith(PAGE):
                return fragment_of(url)
        raise AssertionError(f"too many redirects, now {url}")


def fragment_of(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).fragment))
