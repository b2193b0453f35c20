"""The server with an app made of rule sets, its users, and the ways in which operations reach it."""

import http.client
import json
import pathlib
import shutil
import tempfile

import generate
from black_box import Refused as NotOpened
from event_stream import EventStream, watch_path
from restitch_process import RestitchProcess, StartFailed
from values import MISSING, from_json, to_json
from wire_door import WireDoor

APP = "oracle-aaaaa"
DATABASE = "d"
PASSWORD = "corr3ct-horse"

FUNCTIONS = {
    "isRed": "exports = async function (team) { return team === 'red'; };",
    "isSame": "exports = function (a, b) { return a !== undefined && a === b; };",
    "one": "exports = () => 1;",
    "fails": "exports = function () { throw new Error('no'); };",
    "homeTeam": "exports = function () { return 'blue'; };",
    "act": """
exports = async function (source, collection, action, a) {
  const c = context.services.get(source).db("d").collection(collection);
  try {
    switch (action) {
      case "find": {
        let cursor = c.find(a.query, a.project);
        if (a.sort) cursor = cursor.sort(a.sort);
        if (a.limit) cursor = cursor.limit(a.limit);
        return { done: await cursor.toArray() };
      }
      case "findOne": return { done: await c.findOne(a.query) };
      case "count": return { done: await c.count(a.query) };
      case "aggregate": return { done: await c.aggregate(a.pipeline).toArray() };
      case "distinct": return { done: await c.distinct(a.key, a.query) };
      case "insertOne": return { done: await c.insertOne(a.document) };
      case "insertMany": return { done: await c.insertMany(a.documents) };
      case "bulkWrite": return { done: await c.bulkWrite(a.operations, { ordered: a.ordered }) };
      case "updateOne": case "updateMany": case "replaceOne":
        return { done: await c[action](a.query, a.update, { upsert: a.upsert === true }) };
      case "deleteOne": case "deleteMany": return { done: await c[action](a.query) };
      case "findOneAndDelete": return { done: await c[action](a.filter, { sort: a.sort }) };
      default:
        return { done: await c[action](a.filter, a.update, { sort: a.sort, projection: a.projection,
          upsert: a.upsert === true, returnNewDocument: a.returnNewDocument === true }) };
    }
  } catch (error) {
    return { failed: error.message };
  }
};""",
    "fill": """
exports = async function (source, collection, documents) {
  const c = context.services.get(source).db("d").collection(collection);
  await c.deleteMany({});
  if (documents.length > 0) await c.insertMany(documents);
};""",
    "change": """
exports = async function (source, collection, models) {
  const c = context.services.get(source).db("d").collection(collection);
  for (const model of models) {
    const [name, what] = Object.entries(model)[0];
    try {
      if (name === "insertOne") await c.insertOne(what.document);
      else if (name === "deleteOne") await c.deleteOne(what.filter);
      else await c[name](what.filter, what.update);
    } catch (error) {}  // then it changes nothing
  }
};""",
    "dump": """
exports = async function (source, collection) {
  return await context.services.get(source).db("d").collection(collection).find({}).toArray();
};""",
}
WORLD_FUNCTIONS = {  # the same in Python
    "isRed": lambda team: team == "red", "isSame": lambda a, b: a is not MISSING and a == b, "one": lambda: 1,
    "homeTeam": lambda: "blue"}


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_app(folder, spaces):
    """The configuration directory."""
    write_json(folder / "realm_config.json", {
        "config_version": 20210101, "app_id": APP, "name": "oracle", "location": "DE-FF", "deployment_model": "LOCAL",
        "environment": generate.ENVIRONMENT["tag"]})
    write_json(folder / f"environments/{generate.ENVIRONMENT['tag']}.json", {"values": generate.ENVIRONMENT["values"]})
    for name, value in generate.VALUES.items():
        write_json(folder / f"values/{name}.json", {"name": name, "value": value, "from_secret": False})
    write_json(folder / "auth/providers.json", {
        "anon-user": {"name": "anon-user", "type": "anon-user", "disabled": False},
        "local-userpass": {"name": "local-userpass", "type": "local-userpass", "disabled": False,
                           "config": {"autoConfirm": True}}})
    write_json(folder / "auth/custom_user_data.json", {
        "enabled": True, "mongo_service_name": "main", "database_name": DATABASE, "collection_name": "people",
        "user_id_field": "user"})
    system = ("fill", "change", "dump")
    write_json(folder / "functions/config.json", [
        {"name": name, "private": False, **({"run_as_system": True} if name in system else {})} for name in FUNCTIONS])
    for name, source in FUNCTIONS.items():
        (folder / f"functions/{name}.js").write_text(source)
    write_json(folder / "data_sources/main/config.json", source_config("main"))
    for number, space in enumerate(spaces):
        write_space(folder / "data_sources", number, space)


def source_config(name):
    return {"name": name, "type": "mongodb-atlas",
            "config": {"clusterName": "Cluster0", "readPreference": "primary", "wireProtocolEnabled": True}}


def email_of(number):
    return f"u{number}@example.org"


def source_of(number, space):
    return f"default{number}" if space["kind"] == "default" else "main"


def write_space(folder, number, space):
    rules = {"roles": to_json(space["roles"]), "filters": to_json(space["filters"])}
    collection = folder / source_of(number, space) / DATABASE / f"c{number}"
    if space["kind"] == "default":
        write_json(folder / source_of(number, space) / "config.json", source_config(source_of(number, space)))
        write_json(folder / source_of(number, space) / "default_rule.json", rules)
    elif space["kind"] == "own":
        write_json(collection / "rules.json", {"database": DATABASE, "collection": f"c{number}", **rules})
    if space["schema"]:
        write_json(collection / "schema.json", to_json(space["schema"]))


class Stage:
    """One run of the server with these spaces."""

    def __init__(self, binary, spaces):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="restitch-oracle-"))
        write_app(self._folder / "app", spaces)
        self._process = RestitchProcess(binary, str(self._folder / "data"), [str(self._folder / "app")],
                                        ["--slow-ms", "-1", "--wire", "127.0.0.1:0", "--wire-auth"])
        try:
            self._process.wait_until_ready()
        except StartFailed:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._connection = http.client.HTTPConnection("127.0.0.1", self._process.port, timeout=60)
        self._wire = WireDoor(self._process.wire_port, APP, PASSWORD)
        self._tokens = []
        self.ids = {}
        self._make_users()
        self.users = [self._user(number) for number in range(generate.USERS)]

    def _make_users(self):
        for number in range(generate.USERS):
            self._sign_in(number)
        people = [{"_id": f"p{number}", "user": f"@u{number}", **data}
                  for number, data in enumerate(generate.CUSTOM_DATA)]
        self.fill("main", "people", people)
        self._tokens = []
        for number in range(generate.USERS):  # custom data comes with the next token
            self._sign_in(number)

    def _sign_in(self, number):
        last = number == generate.USERS - 1
        if last and "@u3" in self.ids:
            answer = self._post("/auth/session", None, self._refresh, raw_path=True)
            self._tokens.append(answer["access_token"])
            return
        if last:
            answer = self._post("/auth/providers/anon-user/login", {})
            self._refresh = answer["refresh_token"]
        else:
            email = email_of(number)
            if f"@u{number}" not in self.ids:
                self._post("/auth/providers/local-userpass/register", {"email": email, "password": PASSWORD})
            answer = self._post("/auth/providers/local-userpass/login", {"username": email, "password": PASSWORD})
        self._tokens.append(answer["access_token"])
        self.ids[f"@u{number}"] = answer["user_id"]

    def _user(self, number):
        known = {"id": self.ids[f"@u{number}"], "type": "normal", "data": {}, "custom_data": {}}
        if number < len(generate.CUSTOM_DATA):
            known["custom_data"] = self.named({"_id": f"p{number}", "user": f"@u{number}",
                                               **generate.CUSTOM_DATA[number]})
        if number < generate.USERS - 1:
            known["data"] = {"email": email_of(number)}
        return known

    def named(self, value):
        """With users' ids in place of their names."""
        if isinstance(value, dict):
            return {name: self.named(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.named(member) for member in value]
        return self.ids.get(value, value) if isinstance(value, str) else value

    def _post(self, path, body, token=None, raw_path=False):
        status, text = self._send(path, body, token, raw_path)
        if status >= 300:
            raise RuntimeError(f"{path}: {status} {text}")
        return json.loads(text) if text else None

    def _send(self, path, body, token=None, raw_path=False):
        root = "/api/client/v2.0" if raw_path else f"/api/client/v2.0/app/{APP}"
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._connection.request("POST", root + path, None if body is None else json.dumps(body), headers)
        response = self._connection.getresponse()
        return response.status, response.read().decode()

    def _call(self, number, name, *arguments):
        return from_json(self._post("/functions/call", {"name": name, "arguments": to_json(list(arguments))},
                                    self._tokens[number]))

    def fill(self, source, collection, documents):
        self._call(0, "fill", source, collection, self.named(documents))

    def change(self, source, collection, models):
        """As the system, one after the other; one that fails changes nothing."""
        self._call(0, "change", source, collection, self.named(models))

    def watch(self, source, collection, operation):
        """(the open stream, None) or (None, (error_code, text))"""
        arguments = self.named({name: operation["arguments"][name] for name in ("filter", "ids")
                                if name in operation["arguments"]})
        body = {"name": "watch", "service": source,
                "arguments": [to_json({"database": DATABASE, "collection": collection, **arguments})]}
        path = watch_path(APP, body, token=self._tokens[operation["user"]])
        try:
            return EventStream(self._process.port, path, []), None
        except NotOpened as refusal:
            return None, (refusal.body.get("error_code"), refusal.body.get("error", ""))

    def dump(self, source, collection):
        return self._call(0, "dump", source, collection)

    def run(self, source, collection, operation):
        """(result, None, text) or (None, (error_code or None, text), text): `text` is the whole answer."""
        arguments = self.named(operation["arguments"])
        if operation["door"] == "wire":
            return self._wire.run(email_of(operation["user"]), source, DATABASE, collection, operation["action"], arguments)
        if operation["door"] == "client":
            body = {"name": operation["action"], "service": source,
                    "arguments": [to_json({"database": DATABASE, "collection": collection, **arguments})]}
        else:
            body = {"name": "act", "arguments": to_json([source, collection, operation["action"], arguments])}
        status, text = self._send("/functions/call", body, self._tokens[operation["user"]])
        answer = json.loads(text)
        if status != 200:
            return None, (answer.get("error_code"), answer.get("error", "")), text
        answer = from_json(answer)
        if operation["door"] == "client":
            return answer, None, text
        if "failed" in answer:
            return None, (None, answer["failed"]), text
        return answer.get("done"), None, text

    def close(self):
        self._wire.close()
        code = self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        if code != 0:
            raise RuntimeError(f"the server ended with {code}\n{self._process.log_tail()}")

    def log_tail(self):
        return self._process.log_tail(8)
