"""Concurrent writers. Each knows outside of the server what was acknowledged and what was under way at the kill.

A writer's life: `prepare` once on an empty server, then for each run of the server `write` until there is no answer,
and `check` after the restart. `check` yields what is wrong and settles what was under way.
"""

import client
from client import number

PASSWORD = "corr3ct-horse"


class Writer:
    """`session` is the answer to a sign-in, or None for who needs none; it outlives every kill, an access token half an hour."""

    def __init__(self, name, session, random):
        self.name = name
        self.access = session and session["access_token"]
        self.refresh = session and session["refresh_token"]
        self.random = random
        self.acknowledged = 0

    def prepare(self, api):
        pass

    def renew(self, api):
        self.access = api.renewed(self.refresh)

    def run(self, port, stopping):
        """Writes until the server is gone. An error answer while it still runs is a failure of the test."""
        api = client.Client(port, self.access)
        try:
            while not stopping.is_set():
                self.write(api)
                self.acknowledged += 1
        except client.Unanswered:
            pass
        finally:
            api.close()


class Documents(Writer):
    """Inserts single documents and batches under unique keys, and deletes some."""

    MANY = 3000  # from here on it deletes more than it inserts

    def __init__(self, name, session, random):
        super().__init__(name, session, random)
        self.next = 0
        self.present = {}
        self.pending = None  # (kind, {id: document})

    def write(self, api):
        if self.present and self.random.random() < (0.9 if len(self.present) > self.MANY else 0.15):
            key = self.random.choice(list(self.present))
            self.pending = ("delete", {key: self.present[key]})
            answer = api.mongo("deleteOne", "documents", query={"_id": key})
            if number(answer["deletedCount"]) != 1:
                raise AssertionError(f"{self.name}: {key} could not be deleted: {answer}")
            del self.present[key]
        elif self.random.random() < 0.3:
            batch = [self._new() for _ in range(5)]
            self.pending = ("insert", {document["_id"]: document for document in batch})
            api.mongo("insertMany", "documents", documents=batch)
            self.present.update(self.pending[1])
        else:
            document = self._new()
            self.pending = ("insert", {document["_id"]: document})
            api.mongo("insertOne", "documents", document=document)
            self.present.update(self.pending[1])
        self.pending = None

    def _new(self):
        self.next += 1
        text = "x" * self.random.choice([0, 10, 100, 2000])
        return {"_id": f"{self.name}-{self.next:07}", "writer": self.name, "n": self.next, "text": text}

    def check(self, api):
        stored = {document["_id"]: {**document, "n": number(document["n"])}
                  for document in api.mongo("find", "documents", query={"writer": self.name})}
        yield from self._settle(stored)
        for key, document in self.present.items():
            if key not in stored:
                yield f"acknowledged document {key} is lost"
            elif stored[key] != document:
                yield f"document {key} is {stored[key]}, written was {document}"
        for key in stored.keys() - self.present.keys():
            yield f"document {key} is there, but was never written or was deleted"

    def _settle(self, stored):
        if self.pending is None:
            return
        kind, documents = self.pending
        there = [key for key in documents if key in stored]
        if 0 < len(there) < len(documents):
            yield f"a batch is there in part: {sorted(there)} of {sorted(documents)}"
        for key in there:
            self.present[key] = documents[key]
        if kind == "delete" and not there:
            for key in documents:
                self.present.pop(key, None)
        self.pending = None


class Counter(Writer):
    """One document that counts."""

    def prepare(self, api):
        api.mongo("insertOne", "counters", document={"_id": self.name, "n": {"$numberLong": "0"}, "log": []})
        self.value = 0
        self.pending = False

    def write(self, api):
        self.pending = True
        next_value = self.value + 1
        update = {"$inc": {"n": 1}, "$push": {"log": {"$each": [next_value], "$slice": -5}}}
        if self.random.random() < 0.5:
            answer = api.mongo("updateOne", "counters", query={"_id": self.name}, update=update)
            if number(answer["modifiedCount"]) != 1:
                raise AssertionError(f"{self.name}: {answer}")
        else:
            answer = api.mongo("findOneAndUpdate", "counters", filter={"_id": self.name}, update=update,
                               returnNewDocument=True)
            if number(answer["n"]) != next_value:
                raise AssertionError(f"{self.name}: counted to {answer}, expected {next_value}")
        self.value = next_value
        self.pending = False

    def check(self, api):
        document = api.mongo("findOne", "counters", query={"_id": self.name})
        if document is None:
            yield f"counter {self.name} is lost"
            return
        found = number(document["n"])
        if found != self.value and not (self.pending and found == self.value + 1):
            yield f"counter {self.name} is {found}, acknowledged was {self.value}"
        if document["log"] and number(document["log"][-1]) != found:
            yield f"counter {self.name} is torn: {document}"
        self.value = found
        self.pending = False


class Group(Writer):
    """Documents that updateMany changes together: all or none."""

    SIZE = 20

    def prepare(self, api):
        documents = [{"_id": f"{self.name}-{i}", "group": self.name, "round": 0, "sum": 0} for i in range(self.SIZE)]
        api.mongo("insertMany", "groups", documents=documents)
        self.round = 0
        self.pending = False

    def write(self, api):
        self.pending = True
        answer = api.mongo("updateMany", "groups", query={"group": self.name},
                           update={"$set": {"round": self.round + 1}, "$inc": {"sum": self.round + 1}})
        if number(answer["modifiedCount"]) != self.SIZE:
            raise AssertionError(f"{self.name}: {answer}")
        self.round += 1
        self.pending = False

    def check(self, api):
        documents = api.mongo("find", "groups", query={"group": self.name})
        states = {(number(document["round"]), number(document["sum"])) for document in documents}
        if len(documents) != self.SIZE or len(states) != 1:
            yield f"group {self.name} is torn: {len(documents)} documents in states {sorted(states)}"
            return
        found, total = states.pop()
        if found != self.round and not (self.pending and found == self.round + 1):
            yield f"group {self.name} is in round {found}, acknowledged was {self.round}"
        if total != found * (found + 1) // 2:
            yield f"group {self.name} has sum {total} in round {found}"
        self.round = found
        self.pending = False


class Bank(Writer):
    """Transfers between accounts in transactions: the total stays, and the books agree."""

    ACCOUNTS = 4
    START = 1000

    def prepare(self, api):
        self.accounts = [f"{self.name}-{i}" for i in range(self.ACCOUNTS)]
        api.mongo("insertMany", "accounts", documents=[
            {"_id": account, "bank": self.name, "balance": self.START} for account in self.accounts])
        self.transfers = {}
        self.pending = None
        self.next = 0

    def write(self, api):
        self.next += 1
        source, target = self.random.sample(self.accounts, 2)
        amount = self.random.randint(1, 50)
        key = f"{self.name}-t{self.next:07}"
        self.pending = (key, (source, target, amount))
        api.call("transfer", key, source, target, amount)
        self.transfers[key] = self.pending[1]
        self.pending = None

    def check(self, api):
        entries = api.mongo("find", "transfers", query={"from": {"$in": self.accounts}})
        stored = {entry["_id"]: (entry["from"], entry["to"], number(entry["amount"])) for entry in entries}
        if self.pending and self.pending[0] in stored:
            self.transfers[self.pending[0]] = self.pending[1]
        self.pending = None
        if stored != self.transfers:
            yield f"transfers of {self.name} differ: {sorted(stored.items() ^ self.transfers.items())[:5]}"
        expected = dict.fromkeys(self.accounts, self.START)
        for source, target, amount in stored.values():
            expected[source] -= amount
            expected[target] += amount
        found = {account["_id"]: number(account["balance"])
                 for account in api.mongo("find", "accounts", query={"bank": self.name})}
        if found != expected:
            yield f"balances of {self.name} are {found}, the transfers say {expected}"


class Members(Writer):
    """Registers e-mail logins (a unique secondary index in the server's own store), signs in and out."""

    def __init__(self, name, session, random):
        super().__init__(name, session, random)
        self.next = 0
        self.users = {}     # e-mail to user id, None before the first sign-in
        self.sessions = {}  # refresh token to whether it was logged out
        self.pending = None

    def write(self, api):
        self.next += 1
        email = f"{self.name}-{self.next}@example.org"
        self.pending = ("register", email)
        api.register(email, PASSWORD)
        self.users[email] = None
        self.pending = ("sign in", email)
        answer = client.Client.sign_in(api, "local-userpass", {"username": email, "password": PASSWORD})
        self.users[email] = answer["user_id"]
        self.sessions[answer["refresh_token"]] = False
        self.pending = None
        if self.random.random() < 0.5:
            self.pending = ("sign out", answer["refresh_token"])
            api.request("DELETE", f"{client.API}/auth/session", token=answer["refresh_token"])
            self.sessions[answer["refresh_token"]] = True
            self.pending = None

    def check(self, api):
        """The newest and some older ones: passwords are made to be slow to check."""
        kind, subject = self.pending or (None, None)
        self.pending = None
        emails = list(self.users)
        for email in set(emails[-3:] + self.random.sample(emails, min(3, len(emails)))):
            yield from self._check_member(api, email)
        if kind == "register":
            yield from self._check_under_way(api, subject)
        if kind == "sign out":
            del self.sessions[subject]
        tokens = list(self.sessions)
        for token in set(tokens[-10:] + self.random.sample(tokens, min(10, len(tokens)))):
            yield from self._check_session(api, token)

    def _check_member(self, api, email):
        try:
            api.register(email, PASSWORD)
            yield f"acknowledged login {email} is lost: it could be registered again"
        except client.Refused as refusal:
            if refusal.code != "AccountNameInUse":
                yield f"registering {email} again: {refusal}"
        try:
            answer = api.sign_in("local-userpass", {"username": email, "password": PASSWORD})
        except client.Refused as refusal:
            yield f"{email} cannot sign in: {refusal}"
            return
        if self.users[email] not in (None, answer["user_id"]):
            yield f"{email} is user {answer['user_id']}, was {self.users[email]}"
        self.users[email] = answer["user_id"]

    def _check_under_way(self, api, email):
        """Registered or not, it must be one of them: registering it now works, or it can sign in."""
        try:
            api.register(email, PASSWORD)
        except client.Refused as refusal:
            if refusal.code != "AccountNameInUse":
                yield f"registering {email}: {refusal}"
        self.users[email] = None
        yield from self._check_member(api, email)

    def _check_session(self, api, token):
        try:
            api.request("POST", f"{client.API}/auth/session", token=token)
            if self.sessions[token]:
                yield "an acknowledged logout is lost"
        except client.Refused as refusal:
            if not self.sessions[token]:
                yield f"an acknowledged session is lost: {refusal}"


KINDS = [Documents, Counter, Group, Bank, Documents, Members]
