#!/usr/bin/env python3
"""Hosted files: the Admin API's routes as the official command line calls them, and what browsers are served."""

import hashlib
import http.client
import json
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import urllib.parse

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "support"))
sys.path.insert(0, str(TESTS / "admin"))

from admin_client import ADMIN, AdminClient  # noqa: E402
from black_box import Tally, suite_options  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

USER, PASSWORD = "unique_user@domain.com", "password"
BOUNDARY = "a-boundary-of-its-own"
PAGE = b"<!doctype html><h1>Tasks</h1>"


class Site:
    """An app of its own whose files are served."""

    def __init__(self, server, **config):
        self.admin = AdminClient(server.url)
        self.admin.login(USER, PASSWORD)
        self.admin.create_app("site")
        if config:
            self.admin.patch("/hosting/config", {"enabled": True, **config})

    def upload(self, path, content, attrs=(), status=204, chunked=False, **meta):
        described = {"appId": self.admin.app, "path": path, "hash": hashlib.md5(content).hexdigest(),
                     "size": len(content), "attrs": attrs, **meta}
        body = b"".join([
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="meta"\r\n\r\n'.encode(),
            json.dumps(described).encode(),
            f'\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"\r\n\r\n'.encode(), content,
            f"\r\n--{BOUNDARY}--\r\n".encode()])
        pieces = iter([body[:100], body[100:]]) if chunked else body
        answer = self.admin.raw("PUT", self.admin.path("/hosting/assets/asset"), pieces,
                                {"Authorization": f"Bearer {self.admin.token}",
                                 "Content-Type": f"multipart/mixed; boundary={BOUNDARY}"})
        assert answer.status == status, (path, answer.status, answer.body[:500])
        return answer

    def assets(self, query="?recursive=true"):
        return self.admin.get(f"/hosting/assets{query}")

    def asset(self, path, status=200):
        return self.admin.get(f"/hosting/assets/asset?path={urllib.parse.quote(path)}", status)

    def fetch(self, path, method="GET", host=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if host:
            return self.admin.raw(method, path, None, {"Host": host, **named})
        return self.admin.raw(method, f"/hosting/{self.admin.client_app_id}{path}", None, named)


def attribute(name, value):
    return {"name": name, "value": value}


def test_the_command_lines_sequence_of_calls(server):
    site = Site(server)
    assert site.assets() == []
    content = b"<html><body>hello</body></html>"
    site.upload("/index.html", content, attrs=None, chunked=True)
    assets = site.assets()
    assert len(assets) == 1, assets
    asset = assets[0]
    assert asset["appId"] == site.admin.app and asset["path"] == "/index.html", asset
    assert asset["hash"] == hashlib.md5(content).hexdigest() and asset["size"] == len(content), asset
    assert asset["attrs"] == [] and abs(asset["last_modified"] - time.time()) < 60, asset
    attrs = [attribute("Content-Type", "application/json")]
    site.admin.patch("/hosting/assets/asset?path=/index.html", {"attributes": attrs})
    updated = site.asset("/index.html")
    assert updated["attrs"] == attrs and updated["url"] == asset["url"] and updated["hash"] == asset["hash"], updated
    site.admin.delete("/hosting/assets/asset?path=/index.html")
    assert site.assets() == []
    refused = site.admin.put("/hosting/cache", {"invalidate": True, "path": "/*"}, 400)
    assert refused == {"error": "hosting is disabled"}, refused
    minimal = {"config_version": 20210101, "hosting": {"enabled": True}}
    site.admin.post("/import?strategy=replace-by-name", minimal, 204)
    assert site.admin.put("/hosting/cache", {"invalidate": True, "path": "/*"}) == b""
    site.admin.delete_app()


def test_the_address_of_an_asset_needs_no_token_and_no_enabled_hosting(server):
    site = Site(server)
    script = b"console.log(1)\n"
    site.upload("/a b/x.js", script, [attribute("Content-Encoding", "gzip")])
    url = urllib.parse.urlparse(site.asset("/a b/x.js")["url"])
    answer = site.admin.raw("GET", f"{url.path}?{url.query}")
    assert answer.status == 200 and answer.body == script, answer.body
    assert answer.headers["Content-Encoding"] is None and answer.headers["Content-Security-Policy"] == "sandbox"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    tampered = url.query[:-1] + ("0" if url.query[-1] != "0" else "1")
    assert site.admin.raw("GET", f"{url.path}?{tampered}").status == 404
    assert site.admin.raw("GET", f"{url.path}?{url.query.replace('x.js', 'y.js')}").status == 404
    assert site.fetch("/a%20b/x.js").status == 404
    site.admin.delete_app()


def test_uploads_that_are_not_what_they_say_are_refused(server):
    site = Site(server)
    wrong_hash = site.upload("/a.txt", b"abc", status=400, hash="0" * 32)
    assert "MD5" in wrong_hash.json["error"], wrong_hash.json
    wrong_size = site.upload("/a.txt", b"abc", status=400, size=4)
    assert wrong_size.json["error"] == "the file has 3 bytes, not 4", wrong_size.json
    for path in ("/a/../b", "/a/./b", "/..", "/a/", "/", "/a\nb"):
        assert "invalid asset path" in site.upload(path, b"abc", status=400).json["error"], path
    refused = site.upload("/a.txt", b"abc", [attribute("X-Powered-By", "me")], 400)
    assert refused.json["error"] == "unknown attribute 'X-Powered-By'", refused.json
    site.upload("/a.txt", b"abc", [attribute("Cache-Control", "a\r\nSet-Cookie: b")], 400)
    site.upload("/a.txt", b"abc", [attribute("Website-Redirect-Location", "javascript:alert(1)")], 400)
    site.upload("/a.txt", b"abc", [{"name": "Cache-Control"}], 400)
    site.upload("", b"abc", status=400)
    no_parts = site.admin.expect(400, "PUT", site.admin.path("/hosting/assets/asset"),
                                 f"--{BOUNDARY}--\r\n", content_type=f"multipart/mixed; boundary={BOUNDARY}")
    assert "'meta' and 'file'" in no_parts["error"], no_parts
    assert site.assets() == []
    assert site.asset("/a.txt", 404) == {"error": "asset not found: '/a.txt'"}
    site.admin.delete("/hosting/assets/asset?path=/a.txt", 404)
    site.admin.patch("/hosting/assets/asset?path=/a.txt", {"attributes": []}, 404)
    site.admin.post("/hosting/assets", {"move_from": "/a.txt", "move_to": "/b.txt"}, 404)
    site.admin.post("/hosting/assets", {"move_from": "/a.txt"}, 400)
    site.admin.get("/hosting/assets/asset", 400)
    site.admin.delete_app()


def test_files_up_to_the_limit_are_stored_whole(server):
    site = Site(server, default_error_path="")
    limit = 25 << 20
    content = (bytes(range(256)) * 4096 * 25)[:limit]
    site.upload("/large.bin", content)
    answer = site.fetch("/large.bin")
    assert answer.status == 200 and answer.body == content
    part = site.fetch("/large.bin", Range=f"bytes={limit - 5}-")
    assert part.status == 206 and part.body == content[-5:]
    too_large = site.upload("/larger.bin", content + b"x", status=413)
    assert "25 MB" in too_large.json["error"], too_large.json
    far_too_large = site.upload("/larger.bin", content + bytes(1 << 20), status=413)
    assert "larger than the limit" in far_too_large.json["error"], far_too_large.json
    # Nobody else may send so much.
    stranger = site.admin.raw("PUT", site.admin.path("/hosting/assets/asset"), bytes(19_000_000),
                              {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}"})
    assert stranger.status == 413, stranger.status
    assert [asset["path"] for asset in site.assets()] == ["/large.bin"]
    site.admin.delete_app()


def test_assets_are_listed_moved_and_copied(server):
    site = Site(server)
    for path in ("/index.html", "/css/a.css", "/css/deep/b.css", "js/app.js"):
        site.upload(path, path.encode())
    paths = ["/css/a.css", "/css/deep/b.css", "/index.html", "/js/app.js"]
    assert [asset["path"] for asset in site.assets()] == paths
    assert [asset["path"] for asset in site.assets("")] == paths
    assert [asset["path"] for asset in site.assets("?recursive=true&prefix=/css/")] == paths[:2]
    assert [asset["path"] for asset in site.assets("?recursive=false")] == ["/css/", "/index.html", "/js/"]
    assert [asset["path"] for asset in site.assets("?recursive=false&prefix=/css/")] == ["/css/a.css", "/css/deep/"]
    attrs = [attribute("Cache-Control", "no-store")]
    site.admin.patch("/hosting/assets/asset?path=/index.html", {"attributes": attrs})
    site.admin.post("/hosting/assets", {"copy_from": "/index.html", "copy_to": "/copy.html"}, 204)
    site.admin.post("/hosting/assets", {"move_from": "/js/app.js", "move_to": "/app.js"}, 204)
    assert [asset["path"] for asset in site.assets()] == ["/app.js", "/copy.html", *paths[:3]]
    assert site.asset("/copy.html")["attrs"] == attrs
    assert site.asset("/app.js")["hash"] == hashlib.md5(b"js/app.js").hexdigest()
    site.admin.delete_app()


def test_a_site_is_served_with_its_headers(server):
    site = Site(server, default_error_path="")
    site.upload("/index.html", PAGE)
    site.upload("/app.js", b"1", [attribute("Cache-Control", "max-age=300"),
                                  attribute("Content-Language", "en-US")])
    site.upload("/data", b"{}", [attribute("Content-Type", "application/json"),
                                 attribute("Content-Disposition", 'attachment; filename="d.json"')])
    site.upload("/docs/index.html", b"docs")
    site.upload("/unknown.zzz", b"?")
    page = site.fetch("/")
    assert page.status == 200 and page.body == PAGE
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["ETag"] == f'"{hashlib.md5(PAGE).hexdigest()}"' and page.headers["Last-Modified"]
    assert page.headers["Cache-Control"] == "no-cache" and page.headers["X-Content-Type-Options"] == "nosniff"
    script = site.fetch("/app.js?version=1")
    assert script.headers["Cache-Control"] == "max-age=300" and script.headers["Content-Language"] == "en-US"
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    data = site.fetch("/data")
    assert data.headers["Content-Type"] == "application/json"
    assert data.headers["Content-Disposition"] == 'attachment; filename="d.json"'
    assert site.fetch("/unknown.zzz").headers["Content-Type"] == "application/octet-stream"
    head = site.fetch("/index.html", "HEAD")
    assert head.status == 200 and head.body == b"" and head.headers["Content-Length"] == str(len(PAGE))
    # Folders have an index; their names without the '/' lead to them.
    assert site.fetch("/docs/").body == b"docs"
    base = f"/hosting/{site.admin.client_app_id}"
    folder = site.fetch("/docs?a=b")
    assert folder.status == 302 and folder.headers["Location"] == f"{base}/docs/?a=b"
    root = site.fetch("")
    assert root.status == 301 and root.headers["Location"] == f"{base}/"
    # Nothing else is there.
    for path in ("/missing", "/../index.html", "/%2e%2e/index.html", "//index.html", "/%00", "/%zz", "/%ff"):
        missing = site.fetch(path)
        assert missing.status == 404 and b"404 Not Found" in missing.body, (path, missing.status)
    refused = site.fetch("/index.html", "POST")
    assert refused.status == 405 and refused.headers["Allow"] == "GET, HEAD"
    assert site.admin.raw("GET", "/hosting/no-such-app/").status == 404
    site.admin.delete_app()


def test_conditions_and_ranges(server):
    site = Site(server, default_error_path="")
    site.upload("/a.txt", b"0123456789")
    first = site.fetch("/a.txt")
    tag = first.headers["ETag"]
    for condition in (tag, f'"x", W/{tag}', "*"):
        answer = site.fetch("/a.txt", If_None_Match=condition)
        assert answer.status == 304 and answer.body == b"" and answer.headers["ETag"] == tag, condition
        assert answer.headers["Content-Length"] is None
    assert site.fetch("/a.txt", If_None_Match='"other"').status == 200
    assert site.fetch("/a.txt", If_Modified_Since=first.headers["Last-Modified"]).status == 304
    assert site.fetch("/a.txt", If_Modified_Since="Mon, 01 Jan 2001 00:00:00 GMT").status == 200
    assert site.fetch("/a.txt", If_Modified_Since="yesterday").status == 200
    for asked, content, of in (("2-4", b"234", "2-4"), ("7-", b"789", "7-9"), ("-3", b"789", "7-9"),
                               ("0-99", b"0123456789", "0-9"), ("-99", b"0123456789", "0-9")):
        part = site.fetch("/a.txt", Range=f"bytes={asked}")
        assert part.status == 206 and part.body == content, (asked, part.status, part.body)
        assert part.headers["Content-Range"] == f"bytes {of}/10", part.headers
    for asked in ("bytes=10-", "bytes=-0"):
        refused = site.fetch("/a.txt", Range=asked)
        assert refused.status == 416 and refused.headers["Content-Range"] == "bytes */10", asked
    for asked in ("bytes=4-2", "bytes=1-2,4-5", "bytes=a-b", "lines=1-2", "bytes=", "bytes=99999999999999999999-"):
        whole = site.fetch("/a.txt", Range=asked)
        assert whole.status == 200 and whole.body == b"0123456789", asked
    assert site.fetch("/a.txt", Range="bytes=0-1", If_Range='"other"').status == 200
    assert site.fetch("/a.txt", Range="bytes=0-1", If_Range=tag).status == 206
    site.admin.delete_app()


def test_changes_are_seen_at_once(server):
    site = Site(server, default_error_path="")
    for round_ in range(5):
        site.upload("/a.txt", f"round {round_}".encode())
        assert site.fetch("/a.txt").body == f"round {round_}".encode()
    site.admin.patch("/hosting/assets/asset?path=/a.txt",
                     {"attributes": [attribute("Content-Type", "text/css")]})
    assert site.fetch("/a.txt").headers["Content-Type"] == "text/css"
    site.admin.delete("/hosting/assets/asset?path=/a.txt")
    assert site.fetch("/a.txt").status == 404
    site.upload("/a.txt", b"back")
    site.admin.patch("/hosting/config", {"enabled": False})
    assert site.fetch("/a.txt").status == 404
    site.admin.delete_app()
    assert site.fetch("/a.txt").status == 404


def test_readers_never_see_a_mixture_of_two_versions(server):
    site = Site(server, default_error_path="")
    contents = [bytes([65 + number]) * 600_000 for number in range(4)]
    site.upload("/a.bin", contents[0])
    seen, problems, is_over = set(), [], threading.Event()

    def read():
        while not is_over.is_set():
            answer = site.fetch("/a.bin")
            if answer.status != 200 or answer.body not in contents or \
                    answer.headers["ETag"] != f'"{hashlib.md5(answer.body).hexdigest()}"':
                problems.append((answer.status, len(answer.body), answer.body[:20]))
            seen.add(answer.body[:1])

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for round_ in range(20):
        site.upload("/a.bin", contents[round_ % 4])
    is_over.set()
    for reader in readers:
        reader.join()
    assert not problems, problems[:3]
    assert len(seen) > 1, seen
    site.admin.delete_app()


def test_a_file_can_be_a_redirect(server):
    site = Site(server, default_error_path="")
    site.upload("/away", b"", [attribute("Website-Redirect-Location", "https://example.com/x?y#z")])
    site.upload("/here", b"", [attribute("Website-Redirect-Location", "/there.html"),
                               attribute("Cache-Control", "max-age=60")])
    away = site.fetch("/away")
    assert away.status == 301 and away.headers["Location"] == "https://example.com/x?y#z" and away.body == b""
    here = site.fetch("/here")
    assert here.headers["Location"] == f"/hosting/{site.admin.client_app_id}/there.html"
    assert here.headers["Cache-Control"] == "max-age=60"
    site.admin.delete_app()


def test_paths_without_a_file_get_the_configured_page(server):
    site = Site(server, default_error_path="/pages/lost.html")
    site.upload("/index.html", PAGE)
    assert site.fetch("/nowhere").status == 404
    site.upload("/pages/lost.html", b"lost", [attribute("Content-Language", "en")])
    lost = site.fetch("/nowhere/at/all", If_None_Match="*", Range="bytes=0-1")
    assert (lost.status, lost.body, lost.headers["Content-Language"]) == (404, b"lost", "en")
    # A single-page app: whatever is asked for is its page.
    for code in ({"default_error_code": "200"}, {"default_error_code": "", "default_response_code": 200}):
        site.admin.patch("/hosting/config", {"default_error_path": "/index.html", **code})
        page = site.fetch("/tasks/12")
        assert page.status == 200 and page.body == PAGE, (code, page.status)
    assert site.fetch("/tasks/12", If_None_Match=page.headers["ETag"]).status == 304
    assert site.fetch("/pages/lost.html").body == b"lost"
    site.admin.delete_app()


def test_sites_have_host_names(server):
    site = Site(server, custom_domain="Shop.Example")
    site.upload("/index.html", PAGE)
    app = site.admin.client_app_id
    for host in (f"{app}.apps.test", f"{app.upper()}.APPS.TEST:1234", "shop.example", "www.shop.example:80"):
        assert site.fetch("/", host=host).body == PAGE, host
        assert site.fetch(f"/hosting/{app}/", host=host).status == 404, host
        assert site.fetch("/healthz", host=host).json == {"status": "ok"}, host
    assert site.fetch("/", host="no-such-app.apps.test").status == 404
    assert b"<h1>" in site.fetch("/", host="no-such-app.apps.test").body
    for host in ("apps.test", "evil.shop.example", f"a.{app}.apps.test", "127.0.0.1"):
        assert site.fetch("/", host=host).json == {"error": "not found"}, host
    # The APIs answer there too: an app's page reaches them at its own origin.
    assert site.fetch(f"/api/client/v2.0/app/{app}/location", host="shop.example").json["hostname"]
    config = site.admin.get("/hosting/config")
    assert config["default_domain"]["config"]["app_default_domain"] == f"{app}.apps.test:{site.admin.port}", config
    assert config["status"] == "setup_ok" and config["enabled"] is True
    described = site.admin.get("/description")["hosting"]
    assert described == {"enabled": True, "status": "setup_ok", "url": f"http://{app}.apps.test:{site.admin.port}"}
    site.admin.patch("/hosting/config", {"enabled": False})
    assert site.admin.get("/description")["hosting"] == {"enabled": False, "status": "", "url": ""}
    assert site.fetch("/", host="shop.example").status == 404
    site.admin.patch("/hosting/config", {"enabled": "yes"}, 400)
    site.admin.delete_app()
    assert site.fetch("/", host="shop.example").json == {"error": "not found"}


def test_functions_know_the_sites_host_name(server):
    site = Site(server)
    site.admin.post("/functions", {"name": "uri", "source": "exports = () => String(context.app.hostingUri);"})

    def uri():
        return site.admin.post("/debug/execute_function?run_as_system=true", {"name": "uri", "arguments": []}, 200)["result"]

    assert uri() == "undefined"
    site.admin.patch("/hosting/config", {"enabled": True})
    assert uri() == f"{site.admin.client_app_id}.apps.test"
    site.admin.delete_app()


def test_a_draft_changes_the_configuration_when_it_is_deployed(server):
    site = Site(server)
    site.upload("/index.html", PAGE)
    draft = site.admin.post("/drafts")
    site.admin.patch("/hosting/config", {"enabled": True})
    assert site.admin.get("/hosting/config")["status"] == "change_in_progress"
    assert site.fetch("/").status == 404
    site.admin.post(f"/drafts/{draft['_id']}/deployment")
    assert site.fetch("/").body == PAGE
    assert site.admin.get("/hosting/config")["status"] == "setup_ok"
    site.admin.delete_app()


def test_a_directory_is_deployed_with_its_files(server):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="restitch-hosting-"))
    data = tempfile.mkdtemp(prefix="restitch-hosting-data-")
    files = folder / "hosting/files"
    (files / "css").mkdir(parents=True)
    (folder / "root_config.json").write_text(json.dumps(
        {"config_version": 20230101, "name": "pages", "app_id": "pages-abcde", "deployment_model": "LOCAL",
         "provider_region": "aws-us-east-1"}))
    (folder / "hosting/config.json").write_text('{"enabled": true}')
    (folder / "hosting/metadata.json").write_text(json.dumps(
        [{"path": "css/a.css", "attrs": [attribute("Cache-Control", "max-age=9")]}, {"path": "/gone.txt", "attrs": []}]))
    (files / "index.html").write_bytes(PAGE)
    (files / "css/a.css").write_text("a{}")
    process = RestitchProcess(server.binary, data, [str(folder)], ["--watch"]).wait_until_ready()
    try:
        client = AdminClient(process.url)
        assert client.raw("GET", "/hosting/pages-abcde/").body == PAGE
        style = client.raw("GET", "/hosting/pages-abcde/css/a.css")
        assert style.body == b"a{}" and style.headers["Cache-Control"] == "max-age=9"
        assert any('"path":"/gone.txt"' in line for line in process.log), process.log_tail()
        (files / "css/a.css").unlink()
        (files / "index.html").write_bytes(b"changed")
        deadline = time.monotonic() + 20
        while client.raw("GET", "/hosting/pages-abcde/css/a.css").status != 404 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert client.raw("GET", "/hosting/pages-abcde/").body == b"changed"
        assert client.raw("GET", "/hosting/pages-abcde/css/a.css").status == 404
        assert process.stop() == 0
        # A restart without the directory has the files still.
        process = RestitchProcess(server.binary, data, []).wait_until_ready()
        assert AdminClient(process.url).raw("GET", "/hosting/pages-abcde/").body == b"changed"
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(data, ignore_errors=True)


def main():
    options = suite_options(__doc__)
    data = tempfile.mkdtemp(prefix="restitch-hosting-")
    server = RestitchProcess(options.binary, data, [],
                             ["--admin-user", USER, "--admin-password", PASSWORD,
                              "--hosting-domain", "apps.test"]).wait_until_ready()
    server.binary = options.binary
    tally = Tally()
    try:
        tally.run(globals(), options.only, server)
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
