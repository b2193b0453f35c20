#!/usr/bin/env python3
"""Data sources on an external MongoDB deployment, here another server's MongoDB endpoint, against the real binary."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from black_box import Refused, Tally, request_json, suite_options  # noqa: E402
from event_stream import watch_path  # noqa: E402
from restitch_process import RestitchProcess, free_port  # noqa: E402

APP = "sources-aaaaa"
DOWN_AFTER = 20  # seconds within which an operation on a source that is down must have been answered


class Client:
    """An app user, signed in anonymously."""

    def __init__(self, url):
        self._server = url
        self._url = f"{url}/api/client/v2.0/app/{APP}"
        self._token = None
        self._token = self._post("/auth/providers/anon-user/login", {})["access_token"]

    def _post(self, path, body):
        return request_json("POST", self._url + path, body, self._token)

    def call(self, name, *arguments, service=None):
        body = {"name": name, "arguments": list(arguments)}
        if service:
            body["service"] = service
        return self._post("/functions/call", body)

    def watch(self, service):
        body = {"name": "watch", "service": service, "arguments": [{"database": "shop", "collection": "items"}]}
        return request_json("GET", self._server + watch_path(APP, body, token=self._token))

    def data(self, action, **argument):
        return self.call(action, {"database": "shop", "collection": "items", **argument}, service="main")


class Bench:
    """The server under test, and the deployment behind its data source, which can be stopped and started again."""

    def __init__(self, binary):
        self.binary = binary
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="restitch-sources-"))
        self.port = free_port()
        self.source = None
        self.start_source()
        self.uri = f"mongodb://127.0.0.1:{self.port}/?replicaSet=restitch"
        self.server = self.start_server("server", ["--cluster", f"Cluster0={self.uri}"])

    def start_source(self):
        self.source = RestitchProcess(self.binary, str(self.folder / "source"), [],
                                      ["--wire", f"127.0.0.1:{self.port}"]).wait_until_ready()

    def start_server(self, name, options, app=HERE / "app"):
        return RestitchProcess(self.binary, str(self.folder / name), [str(app)], options).wait_until_ready()

    def run_until_exit(self, options, app=HERE / "app"):
        """What a server prints that is not expected to start."""
        command = [self.binary, "serve", "--data", str(self.folder / "refused"), "--listen", "127.0.0.1:0",
                   "--app", str(app), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0, "the server started"
        return done.stdout + done.stderr

    def stop(self):
        for process in (self.server, self.source):
            if process.is_running():
                assert process.stop() == 0, process.log_tail()
        shutil.rmtree(self.folder, ignore_errors=True)


def fails_with(expected, action):
    try:
        answer = action()
    except Refused as refused:
        assert (refused.status, refused.body.get("error_code")) == expected[:2], refused
        assert expected[2] in refused.body["error"], refused
        return
    raise AssertionError(f"not refused but answered {answer}")


# ---- Tests: each takes the bench.


def test_documents_are_stored_in_the_deployment_not_in_the_server(bench):
    Client(bench.server.url).data("insertOne", document={"_id": "where", "n": 1})
    elsewhere = bench.start_server("elsewhere", ["--cluster", f"Cluster0={bench.uri}"])
    embedded = bench.start_server("embedded", [])
    try:
        assert Client(elsewhere.url).data("findOne", query={"_id": "where"})["_id"] == "where"
        assert Client(embedded.url).data("findOne", query={"_id": "where"}) is None
    finally:
        elsewhere.stop()
        embedded.stop()


def test_a_cursor_of_many_batches_gives_every_document_once(bench):
    client = Client(bench.server.url)
    client.data("deleteMany", query={})
    for start in range(0, 5000, 1000):
        client.data("insertMany", documents=[{"_id": f"d{n}", "n": {"$numberInt": str(n)}}
                                             for n in range(start, start + 1000)])
    answer = client.call("countAll")
    assert answer == {"count": {"$numberInt": "5000"}, "sum": {"$numberInt": str(sum(range(5000)))}}, answer


def test_a_transaction_commits_as_a_whole_and_leaves_nothing_when_aborted(bench):
    client = Client(bench.server.url)
    client.data("insertMany", documents=[{"_id": "a", "amount": {"$numberInt": "10"}},
                                         {"_id": "b", "amount": {"$numberInt": "0"}}])

    def amounts():
        return [client.data("findOne", query={"_id": name})["amount"]["$numberInt"] for name in "ab"]

    client.call("transfer", "a", "b", 3, False)
    assert amounts() == ["7", "3"], amounts()
    fails_with((400, "FunctionExecutionError", "changed my mind"), lambda: client.call("transfer", "a", "b", 3, True))
    assert amounts() == ["7", "3"], amounts()


def test_a_duplicate_key_reads_as_from_the_embedded_cluster(bench):
    client = Client(bench.server.url)
    client.data("insertOne", document={"_id": "twice"})
    fails_with((400, "MongoDBError", "Duplicate key error: E11000 duplicate key error collection: shop.items"),
               lambda: client.data("insertOne", document={"_id": "twice"}))


def test_a_federated_source_takes_no_writes_and_no_users(bench):
    client = Client(bench.server.url)
    fails_with((403, "NoMatchingRuleFound", "no rule exists for namespace 'shop.items'"),
               lambda: client.call("findOne", {"database": "shop", "collection": "items", "query": {}},
                                   service="lake"))
    lake = bench.start_server("federated", ["--cluster", f"Lake0={bench.uri}", "--cluster-kind", "Lake0=federated"])
    try:
        answer = Client(lake.url).call("writeToLake")
        assert "insertOne is not possible on the federated data source 'lake'" in answer, answer
    finally:
        lake.stop()


def test_a_directory_whose_source_is_another_kind_of_instance_is_refused(bench):
    output = bench.run_until_exit(["--cluster", f"Cluster0={bench.uri}", "--cluster-kind", "Cluster0=federated"])
    assert "'Cluster0' is a federated instance" in output, output
    assert "data_sources/main/config.json" in output, output


def test_a_read_preference_is_for_reads_alone(bench):
    """The replica set has a primary only: what must read from a secondary finds none."""
    app = bench.folder / "with-preferences"
    shutil.copytree(HERE / "app", app)
    modes = ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")
    for mode in modes:
        source = app / "data_sources" / mode
        source.mkdir()
        (source / "config.json").write_text(json.dumps({
            "name": mode, "type": "mongodb-atlas", "config": {"clusterName": "Cluster0", "readPreference": mode}}))
        (source / "default_rule.json").write_text(json.dumps({
            "roles": [{"name": "all", "apply_when": {}, "read": True, "write": True}], "filters": []}))
    server = bench.start_server("preferences", ["--cluster", f"Cluster0={bench.uri}&serverSelectionTimeoutMS=500"], app)
    try:
        client = Client(server.url)
        where = {"database": "shop", "collection": "read"}
        for mode in modes:
            inserted = client.call("insertOne", {**where, "document": {"_id": mode}}, service=mode)
            assert inserted == {"insertedId": mode}, inserted
        for mode in modes:
            if mode != "secondary":
                assert client.call("findOne", {**where, "query": {"_id": mode}}, service=mode) == {"_id": mode}
        fails_with((503, "MongoDBError", "data source 'secondary' is not available"),
                   lambda: client.call("findOne", where, service="secondary"))
    finally:
        server.stop()


def test_a_serverless_instance_is_read_and_written_but_not_watched(bench):
    server = bench.start_server("serverless", ["--cluster", f"Cluster0={bench.uri}", "--cluster-kind", "Cluster0=serverless"])
    try:
        client = Client(server.url)
        client.data("insertOne", document={"_id": "serverless"})
        assert client.data("findOne", query={"_id": "serverless"}) == {"_id": "serverless"}
        fails_with((400, "InvalidParameter", "watch is not possible on the data source 'main'"), lambda: client.watch("main"))
        fails_with((403, "NoMatchingRuleFound", "no rule exists for namespace 'shop.items'"), lambda: client.watch("lake"))
    finally:
        server.stop()


def test_a_trigger_of_a_serverless_instance_is_refused_unless_it_runs_already(bench):
    app = bench.folder / "with-trigger"
    shutil.copytree(HERE / "app", app)
    (app / "triggers").mkdir()
    (app / "triggers/count.json").write_text(json.dumps({
        "name": "count", "type": "DATABASE", "function_name": "countAll",
        "config": {"service_name": "main", "database": "shop", "collection": "items", "operation_types": ["INSERT"]}}))
    bound = ["--cluster", f"Cluster0={bench.uri}"]
    serverless = [*bound, "--cluster-kind", "Cluster0=serverless"]
    reason = "triggers/count.json: /config/service_name: a serverless data source has no change streams"
    output = bench.run_until_exit(serverless, app)
    assert reason in output, output
    for options in (bound, serverless):
        server = bench.start_server("with-trigger-data", options, app)
        assert server.stop() == 0
    assert "no change streams" in "\n".join(server.log), server.log_tail()


def test_a_wrong_uri_is_refused_without_repeating_its_password(bench):
    output = bench.run_until_exit(["--cluster", "Cluster0=mongo://user:geheim@127.0.0.1"])
    assert "the URI of cluster 'Cluster0' is no MongoDB connection string" in output, output
    assert "geheim" not in output, output


def test_a_name_that_is_not_bound_is_refused_when_names_are_strict(bench):
    output = bench.run_until_exit(["--strict-clusters", "--cluster", f"Lake0={bench.uri}",
                                   "--cluster-kind", "Lake0=federated"])
    assert "failed to find cluster 'Cluster0'" in output, output


def test_a_source_that_is_down_is_an_error_of_its_own_and_is_found_when_it_returns(bench):
    client = Client(bench.server.url)
    client.data("insertOne", document={"_id": "kept"})
    bench.source.kill()
    started = time.monotonic()
    fails_with((503, "MongoDBError", "data source 'main' is not available"),
               lambda: client.data("findOne", query={"_id": "kept"}))
    assert time.monotonic() - started < DOWN_AFTER
    Client(bench.server.url)  # signing in needs no data source
    bench.start_source()
    deadline = time.monotonic() + 30
    while True:
        try:
            assert client.data("findOne", query={"_id": "kept"})["_id"] == "kept"
            return
        except Refused:
            assert time.monotonic() < deadline, "the source was not found again"
            time.sleep(0.2)


def test_a_server_starts_while_its_source_is_down(bench):
    late = bench.start_server("late", ["--cluster", f"Cluster0=mongodb://127.0.0.1:{free_port()}"])
    try:
        fails_with((503, "MongoDBError", "data source 'main' is not available"),
                   lambda: Client(late.url).data("findOne", query={}))
    finally:
        late.stop()


def main():
    options = suite_options(__doc__)
    tally = Tally()
    bench = Bench(options.binary)
    try:
        tally.run(globals(), options.only, bench)
        bench.stop()
    finally:
        bench.server.kill()
        bench.source.kill()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
