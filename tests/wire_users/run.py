#!/usr/bin/env python3
"""App users who connect with a MongoDB driver and mongosh (spec of the rules: wire protocol), against the real binary."""

import base64
import hashlib
import hmac
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from administrator import Administrator  # noqa: E402
from black_box import Tally, request_json, suite_options  # noqa: E402
from certificates import make_certificates  # noqa: E402
from python_packages import provide_packages  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

provide_packages()
import pymongo  # noqa: E402
from pymongo.errors import (AutoReconnect, BulkWriteError, DuplicateKeyError, OperationFailure,  # noqa: E402
                            WriteError)

APP = "wired-aaaaa"
PASSWORD = "corr3ct/horse:@"
MONGOSH = HERE.parent / "drivers/apps/node_modules/.bin/mongosh"


class Bench:
    """The server, with and without sign-in of its own users on the endpoint, and two app users."""

    def __init__(self, binary):
        self.folder = tempfile.mkdtemp(prefix="restitch-wire-users-")
        self.server_binary = binary
        self.server = RestitchProcess(binary, f"{self.folder}/data", [str(HERE / "app")],
                                      ["--wire", "127.0.0.1:0", "--wire-auth"]).wait_until_ready()
        self._root = f"{self.server.url}/api/client/v2.0"
        self.ids = {name: self._register(name) for name in ("ann", "bob")}
        admin = json.loads((pathlib.Path(self.folder) / "data/admin.json").read_text())
        self.admin = pymongo.MongoClient("127.0.0.1", self.server.wire_port, username=admin["publicApiKey"],
                                         password=admin["privateApiKey"])

    def _register(self, name):
        account = {"email": f"{name}@example.org", "password": PASSWORD}
        request_json("POST", f"{self._root}/app/{APP}/auth/providers/local-userpass/register", account)
        return self.session(name)["user_id"]

    def administrator(self):
        return Administrator(self.server.url, f"{self.folder}/data", APP)

    def session(self, name):
        return request_json("POST", f"{self._root}/app/{APP}/auth/providers/local-userpass/login",
                            {"username": f"{name}@example.org", "password": PASSWORD})

    def uri(self, user, password=PASSWORD, service="main", provider="local-userpass", app=APP, port=None):
        return (f"mongodb://{urllib.parse.quote_plus(user)}:{urllib.parse.quote_plus(password)}"
                f"@127.0.0.1:{port or self.server.wire_port}/?authMechanism=PLAIN&authSource=%24external"
                f"&appName={app}:{service}:{provider}")

    def connect(self, name="ann", **arguments):
        return pymongo.MongoClient(self.uri(f"{name}@example.org", **arguments), serverSelectionTimeoutMS=5000)

    def fresh(self, name="items"):
        collection = self.admin.shop[name]
        collection.drop()
        return collection

    def api(self, method, path, token, body=None):
        return request_json(method, self._root + path, body, token)

    def close(self):
        self.admin.close()
        code = self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert code == 0, self.server.log_tail()


def refused(code, action, kind=OperationFailure):
    try:
        answer = action()
    except kind as error:
        assert error.code == code, f"{error.code}: {error}"
        return str(error)
    raise AssertionError(f"not refused but answered {answer}")


# ---- Tests: each takes the bench.


def test_a_user_reads_what_the_rules_allow(bench):
    bench.fresh().insert_many([
        {"_id": 1, "owner": bench.ids["ann"], "name": "mine", "secret": "s", "price": 1},
        {"_id": 2, "owner": bench.ids["bob"], "name": "seen", "public": True, "price": 2},
        {"_id": 3, "owner": bench.ids["bob"], "name": "hidden"}])
    items = bench.connect().shop.items
    assert list(items.find().sort("_id")) == [
        {"_id": 1, "owner": bench.ids["ann"], "name": "mine", "price": 1}, {"_id": 2, "name": "seen"}]
    assert items.find_one({"_id": 3}) is None
    assert items.count_documents({}) == 2
    assert items.estimated_document_count() == 2
    assert sorted(items.distinct("name")) == ["mine", "seen"]
    assert list(items.aggregate([{"$group": {"_id": None, "price": {"$sum": "$price"}}}])) == [{"_id": None, "price": 1}]


def test_writes_are_checked(bench):
    stored = bench.fresh()
    stored.insert_many([{"_id": 1, "owner": bench.ids["ann"], "price": 5}, {"_id": 2, "owner": bench.ids["bob"]}])
    items = bench.connect().shop.items
    items.insert_one({"_id": 7, "owner": bench.ids["ann"], "name": "new"})
    assert "insert not permitted" in refused(13, lambda: items.insert_one({"_id": 8, "owner": bench.ids["bob"]}), WriteError)
    done = items.update_one({"_id": 1}, {"$set": {"name": "named"}})
    assert (done.matched_count, done.modified_count) == (1, 1)
    assert "update not permitted" in refused(13, lambda: items.update_one({"_id": 1}, {"$set": {"price": 6}}), WriteError)
    assert items.update_many({}, {"$set": {"seen": True}}).modified_count == 2
    assert items.update_one({"_id": 2}, {"$set": {"name": "x"}}).matched_count == 0
    made = items.update_one({"_id": 9, "owner": bench.ids["ann"]}, {"$set": {"name": "up"}}, upsert=True)
    assert made.upserted_id == 9
    assert items.delete_one({"_id": 7}).deleted_count == 1
    assert items.delete_many({"_id": 2}).deleted_count == 0
    refused(11000, lambda: items.insert_one({"_id": 9, "owner": bench.ids["ann"]}), DuplicateKeyError)
    assert sorted(document["_id"] for document in stored.find()) == [1, 2, 9]
    assert stored.find_one({"_id": 1})["price"] == 5


def test_a_bulk_write_tells_which_statement_was_refused(bench):
    bench.fresh().insert_one({"_id": 1, "owner": bench.ids["ann"], "price": 1})
    items = bench.connect().shop.items
    changes = [pymongo.UpdateOne({"_id": 1}, {"$set": {"name": "a"}}), pymongo.UpdateOne({"_id": 1}, {"$set": {"price": 2}}),
               pymongo.UpdateOne({"_id": 1}, {"$set": {"name": "b"}})]
    for ordered, name in ((True, "a"), (False, "b")):
        try:
            items.bulk_write(changes, ordered=ordered)
            raise AssertionError("not refused")
        except BulkWriteError as error:
            assert [one["index"] for one in error.details["writeErrors"]] == [1], error.details
        assert items.find_one({"_id": 1})["name"] == name


def test_a_schema_holds(bench):
    bench.fresh("notes")
    notes = bench.connect().shop.notes
    notes.insert_one({"_id": 1, "text": "x"})
    refused(121, lambda: notes.insert_one({"_id": 2, "text": 5}), WriteError)
    refused(121, lambda: notes.update_one({"_id": 1}, {"$set": {"other": 1}}), WriteError)
    assert list(notes.find()) == [{"_id": 1, "text": "x"}]


def test_a_cursor_goes_on_over_batches_and_belongs_to_its_user(bench):
    bench.fresh("notes").insert_many([{"_id": number, "text": "x"} for number in range(1000)])
    client = bench.connect()
    assert [document["_id"] for document in client.shop.notes.find(batch_size=100)] == list(range(1000))
    cursor = client.shop.notes.find(batch_size=10)
    next(cursor)
    other = bench.connect("bob")
    refused(43, lambda: other.shop.command("getMore", cursor.cursor_id, collection="notes"))
    assert other.shop.command("killCursors", "notes", cursors=[cursor.cursor_id])["cursorsKilled"] == []
    assert client.shop.command("killCursors", "notes", cursors=[cursor.cursor_id])["cursorsKilled"] == [cursor.cursor_id]
    assert len(list(client.shop.notes.find(limit=5))) == 5


def test_only_the_commands_and_options_of_app_users_are_there(bench):
    client = bench.connect()
    items = client.shop.items
    for action in (lambda: items.create_index("name"), lambda: items.drop(), lambda: client.shop.command("dbStats"),
                   lambda: client.admin.command("serverStatus"), lambda: client.shop.create_collection("fresh"),
                   lambda: client.admin.system.users.find_one(), lambda: client.shop.other.find_one(),
                   lambda: client.local["oplog.rs"].find_one(), lambda: client["__restitch"].users.find_one(),
                   lambda: items.find_one_and_update({}, {"$set": {"a": 1}})):
        refused(13, action)
    for action in (lambda: list(items.find().skip(1)), lambda: list(items.find().hint("_id_")),
                   lambda: list(items.find().comment("x")), lambda: list(items.find({"$where": "1"})),
                   lambda: list(items.aggregate([{"$lookup": {"from": "notes", "pipeline": [], "as": "n"}}])),
                   lambda: list(items.aggregate([], allowDiskUse=True)),
                   lambda: client.shop.command("find", "items", readConcern={"level": "snapshot"})):
        refused(9, action)
    with client.start_session() as session:
        session.start_transaction()
        refused(9, lambda: items.find_one({}, session=session))
        session.abort_transaction()


def test_databases_and_collections_with_rules_are_listed(bench):
    client = bench.connect()
    assert client.list_database_names() == ["shop"]
    assert sorted(client.shop.list_collection_names()) == ["items", "notes"]
    status = client.admin.command("connectionStatus")
    assert status["authInfo"]["authenticatedUsers"] == [{"user": bench.ids["ann"], "db": "$external"}]
    assert client.server_info()["version"].startswith("7.")


def test_a_wrong_sign_in_is_refused(bench):
    for arguments in ({"password": "wrong"}, {"service": "off"}, {"service": "none"}, {"app": "none-aaaaa"},
                      {"provider": "api-key"}):
        refused(18, bench.connect(**arguments).shop.items.find_one)
    # Without a provider that app users sign in with, the connection is one of the cluster's own users.
    refused(334, bench.connect(provider="anon-user").shop.items.find_one)


def test_a_connection_of_an_app_user_does_nothing_before_the_sign_in(bench):
    bare = pymongo.MongoClient("127.0.0.1", bench.server.wire_port, appname=f"{APP}:main:local-userpass")
    refused(13, bare.shop.items.find_one)
    assert bare.admin.command("ping")["ok"] == 1


def test_an_api_key_signs_in(bench):
    bench.fresh("notes").insert_one({"_id": 1, "text": "x"})
    session = bench.session("ann")
    key = bench.api("POST", "/auth/api_keys", session["refresh_token"], {"name": f"k{time.time_ns()}"})["key"]
    client = pymongo.MongoClient(bench.uri("_", key, provider="api-key"), serverSelectionTimeoutMS=5000)
    assert client.shop.notes.find_one() == {"_id": 1, "text": "x"}


def test_a_deleted_user_is_cut_off(bench):
    bench.ids["eve"] = bench._register("eve")
    bench.fresh("notes").insert_one({"_id": 1, "text": "x"})
    notes = bench.connect("eve").shop.notes
    assert notes.find_one()
    bench.api("DELETE", "/auth/delete", bench.session("eve")["access_token"])
    try:
        notes.find_one()
        raise AssertionError("still served")
    except (OperationFailure, AutoReconnect):
        pass
    refused(18, bench.connect("eve").shop.notes.find_one)


def cut_off(action, seconds=5):
    """That an open connection ends soon."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            action()
        except (OperationFailure, AutoReconnect):
            return
        time.sleep(0.05)
    raise AssertionError("still served")


def test_a_disabled_user_is_cut_off_until_enabled(bench):
    bench.ids["dan"] = bench._register("dan")
    bench.fresh("notes").insert_one({"_id": 1, "text": "x"})
    admin, client = bench.administrator(), bench.connect("dan")
    assert client.shop.notes.find_one()
    admin.ask("PUT", f"/users/{bench.ids['dan']}/disable")
    cut_off(client.shop.notes.find_one)
    refused(18, bench.connect("dan").shop.notes.find_one)
    admin.ask("PUT", f"/users/{bench.ids['dan']}/enable")
    assert bench.connect("dan").shop.notes.find_one()


def test_revoked_sessions_end_the_connection_and_a_new_sign_in_is_served(bench):
    bench.ids["rex"] = bench._register("rex")
    bench.fresh("notes").insert_one({"_id": 1, "text": "x"})
    # Without retries, or the driver would sign in again unnoticed.
    admin, client = bench.administrator(), pymongo.MongoClient(bench.uri("rex@example.org"), retryReads=False)
    assert client.shop.notes.find_one()
    admin.ask("PUT", f"/users/{bench.ids['rex']}/logout")
    cut_off(client.shop.notes.find_one)
    assert bench.connect("rex").shop.notes.find_one()


def custom_token(**claims):
    def encoded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    whole = {"aud": "wired", "sub": "jay", "exp": int(time.time()) + 300, **claims}
    text = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, whole))
    return f"{text}.{encoded(hmac.digest(b'a-key-of-at-least-32-characters-00', text.encode(), hashlib.sha256))}"


def test_a_custom_token_signs_in(bench):
    bench.fresh("notes").insert_one({"_id": 1, "text": "x"})

    def connect(token):
        return pymongo.MongoClient(bench.uri("_", token, provider="custom-token"), serverSelectionTimeoutMS=5000)

    assert connect(custom_token()).shop.notes.find_one() == {"_id": 1, "text": "x"}
    refused(18, connect(custom_token(aud="others")).shop.notes.find_one)
    refused(18, connect(custom_token(exp=int(time.time()) - 60)).shop.notes.find_one)
    refused(18, connect(custom_token() + "x").shop.notes.find_one)


def users_of_apps(client):
    """Those of the cluster that stand for apps, by name."""
    return {user["user"]: user for user in client.admin.command("usersInfo", 1)["users"]
            if user["user"].startswith("mongodb-stitch-")}


def test_an_app_has_a_user_of_the_cluster_that_nobody_changes(bench):
    name, admin = f"mongodb-stitch-{APP}", bench.admin.admin
    user = users_of_apps(bench.admin)[name]
    assert (user["roles"], user["mechanisms"]) == ([], []), user
    for command in ({"dropUser": name}, {"updateUser": name, "pwd": "new"}, {"createUser": name, "pwd": "new", "roles": []},
                    {"createUser": "mongodb-stitch-other", "pwd": "new", "roles": ["root"]},
                    {"grantRolesToUser": name, "roles": ["root"]}, {"revokeRolesFromUser": name, "roles": ["root"]}):
        assert "stands for an app" in refused(2, lambda: admin.command(command))
    client = pymongo.MongoClient("127.0.0.1", bench.server.wire_port, username=name, password="new")
    refused(334, lambda: client.admin.command("ping"))
    client.close()
    assert users_of_apps(bench.admin)[name] == user


def test_the_cluster_user_of_an_app_comes_and_goes_with_its_data_source_and_the_app(bench):
    folder = f"{bench.folder}/open"
    server = RestitchProcess(bench.server_binary, folder, [str(HERE / "app")], ["--wire", "127.0.0.1:0"]).wait_until_ready()
    try:
        client = pymongo.MongoClient("127.0.0.1", server.wire_port)
        app = Administrator(server.url, folder, APP).create_app("other")
        name = f"mongodb-stitch-{app.client_app_id}"
        assert set(users_of_apps(client)) == {f"mongodb-stitch-{APP}"}
        source = {"name": "main", "type": "mongodb-atlas", "config": {"clusterName": "Cluster0"}}
        service = app.ask("POST", "/services", source)["_id"]
        assert set(users_of_apps(client)) == {f"mongodb-stitch-{APP}", name}
        client.admin.command("createUser", "person", pwd="x", roles=[])
        assert client.admin.command("dropAllUsersFromDatabase")["n"] == 1
        assert set(users_of_apps(client)) == {f"mongodb-stitch-{APP}", name}
        app.ask("DELETE", f"/services/{service}")
        assert name not in users_of_apps(client)
        app.ask("POST", "/services", source)
        assert name in users_of_apps(client)
        app.ask("DELETE", "")
        assert set(users_of_apps(client)) == {f"mongodb-stitch-{APP}"}
        client.close()
    finally:
        assert server.stop() == 0, server.log_tail()
    # It is nobody who could sign in: the administrator still becomes the first user.
    server = RestitchProcess(bench.server_binary, folder, [], ["--wire", "127.0.0.1:0", "--wire-auth"]).wait_until_ready()
    try:
        keys = json.loads((pathlib.Path(folder) / "admin.json").read_text())
        client = pymongo.MongoClient("127.0.0.1", server.wire_port, username=keys["publicApiKey"], password=keys["privateApiKey"])
        assert set(users_of_apps(client)) == {f"mongodb-stitch-{APP}"}
        client.close()
    finally:
        assert server.stop() == 0, server.log_tail()


def test_tls_carries_the_sign_in(bench):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_certificates(folder)
        server = RestitchProcess(bench.server_binary, str(folder / "data"), [str(HERE / "app")],
                                 ["--wire", "127.0.0.1:0", "--wire-auth", "--wire-tls-cert", str(folder / "server.pem"),
                                  "--wire-tls-key", str(folder / "server.key")]).wait_until_ready()
        try:
            account = {"email": "tom@example.org", "password": PASSWORD}
            request_json("POST", f"{server.url}/api/client/v2.0/app/{APP}/auth/providers/local-userpass/register", account)
            uri = bench.uri("tom@example.org", port=server.wire_port)
            with pymongo.MongoClient(uri, tls=True, tlsCAFile=str(folder / "ca.pem"), serverSelectionTimeoutMS=5000) as client:
                client.shop.notes.insert_one({"_id": 1, "text": "over TLS"})
                assert client.shop.notes.find_one()["text"] == "over TLS"
            with pymongo.MongoClient(uri, serverSelectionTimeoutMS=1000) as client:
                try:
                    client.shop.notes.find_one()
                    raise AssertionError("served without TLS")
                except pymongo.errors.ConnectionFailure:
                    pass
        finally:
            assert server.stop() == 0


def test_mongosh_connects(bench):
    assert MONGOSH.exists(), "npm ci in tests/drivers/apps installs mongosh"
    bench.fresh("notes").insert_one({"_id": 1, "text": "x"})
    script = "printjson(db.getSiblingDB('shop').notes.find().toArray()); printjson(db.getSiblingDB('shop').getCollectionNames())"
    done = subprocess.run([str(MONGOSH), bench.uri("ann@example.org"), "--quiet", "--eval", script], capture_output=True,
                          text=True, timeout=60, env={"HOME": bench.folder, "PATH": "/usr/local/bin:/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr + done.stdout
    assert "text: 'x'" in done.stdout and "'items'" in done.stdout, done.stdout


def main():
    options = suite_options(__doc__)
    tally = Tally()
    bench = Bench(options.binary)
    try:
        tally.run(globals(), options.only, bench)
        bench.close()
    finally:
        bench.server.kill()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
