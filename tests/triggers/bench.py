"""A server with an app of triggers whose functions note what they are given, and the deployment behind its data."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from administrator import Administrator  # noqa: E402
from black_box import request_json  # noqa: E402
from python_packages import provide_packages  # noqa: E402
from restitch_process import RestitchProcess, free_port, parse_log_line  # noqa: E402

provide_packages()

import pymongo  # noqa: E402

APP = "triggers-aaaaa"
DEPLOYED = 2001  # log lines
REFUSED = 2004

# Notes the event in log.seen, also when the source is away for a while, then does what the trigger's test asks for.
RECORD = """exports = async function (event) {
  const note = { trigger: "%(name)s", event, arguments: arguments.length, system: context.runningAsSystem(),
    userType: context.user.type };
  const log = context.services.get("main").db("log");
  for (let attempt = 0; ; ++attempt) {
    try {
      await log.collection("seen").insertOne(note);
      break;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  %(then)s
};
"""


def wait_for(condition, seconds=30, what="it"):
    """What `condition` gives, as soon as that is true."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


class AppFolder:
    """The configuration directory; `trigger` writes one together with its function."""

    def __init__(self, path):
        self.path = path
        self._functions = {}
        self.write("realm_config.json", {"config_version": 20210101, "app_id": APP, "name": "triggers"})
        self.write("auth/providers.json", {
            "anon-user": {"name": "anon-user", "type": "anon-user", "disabled": False},
            "local-userpass": {"name": "local-userpass", "type": "local-userpass", "disabled": False,
                               "config": {"autoConfirm": True, "resetPasswordUrl": "https://example.org/reset"}}})
        self.write("data_sources/main/config.json", {
            "name": "main", "type": "mongodb-atlas", "config": {"clusterName": "Cluster0"}})
        self.write("functions/config.json", [])

    def write(self, name, content):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))

    def function(self, name, source):
        self._functions[name] = {"name": name, "private": False, "run_as_system": True}
        self.write(f"functions/{name}.js", source)
        self.write("functions/config.json", list(self._functions.values()))

    def bus_trigger(self, name, config, account, extended=False, **members):
        """A trigger whose events go to an event bus instead of a function."""
        bus = {"account_id": account, "region": "us-east-1", "extended_json_enabled": extended}
        self.trigger(name, config, event_processors={"AWS_EVENTBRIDGE": {"config": bus}}, **members)

    def trigger(self, name, config, kind="DATABASE", then="", disabled=False, **members):
        self.function(f"on_{name}", RECORD % {"name": name, "then": then})
        if kind == "DATABASE":
            config = {"service_name": "main", "database": "shop", "collection": "items", "operation_types": ["INSERT"],
                      "match": {}, "project": {}, **config}
        self.write(f"triggers/{name}.json", {
            "name": name, "type": kind, "disabled": disabled, "config": config,
            "event_processors": {"FUNCTION": {"config": {"function_name": f"on_{name}"}}}, **members})

    def drop_trigger(self, name):
        (self.path / f"triggers/{name}.json").unlink()


class Bench:
    """`kind`: where the data lie, in the server itself or in another one."""

    def __init__(self, binary, kind="embedded"):
        self.binary = binary
        self.kind = kind
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="restitch-triggers-"))
        self.app = AppFolder(self.folder / "app")
        self.wire_port = free_port()
        self.source = self.server = None
        self.deployments = 0
        self.options = []  # further ones of the server
        if kind == "external":
            self.start_source()
        uri = f"mongodb://127.0.0.1:{self.wire_port}/?replicaSet=restitch"
        self._cluster = ["--cluster", f"Cluster0={uri}"] if self.source else ["--wire", f"127.0.0.1:{self.wire_port}"]
        self.mongo = pymongo.MongoClient(uri, serverSelectionTimeoutMS=20000, retryWrites=True)

    def start_source(self):
        self.source = RestitchProcess(self.binary, str(self.folder / "source"), [],
                                      ["--wire", f"127.0.0.1:{self.wire_port}"]).wait_until_ready()

    def start(self):
        self.server = RestitchProcess(self.binary, str(self.folder / "server"), [str(self.app.path)],
                                      [*self._cluster, *self.options, "--watch"]).wait_until_ready()
        return self

    def start_alone(self):
        """The server's database with no app deployed."""
        self.server = RestitchProcess(self.binary, str(self.folder / "server"), [], self._cluster).wait_until_ready()
        return self.state

    def stop_alone(self):
        self.server.stop()

    def redeploy(self):
        """Waits until the changed directory runs."""
        seen = self._count(DEPLOYED)
        # The server looks at the times of files.
        (self.app.path / "touched").write_text(str(time.time()))
        wait_for(lambda: self._count(DEPLOYED) > seen, what="the deployment")

    def _count(self, number):
        entries = (parse_log_line(line) for line in list(self.server.log))
        return sum(1 for entry in entries if entry and entry.get("id") == number)

    def log_entries(self, number):
        entries = (parse_log_line(line) for line in list(self.server.log))
        return [entry["attr"] for entry in entries if entry and entry.get("id") == number]

    @property
    def items(self):
        return self.mongo["shop"]["items"]

    def seen(self, trigger):
        """Events that the trigger's function was given, in the order of its notes."""
        return [note["event"] for note in self.notes(trigger)]

    def notes(self, trigger):
        return list(self.mongo["log"]["seen"].find({"trigger": trigger}).sort("$natural", 1))

    def wait_for_seen(self, trigger, count, seconds=30):
        wait_for(lambda: self.mongo["log"]["seen"].count_documents({"trigger": trigger}) >= count, seconds,
                 f"{count} events of {trigger}, there are {len(self.notes(trigger))}")
        return self.seen(trigger)

    @property
    def state(self):
        """The server's own database; only where the data lie in the server itself."""
        return self.mongo["__restitch"]

    def record(self, trigger):
        return self.state["triggers"].find_one({"name": trigger})

    def wait_for_state(self, trigger, state, seconds=30):
        return wait_for(lambda: (lambda r: r if r and r["state"] == state else None)(self.record(trigger)), seconds,
                        f"{trigger} to be {state}: {self.record(trigger)}")

    def administrator(self):
        return Administrator(self.server.url, self.folder / "server", APP)

    def client(self, path, body, token=None, method="POST"):
        return request_json(method, f"{self.server.url}/api/client/v2.0{path}", body, token)

    def administer(self, method, path, body=None):
        """A call of the Admin API below the app."""
        root = f"{self.server.url}/api/admin/v3.0"
        keys = json.loads((self.folder / "server/admin.json").read_text())
        session = request_json("POST", f"{root}/auth/providers/mongodb-cloud/login",
                               {"username": keys["publicApiKey"], "apiKey": keys["privateApiKey"]})
        token = session["access_token"]
        apps = request_json("GET", f"{root}/groups/{keys['groupId']}/apps", token=token)
        app = next(app for app in apps if app["client_app_id"] == APP)
        return request_json(method, f"{root}/groups/{keys['groupId']}/apps/{app['_id']}{path}", body, token)

    def command_line(self, *arguments):
        """What `restitch triggers …` prints."""
        environment = {**os.environ, "RESTITCH_URL": self.server.url, "RESTITCH_DATA": str(self.folder / "server"),
                       "HOME": str(self.folder)}
        command = [self.binary, "triggers", *arguments, "--app", APP]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self):
        self.mongo.close()
        codes = [process.stop() for process in (self.server, self.source) if process and process.is_running()]
        shutil.rmtree(self.folder, ignore_errors=True)
        assert all(code == 0 for code in codes), f"ended with {codes}\n{self.server.log_tail()}"
