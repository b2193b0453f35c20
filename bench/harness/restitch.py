"""Restitch itself, driven only through its client API as the SDKs do."""

from harness.documents import fields_of
from harness.rest import UnexpectedAnswer, json_post
from peers.installer import Unavailable, program_version
from peers.system import HttpSystem

APP_ID = "bench-speed"  # as in bench/app/.mdb/meta.json
API = f"/api/client/v2.0/app/{APP_ID}"
EMAIL = "owner@bench.example"
PASSWORD = "bench-password"
LOAD_BATCH = 1000


def _oid(number):
    return {"$oid": f"65a000000000000000{number:06x}"}


def _extended_json(fields):
    return {
        name: {"$numberInt": str(value)} if isinstance(value, int) else value
        for name, value in fields.items()
    }


def require_built(context):
    if not context.programs.restitch.exists():
        raise Unavailable("the restitch program is not built")


class Restitch(HttpSystem):
    name = "restitch"
    workloads = {"read", "write", "sum", "read in function"}
    durability = "embedded cluster, log synced before the answer (group commit)"
    health_path = "/readyz"

    def install(self):
        require_built(self.context)

    def command(self):
        listen = f"127.0.0.1:{self.port}"
        app = self.context.bench_dir / "app"
        program = self.context.programs.restitch
        return [program, "serve", "--data", self.data_dir, "--listen", listen, "--app", app], {}

    def sign_in(self):
        provider = f"{API}/auth/providers/local-userpass"
        self.client.post(f"{provider}/register", {"email": EMAIL, "password": PASSWORD})
        session = self.client.post(f"{provider}/login", {"username": EMAIL, "password": PASSWORD})
        self._owner = session["user_id"]
        self._headers = {"Authorization": f"Bearer {session['access_token']}"}

    def load_documents(self, count, first_number=0, collection="items"):
        """Loads through the app's system function: no client role may write the hidden field."""
        end = first_number + count
        for first in range(first_number, end, LOAD_BATCH):
            numbers = range(first, min(first + LOAD_BATCH, end))
            documents = [
                {"_id": _oid(number), **_extended_json(fields_of(number, self._owner))}
                for number in numbers
            ]
            self.client.send(self.call_request({"name": "load", "arguments": [collection, documents]}))

    def probe(self, request):
        answer = self.client.send(request)
        if isinstance(answer, dict) and "title" in answer and "internal" in answer:
            raise UnexpectedAnswer("the answer shows a field that the role hides")

    def read_request(self, number):
        return self.read_request_of("items", number)

    def read_request_of(self, collection, number):
        arguments = {"database": "bench", "collection": collection, "query": {"_id": _oid(number)}}
        return {**self.action("findOne", arguments), "expect": _oid(number)["$oid"]}

    def write_request(self, number):
        document = _extended_json(fields_of(number, self._owner))
        arguments = {"database": "bench", "collection": "writes", "document": document}
        return {**self.action("insertOne", arguments), "expect": "insertedId"}

    def sum_request(self, a, b):
        call = {"name": "sum", "arguments": [{"$numberInt": str(a)}, {"$numberInt": str(b)}]}
        return {**self.call_request(call), "expect": f'{{"$numberInt":"{a + b}"}}'}

    def function_read_request(self, number):
        call = {"name": "readOne", "arguments": [_oid(number)]}
        return {**self.call_request(call), "expect": _oid(number)["$oid"]}

    def version(self):
        return program_version([self.context.programs.restitch, "--version"])

    def action(self, name, arguments):
        return self.call_request({"name": name, "service": "mongodb-atlas", "arguments": [arguments]})

    def call_request(self, call):
        return json_post(f"{API}/functions/call", call, self._headers)
