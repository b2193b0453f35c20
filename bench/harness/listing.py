"""A page of documents through an index, under a filter."""

from harness import load
from harness.processes import free_port
from harness.rest import UnexpectedAnswer
from harness.restitch import Restitch
from peers.system import LISTED

COLLECTION = "listed"


class RestitchListing(Restitch):
    workloads = {"list"}

    def __init__(self, context):
        super().__init__(context)
        self.wire_port = free_port()

    def command(self):
        command, env = super().command()
        return [*command, "--wire", f"127.0.0.1:{self.wire_port}"], env

    def load_documents(self, count):
        super().load_documents(count, collection=COLLECTION)
        load.index_by_wire(self.context, self.wire_port, COLLECTION, "amount")

    def list_request(self, amount):
        arguments = {
            "database": "bench",
            "collection": COLLECTION,
            "query": {"amount": {"$gte": {"$numberInt": str(amount)}}},
            "sort": {"amount": {"$numberInt": "1"}},
            "limit": {"$numberInt": str(LISTED)},
            "project": {"title": 1, "amount": 1},
        }
        return {**self.action("find", arguments), "expect": '"amount"'}

    def probe(self, request):
        answer = self.client.send(request)
        if len(answer) != LISTED or set(answer[0]) != {"_id", "title", "amount"}:
            raise UnexpectedAnswer(f"not {LISTED} documents of three fields: {str(answer)[:300]}")
