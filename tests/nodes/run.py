#!/usr/bin/env python3
"""Several servers on one deployment (--state): what is done through one holds on the other at once, and when one is
killed under load nothing acknowledged is lost and clients go on with the other.

The deployment is a third server's MongoDB endpoint.
"""

import io
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from administrator import Administrator  # noqa: E402
from black_box import Refused, Tally, request_json, suite_options  # noqa: E402
from event_stream import EventStream, watch_path  # noqa: E402
from git_repository import GitRepository  # noqa: E402
from restitch_process import RestitchProcess, StartFailed, free_port  # noqa: E402

APP_DIRECTORY = str(HERE / "app")
APP_ID = "nodes-abcde"
APP = f"/api/client/v2.0/app/{APP_ID}"
OPTIONS = ["--file-repositories"]
AT_ONCE = 3  # seconds: what other nodes see without a request of their own


class Node:
    """A server of the deployment with its data directory, which holds nothing but its keys."""

    def __init__(self, group, name):
        self._group, self.data = group, str(group.scratch / name)
        self.process = None

    def start(self, apps=(), options=()):
        self.process = RestitchProcess(
            self._group.binary, self.data, apps,
            ["--state", self._group.state_uri, "--secret-key", self._group.secret_key, *options]).wait_until_ready()
        return self

    @property
    def url(self):
        return self.process.url

    def administrator(self):
        return Administrator(self.url, self.data, APP_ID)

    def ask(self, method, path, body=None, token=None):
        return request_json(method, self.url + path, body, token)

    def sign_in(self, provider="anon-user", body=None):
        return self.ask("POST", f"{APP}/auth/providers/{provider}/login", body or {})

    def call(self, token, name, *arguments, service=None):
        body = {"name": name, "arguments": list(arguments)}
        if service:
            body["service"] = service
        return self.ask("POST", f"{APP}/functions/call", body, token)

    def mongo(self, token, action, collection, **argument):
        return self.call(token, action, {"database": "nodes", "collection": collection, **argument},
                         service="mongodb-atlas")


class Group:
    """The deployment and its two servers."""

    def __init__(self, binary):
        self.binary = binary
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="restitch-nodes-"))
        self.secret_key = str(self.scratch / "secret.key")
        pathlib.Path(self.secret_key).write_bytes(os.urandom(32))
        self._wire = free_port()
        self._deployment = None
        self.state_uri = f"mongodb://127.0.0.1:{self._wire}/__restitch_nodes?directConnection=true"
        self.a, self.b = Node(self, "a"), Node(self, "b")

    def start(self):
        self._deployment = self._start_deployment()
        starting = threading.Thread(target=lambda: self.a.start([APP_DIRECTORY], OPTIONS))
        starting.start()
        self.b.start([APP_DIRECTORY], OPTIONS)
        starting.join()

    def _start_deployment(self):
        return RestitchProcess(self.binary, str(self.scratch / "deployment"), [],
                               ["--wire", f"127.0.0.1:{self._wire}"]).wait_until_ready()

    def restart_deployment(self):
        self._deployment.kill()
        time.sleep(1)
        self._deployment = self._start_deployment()

    def close(self):
        for process in (self.a.process, self.b.process, self._deployment):
            if process and process.is_running():
                process.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)


def refusal(function, *arguments):
    try:
        function(*arguments)
    except Refused as refused:
        return refused
    raise AssertionError("was not refused")


def can(function, *arguments):
    """What it gives; None when it was refused."""
    try:
        return function(*arguments)
    except Refused:
        return None


def status_of(function, *arguments):
    try:
        function(*arguments)
    except Refused as refused:
        return refused.status
    return 200


def eventually(condition, seconds=AT_ONCE):
    """Until it holds; what it was in the end."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


def number(value):
    return int(value["$numberInt"] if "$numberInt" in value else value["$numberLong"])


def test_both_start_with_one_directory_and_are_one_server(group):
    a, b = group.a.administrator(), group.b.administrator()
    assert a.ask("GET", "")["_id"] == b.ask("GET", "")["_id"]
    keys = [(pathlib.Path(node.data) / "admin.json").read_text() for node in (group.a, group.b)]
    assert keys[0] == keys[1]
    for node in (group.a, group.b):
        kept = {entry.name for entry in pathlib.Path(node.data).iterdir()}
        assert "cluster" not in kept, kept


def test_a_session_goes_from_one_node_to_the_other(group):
    session = group.a.sign_in()
    group.a.mongo(session["access_token"], "insertOne", "items", document={"_id": "moved", "by": "a"})
    found = group.b.mongo(session["access_token"], "findOne", "items", query={"_id": "moved"})
    assert found["by"] == "a", found
    fresh = group.b.ask("POST", "/api/client/v2.0/auth/session", token=session["refresh_token"])["access_token"]
    assert group.a.mongo(fresh, "count", "items", query={"_id": "moved"}) == {"$numberLong": "1"}


def test_watchers_of_one_node_see_what_is_written_through_the_other(group):
    token = group.b.sign_in()["access_token"]
    stream = EventStream(group.b.process.port, watch_path(APP_ID, {
        "name": "watch", "service": "mongodb-atlas", "arguments": [{"database": "nodes", "collection": "items"}]}),
                         [f"Authorization: Bearer {token}"])
    try:
        group.a.mongo(group.a.sign_in()["access_token"], "insertOne", "items", document={"_id": "seen"})
        event = stream.next()
        assert event["documentKey"] == {"_id": "seen"}, event
    finally:
        stream.close()


def test_a_deployment_through_one_node_runs_on_the_other(group):
    token = group.b.sign_in()["access_token"]
    assert group.b.call(token, "greeting")[0] == "hello"
    administrator = group.a.administrator()
    value = next(one for one in administrator.ask("GET", "/values") if one["name"] == "greeting")
    administrator.ask("PUT", f"/values/{value['_id']}", {"_id": value["_id"], "name": "greeting", "value": "good day"})
    assert group.a.call(token, "greeting")[0] == "good day"
    assert eventually(lambda: group.b.call(token, "greeting")[0] == "good day")


def test_administrators_read_on_one_node_what_they_wrote_on_the_other(group):
    a, b = group.a.administrator(), group.b.administrator()
    for round_number in range(8):
        writer, reader = (a, b) if round_number % 2 else (b, a)
        name = f"quick{round_number}"
        writer.ask("POST", "/values", {"name": name, "value": round_number})
        assert name in [one["name"] for one in reader.ask("GET", "/values")], round_number


def test_changes_through_both_nodes_at_once_are_all_kept(group):
    failures = []

    def create(node, prefix):
        administrator = node.administrator()
        for index in range(12):
            try:
                administrator.ask("POST", "/values", {"name": f"{prefix}{index}", "value": index})
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=create, args=(node, f"{name}{half}x"))
               for name, node in (("a", group.a), ("b", group.b)) for half in "12"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    expected = {f"{name}{half}x{index}" for name in "ab" for half in "12" for index in range(12)}
    for node in (group.a, group.b):
        names = {one["name"] for one in node.administrator().ask("GET", "/values")}
        assert expected <= names, expected - names


def test_the_audit_log_of_one_node_has_what_was_done_through_the_other(group):
    made = group.a.administrator().ask("POST", "/values", {"name": "audited", "value": 1})
    group.a.administrator().ask("DELETE", f"/values/{made['_id']}")
    found = group.b.administrator().ask("GET", f"/audit_log?path=/values/{made['_id']}")["entries"]
    assert [one["request_method"] for one in found] == ["DELETE"], found


def test_a_push_to_a_repository_is_deployed_by_one_node(group):
    repository = GitRepository(group.scratch)
    for path in pathlib.Path(APP_DIRECTORY).rglob("*"):
        if path.is_file():
            repository.write(path.relative_to(APP_DIRECTORY), path.read_bytes())
    repository.write("values/greeting.json", '{"name": "greeting", "value": "from git"}')
    commit = repository.push()
    a, b = group.a.administrator(), group.b.administrator()
    before = len(a.ask("GET", "/deployments"))
    a.ask("PATCH", "/deploy/config", {"automatic_deployment": {"enabled": True, "repository": repository.url}})
    b.ask("POST", "/deploy/check")
    a.ask("POST", "/deploy/check")
    token = group.b.sign_in()["access_token"]
    for node in (group.a, group.b):
        assert eventually(lambda: node.call(token, "greeting")[0] == "from git", seconds=20)
    time.sleep(6)  # each node has had its turn
    deployments = a.ask("GET", "/deployments")
    assert [one["commit"] for one in deployments].count(commit) == 1, deployments[:3]
    assert len(deployments) == min(before + 1, 25) and deployments == b.ask("GET", "/deployments")
    a.ask("PATCH", "/deploy/config", {"automatic_deployment": {"enabled": False}})


def test_a_draft_of_one_node_is_deployed_by_the_other(group):
    a, b = group.a.administrator(), group.b.administrator()
    draft = a.ask("POST", "/drafts")["_id"]
    b.ask("POST", "/values", {"name": "drafted", "value": 1})
    assert "drafted" in [one["name"] for one in a.ask("GET", "/values")]
    b.ask("POST", f"/drafts/{draft}/deployment")
    assert a.ask("GET", "/drafts") == []
    assert "drafted" in [one["name"] for one in a.ask("GET", "/values")]


def test_a_secret_that_changes_on_one_node_changes_on_the_other(group):
    token = group.b.sign_in()["access_token"]
    administrator = group.a.administrator()
    secret = administrator.ask("POST", "/secrets", {"name": "theWord", "value": "first"})
    administrator.ask("POST", "/values", {"name": "word", "value": "theWord", "from_secret": True})
    assert eventually(lambda: group.b.call(token, "greeting")[1] == "first")
    administrator.ask("PUT", f"/secrets/{secret['_id']}", {"_id": secret["_id"], "name": "theWord", "value": "second"})
    assert eventually(lambda: group.b.call(token, "greeting")[1] == "second")


def test_packages_uploaded_to_one_node_are_there_on_the_other(group):
    administrator = group.a.administrator()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("node_modules/hello/package.json", '{"name": "hello", "version": "1.0.0", "main": "index.js"}')
        packed.writestr("node_modules/hello/index.js", 'module.exports = () => "from a package";')
    administrator.upload("/dependencies", "node_modules.zip", archive.getvalue())
    assert eventually(lambda: administrator.ask("GET", "/dependencies/status")["status"] == "successful", seconds=30)
    administrator.ask("POST", "/functions", {"name": "useHello", "private": False, "run_as_system": True,
                                             "source": 'exports = () => require("hello")();'})
    for node in (group.a, group.b):
        token = node.sign_in()["access_token"]
        assert eventually(lambda: can(node.call, token, "useHello") == "from a package", seconds=10), node.data


def test_a_user_disabled_on_one_node_is_refused_by_the_other(group):
    credentials = {"username": "disabled@example.com", "password": "a good one"}
    group.a.ask("POST", f"{APP}/auth/providers/local-userpass/register",
                {"email": credentials["username"], "password": credentials["password"]})
    session = group.b.sign_in("local-userpass", credentials)
    token = session["access_token"]
    group.b.mongo(token, "count", "items")
    group.a.administrator().ask("PUT", f"/users/{session['user_id']}/disable")

    def refusal_of_call():
        try:
            group.b.mongo(token, "count", "items")
        except Refused as refused:
            return refused.body["error_code"]
        return None

    assert eventually(refusal_of_call, seconds=1) == "InvalidSession"
    assert refusal(group.b.sign_in, "local-userpass", credentials).body["error_code"] == "UserDisabled"


def test_an_access_list_holds_on_every_node(group):
    administrator = group.a.administrator()
    entry = administrator.ask("GET", "/security/access_list")["allowed_ips"][0]
    administrator.ask("DELETE", f"/security/access_list/{entry['_id']}")

    assert eventually(lambda: status_of(group.b.sign_in) == 403)
    administrator.ask("POST", "/security/access_list", {"address": "0.0.0.0/0"})
    assert eventually(lambda: status_of(group.b.sign_in) == 200)


def test_entries_that_administrators_add_through_both_nodes_at_once_are_all_kept(group):
    failures = []

    def add(node, third):
        administrator = node.administrator()
        for fourth in range(10):
            try:
                administrator.ask("POST", "/security/access_list", {"address": f"10.9.{third}.{fourth}"})
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=add, args=(node, third))
               for third, node in enumerate((group.a, group.b, group.a, group.b))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    kept = group.b.administrator().ask("GET", "/security/access_list")["allowed_ips"]
    assert len([one for one in kept if one["address"].startswith("10.9.")]) == 40, len(kept)


def test_triggers_handle_each_event_once(group):
    token = group.a.sign_in()["access_token"]
    for index in range(20):
        node = group.a if index % 2 else group.b
        node.mongo(token, "insertOne", "items", document={"_id": f"once{index}"})

    def handled():
        return number(group.b.mongo(token, "count", "handled", query={"item": {"$regex": "^once"}}))

    assert eventually(lambda: handled() >= 20, seconds=20), handled()
    time.sleep(1)
    assert handled() == 20, handled()


def test_when_the_deployment_was_away_nodes_go_on_and_hear_of_each_other(group):
    token = group.b.sign_in()["access_token"]
    group.restart_deployment()

    assert eventually(lambda: status_of(group.b.mongo, token, "count", "items") == 200, seconds=20)
    administrator = eventually(lambda: can(group.a.administrator), seconds=20)
    value = next(one for one in administrator.ask("GET", "/values") if one["name"] == "greeting")
    administrator.ask("PUT", f"/values/{value['_id']}", {"_id": value["_id"], "name": "greeting", "value": "again"})
    assert eventually(lambda: group.b.call(token, "greeting")[0] == "again", seconds=10)


def test_a_node_with_another_secret_key_is_refused(group):
    other = RestitchProcess(group.binary, str(group.scratch / "stranger"), [], ["--state", group.state_uri])
    try:
        other.wait_until_ready(20)
        raise AssertionError("it started")
    except StartFailed as failure:
        assert "secret key is not that of the other nodes" in str(failure), failure


def test_a_state_that_does_not_answer_stops_the_start(group):
    lost = RestitchProcess(group.binary, str(group.scratch / "lost"), [],
                           ["--state", f"mongodb://127.0.0.1:{free_port()}/"])
    try:
        lost.wait_until_ready(30)
        raise AssertionError("it started")
    except StartFailed as failure:
        assert "the deployment of --state does not answer" in str(failure), failure


def test_when_a_node_is_killed_nothing_is_lost_and_clients_go_on(group):
    session = group.a.sign_in()
    nodes, lock = [group.a, group.b], threading.Lock()
    acknowledged, failures, stopping = [], [], threading.Event()

    def write(number_of_writer):
        turn, token = number_of_writer, session["access_token"]
        index = 0
        while not stopping.is_set():
            node = nodes[turn % 2]
            key = f"kill{number_of_writer}-{index}"
            try:
                node.mongo(token, "insertOne", "items", document={"_id": key})
            except Refused as refused:
                # The first attempt was carried out, its answer did not come.
                if "E11000" not in str(refused.body):
                    failures.append(refused)
                    return
            except OSError:
                turn += 1  # as a client behind a balancer: the same again, elsewhere
                time.sleep(0.01)
                continue
            except Exception as error:  # an answer cut off
                if stopping.is_set():
                    return
                turn += 1
                continue
            index += 1
            with lock:
                acknowledged.append(key)

    writers = [threading.Thread(target=write, args=(each,)) for each in range(6)]
    for writer in writers:
        writer.start()
    time.sleep(1.5)
    group.a.process.kill()
    with lock:
        before = len(acknowledged)
    time.sleep(2)
    stopping.set()
    for writer in writers:
        writer.join()
    assert not failures, failures[:3]
    assert len(acknowledged) > before, "nothing went on"
    token = group.b.sign_in()["access_token"]
    stored = {one["_id"] for one in group.b.mongo(token, "find", "items", query={"_id": {"$regex": "^kill"}})}
    assert set(acknowledged) <= stored, sorted(set(acknowledged) - stored)[:5]

    def handled():
        return {one["item"] for one in group.b.mongo(token, "find", "handled", query={"item": {"$regex": "^kill"}})}

    # The triggers of the dead node are taken over when its lease has run out.
    assert eventually(lambda: handled() == stored, seconds=45), len(stored - handled())
    user = group.b.sign_in()["user_id"]
    assert eventually(lambda: group.b.mongo(token, "count", "handled", query={"user": user}) != {"$numberLong": "0"},
                      seconds=20)
    group.a.start()
    assert group.a.mongo(token, "count", "items", query={"_id": {"$regex": "^kill"}}) == \
        {"$numberLong": str(len(stored))}


def test_an_app_removed_on_one_node_is_gone_on_the_other(group):
    group.a.administrator().ask("DELETE", "")

    assert eventually(lambda: status_of(group.b.sign_in) == 404)


def main():
    options = suite_options(__doc__)
    group = Group(options.binary)
    tally = Tally()
    try:
        group.start()
        tally.run(globals(), options.only, group)
    finally:
        group.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
