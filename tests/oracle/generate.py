"""Random rule sets, documents and operations. Users are written @u0 to @u3 until their ids are known."""

import itertools

from values import Long, Oid

USERS = 4
TEAMS = ["red", "blue", "green"]
OIDS = ["5f4863e4d49bd2191ff1e623", "5f4863e4d49bd2191ff1e624"]
CUSTOM_DATA = [  # of the users; the last one has none
    {"team": "red", "level": 3, "manages": ["@u1", "@u2"], "oidHex": OIDS[0], "oid": Oid(OIDS[0]), "vip": True,
     "teams": ["red", "blue"], "address": {"city": "Bern", "zip": 3000}},
    {"team": "blue", "level": 1, "manages": [], "oidHex": "no object id at all", "vip": False, "teams": ["green"]},
    {"team": "green", "level": 7, "manages": ["@u0"], "oidHex": OIDS[1], "vip": "yes"},
]
VALUES = {"teams": ["red", "green"], "limit": 3, "none": [], "name": "blue"}
ENVIRONMENT = {"tag": "qa", "values": {"region": "eu", "level": 2}}


class Generator:
    def __init__(self, random):
        self.random = random
        self.marks = itertools.count(1)

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    def mark(self):
        """A text that is nowhere else, so that it can be found where it must not be."""
        return f"zq{next(self.marks)}z"

    # ---- documents

    def user(self):
        return f"@u{self.random.randrange(USERS)}"

    def number(self):
        number = self.random.randrange(0, 7)
        return self.pick(number, number, Long(number), float(number) + self.pick(0.0, 0.5))

    def document(self, identity):
        made = {"_id": identity, "owner": self.user()}
        if self.chance(0.85):
            made["team"] = self.pick(*TEAMS)
        if self.chance(0.9):
            made["n"] = self.number() if self.chance(0.9) else self.pick("five", None)
        if self.chance(0.7):
            made["tags"] = [self.pick("t", "s", self.user()) for _ in range(self.random.randrange(4))]
        made["secret"] = self.mark()
        made["pub"] = self.mark()
        if self.chance(0.8):
            made["priv"] = {"a": self.mark(), "b": self.pick(self.number(), self.mark())}
            if self.chance(0.4):
                made["priv"]["deep"] = {"x": self.mark(), "y": self.number()}
        if self.chance(0.6):
            made["items"] = [{"k": self.mark(), "q": self.random.randrange(5)}
                             for _ in range(self.random.randrange(3))]
        if self.chance(0.3):
            made["oid"] = Oid(self.pick(*OIDS))
        if self.chance(0.4):
            made["flag"] = self.pick(True, False, None)
        return made

    # ---- expressions

    def expression(self, place, depth=2):
        """`place`: role, field or filter."""
        if self.chance(0.22):
            return self.pick(True, True, False, {})
        if depth > 0 and self.chance(0.3):
            sign = self.pick("%", "$")
            name = self.pick("and", "or", "or", "nor", "not")
            if name == "not":
                return {sign + name: self.expression_object(place, depth - 1)}
            return {sign + name: [self.expression_object(place, depth - 1)
                                  for _ in range(self.random.randrange(1, 4))]}
        members = dict(self.leaf(place) for _ in range(self.pick(1, 1, 1, 2)))
        return members

    def expression_object(self, place, depth):
        made = self.expression(place, depth)
        return made if isinstance(made, dict) else {"%%true": made}

    def sign(self, name):
        return self.pick("%", "$") + name

    def leaf(self, place):
        static = self.static_leaf
        if place == "filter" or self.chance(0.3):
            return static()
        if place == "field" and self.chance(0.35):
            return self.field_leaf()
        return self.document_leaf()

    def static_leaf(self):
        sign = self.sign
        return self.random.choice([
            lambda: ("%%user.custom_data.team", self.pick(*TEAMS)),
            lambda: ("%%user.custom_data.level", {sign(self.pick("gt", "gte", "lt", "lte")): self.random.randrange(8)}),
            lambda: ("%%user.custom_data.level", {sign("gte"): "%%values.limit"}),
            lambda: ("%%user.custom_data.team", {sign(self.pick("in", "nin")): "%%values.teams"}),
            lambda: ("%%user.custom_data.team", {sign("in"): ["red", None, "%%values.name"]}),
            lambda: ("%%user.custom_data.teams", self.pick("%%values.name", "red", {sign("all"): ["red"]})),
            lambda: ("%%user.custom_data", {"team": self.pick(*TEAMS)}),
            lambda: ("%%user.custom_data", {"level": {sign("gt"): 2}, "vip": True}),
            lambda: ("%%user.custom_data.address.city", self.pick("Bern", "Wien")),
            lambda: ("%%user.custom_data.team", {sign("exists"): self.pick(True, False)}),
            lambda: ("%%user.custom_data.nope", self.pick(None, "%%user.custom_data.missing", {sign("ne"): "x"})),
            lambda: ("%%user.data.email", {sign("exists"): self.pick(True, False)}),
            lambda: ("%%user.type", self.pick("normal", "server")),
            lambda: ("%%true", "%%user.custom_data.vip"),
            lambda: (self.pick("%%true", "%%false"), self.pick(True, False)),
            lambda: ("%%environment.tag", self.pick("qa", "production")),
            lambda: ("%%environment.values.region", {sign(self.pick("eq", "ne")): "eu"}),
            lambda: ("%%values.none", {sign("in"): ["x"]}),
            lambda: ("%%user.custom_data.oid", {"%stringToOid": "%%user.custom_data.oidHex"}),
            lambda: (self.pick("%%true", "%%false"), self.function(static=True)),
            lambda: ("%%user.custom_data.team", self.function(static=True, name="team")),
        ])()

    def function(self, static, name=None):
        if name == "team":
            return {"%function": {"name": "homeTeam"}}
        if static:
            return {"%function": self.pick({"name": "isRed", "arguments": ["%%user.custom_data.team"]},
                                           {"name": "one"}, {"name": "fails"}, {"name": "isRed", "arguments": ["red"]})}
        return {"%function": self.pick({"name": "isRed", "arguments": ["%%root.team"]},
                                       {"name": "isSame", "arguments": ["%%root.owner", "%%user.id"]},
                                       {"name": "isSame", "arguments": ["%%prevRoot.team", "%%root.team"]})}

    def document_leaf(self):
        sign = self.sign
        return self.random.choice([
            lambda: (self.pick("owner", "%%root.owner"), "%%user.id"),
            lambda: ("owner", "%%user.id"),
            lambda: ("owner", self.pick("%%user.custom_data.manages", {sign("in"): "%%user.custom_data.manages"})),
            lambda: ("team", self.pick("%%user.custom_data.team", *TEAMS)),
            lambda: ("team", {sign(self.pick("in", "nin")): self.pick("%%user.custom_data.teams", "%%values.teams",
                                                                      ["red", None], ["%%user.custom_data.team"])}),
            lambda: ("team", {sign(self.pick("eq", "ne")): self.pick("%%user.custom_data.team", "red")}),
            lambda: ("team", self.pick(None, {sign("exists"): self.pick(True, False)})),
            lambda: ("n", {sign(self.pick("gt", "gte", "lt", "lte", "ne", "eq")): self.number()}),
            lambda: ("n", {sign("and"): [{sign("gt"): 1}, {sign("lte"): 5}]}),
            lambda: ("n", {sign("not"): {sign("gt"): self.number()}}),
            lambda: ("n", {sign("gt"): 1, sign("lt"): self.pick(4, "%%user.custom_data.level")}),
            lambda: ("n", self.pick(3, "%%user.custom_data.level", {sign("lt"): "%%values.limit"})),
            lambda: ("tags", self.pick("%%user.id", "t", {sign("in"): ["s", "%%user.id"]}, {sign("nin"): ["t"]})),
            lambda: ("tags", {sign("all"): self.pick(["t"], ["t", "s"], ["%%user.id"])}),
            lambda: ("tags", {sign("ne"): "t"}),
            lambda: ("priv.b", {sign(self.pick("gt", "lte")): self.number()}),
            lambda: ("priv.deep.y", {sign("exists"): self.pick(True, False)}),
            lambda: ("items.q", self.pick({sign("gte"): 3}, 2, {sign("in"): [1, 4]}, {sign("ne"): 1})),
            lambda: ("oid", self.pick({"%stringToOid": OIDS[0]}, {"%stringToOid": "%%user.custom_data.oidHex"}, OIDS[0],
                                      "%%user.custom_data.oid")),
            lambda: ("flag", self.pick(True, False, None, {sign("exists"): True}, {sign("ne"): True})),
            lambda: ("missing", self.pick("%%user.custom_data.missing", {sign("exists"): False}, None,
                                          {sign("ne"): "%%user.custom_data.missing"})),
            lambda: ("%%prevRoot", {sign("exists"): self.pick(True, False)}),
            lambda: ("%%prevRoot.team", self.pick("%%root.team", "red", {sign("exists"): False})),
            lambda: ("%%prevRoot.owner", self.pick("%%root.owner", "%%user.id")),
            lambda: ("%%root.n", {sign("gte"): 2}),
            lambda: ("anyOf", [{"n": 5}]),
            lambda: ("%%true", self.function(static=False)),
        ])()

    def field_leaf(self):
        return self.random.choice([
            lambda: ("%%this", self.pick("%%prev", {self.sign("exists"): self.pick(True, False)})),
            lambda: ("%%prev", self.pick("%%this", {self.sign("exists"): self.pick(True, False)})),
            lambda: ("%%this", {self.sign("gt"): 2}),
            lambda: ("%%this", "%%user.id"),
        ])()

    # ---- rules

    def permission(self, rule, place, names, share):
        for name in names:
            if self.chance(share):
                rule[name] = self.expression(place, 1)
        return rule

    def field_rule(self, embedded):
        rule = self.permission({}, "field", ["read", "write"], 0.35 if embedded else 0.55)
        if embedded:
            rule["fields"] = {name: self.field_rule(inner) for name, inner in embedded.items() if self.chance(0.7)}
        return rule

    def role(self, number):
        role = {"name": f"role{number}"}
        if self.chance(0.97):
            role["apply_when"] = self.expression("role")
        if self.chance(0.15):
            role["document_filters"] = self.permission({}, "role", ["read", "write"], 0.7)
        self.permission(role, "role", ["read", "write"], 0.42)
        self.permission(role, "role", ["insert", "delete"], 0.2)
        if self.chance(0.55):
            shape = {"_id": {}, "owner": {}, "team": {}, "n": {}, "tags": {}, "secret": {}, "pub": {},
                     "priv": {"a": {}, "b": {}, "deep": {"x": {}, "y": {}}}, "items": {"k": {}, "q": {}}}
            role["fields"] = {name: self.field_rule(inner) for name, inner in shape.items() if self.chance(0.35)}
        if self.chance(0.5):
            role["additional_fields"] = self.permission({}, "field", ["read", "write"], 0.6)
        return role

    def filter(self, number, excluding):
        one = {"name": f"filter{number}", "apply_when": self.pick({"%%true": True}, {}, self.expression("filter", 1))}
        if self.chance(0.8):
            one["query"] = self.random.choice([
                lambda: {"n": {"$gte": self.random.randrange(3)}}, lambda: {"team": {"$ne": "green"}},
                lambda: {"owner": "%%user.id"}, lambda: {"tags": "t"}, lambda: {"flag": {"$ne": True}},
                lambda: {"$or": [{"owner": "%%user.id"}, {"team": self.pick(*TEAMS)}]},
                lambda: {"team": {"$in": "%%values.teams"}}])()
        if self.chance(0.4):
            if self.chance(0.06):
                excluding = not excluding
            names = self.random.sample(["secret", "pub", "team", "priv.a", "n", "items.k"], self.pick(1, 2))
            one["projection"] = {name: self.pick(0, False) if excluding else 1 for name in names}
            if self.chance(0.2):
                one["projection"]["_id"] = 0
        return one

    def schema(self):
        properties = {"_id": {}, "owner": {"bsonType": "string"}, "n": {"bsonType": self.pick("number", "int", "long")},
                      "team": {"enum": TEAMS[:self.pick(2, 3)]}, "tags": {"bsonType": "array", "items": {"bsonType": "string"}},
                      "priv": {"bsonType": "object", "properties": {"b": {"bsonType": ["int", "string", "double"]}}},
                      "pub": {"bsonType": "string", "minLength": 2}, "flag": {"bsonType": self.pick("bool", ["bool", "null"])}}
        made = {"title": "Thing", "bsonType": "object",
                "properties": {name: one for name, one in properties.items() if self.chance(0.7)}}
        if self.chance(0.3):
            made["properties"]["n"] = {"bsonType": "number", "minimum": 1, "maximum": 5}
        if self.chance(0.4):
            made["required"] = ["_id", "owner"] if self.chance(0.5) else ["pub", "team"]
        if self.chance(0.3):
            made["properties"].setdefault("owner", {})["validate"] = self.pick(
                {"%or": [{"%%prev": {"%exists": False}}, {"%%prev": "%%this"}]}, {"%%this": "%%user.id"},
                {"%or": [{"%%prevRoot.owner": {"%exists": False}}, {"%%prevRoot.owner": "%%root.owner"}]})
        return made

    def space(self, size=8):
        """A collection: its rules, its schema, its documents."""
        kind = self.random.choices(["own", "default", "closed"], [20, 2, 1])[0]
        excluding = self.chance(0.7)
        return {"kind": kind,
                "roles": [self.role(number) for number in range(self.pick(1, 1, 2, 3))],
                "filters": [self.filter(number, excluding) for number in range(self.pick(0, 0, 0, 1, 2))],
                "schema": self.schema() if self.chance(0.3) else None,
                "documents": [self.document(identity) for identity in range(1, size + 1)]}

    # ---- operations

    def query(self):
        return self.random.choice([
            lambda: {}, lambda: {}, lambda: {"_id": self.random.randrange(1, 10)}, lambda: {"team": self.pick(*TEAMS)},
            lambda: {"n": {self.pick("$gt", "$lt", "$gte"): self.number()}}, lambda: {"owner": self.user()},
            lambda: {"secret": {"$exists": self.pick(True, False)}}, lambda: {"tags": self.pick("t", self.user())},
            lambda: {"$or": [{"team": "red"}, {"n": {"$lt": 3}}]}, lambda: {"items.q": {"$gte": 2}},
            lambda: {"priv.b": {"$exists": True}, "flag": {"$ne": True}},
            lambda: {"team": {"$in": self.random.sample(TEAMS, 2)}}, lambda: {"n": {"$not": {"$gt": 3}}}])()

    def projection(self):
        names = self.random.sample(["secret", "pub", "team", "priv.a", "priv", "n", "items.k", "owner"], self.pick(1, 2))
        if "priv" in names and "priv.a" in names:
            names.remove("priv")
        keep = self.pick(1, 0)
        made = {name: keep for name in names}
        if self.chance(0.2):
            made["_id"] = 0
        return made

    def change(self):
        return self.random.choice([
            lambda: {"$set": {self.pick("pub", "secret"): self.mark()}}, lambda: {"$set": {"team": self.pick(*TEAMS)}},
            lambda: {"$set": {"owner": self.user()}}, lambda: {"$set": {"priv.a": self.mark()}},
            lambda: {"$inc": {"n": self.pick(1, 2, 0)}}, lambda: {"$unset": {self.pick("n", "priv", "secret", "priv.a"): ""}},
            lambda: {"$push": {"tags": self.pick("t", self.user())}}, lambda: {"$rename": {"pub": "published"}},
            lambda: {"$set": {"n": self.number(), "flag": self.pick(True, False)}},
            lambda: {"$set": {"items": [{"k": self.mark(), "q": 1}]}}, lambda: {"$set": {"fresh": self.mark()}},
            lambda: {"$set": {"priv": {"a": self.mark(), "b": 2}}, "$setOnInsert": {"pub": self.mark()}},
            lambda: {"$min": {"n": 2}}, lambda: {"owner": self.user(), "pub": self.mark(), "team": "red"}])()

    def sort(self):
        return self.pick({"_id": 1}, {"_id": -1}, {"team": 1, "_id": 1}, {"n": -1, "_id": 1})

    def pipeline(self):
        stages = []
        for _ in range(self.pick(1, 1, 2, 3)):
            stages.append(self.random.choice([
                lambda: {"$match": self.query()}, lambda: {"$project": self.projection()},
                lambda: {"$group": {"_id": self.pick("$team", "$owner", None, "$secret"), "count": {"$sum": 1}}},
                lambda: {"$unset": self.pick("secret", "priv.a")}, lambda: {"$unwind": "$tags"},
                lambda: {"$sort": self.sort()}, lambda: {"$count": "total"}])())
            if "$group" in stages[-1] or "$count" in stages[-1]:
                break
        return stages

    def operation(self):
        """{user, door, action, arguments}"""
        if self.chance(0.03):
            return self.watch()
        user = self.random.randrange(USERS)
        door = self.random.choices(["client", "function", "wire"], [60, 25, 15])[0]
        if door == "wire" and user == USERS - 1:
            door = "client"  # who is anonymous cannot sign in there
        names = ["find"] * 6 + ["findOne", "count", "aggregate", "aggregate", "insertOne", "insertOne", "insertMany",
                                "updateOne", "updateOne", "updateMany", "updateMany", "deleteOne", "deleteMany"]
        if door != "wire":
            names += ["findOneAndUpdate", "findOneAndReplace", "findOneAndDelete"]
        if door == "function":
            names += ["distinct", "distinct", "replaceOne", "bulkWrite"]
        if door == "wire":
            names += ["distinct"]
        action = self.random.choice(names)
        return {"user": user, "door": door, "action": action,
                "arguments": getattr(self, f"for_{action}")()}

    def watch(self):
        """Changes by the system while the user watches, each of another document."""
        ids = self.random.sample(range(1, 9), self.pick(2, 4, 6)) + list(range(60, 60 + self.pick(0, 1, 3)))
        self.random.shuffle(ids)
        arguments = {"models": [self.model_of(identity) for identity in ids]}
        if self.chance(0.2):
            arguments["ids"] = self.random.sample(ids, self.random.randrange(len(ids) + 1))
        if self.chance(0.3):
            arguments["filter"] = self.pick({"operationType": "insert"}, {"fullDocument.team": self.pick(*TEAMS)},
                                            {"fullDocument.secret": {"$exists": self.pick(True, False)}},
                                            {"fullDocument.n": {"$gt": 2}})
        return {"user": self.random.randrange(USERS), "door": "watch", "action": "watch", "arguments": arguments}

    def model_of(self, identity):
        if identity >= 60:
            return {"insertOne": {"document": self.document(identity)}}
        return self.random.choice([
            lambda: {"updateOne": {"filter": {"_id": identity}, "update": self.change()}},
            lambda: {"updateOne": {"filter": {"_id": identity}, "update": self.change()}},
            lambda: {"replaceOne": {"filter": {"_id": identity}, "update": self.replacement()}},
            lambda: {"deleteOne": {"filter": {"_id": identity}}}])()

    def for_find(self):
        made = {"query": self.query()}
        if self.chance(0.3):
            made["project"] = self.projection()
        if self.chance(0.5):
            made["sort"] = self.sort()
            if self.chance(0.4):
                made["limit"] = self.random.randrange(1, 5)
        return made

    def for_findOne(self):
        return {"query": self.query()}

    def for_count(self):
        return {"query": self.query()}

    def for_aggregate(self):
        return {"pipeline": self.pipeline()}

    def for_distinct(self):
        return {"key": self.pick("team", "tags", "secret", "owner", "priv.a", "items.k"), "query": self.query()}

    def for_insertOne(self):
        return {"document": self.new_document()}

    def new_document(self):
        whole = self.document(self.random.randrange(5, 40))
        if self.chance(0.4):
            return {name: value for name, value in whole.items() if name == "_id" or self.chance(0.4)}
        return whole

    def for_insertMany(self):
        return {"documents": [self.new_document() for _ in range(self.pick(1, 2, 3))]}

    def for_updateOne(self):
        made = {"query": self.query(), "update": self.change()}
        if self.chance(0.2):
            made["upsert"] = True
            made["query"] = self.pick({"_id": 50}, {"_id": 51, "team": "red"}, {"team": "none", "_id": 52}, self.query())
        return made

    for_updateMany = for_updateOne

    def replacement(self):
        return self.pick({"owner": self.user(), "pub": self.mark()}, {"n": 1, "team": "blue"}, {"priv": {"a": self.mark()}})

    def for_replaceOne(self):
        return {"query": self.query(), "update": self.replacement()}

    def for_deleteOne(self):
        return {"query": self.query()}

    for_deleteMany = for_deleteOne

    def for_findOneAndUpdate(self):
        made = {"filter": self.query(), "update": self.change(), "sort": self.sort()}
        if self.chance(0.5):
            made["returnNewDocument"] = True
        if self.chance(0.2):
            made["projection"] = self.projection()
        if self.chance(0.15):
            made["upsert"] = True
        return made

    def for_findOneAndReplace(self):
        return {**self.for_findOneAndUpdate(), "update": self.replacement()}

    def for_findOneAndDelete(self):
        return {"filter": self.query(), "sort": self.sort()}

    def for_bulkWrite(self):
        models = []
        for _ in range(self.pick(1, 2, 3)):
            models.append(self.random.choice([
                lambda: {"insertOne": {"document": self.new_document()}},
                lambda: {"updateMany": {"filter": self.query(), "update": self.change()}},
                lambda: {"updateOne": {"filter": {"_id": self.random.randrange(1, 9)}, "update": self.change()}},
                lambda: {"replaceOne": {"filter": {"_id": self.random.randrange(1, 9)}, "replacement": self.replacement()}},
                lambda: {"deleteOne": {"filter": {"_id": self.random.randrange(1, 9)}}}])())
        return {"operations": models, "ordered": self.pick(True, False)}
