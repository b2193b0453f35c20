"""Who may do what: filters, roles, field permissions, schemas and the operations under them, written from the specification
of the rules and nothing else. Slow and plain on purpose."""

import copy

from expressions import Failed, Scope, Unresolved, holds, truth, value_of, walk
from mongo import (CommandFailed, fixed_fields, is_replacement, matches, project, put, run_pipeline, sort, updated)
from values import MISSING, Long, Oid, Uuid, identical, is_number, same, texts


class Refused(Exception):
    """The operation fails as a whole: `code` is the client's error_code, `text` what its message must hold."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


# ---- Roles, for one document.


def role_of(roles, scope):
    for role in roles:
        if "apply_when" in role and holds(role["apply_when"], scope):
            return role
    return None


def reading(world, user, document):
    return Scope(world, user, document, document)


def visible(role, scope):
    """The part of a stored document that the role may read; None when the document is withheld."""
    document = scope.root
    if "document_filters" in role:
        gates = role["document_filters"]
        may_read = holds(gates.get("read", True), scope)
        may_write = "write" in gates and holds(gates["write"], scope)
        if not may_read and not may_write:
            return None
    if holds(role.get("read", False), scope) or holds(role.get("write", False), scope):
        return document
    part = readable_members(role, document, scope)
    return part or None


def rule_of(level, name):
    if name in level.get("fields", {}):
        return level["fields"][name]
    return level.get("additional_fields", {})


def readable_members(level, document, scope, read=None, write=None):
    """`read` and `write` are what a level above has decided, or None."""
    part = {}
    for name, value in document.items():
        shown = readable_value(rule_of(level, name), value, scope, read, write)
        if shown is not MISSING:
            part[name] = shown
    return part


def readable_value(rule, value, scope, read, write):
    here = scope.at_field(value, value)
    if read is None and "read" in rule:
        read = holds(rule["read"], here)
    if write is None and "write" in rule:
        write = holds(rule["write"], here)
    if read or write:
        return value
    if (read is not None and write is not None) or "fields" not in rule:
        return MISSING
    return descended(rule, value, scope, read, write)


def descended(rule, value, scope, read, write):
    if isinstance(value, dict):
        return readable_members(rule, value, scope, read, write) or MISSING
    if isinstance(value, list):
        elements = [readable_members(rule, element, scope, read, write)
                    for element in value if isinstance(element, dict)]
        return elements if any(elements) else MISSING
    return MISSING


def may_write(role, scope, before, after):
    """Whether everything that differs between the two (MISSING: there is none) may be written."""
    gates = role.get("document_filters", {})
    if not holds(gates.get("write", True), scope):
        return False
    if holds(role.get("write", False), scope):
        return True
    return writable_members(role, scope, {} if before is MISSING else before, {} if after is MISSING else after)


def writable_members(level, scope, before, after):
    for name in list(before) + [name for name in after if name not in before]:
        old, new = before.get(name, MISSING), after.get(name, MISSING)
        if not unchanged(old, new) and not writable_value(rule_of(level, name), scope, old, new):
            return False
    return True


def unchanged(old, new):
    return (old is MISSING and new is MISSING) or identical(old, new)


def writable_value(rule, scope, old, new):
    if "write" in rule:
        return holds(rule["write"], scope.at_field(old if scope.is_deletion else new, old))
    if "fields" not in rule:
        return False
    sides = [side for side in (old, new) if side is not MISSING]
    if len(sides) == 1 and not sides[0]:
        return False  # an empty container holds nothing that a permission speaks of
    if all(isinstance(side, dict) for side in sides):
        return writable_members(rule, scope, *({} if side is MISSING else side for side in (old, new)))
    if all(isinstance(side, list) for side in sides):
        olds, news = ([] if side is MISSING else side for side in (old, new))
        for index in range(max(len(olds), len(news))):
            pair = [side[index] if index < len(side) else MISSING for side in (olds, news)]
            if unchanged(*pair):
                continue
            if not all(side is MISSING or isinstance(side, dict) for side in pair):
                return False
            if not writable_members(rule, scope, *({} if side is MISSING else side for side in pair)):
                return False
        return True
    return False


# ---- Schemas.

TYPES = {"string": str, "object": dict, "array": list, "objectId": Oid, "uuid": Uuid}


def is_type(value, name):
    if name == "int":
        return is_number(value) and not isinstance(value, float) and -2**31 <= value < 2**31
    if name == "long":
        return is_number(value) and not isinstance(value, float)
    if name == "double":
        return isinstance(value, float)
    if name == "number":
        return is_number(value)
    if name == "bool":
        return isinstance(value, bool)
    if name == "null":
        return value is None
    return isinstance(value, TYPES[name])


def conforms(schema, value, prev, scope):
    if "bsonType" in schema:
        names = schema["bsonType"] if isinstance(schema["bsonType"], list) else [schema["bsonType"]]
        if value is not MISSING and not any(is_type(value, name) for name in names):
            return False
    if "enum" in schema and value is not MISSING and not any(same(value, one) for one in schema["enum"]):
        return False
    if is_number(value):
        if "minimum" in schema and value < schema["minimum"] or "maximum" in schema and value > schema["maximum"]:
            return False
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        return False
    if isinstance(value, list) and "items" in schema:
        if not all(conforms(schema["items"], element, MISSING, scope) for element in value):
            return False
    if "validate" in schema and not holds(schema["validate"], scope.at_field(value, prev)):
        return False
    return not isinstance(value, dict) or members_conform(schema, value, prev, scope)


def members_conform(schema, document, prev, scope):
    properties = schema.get("properties", {})
    if any(name not in document for name in schema.get("required", [])):
        return False
    if schema.get("additionalProperties") is False and any(name not in properties for name in document):
        return False
    before = prev if isinstance(prev, dict) else {}
    return all(conforms(part, document.get(name, MISSING), before.get(name, MISSING), scope)
               for name, part in properties.items() if name in document or "validate" in part)


# ---- Operations of one user on one collection.


class Collection:
    """The stored documents and their rules. Operations change `documents` as the server must."""

    def __init__(self, world, roles, filters, schema, documents):
        self.world, self.roles, self.filters, self.schema = world, roles, filters, schema
        self.documents = copy.deepcopy(documents)

    def run(self, user, action, arguments):
        """The client's result. Refused leaves the documents as they were."""
        return Run(self, user, copy.deepcopy(arguments)).run(action)

    def visible_texts_of(self, user):
        found = set()
        for document in self.documents:
            scope = reading(self.world, user, document)
            role = role_of(self.roles, scope)
            part = visible(role, scope) if role else None
            if part:
                found.update(texts(part))
        return found


class Run:
    def __init__(self, collection, user, arguments):
        self.collection, self.user, self.arguments = collection, user, arguments
        self.world, self.roles = collection.world, collection.roles
        self.queries, self.projections = [], []

    def run(self, action):
        if action == "bulkWrite":
            return self.bulk_write()
        if not action.startswith("insert"):
            self.apply_filters()
        return getattr(self, action)()

    # -- filters

    def apply_filters(self):
        scope = Scope(self.world, self.user, MISSING, MISSING)
        for one in self.collection.filters:
            applies = truth(one["apply_when"], scope)
            if applies is None:
                raise Refused("FunctionExecutionError", "")
            if applies:
                self.queries.append(filled(one.get("query", {}), scope))
                self.projections.append(one.get("projection", {}))
        ways = {bool(value) for projection in self.projections for name, value in projection.items() if name != "_id"}
        if len(ways) > 1:
            raise Refused("InvalidParameter", "filters")

    def query(self, name="query"):
        return {"$and": [self.arguments.get(name, {}), *self.queries]}

    def show(self, part, projection):
        """A readable part as the filters and the request want it."""
        merged = {}
        for one in self.projections:
            merged.update({name: value for name, value in one.items() if name not in merged or value in (0, False)})
        return project(project(part, merged), projection)

    # -- reads

    def part_of(self, document):
        scope = reading(self.world, self.user, document)
        role = role_of(self.roles, scope)
        return visible(role, scope) if role else None

    def readable(self, name="query"):
        for document in sort(self.collection.documents, self.arguments.get("sort", {})):
            if matches(document, self.query(name)):
                part = self.part_of(document)
                if part is not None:
                    yield part

    def find(self):
        parts = list(self.readable())
        parts = parts[self.arguments.get("skip", 0):]
        limit = self.arguments.get("limit", 0)
        return [self.show(part, self.arguments.get("project")) for part in (parts[:limit] if limit else parts)]

    def findOne(self):
        return next((self.show(part, self.arguments.get("project")) for part in self.readable()), None)

    def count(self):
        number = len(list(self.readable()))
        limit = self.arguments.get("limit", 0)
        return Long(min(number, limit) if limit else number)

    def distinct(self):
        found = []
        for part in self.readable():
            for value in walk(self.show(part, None), self.arguments["key"].split(".")):
                for one in value if isinstance(value, list) else [value]:
                    if not any(same(one, other) for other in found):
                        found.append(one)
        return found

    def aggregate(self):
        return run_pipeline([self.show(part, None) for part in self.readable()], self.arguments["pipeline"])

    # -- inserts

    def check_insert(self, document):
        scope = Scope(self.world, self.user, document, MISSING)
        role = role_of(self.roles, scope)
        if role is None or not may_write(role, scope, MISSING, document) or not holds(role.get("insert", True), scope):
            raise Refused("NoMatchingRuleFound", "insert not permitted")
        self.check_schema(document, MISSING, "insert")

    def check_schema(self, document, before, what):
        schema = self.collection.schema
        if schema and not conforms(schema, document, before, Scope(self.world, self.user, document, before)):
            raise Refused("SchemaValidationFailedWrite", f"{what} not permitted")

    def check_deletion(self, document):
        """Only `validate` expressions that look at the state before are asked."""
        scope = reading(self.world, self.user, document)
        for name, part in (self.collection.schema or {}).get("properties", {}).items():
            if "%%prev" in str(part.get("validate")):
                value = document.get(name, MISSING)
                if not holds(part["validate"], scope.at_field(value, value)):
                    raise Refused("SchemaValidationFailedWrite", "delete not permitted")

    def store(self, documents):
        """In order; as in MongoDB those before a duplicate stay."""
        for document in documents:
            if any(same(document["_id"], one["_id"]) for one in self.collection.documents):
                raise Refused("MongoDBError", "Duplicate key error")
            self.collection.documents.append(document)

    def insertOne(self):
        self.check_insert(self.arguments["document"])
        self.store([id_first(self.arguments["document"])])
        return {"insertedId": self.arguments["document"]["_id"]}

    def insertMany(self):
        failures = []
        for document in self.arguments["documents"]:
            try:
                self.check_insert(document)
            except Refused as refused:
                failures.append(refused)
        if failures:
            raise next((one for one in failures if one.code == "NoMatchingRuleFound"), failures[0])
        self.store([id_first(document) for document in self.arguments["documents"]])
        return {"insertedIds": [document["_id"] for document in self.arguments["documents"]]}

    # -- updates and deletions

    def write_matching(self, change, many, name="query"):
        """[(index, before, after)] of the documents that count as matched; `after` is MISSING for a deletion."""
        chosen = []
        for document in sort(self.collection.documents, self.arguments.get("sort", {})):
            if not matches(document, self.query(name)):
                continue
            scope = reading(self.world, self.user, document)
            role = role_of(self.roles, scope)
            if role is None:
                continue
            try:
                after = self.decide(role, document, change)
            except Refused:
                if visible(role, scope) is None:
                    continue
                raise
            if after is None:
                continue
            chosen.append((document, after))
            if not many:
                break
        for before, after in chosen:
            if after is MISSING:
                self.check_deletion(before)
            elif after is not before:
                self.check_schema(after, before, "update")
        return chosen

    def decide(self, role, before, change):
        """The document after the change; None when it must look as if it were not there."""
        if change is MISSING:
            scope = reading(self.world, self.user, before)
            scope.is_deletion = True
            if may_write(role, scope, before, MISSING) and holds(role.get("delete", True), scope):
                return MISSING
            raise Refused("NoMatchingRuleFound", "delete not permitted")
        try:
            after = updated(before, change)
        except CommandFailed:
            raise Refused("MongoDBError", "") from None
        if "_id" in change.get("$set", {}) and not same(after["_id"], before["_id"]):
            raise Refused("MongoDBError", "")
        if identical(before, after):
            if visible(role, reading(self.world, self.user, before)) is None:
                return None
            return after if is_replacement(change) else before  # MongoDB counts a replacement as a change
        gate = role.get("document_filters", {}).get("write", True)  # holds before and after
        if not holds(gate, reading(self.world, self.user, before)) or not may_write(
                role, Scope(self.world, self.user, after, before), before, after):
            raise Refused("NoMatchingRuleFound", "update not permitted")
        return after

    def keep(self, chosen):
        for before, after in chosen:
            index = next(index for index, one in enumerate(self.collection.documents) if one is before)
            if after is MISSING:
                del self.collection.documents[index]
            else:
                self.collection.documents[index] = after

    def upserted(self, update, name="query"):
        try:
            base = fixed_fields(self.query(name))
        except CommandFailed:
            base = fixed_fields(self.arguments.get(name, {}))
        if is_replacement(update):
            document = {"_id": base["_id"]} if "_id" in base else {}
        else:
            document = {}
            for path, value in sorted(base.items()):
                put(document, path, value)
        try:
            document = id_first(updated(document, update, True))
        except CommandFailed:
            raise Refused("MongoDBError", "") from None
        if "_id" not in document:
            document = {"_id": update.get("_id", NEW_ID), **document}
        self.check_insert(document)
        self.store([document])
        return document

    def update(self, many):
        update = self.arguments["update"]
        chosen = self.write_matching(update, many)
        if not chosen and self.arguments.get("upsert"):
            return {"matchedCount": 0, "modifiedCount": 0, "upsertedId": self.upserted(update)["_id"]}
        self.keep(chosen)
        changed = [pair for pair in chosen if pair[0] is not pair[1]]
        return {"matchedCount": len(chosen), "modifiedCount": len(changed)}

    def updateOne(self):
        return self.update(False)

    replaceOne = updateOne

    def updateMany(self):
        return self.update(True)

    def delete(self, many):
        chosen = self.write_matching(MISSING, many)
        self.keep(chosen)
        return {"deletedCount": len(chosen)}

    def deleteOne(self):
        return self.delete(False)

    def deleteMany(self):
        return self.delete(True)

    def returned(self, document):
        part = self.part_of(document)
        return None if part is None else self.show(part, self.arguments.get("projection"))

    def findOneAndUpdate(self):
        update, wants_new = self.arguments["update"], self.arguments.get("returnNewDocument")
        chosen = self.write_matching(update, False, "filter")
        if not chosen:
            new = self.upserted(update, "filter") if self.arguments.get("upsert") else None
            return self.returned(new) if new and wants_new else None
        self.keep(chosen)
        return self.returned(chosen[0][1 if wants_new else 0])

    findOneAndReplace = findOneAndUpdate

    def findOneAndDelete(self):
        chosen = self.write_matching(MISSING, False, "filter")
        self.keep(chosen)
        return self.returned(chosen[0][0]) if chosen else None

    def bulk_write(self):
        first = None
        for model in self.arguments["operations"]:
            (name, what), = model.items()
            arguments = {"query" if key == "filter" else "update" if key == "replacement" else key: value
                         for key, value in what.items()}
            try:
                self.collection.run(self.user, name, arguments)
            except Refused as refused:
                if self.arguments["ordered"]:
                    raise
                first = first or refused
        if first:
            raise first
        return None


NEW_ID = Oid("0" * 24)  # stands for an _id that the server makes


def id_first(document):
    return {"_id": document["_id"], **document} if "_id" in document else document


def filled(template, scope):
    """A filter's query with its expansions and conversions replaced."""
    if isinstance(template, dict):
        if len(template) == 1 and next(iter(template)).startswith("%"):
            try:
                return value_of(template, scope)
            except (Failed, Unresolved):
                raise Refused("FunctionExecutionError", "") from None
        return {name: filled(value, scope) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, scope) for value in template]
    return value_of(template, scope) if isinstance(template, str) else template
