"""The way in by MongoDB's wire protocol, as an app user with a driver: operations as commands, replies as client results."""

import json
import urllib.parse

from python_packages import provide_packages
from values import MISSING, from_json, to_json

provide_packages()

import pymongo  # noqa: E402
from bson import json_util  # noqa: E402
from pymongo.errors import OperationFailure  # noqa: E402

REFUSALS = {13: "NoMatchingRuleFound", 121: "SchemaValidationFailedWrite"}
DUPLICATE_KEY = 11000


def find(arguments, single=False):
    made = {"filter": arguments["query"]}
    for name, option in (("project", "projection"), ("sort", "sort"), ("limit", "limit")):
        if name in arguments:
            made[option] = arguments[name]
    return {**made, "limit": 1} if single else made


def update(arguments, many):
    return {"updates": [{"q": arguments["query"], "u": arguments["update"], "multi": many,
                         "upsert": arguments.get("upsert", False)}]}


def delete(arguments, limit):
    return {"deletes": [{"q": arguments["query"], "limit": limit}]}


# Of an action: the command, and its members.
COMMANDS = {
    "find": ("find", find),
    "findOne": ("find", lambda a: find(a, single=True)),
    "count": ("count", lambda a: {"query": a["query"]}),
    "distinct": ("distinct", lambda a: {"key": a["key"], "query": a["query"]}),
    "aggregate": ("aggregate", lambda a: {"pipeline": a["pipeline"], "cursor": {}}),
    "insertOne": ("insert", lambda a: {"documents": [a["document"]]}),
    "insertMany": ("insert", lambda a: {"documents": a["documents"]}),
    "updateOne": ("update", lambda a: update(a, False)),
    "updateMany": ("update", lambda a: update(a, True)),
    "deleteOne": ("delete", lambda a: delete(a, 1)),
    "deleteMany": ("delete", lambda a: delete(a, 0)),
}


class WireDoor:
    def __init__(self, port, app, password):
        self._port, self._app, self._password = port, app, password
        self._clients = {}

    def _client(self, email, source):
        if (email, source) not in self._clients:
            uri = (f"mongodb://{urllib.parse.quote_plus(email)}:{urllib.parse.quote_plus(self._password)}"
                   f"@127.0.0.1:{self._port}/?authMechanism=PLAIN&authSource=%24external"
                   f"&appName={self._app}:{source}:local-userpass&directConnection=true")
            self._clients[email, source] = pymongo.MongoClient(uri, serverSelectionTimeoutMS=10_000)
        return self._clients[email, source]

    def run(self, email, source, database, collection, action, arguments):
        """(result, None, text) or (None, (error_code or None, text), text): `text` is the whole answer."""
        name, members = COMMANDS[action]
        command = json_util.loads(json.dumps({name: collection, **to_json(members(arguments))}),
                                  json_options=json_util.CANONICAL_JSON_OPTIONS)
        try:
            reply = self._client(email, source)[database].command(command)
        except OperationFailure as failure:
            return None, refusal(failure.code, str(failure)), str(failure.details)
        reply = {name: value for name, value in reply.items() if name not in ("$clusterTime", "operationTime")}
        text = json_util.dumps(reply, json_options=json_util.CANONICAL_JSON_OPTIONS)
        reply = from_json(json.loads(text))
        for error in reply.get("writeErrors", []):
            return None, refusal(error["code"], error["errmsg"]), text
        return result_of(action, reply, arguments), None, text

    def close(self):
        for client in self._clients.values():
            client.close()


def refusal(code, text):
    if code == DUPLICATE_KEY:
        return "MongoDBError", "Duplicate key error: " + text
    return REFUSALS.get(code), text


def result_of(action, reply, arguments):
    """What the client API answers for it."""
    if action in ("find", "aggregate"):
        return reply["cursor"]["firstBatch"]
    if action == "findOne":
        return next(iter(reply["cursor"]["firstBatch"]), None)
    if action == "distinct":
        return reply["values"]
    if action == "insertOne":
        return {"insertedId": arguments["document"]["_id"]} if reply["n"] == 1 else MISSING
    if action == "insertMany":
        documents = arguments["documents"]
        return {"insertedIds": [one["_id"] for one in documents]} if reply["n"] == len(documents) else MISSING
    if action.startswith("update"):
        upserted = [one["_id"] for one in reply.get("upserted", [])]
        counted = {"matchedCount": reply["n"] - len(upserted), "modifiedCount": reply["nModified"]}
        return {**counted, "upsertedId": upserted[0]} if upserted else counted
    return {"deletedCount": reply["n"]} if action.startswith("delete") else reply["n"]
