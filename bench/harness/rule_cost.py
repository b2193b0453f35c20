"""What rules cost: the same read under rules of growing weight."""

import json
import shutil

from harness.restitch import Restitch

READABLE = {"read": True, "write": False}
OF_OWNER = {
    "fields": {
        **{name: READABLE for name in ("title", "body", "amount", "rating")},
        "internal": {"read": False, "write": False},
    },
    "additional_fields": READABLE,
}
OWNED = {"owner": "%%user.id"}
OWNED_BY_FUNCTION = {
    "%%true": {"%function": {"name": "isOwner", "arguments": ["%%root.owner", "%%user.id"]}}
}


def _role(name, apply_when, **rest):
    return {"name": name, "apply_when": apply_when, **rest}


def _owner_after(others):
    """Roles of which the last applies, to the owner's documents."""
    strangers = [
        _role(f"stranger{number}", {"category": f"no-such-category-{number}"}, read=True)
        for number in range(others)
    ]
    return [*strangers, _role("owner", OWNED, **OF_OWNER)]


ROLES_OF = {
    "no condition": [_role("all", {}, read=True)],
    "1 role": _owner_after(0),
    "5 roles": _owner_after(4),
    "20 roles": _owner_after(19),
    "document filter": [_role("owner", {}, document_filters={"read": OWNED}, **OF_OWNER)],
    "function in a role": [_role("owner", OWNED_BY_FUNCTION, **OF_OWNER)],
}


def _collection_of(workload):
    return workload.replace(" ", "_")


class RestitchUnderRules(Restitch):
    workloads = set(ROLES_OF)

    def command(self):
        command, env = super().command()
        app = self.context.work_dir / "rule-cost-app"
        if not app.exists():
            self._write_app(app)
        command[command.index("--app") + 1] = app
        return command, env

    def load_documents(self, count):
        for workload in ROLES_OF:
            super().load_documents(count, collection=_collection_of(workload))

    def requests(self, workload):
        collection = _collection_of(workload)
        return [self.read_request_of(collection, number) for number in range(self.documents)]

    def probe(self, request):
        self.client.send(request)

    def _write_app(self, app):
        """The benchmarks' app with a collection for each set of roles."""
        shutil.copytree(self.context.bench_dir / "app", app)
        for workload, roles in ROLES_OF.items():
            name = _collection_of(workload)
            folder = app / "data_sources" / "mongodb-atlas" / "bench" / name
            folder.mkdir()
            rules = {"database": "bench", "collection": name, "roles": roles, "filters": []}
            (folder / "rules.json").write_text(json.dumps(rules))
