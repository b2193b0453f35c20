"""Users, roles and TLS, on servers of their own."""

import contextlib
import hashlib
import json
import pathlib
import ssl
import subprocess
import tempfile
import threading
import urllib.parse

import bson
import pymongo
from pymongo.errors import ConnectionFailure, OperationFailure

import raw_client as raw
from certificates import make_certificates
from checks import equal, fails, true
from server import start

HELLO = {"hello": 1, "$db": "admin"}


class Endpoint:
    """A server whose clients must sign in, and its first user."""

    def __init__(self, binary, data, options):
        self.run = start(binary, data, ["--wire-auth", *options])
        self.port = self.run.wire_port
        keys = json.loads((pathlib.Path(data) / "admin.json").read_text())
        self.admin = (keys["publicApiKey"], keys["privateApiKey"])

    def connect(self, user=None, password=None, source="admin", **options):
        sign_in = {"username": user, "password": password, "authSource": source} if user else {}
        return pymongo.MongoClient("127.0.0.1", self.port, **{"serverSelectionTimeoutMS": 10000, **sign_in, **options})

    def as_admin(self, **options):
        return self.connect(*self.admin, **options)


@contextlib.contextmanager
def endpoint(binary, *options):
    with tempfile.TemporaryDirectory() as data:
        served = Endpoint(binary, data, options)
        try:
            yield served
        finally:
            code = served.run.process.stop()
        equal(code, 0, "exit code")


def is_refused(code, function, *arguments, **options):
    try:
        function(*arguments, **options)
    except OperationFailure as error:
        equal(error.code, code, f"code of {error}")
        return error
    raise AssertionError(f"{function} {arguments} was not refused")


def nothing_but_the_handshake_is_served_without_a_user(_context, binary):
    with endpoint(binary) as served, raw.RawClient(served.port) as client:
        for name in ("hello", "isMaster", "ping", "buildInfo", "whatsmyuri", "connectionStatus"):
            equal(client.command({name: 1, "$db": "admin"}).code, 0, name)
        equal(client.command({"endSessions": [], "$db": "admin"}).code, 0)
        for command in ({"find": "c"}, {"listDatabases": 1}, {"serverStatus": 1}, {"insert": "c", "documents": [{}]},
                        {"getMore": bson.Int64(1), "collection": "c"}, {"createUser": "a", "pwd": "b", "roles": ["root"]},
                        {"usersInfo": 1}, {"explain": {"find": "c"}}, {"startSession": 1}):
            reply = client.command({**command, "$db": "admin"})
            name = next(iter(command))
            equal((reply.code, reply.document["errmsg"]), (13, f"Command {name} requires authentication"))
        equal(client.command({"nosuch": 1, "$db": "admin"}).code, 59)
        large = {"ping": 1, "text": "a" * 2_000_000, "$db": "admin"}
        with contextlib.suppress(ConnectionError):  # closed while it is being sent, or after
            client.send(raw.op_msg(raw.body(large)))
        true(client.is_closed_by_server(), "a large message before the sign-in ends the connection")


def drivers_sign_in_with_either_hash(_context, binary):
    with endpoint(binary) as served, served.as_admin() as admin:
        admin.app.command("createUser", "Jörg, =x", pwd="pässword ﬁ", roles=["readWrite"])
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1", None):
            options = {"authMechanism": mechanism} if mechanism else {}
            with served.connect("Jörg, =x", "pässword ﬁ", "app", **options) as client:
                client.app.c.insert_one({"a": 1})
                status = client.admin.command("connectionStatus", showPrivileges=True)["authInfo"]
                equal(status["authenticatedUsers"], [{"user": "Jörg, =x", "db": "app"}])
                equal(status["authenticatedUserRoles"], [{"role": "readWrite", "db": "app"}])
                equal(status["authenticatedUserPrivileges"][0]["resource"], {"db": "app", "collection": ""})
            with served.connect("Jörg, =x", "wrong", "app", **options) as client:
                is_refused(18, client.app.c.find_one)
            with served.connect("nobody", "pässword", "app", **options) as client:
                is_refused(18, client.app.c.find_one)
        equal(admin.app.c.count_documents({}), 3)
        admin.app.command("createUser", "one", pwd="x", roles=[], mechanisms=["SCRAM-SHA-1"])
        with served.connect("one", "x", "app", authMechanism="SCRAM-SHA-256") as client:
            is_refused(334, client.app.command, "logout")
        for password in ("rest", "compressed"):
            admin.app.command("updateUser", "one", pwd=password)
        with served.connect("one", "compressed", "app", compressors="zlib") as client:
            equal(client.app.command("ping")["ok"], 1.0)


def hello_tells_mechanisms_and_takes_the_first_step(_context, binary):
    with endpoint(binary) as served, raw.RawClient(served.port) as client:
        user = f"admin.{served.admin[0]}"
        equal(client.command({**HELLO, "saslSupportedMechs": user}).document["saslSupportedMechs"],
              ["SCRAM-SHA-1", "SCRAM-SHA-256"])
        true("saslSupportedMechs" not in client.command({**HELLO, "saslSupportedMechs": "admin.nobody"}).document,
             "no mechanisms of unknown users")

        def first(name):
            step = {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": f"n,,n={name},r=abc".encode(), "db": "admin"}
            return client.command({**HELLO, "speculativeAuthenticate": step}).document.get("speculativeAuthenticate")

        answer = first(served.admin[0])
        equal((answer["done"], answer["conversationId"]), (False, 1))
        true(answer["payload"].startswith(b"r=abc"), "the nonce goes on")
        salts = {first("nobody")["payload"].split(b",")[1] for _ in range(3)}
        equal(len(salts), 1, "an unknown user has one salt")
        equal(first("a,b=c"), None, "what is wrong is left out")
        equal(client.command({"saslContinue": 1, "conversationId": 77, "payload": b"", "$db": "admin"}).code, 17)
        equal(client.command({"saslContinue": 1, "conversationId": 1, "payload": b"", "$db": "admin"}).code, 17)
        equal(client.command({"saslStart": 1, "mechanism": "X", "payload": b"", "$db": "admin"}).code, 2)
        equal(client.command({"saslStart": 1, "mechanism": "PLAIN", "payload": b"\0a\0b", "$db": "admin"}).code, 334)
        for payload in (b"", b"n", b"n,,", b"p=tls,,n=a,r=b", b"n,,n=,r=b", b"n,,n=a", b"n,,n=a=zz,r=b", b"\xff" * 100):
            equal(client.command({"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": payload, "$db": "admin"}).code,
                  18, repr(payload))


def users_are_managed_by_commands(_context, binary):
    with endpoint(binary) as served, served.as_admin() as admin:
        db = admin.people
        is_refused(2, db.command, "createUser", "", pwd="x", roles=[])
        is_refused(40414, db.command, "createUser", "u", pwd="x")
        is_refused(14, db.command, "createUser", "u", pwd="x", roles="read")
        is_refused(10065, db.command, "createUser", "u", pwd="x", roles=None)
        is_refused(14, db.command, "createUser", "u", pwd=True, roles=[])
        is_refused(50687, db.command, "createUser", "u", pwd="", roles=[])
        is_refused(50692, db.command, "createUser", "u", pwd="pass\0word", roles=[])
        is_refused(2, db.command, "createUser", "u", roles=[])
        is_refused(2, db.command, "createUser", "u", pwd="x", roles=[], mechanisms=[])
        is_refused(2, db.command, "createUser", "u", pwd="x", roles=[], mechanisms=["BAD"])
        is_refused(31, db.command, "createUser", "u", pwd="x", roles=["nosuch"])
        is_refused(2, db.command, "createUser", "u", pwd="x", roles=[],
                   authenticationRestrictions=[{"clientSource": ["10.0.0.0/8"]}])
        is_refused(31, db.command, "createUser", "u", pwd="x", roles=["root"])
        is_refused(2, admin["$external"].command, "createUser", "CN=a", pwd="x", roles=[])
        db.command("createUser", "u", pwd="x", roles=["read", {"role": "readWrite", "db": "other"}],
                   customData={"team": 1})
        error = is_refused(51003, db.command, "createUser", "u", pwd="x", roles=[])
        equal(error.details["errmsg"], 'User "u@people" already exists')
        user = db.command("usersInfo", "u")["users"][0]
        equal(list(user), ["_id", "userId", "user", "db", "customData", "roles", "mechanisms"])
        equal((user["_id"], user["roles"]),
              ("people.u", [{"role": "read", "db": "people"}, {"role": "readWrite", "db": "other"}]))
        equal(user["userId"].subtype, 4)
        credentials = db.command("usersInfo", "u", showCredentials=True)["users"][0]["credentials"]
        equal({name: (value["iterationCount"], sorted(value)) for name, value in credentials.items()},
              {"SCRAM-SHA-1": (10000, ["iterationCount", "salt", "serverKey", "storedKey"]),
               "SCRAM-SHA-256": (15000, ["iterationCount", "salt", "serverKey", "storedKey"])})
        equal(len(db.command("usersInfo", 1)["users"]), 1)
        equal(len(db.command("usersInfo", {"forAllDBs": True})["users"]), 2)
        equal(len(db.command("usersInfo", ["u", {"user": "u", "db": "nowhere"}])["users"]), 1)
        db.command("grantRolesToUser", "u", roles=["dbAdmin"])
        db.command("grantRolesToUser", "u", roles=["dbAdmin"])
        db.command("revokeRolesFromUser", "u", roles=["read", {"role": "readWrite", "db": "other"}])
        equal(db.command("usersInfo", "u")["users"][0]["roles"], [{"role": "dbAdmin", "db": "people"}])
        db.command("updateUser", "u", roles=[], mechanisms=["SCRAM-SHA-256"])
        equal(db.command("usersInfo", "u")["users"][0]["mechanisms"], ["SCRAM-SHA-256"])
        is_refused(2, db.command, "updateUser", "u", mechanisms=["SCRAM-SHA-1"])
        is_refused(2, db.command, "updateUser", "u")
        is_refused(11, db.command, "updateUser", "nobody", pwd="x")
        equal(is_refused(11, db.command, "dropUser", "nobody").details["errmsg"], "User 'nobody@people' not found")
        db.command("dropUser", "u")
        db.command("createUser", "v", pwd="x", roles=[])
        equal(db.command("dropAllUsersFromDatabase")["n"], 1)
        roles = admin.admin.command("rolesInfo", 1, showBuiltinRoles=True)["roles"]
        true({"root", "read", "readWriteAnyDatabase", "clusterMonitor"} <= {role["role"] for role in roles}, "built-in roles")
        equal(db.command("rolesInfo", {"role": "read", "db": "x"}, showPrivileges=True)["roles"][0]["isBuiltin"], True)


def roles_decide_what_a_user_may_do(_context, binary):
    with endpoint(binary) as served, served.as_admin() as admin:
        admin.shop.orders.insert_many([{"_id": number} for number in range(300)])
        admin.other.things.insert_one({"_id": 1})
        for name, roles in {"reader": ["read"], "writer": ["readWrite"], "boss": ["dbOwner"], "keeper": ["dbAdmin"]}.items():
            admin.shop.command("createUser", name, pwd="x", roles=roles)
        admin.admin.command("createUser", "all", pwd="x", roles=["readWriteAnyDatabase", "userAdminAnyDatabase"])
        admin.admin.command("createUser", "monitor", pwd="x", roles=["clusterMonitor"])

        with served.connect("reader", "x", "shop") as client:
            equal(len(list(client.shop.orders.find(batch_size=100))), 300)
            error = is_refused(13, client.shop.orders.insert_one, {"a": 1})
            true(error.details["errmsg"].startswith("not authorized on shop to execute command { insert: \"orders\""),
                 error.details["errmsg"])
            for refused in (lambda: client.other.things.find_one(), lambda: client.shop.orders.update_one({}, {"$set": {"a": 1}}),
                            lambda: client.shop.orders.delete_one({}), lambda: client.shop.orders.drop(),
                            lambda: client.shop.orders.find_one_and_update({}, {"$set": {"a": 1}}),
                            lambda: client.shop.orders.create_index("a"), lambda: client.shop.create_collection("x"),
                            lambda: client.drop_database("shop"), lambda: client.shop.command("dbStats", 1) and client.admin.command("serverStatus"),
                            lambda: list(client.shop.orders.aggregate([{"$out": "copy"}])),
                            lambda: list(client.shop.orders.aggregate([{"$merge": {"into": {"db": "other", "coll": "x"}}}])),
                            lambda: list(client.shop.orders.aggregate([{"$unionWith": "orders"}, {"$facet": {"a": [
                                {"$lookup": {"from": {"db": "other", "coll": "things"}, "pipeline": [], "as": "x"}}]}}])),
                            lambda: client.shop.command("explain", {"delete": "orders", "deletes": [{"q": {}, "limit": 0}]}),
                            lambda: client.shop.command("createUser", "more", pwd="x", roles=[]),
                            lambda: client.shop.command("usersInfo", "writer"),
                            lambda: client.admin.system.users.find_one(), lambda: client.shop.system.users.find_one(),
                            lambda: client["__restitch"].apps.find_one(), lambda: client.admin.command("killAllSessions", []),
                            lambda: client.admin.command("replSetGetStatus")):
                is_refused(13, refused)
            equal(client.list_database_names(), ["shop"])
            equal(client.shop.list_collection_names(), ["orders"])
            equal(client.shop.command("usersInfo", "reader")["users"][0]["user"], "reader")
            equal(len(list(client.shop.orders.aggregate([{"$unionWith": "orders"}]))), 600)

        with served.connect("keeper", "x", "shop") as client:
            client.shop.orders.create_index("a")
            is_refused(13, client.shop.orders.find_one)
            is_refused(13, client.shop.create_collection, "peek", viewOn="orders", pipeline=[])
        with served.connect("writer", "x", "shop") as client, client.start_session() as session:
            with session.start_transaction():
                client.shop.orders.insert_one({"_id": "t"}, session=session)
            list(client.shop.orders.aggregate([{"$match": {"_id": 1}}, {"$out": "copy"}]))
            equal(client.shop.copy.count_documents({}), 1)
            is_refused(13, client.shop.command, "createUser", "more", pwd="x", roles=[])
        with served.connect("boss", "x", "shop") as client:
            client.shop.command("createUser", "more", pwd="x", roles=["read"])
            is_refused(13, client.shop.command, "createUser", "evil", pwd="x", roles=[{"role": "root", "db": "admin"}])
            is_refused(13, client.shop.command, "grantRolesToUser", "boss", roles=[{"role": "root", "db": "admin"}])
        with served.connect("all", "x") as client:
            client.other.things.insert_one({})
            true(client.admin.system.users.find_one() is not None, "an administrator of users reads them")
            is_refused(13, client["__restitch"].apps.find_one)
            is_refused(13, client["__restitch"].apps.insert_one, {})
            is_refused(13, client.admin.command, "serverStatus")
            is_refused(13, client.watch)
            client.shop.watch().close()
        with served.connect("monitor", "x") as client:
            true("connections" in client.admin.command("serverStatus"), "a monitor reads the status")
            is_refused(13, client.shop.orders.find_one)
        for write in (lambda: admin.admin.system.users.insert_one({"_id": "admin.x"}),
                      lambda: admin.admin.system.users.update_many({}, {"$set": {"roles": []}}),
                      lambda: admin.admin.system.users.delete_many({}), lambda: admin.admin.command("drop", "system.users")):
            is_refused(13, write)
        admin.watch().close()
        true(admin["__restitch"].list_collection_names() is not None, "root reaches the server's own state")


def changes_of_a_user_take_effect_at_once(_context, binary):
    with endpoint(binary) as served, served.as_admin() as admin:
        admin.shop.c.insert_many([{"_id": number} for number in range(10)])
        admin.shop.command("createUser", "u", pwd="x", roles=["read"])
        with served.connect("u", "x", "shop", maxPoolSize=1) as client:
            equal(client.shop.c.count_documents({}), 10)
            admin.shop.command("grantRolesToUser", "u", roles=["readWrite"])
            client.shop.c.insert_one({"_id": 10})
            admin.shop.command("updateUser", "u", roles=["read"])
            is_refused(13, client.shop.c.insert_one, {"_id": 11})
            cursor = client.shop.c.find(batch_size=2)
            next(cursor)
            admin.shop.command("dropUser", "u")
            is_refused(13, client.shop.c.find_one)
            admin.shop.command("createUser", "u", pwd="y", roles=["readWrite"])
            is_refused(13, client.shop.c.find_one)


def a_cursor_belongs_to_its_user(_context, binary):
    with endpoint(binary) as served, served.as_admin() as admin:
        admin.shop.c.insert_many([{"_id": number} for number in range(10)])
        for name in ("a", "b"):
            admin.shop.command("createUser", name, pwd="x", roles=["read"])
        with served.connect("a", "x", "shop") as mine, served.connect("b", "x", "shop") as other:
            number = bson.Int64(mine.shop.command("find", "c", batchSize=1)["cursor"]["id"])
            is_refused(13, other.shop.command, "getMore", number, collection="c")
            is_refused(13, other.shop.command, "killCursors", "c", cursors=[number])
            equal(admin.shop.command("killCursors", "c", cursors=[number])["cursorsKilled"], [number])


def a_session_belongs_to_its_user(_context, binary):
    with endpoint(binary) as served, served.as_admin() as admin:
        for name in ("ann", "bob"):
            admin.app.command("createUser", name, pwd=name, roles=["readWrite"])
        admin.app.c.insert_one({"_id": 0})
        lsid = {"id": bson.Binary(b"0123456789abcdef", 4)}
        transaction = {"lsid": lsid, "txnNumber": bson.Int64(1), "autocommit": False}
        with raw.RawClient(served.port) as ann, raw.RawClient(served.port) as bob:
            for client, name in ((ann, "ann"), (bob, "bob")):
                client.sign_in(name, name, "app")

            def insert(client, identity, **more):
                return client.command({"insert": "c", "documents": [{"_id": identity}], "$db": "app", **more}).code

            def end(client, name):
                return client.command({name: 1, "$db": "admin", **transaction}).code

            equal(insert(ann, 1, startTransaction=True, **transaction), 0)
            equal(end(bob, "commitTransaction"), 251, "another's transaction is none of bob's")
            equal(insert(bob, 2, startTransaction=True, **transaction), 0, "bob's own session of that id")
            for kill in ({"killSessions": []}, {"killSessions": [lsid]}, {"endSessions": [lsid]}):
                equal(bob.command({**kill, "$db": "admin"}).code, 0)
            equal(end(bob, "commitTransaction"), 251, "bob has ended what was bob's")
            equal(end(ann, "commitTransaction"), 0, "ann's transaction lives")
            equal(sorted(one["_id"] for one in admin.app.c.find()), [0, 1])
            equal(bob.command({"killAllSessions": [], "$db": "admin"}).code, 13)

            equal(insert(ann, 3, startTransaction=True, **{**transaction, "txnNumber": bson.Int64(2)}), 0)
            owners = {one["_id"]["uid"] for one in admin.admin.aggregate([{"$listLocalSessions": {"allUsers": True}}])}
            true(hashlib.sha256(b"ann@app").digest() in owners, "sessions are listed with their users")
            admin.admin.command({"killAllSessions": [{"user": "bob", "db": "app"}]})
            transaction["txnNumber"] = bson.Int64(2)
            equal(end(ann, "commitTransaction"), 0, "those of another user were killed")
            transaction["txnNumber"] = bson.Int64(3)
            equal(insert(ann, 4, startTransaction=True, **transaction), 0)
            admin.admin.command({"killAllSessions": [{"user": "ann", "db": "app"}]})
            equal(end(ann, "commitTransaction"), 251)


def logout_ends_the_rights(_context, binary):
    with endpoint(binary) as served:
        client = served.as_admin(maxPoolSize=1)
        with client:
            client.admin.c.insert_one({})
            client.admin.command("logout")
            is_refused(13, client.admin.c.find_one)


def many_exchanges_at_once_leave_others_served(_context, binary):
    with endpoint(binary) as served, served.as_admin() as admin:
        failures = []

        def storm():
            try:
                for _ in range(30):
                    with raw.RawClient(served.port) as client:
                        step = {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": b"n,,n=nobody,r=abc", "$db": "admin"}
                        nonce = client.command(step).document["payload"].split(b",")[0]
                        proof = b"c=biws," + nonce + b",p=" + b"A" * 43 + b"="
                        equal(client.command({"saslContinue": 1, "conversationId": 1, "payload": proof, "$db": "admin"}).code, 18)
            except BaseException as error:  # told by the main thread
                failures.append(error)

        threads = [threading.Thread(target=storm) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            admin.shop.c.insert_one({})
        for thread in threads:
            thread.join()
        equal(failures, [])
        equal(admin.shop.c.count_documents({}), 50)


def tls_carries_everything(_context, binary):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_certificates(folder)
        files = ["--wire-tls-cert", str(folder / "server.pem"), "--wire-tls-key", str(folder / "server.key")]
        tls = {"tls": True, "tlsCAFile": str(folder / "ca.pem")}
        with endpoint(binary, *files) as served:
            with served.as_admin(**tls, compressors="zstd") as admin:
                admin.shop.c.insert_many([{"_id": number, "text": "a" * 20000} for number in range(200)])
                equal(sum(len(document["text"]) for document in admin.shop.c.find()), 4_000_000)
                admin.shop.command("createUser", "plain", pwd="päss", roles=["read"])
            with served.connect("plain", "päss", "shop", authMechanism="PLAIN", **tls) as client:
                equal(client.shop.c.count_documents({}), 200)
            with served.connect("plain", "wrong", "shop", authMechanism="PLAIN", **tls) as client:
                is_refused(18, client.shop.c.find_one)
            with raw.RawClient(served.port) as client:
                client.send(raw.op_msg(raw.body(HELLO)))
                true(client.is_closed_by_server(), "plain bytes end the connection")
            with fails(ConnectionFailure), served.as_admin(serverSelectionTimeoutMS=500) as client:
                client.admin.command("ping")
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
            with raw.RawClient(served.port) as client:
                with fails((ssl.SSLError, ConnectionError)):
                    old.wrap_socket(client._socket)
        with endpoint(binary, *files, "--wire-tls-ca", str(folder / "ca.pem")) as served:
            mine = {**tls, "tlsCertificateKeyFile": str(folder / "client.both.pem")}
            with served.as_admin(**mine) as admin:
                admin["$external"].command("createUser", "CN=till 1,OU=Till,O=Shop", roles=[{"role": "readWrite", "db": "shop"}])
            with served.connect(authMechanism="MONGODB-X509", **mine) as client:
                client.shop.c.insert_one({})
                users = client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]
                equal(users, [{"user": "CN=till 1,OU=Till,O=Shop", "db": "$external"}])
                is_refused(13, client.other.c.find_one)
            with fails(ConnectionFailure), served.as_admin(**tls, serverSelectionTimeoutMS=500) as client:
                client.admin.command("ping")


def unusable_options_are_refused_at_the_start(_context, binary):
    binary = str(pathlib.Path(binary).resolve())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "junk.pem").write_text("junk")
        for options, text in ((["--wire-tls-cert", "junk.pem"], "wire-tls-key"),
                              (["--wire-tls-cert", "junk.pem", "--wire-tls-key", "junk.pem"], "junk.pem"),
                              (["--wire-tls-cert", "no.pem", "--wire-tls-key", "junk.pem"], "no.pem")):
            run = subprocess.run([binary, "serve", "--data", str(folder / "data"), "--listen", "127.0.0.1:0",
                                  "--wire", "127.0.0.1:0", *options], stdin=subprocess.DEVNULL, capture_output=True,
                                 text=True, timeout=60, cwd=folder)
            true(run.returncode != 0 and text in run.stderr, f"{options} is refused: {run.stderr}")


def the_example_of_the_documentation_signs_in(_context, binary):
    with endpoint(binary) as served:
        user, password = (urllib.parse.quote_plus(part) for part in served.admin)
        with pymongo.MongoClient(f"mongodb://{user}:{password}@127.0.0.1:{served.port}/?authSource=admin") as client:
            equal(client.admin.command("connectionStatus")["authInfo"]["authenticatedUserRoles"],
                  [{"role": "root", "db": "admin"}])


TESTS = [nothing_but_the_handshake_is_served_without_a_user, drivers_sign_in_with_either_hash,
         hello_tells_mechanisms_and_takes_the_first_step, users_are_managed_by_commands, roles_decide_what_a_user_may_do,
         changes_of_a_user_take_effect_at_once, a_cursor_belongs_to_its_user, a_session_belongs_to_its_user,
         logout_ends_the_rights,
         many_exchanges_at_once_leave_others_served, tls_carries_everything, unusable_options_are_refused_at_the_start,
         the_example_of_the_documentation_signs_in]
