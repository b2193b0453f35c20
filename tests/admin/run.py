#!/usr/bin/env python3
"""The Admin API, request by request, in the order in which real callers send them; then a client uses the app."""

import io
import json
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import zipfile

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "support"))
sys.path.insert(0, str(TESTS / "admin"))

import operations_tests  # noqa: E402
from admin_client import ADMIN, AdminClient, AppUser  # noqa: E402
from black_box import Tally, suite_options  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

USER, PASSWORD = "unique_user@domain.com", "password"
SOURCE_OF_SUM = "exports = function (...terms) { return terms.reduce((a, b) => a + b, 0); };"


class Server:
    def __init__(self, binary, keep=False):
        self.binary = binary
        self.data = tempfile.mkdtemp(prefix="restitch-admin-")
        self.process = None
        self.start()

    def start(self, apps=(), options=()):
        self.process = RestitchProcess(self.binary, self.data, list(apps),
                                       ["--admin-user", USER, "--admin-password", PASSWORD, *options]).wait_until_ready()
        return self.process.url

    def restart(self, apps=(), options=()):
        assert self.process.stop() == 0
        return self.start(apps, options)

    def admin(self):
        admin = AdminClient(self.process.url)
        admin.login()
        return admin

    def close(self):
        self.process.stop()
        shutil.rmtree(self.data, ignore_errors=True)


def test_sign_in_and_tokens_answer_as_callers_compare(server):
    admin = AdminClient(server.process.url)
    assert admin.raw("GET", "/api/private/v1.0/version").status == 200
    profile = admin.login()
    roles = profile["roles"]
    assert [role["role_name"] for role in roles] == ["GROUP_OWNER"] and len(roles[0]["group_id"]) == 24
    key = json.loads((pathlib.Path(server.data) / "admin.json").read_text())
    by_key = admin.expect(200, "POST", f"{ADMIN}/auth/providers/mongodb-cloud/login",
                          {"username": key["publicApiKey"], "apiKey": key["privateApiKey"]})
    assert by_key["user_id"] != profile["user_id"]
    refused = admin.expect(401, "POST", f"{ADMIN}/auth/providers/mongodb-cloud/login",
                           {"username": key["publicApiKey"], "apiKey": "wrong"})
    assert refused == {"error": "failed to authenticate with MongoDB Cloud API: "
                                "You are not authorized for this resource."}
    refused = admin.expect(401, "POST", f"{ADMIN}/auth/providers/local-userpass/login",
                           {"username": USER, "password": "wrong"})
    assert refused == {"error": "invalid username/password", "error_code": "InvalidPassword"}
    # A refresh token is no access token, nor the reverse.
    refused = admin.expect(401, "GET", f"{ADMIN}/auth/profile", token=admin.refresh_token)
    assert refused == {"error": "invalid session: valid Issuer required"}
    refused = admin.expect(401, "POST", f"{ADMIN}/auth/session", token=admin.token)
    assert refused["error"] == "invalid refresh token: incorrect token type"
    refused = admin.expect(401, "GET", f"{ADMIN}/auth/profile", token="garbage")
    assert refused == {"error": "invalid session", "error_code": "InvalidSession"}
    fresh = admin.expect(201, "POST", f"{ADMIN}/auth/session", token=admin.refresh_token)
    assert list(fresh) == ["access_token"]
    admin.expect(200, "GET", f"{ADMIN}/auth/profile", token=fresh["access_token"])
    assert admin.expect(204, "DELETE", f"{ADMIN}/auth/session", token=admin.refresh_token) == b""
    refused = admin.expect(401, "POST", f"{ADMIN}/auth/session", token=admin.refresh_token)
    assert refused == {"error": "invalid session: failed to find refresh token", "error_code": "InvalidSession"}


def test_passwords_of_administrators_are_not_guessed_for_long(server):
    admin = AdminClient(server.process.url)
    path = f"{ADMIN}/auth/providers/local-userpass/login"
    guess = {"username": "guessed@domain.com", "password": "wrong"}
    answers = [admin.raw("POST", path, json.dumps(guess)) for _ in range(30)]
    assert {answer.status for answer in answers} == {401, 429}
    assert [answer.status for answer in answers[:20]] == [401] * 20
    assert int(answers[-1].headers["Retry-After"]) > 0
    admin.login()


def test_apps_are_created_listed_described_and_deleted(server):
    admin = server.admin()
    app = admin.create_app("My_App", location="IE", environment="testing", data_source={
        "name": "mongodb-atlas", "type": "mongodb-atlas", "config": {"clusterName": "Cluster0"}, "version": 1})
    assert [one["name"] for one in admin.get("/services")] == ["mongodb-atlas"]
    admin.delete(f"/services/{admin.get('/services')[0]['_id']}")
    admin.delete_app()
    app = admin.create_app("My_App", location="IE", environment="testing")
    prefix, letters = app["client_app_id"].rsplit("-", 1)
    assert prefix == "my_app" and len(letters) == 5 and letters.isalpha() and letters.islower()
    assert app["provider_region"] == "aws-eu-west-1" and app["product"] == "standard"
    assert app["environment"] == "testing" and isinstance(app["last_modified"], int)
    assert set(app) >= {"_id", "client_app_id", "name", "location", "provider_region", "deployment_model",
                        "domain_id", "group_id", "last_used", "last_modified", "product", "environment"}
    twin = admin.expect(201, "POST", admin.apps, {"name": "My_App"})
    assert twin["client_app_id"] != app["client_app_id"]
    listed = [one["_id"] for one in admin.expect(200, "GET", admin.apps)]
    assert app["_id"] in listed and twin["_id"] in listed
    for product in ("atlas", "data-api", "device-sync"):
        assert admin.expect(200, "GET", f"{admin.apps}?product={product}") == []
    assert admin.get("") == app
    assert admin.get("/auth_providers")[0]["type"] == "api-key"
    assert [(p["name"], p["disabled"]) for p in admin.get("/auth_providers")] == [("api-key", True)]
    assert admin.get("/deployments") == [] and admin.get("/drafts") == [] and admin.get("/secrets") == []
    assert admin.get("/logs") == {"logs": []}
    assert [one["address"] for one in admin.get("/security/access_list")["allowed_ips"]] == ["0.0.0.0/0"]
    description = admin.get("/description")
    assert description["auth_providers"] == [{"name": "api-key", "type": "api-key", "enabled": False}]
    for name in ("data_sources", "http_endpoints", "services", "values", "functions", "event_subscription",
                 "log_forwarders"):
        assert description[name] == [], name
    assert description["realm_url"].endswith(f"/groups/{admin.group}/apps/{app['_id']}/dashboard")
    for bad in ({"name": ""}, {"name": "a b"}, {"name": "x" * 33}, {"name": "a", "location": "MOON"},
                {"name": "a", "environment": "moon"}, {"name": "a", "deployment_model": "moon"}):
        assert admin.expect(400, "POST", admin.apps, bad)["error"]
    admin.delete_app()
    assert admin.expect(404, "GET", f"{admin.apps}/{app['_id']}")["error"] == "app not found"
    assert AppUser(admin, app["client_app_id"]).login(status=404)
    admin.app = twin["_id"]
    admin.delete_app()
    assert admin.expect(404, "GET", f"{ADMIN}/groups/{'0' * 24}/apps")["error"] == "group could not be found"


def roles(**permissions):
    role = {"name": "default", "apply_when": {}, "document_filters": {"read": True, "write": True},
            "insert": True, "delete": True, "read": True, "write": True, "search": True}
    return {"roles": [{**role, **permissions}]}


def link_cluster(admin):
    """The path of a new data source of the app, on the embedded cluster."""
    service = admin.post("/services", {"name": "mongodb-atlas", "type": "mongodb-atlas",
                                       "config": {"clusterName": "Cluster0"}})
    return f"/services/{service['_id']}"


def open_to_its_users(admin, name):
    """A new app with anonymous users, who may do everything; the path of its data source."""
    admin.create_app(name)
    admin.post("/auth_providers", {"type": "anon-user"})
    service = link_cluster(admin)
    admin.post(f"{service}/default_rule", roles())
    return service


def test_the_sequence_of_the_core_test_suite_makes_a_working_app(server):
    admin = server.admin()
    app = admin.create_app("test")
    functions = {}
    for name, source in (("confirmFunc", "exports = async function (confirmationInfo) { return {status: 'success'}; };"),
                         ("resetFunc", "exports = async function (resetInfo) { return {status: 'success'}; };"),
                         ("authFunc", "exports = (loginPayload) => loginPayload['realmCustomAuthFuncUserId'];"),
                         ("sumFunc", SOURCE_OF_SUM),
                         ("updateUserData", "exports = async function (data) { return true; };")):
        created = admin.post("/functions", {"name": name, "private": name == "authFunc", "can_evaluate": {},
                                            "source": source})
        functions[name] = created["_id"]
    assert admin.post("/functions", {"name": "sumFunc", "source": SOURCE_OF_SUM}, 400)["error_code"] == \
        "FunctionDuplicateName"
    broken = admin.post("/functions", {"name": "broken", "source": "exports = function ( {"}, 400)
    assert broken["error_code"] == "FunctionSyntaxError", broken
    admin.post("/auth_providers", {"type": "anon-user"})
    admin.post("/auth_providers", {"type": "local-userpass", "config": {
        "autoConfirm": False, "confirmEmailSubject": "", "emailConfirmationUrl": "http://localhost/confirmEmail",
        "resetPasswordSubject": "", "resetPasswordUrl": "http://localhost/resetPassword",
        "confirmationFunctionName": "confirmFunc", "confirmationFunctionId": functions["confirmFunc"],
        "runConfirmationFunction": True, "resetFunctionName": "resetFunc", "resetFunctionId": functions["resetFunc"],
        "runResetFunction": True}})
    admin.post("/auth_providers", {"type": "custom-function", "config": {
        "authFunctionName": "authFunc", "authFunctionId": functions["authFunc"]}})
    assert admin.post("/auth_providers", {"type": "anon-user"}, 409)["error_code"] == "AuthProviderAlreadyExists"
    api_key = [one for one in admin.get("/auth_providers") if one["type"] == "api-key"][0]
    admin.put(f"/auth_providers/{api_key['_id']}/enable", "")
    for name, value in (("BackingDB_uri", "mongodb://localhost:26000"), ("gcm", "gcm"),
                        ("customTokenKey", "My_very_confidential_secretttttt")):
        assert admin.post("/secrets", {"name": name, "value": value})["name"] == name
    admin.post("/auth_providers", {
        "type": "custom-token",
        "config": {"audience": [], "signingAlgorithm": "HS256", "useJWKURI": False},
        "secret_config": {"signingKeys": ["customTokenKey"]}, "disabled": False,
        "metadata_fields": [{"required": False, "name": "user_data.name", "field_name": "name"}]})
    service = admin.post("/services", {"name": "BackingDB", "type": "mongodb", "config": {
        "flexible_sync": {"database_name": "test_db", "queryable_fields_names": ["owner_id"], "asymmetric_tables": []}}})
    assert service["type"] == "mongodb" and service["version"] == 1 and isinstance(service["last_modified"], int)
    assert admin.post("/services", {"name": "BackingDB", "type": "mongodb", "config": {}}, 409)["error_code"] == \
        "ServiceAlreadyExists"
    config = admin.get(f"/services/{service['_id']}/config")
    assert config["flexible_sync"]["state"] == "" and config["flexible_sync"]["database_name"] == "test_db"
    rule = admin.post(f"/services/{service['_id']}/default_rule", roles())
    assert rule["_id"] and rule["roles"][0]["_id"]
    assert admin.post(f"/services/{service['_id']}/default_rule", roles(), 400)["error"] == "default rule already exists"
    rule["roles"][0]["write"] = {"owner_id": "%%user.id"}
    assert admin.put(f"/services/{service['_id']}/default_rule", rule) == b""
    assert admin.put(f"/services/{service['_id']}/default_rule", {**rule, "_id": "0" * 24}, 400)["error"] == \
        "service default rule id mismatch"
    assert admin.get("/schemas") == []
    schema = {"metadata": {"data_source": "BackingDB", "database": "test_db", "collection": "Dog"},
              "schema": {"title": "Dog", "bsonType": "object", "required": ["_id"],
                         "properties": {"_id": {"bsonType": "objectId"}, "owner_id": {"bsonType": "string"}}},
              "relationships": None}
    dog = admin.post("/schemas", schema)
    person = admin.post("/schemas", {
        "metadata": {"data_source": "BackingDB", "database": "test_db", "collection": "Person test-abcde"},
        "schema": {"title": "Person", "properties": {"_id": {"bsonType": "objectId"},
                                                     "dogs": {"bsonType": "array", "items": {"bsonType": "objectId"}}}}})
    full = {"_id": person["_id"], "metadata": person["metadata"],
            "schema": {"title": "Person", "bsonType": "object", "required": ["_id"],
                       "properties": {"_id": {"bsonType": "objectId"}, "name": {"bsonType": "string"},
                                      "dogs": {"bsonType": "array", "items": {"bsonType": "objectId"}}}},
            "relationships": {"dogs": {"ref": "#/relationship/BackingDB/test_db/Dog", "foreign_key": "_id",
                                       "is_list": True}}}
    assert admin.put(f"/schemas/{person['_id']}", full) == b""
    assert admin.get(f"/schemas/{person['_id']}") == full
    assert [one["_id"] for one in admin.get("/schemas")] == [dog["_id"], person["_id"]]
    config = admin.get(f"/services/{service['_id']}/config")
    admin.patch(f"/services/{service['_id']}/config",
                {"flexible_sync": {**config["flexible_sync"], "is_recovery_mode_disabled": False}})
    assert admin.put("/sync/config", {"development_mode_enabled": True}) == b""
    created = admin.post(f"/services/{service['_id']}/rules",
                         {"database": "test_db", "collection": "UserData", **roles()})
    assert created["_id"] and created["name"] == "test_db.UserData"
    admin.patch("/custom_user_data", {"mongo_service_id": service["_id"], "enabled": True, "database_name": "test_db",
                                      "collection_name": "UserData", "user_id_field": "user_id"})
    assert admin.get("/custom_user_data")["mongo_service_id"] == service["_id"]
    admin.post("/services", {"name": "gcm", "type": "gcm", "config": {"senderId": "gcm"},
                             "secret_config": {"apiKey": "gcm"}, "version": 1})
    services = admin.get("/services")
    assert [set(one) for one in services] == [{"_id", "name", "type", "version", "last_modified"}] * 2
    progress = admin.get("/sync/progress")
    assert isinstance(progress["progress"], dict) and isinstance(progress["accepting_clients"], bool)

    # Clients of the app.
    user = AppUser(admin, app["client_app_id"])
    user.login()
    assert user.call("sumFunc", 1, 2, 3) == {"$numberInt": "6"}
    mine = {"owner_id": user.id}
    user.call("insertOne", {"database": "test_db", "collection": "Cat", "document": mine}, service="BackingDB")
    found = user.call("find", {"database": "test_db", "collection": "Cat", "query": {}}, service="BackingDB")
    assert [one["owner_id"] for one in found] == [user.id]
    user.call("insertOne", {"database": "test_db", "collection": "Cat", "document": {"owner_id": "other"}},
              service="BackingDB", status=400)
    AppUser(admin).login("custom-function", {"realmCustomAuthFuncUserId": "someone"})
    answer = admin.raw("POST", f"{user.base}/auth/providers/local-userpass/register",
                       json.dumps({"email": "core@example.com", "password": "password1"}),
                       {"Content-Type": "application/json"})
    assert answer.status == 201, answer.body
    person = AppUser(admin)
    person.login("local-userpass", {"username": "core@example.com", "password": "password1"})

    # Administration of users.
    verified = admin.post("/users/verify_token", {"token": person.token}, 200)
    assert verified["iat"] > 0 and verified["exp"] > verified["iat"] and verified["sub"] == person.id
    assert admin.put(f"/users/{person.id}/disable", "") == b""
    assert admin.get(f"/users/{person.id}")["disabled"] is True
    person.login("local-userpass", {"username": "core@example.com", "password": "password1"}, status=401)
    assert admin.put(f"/users/{person.id}/enable", "") == b""
    person.login("local-userpass", {"username": "core@example.com", "password": "password1"})
    assert admin.put(f"/users/{person.id}/logout", "") == b""
    refused = admin.post("/users/verify_token", {"token": person.token}, 401)
    assert refused == {"error": "invalid session", "error_code": "InvalidSession"}
    person.login("local-userpass", {"username": "core@example.com", "password": "password1"})
    admin.post("/users/verify_token", {"token": person.token}, 200)

    # Private endpoints.
    private = f"/api/private/v1.0/groups/{admin.group}/apps/{app['_id']}"
    assert admin.expect(204, "POST", f"{private}/features", {"action": "enable", "feature_flags": ["x", "y"]}) == b""
    admin.expect(204, "POST", f"{private}/features", {"action": "disable", "feature_flags": ["y"]})
    assert admin.expect(200, "GET", f"{private}/features") == {"enabled": ["x"]}
    admin.expect(204, "PATCH", f"{private}/settings", {"sync": {"a": 1}})
    admin.expect(204, "PATCH", f"{private}/settings", {"sync": {"b": 2}})
    assert admin.expect(200, "GET", f"{private}/settings") == {"sync": {"a": 1, "b": 2}}

    # A draft collects changes and deploys them as one.
    before = len(admin.get("/deployments"))
    draft = admin.post("/drafts", "null")
    assert draft["user_id"] and draft["app"]["_id"] == app["_id"]
    assert admin.post("/drafts", None, 409) == {"error": "a draft already exists", "error_code": "DraftAlreadyExists"}
    admin.delete(f"/schemas/{dog['_id']}")
    admin.post("/values", {"name": "staged", "value": 1})
    assert len(admin.get("/schemas")) == 1
    diff = admin.get(f"/drafts/{draft['_id']}/diff")
    assert any("staged" in one for one in diff["diffs"]), diff
    assert len(admin.get("/deployments")) == before
    deployed = admin.expect(201, "POST", admin.path(f"/drafts/{draft['_id']}/deployment"), "null")
    assert deployed["status"] == "created"
    assert admin.get(f"/deployments/{deployed['_id']}")["status"] == "successful"
    assert admin.get("/deployments")[0]["_id"] == deployed["_id"] and len(admin.get("/deployments")) == before + 1
    assert admin.get("/drafts") == []
    admin.delete_app()


def test_the_sequence_of_the_js_importer_makes_a_working_app(server):
    admin = server.admin()
    admin.create_app("js-app")
    answers = []

    def in_background(method, path, body):
        thread = threading.Thread(target=lambda: answers.append(admin.call(method, admin.path(path), body).status))
        thread.start()
        return thread

    # What the importer does not wait for, it does not wait for.
    threads = [in_background("POST", "/security/allowed_request_origins", ["http://localhost:8080"])]
    threads += [in_background("POST", "/secrets", {"name": f"secret_{i}", "value": "v"}) for i in range(4)]
    threads += [in_background("POST", "/values", {"name": f"value_{i}", "value": i}) for i in range(8)]
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201] * 12 + [204], answers
    answers.clear()
    admin.put("/sync/config", {"development_mode_enabled": True})
    service = admin.post("/services", {"name": "mongodb", "type": "mongodb", "config": {
        "sync": {"state": "enabled", "database_name": "test-database",
                 "partition": {"key": "_partition", "type": "string", "permissions": {"read": True, "write": True}}}}})
    http = admin.post("/services", {"name": "http", "type": "http", "config": {}})
    threads = [in_background("POST", f"/services/{service['_id']}/default_rule", roles()),
               in_background("POST", f"/services/{http['_id']}/rules", {"name": "access", "actions": ["get", "post"]})]
    admin.post("/functions", {"name": "echo", "private": False, "source": "exports = (x) => x;"})
    admin.post("/functions", {"name": "reset", "private": True,
                              "source": "exports = async () => { const files = context.services.get('mongodb')"
                                        ".db('__test').collection('clientfiles'); "
                                        "return (await files.deleteMany({})).deletedCount; };", "run_as_system": True})
    for thread in threads:
        thread.join()
    assert answers == [201, 201], answers
    assert [one["name"] for one in admin.get("/functions")] == ["echo", "reset"]
    providers = {one["type"]: one for one in admin.get("/auth_providers")}
    for body in ({"name": "anon-user", "type": "anon-user", "disabled": False},
                 {"name": "api-key", "type": "api-key", "disabled": False},
                 {"name": "local-userpass", "type": "local-userpass", "disabled": False,
                  "config": {"autoConfirm": True, "resetPasswordUrl": "http://localhost/reset"}}):
        if body["type"] in providers:
            admin.patch(f"/auth_providers/{providers[body['type']]['_id']}",
                        {"_id": providers[body["type"]]["_id"], **body})
        else:
            admin.post("/auth_providers", body)
    assert len(admin.get("/values")) == 8 and len(admin.get("/secrets")) == 4
    user = AppUser(admin)
    user.login()
    assert user.call("echo", {"a": [1, 2.5, "x"]})["a"][2] == "x"
    admin.delete_app()


def test_redeploying_the_first_deployment_takes_back_what_came_after(server):
    admin = server.admin()
    admin.create_app("reused")
    admin.post("/values", {"name": "dummyValue", "value": "unused"})
    deployments = admin.get("/deployments")
    assert len(deployments) == 1 and isinstance(deployments[0]["deployed_at"], int)
    admin.post("/functions", {"name": "later", "source": "exports = () => 1;"})
    admin.post("/services", {"name": "mongodb", "type": "mongodb", "config": {}})
    admin.post("/auth_providers", {"type": "anon-user"})
    secret = admin.post("/secrets", {"name": "kept", "value": "v"})
    assert len(admin.get("/deployments")) == 4
    admin.expect(204, "POST", admin.path(f"/deployments/{deployments[0]['_id']}/redeploy"))
    newest = admin.get("/deployments")[0]
    assert newest["_id"] != deployments[0]["_id"] and newest["status"] == "successful"
    assert admin.get("/functions") == [] and admin.get("/services") == []
    assert [one["type"] for one in admin.get("/auth_providers")] == ["api-key"]
    assert [one["name"] for one in admin.get("/values")] == ["dummyValue"]
    assert admin.get("/secrets") == [{"_id": secret["_id"], "name": "kept"}]
    admin.delete(f"/secrets/{secret['_id']}")
    AppUser(admin).login(status=404)
    refused = admin.expect(404, "POST", admin.path(f"/deployments/{'0' * 24}/redeploy"))
    assert refused["error_code"] == "DeploymentNotFound"
    admin.delete_app()


def test_every_restart_brings_the_apps_back(server):
    admin = server.admin()
    app = admin.create_app("lasting")
    admin.post("/auth_providers", {"type": "anon-user"})
    admin.post("/secrets", {"name": "hidden", "value": "s3cret"})
    admin.post("/values", {"name": "shown", "value": "hidden", "from_secret": True})
    function = admin.post("/functions", {"name": "tell", "source": "exports = () => context.values.get('shown');"})
    draft = admin.post("/drafts", None)
    admin.post("/values", {"name": "staged", "value": {"$numberLong": "5"}})
    before = {path: admin.get(path) for path in ("", "/functions", "/auth_providers", "/values", "/deployments")}
    user = AppUser(admin)
    user.login()
    assert user.call("tell") == "s3cret"
    admin = AdminClient(server.restart())
    admin.login()
    admin.app, admin.client_app_id = app["_id"], app["client_app_id"]
    assert {path: admin.get(path) for path in before} == before
    assert admin.get("/drafts")[0]["_id"] == draft["_id"]
    assert admin.get(f"/functions/{function['_id']}")["source"] == "exports = () => context.values.get('shown');"
    again = AppUser(admin)
    again.token = user.token
    assert again.call("tell") == "s3cret"
    admin.delete(f"/drafts/{draft['_id']}")
    assert [one["name"] for one in admin.get("/values")] == ["shown"]
    admin.delete_app()


def test_parallel_changes_are_all_kept(server):
    admin = server.admin()
    admin.create_app("parallel")
    problems = []

    def work(worker):
        for i in range(10):
            answer = admin.call("POST", admin.path("/values"), {"name": f"v{worker}_{i}", "value": i})
            if answer.status != 201:
                problems.append(answer.body)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[:3]
    names = [one["name"] for one in admin.get("/values")]
    assert len(names) == len(set(names)) == 80
    assert len(admin.get("/deployments")) == 25
    admin.delete_app()


def test_clients_see_no_failed_request_while_their_app_is_deployed(server):
    admin = server.admin()
    admin.create_app("busy")
    admin.post("/auth_providers", {"type": "anon-user"})
    version = "exports = () => [%d, context.functions.execute('other')];"
    function = admin.post("/functions", {"name": "pair", "source": version % 0})
    other = admin.post("/functions", {"name": "other", "source": "exports = () => 0;"})
    problems, mixed, calls = [], [], [0]
    stop = threading.Event()

    def use():
        user = AppUser(admin)
        user.login()
        while not stop.is_set():
            try:
                first, second = user.call("pair")
                calls[0] += 1
                if first != second:
                    mixed.append((first, second))
            except Exception as problem:  # noqa: BLE001
                problems.append(repr(problem))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 101):
        draft = admin.post("/drafts", None)
        admin.put(f"/functions/{function['_id']}", {"name": "pair", "source": version % number})
        admin.put(f"/functions/{other['_id']}", {"name": "other", "source": "exports = () => %d;" % number})
        admin.expect(201, "POST", admin.path(f"/drafts/{draft['_id']}/deployment"))
    for number in range(100):
        admin.post("/values", {"name": f"n{number}", "value": number})
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems, problems[:3]
    assert not mixed, mixed[:3]
    assert calls[0] > 20, calls
    admin.delete_app()


def test_a_change_that_does_not_validate_leaves_everything_as_it_was(server):
    admin = server.admin()
    admin.create_app("strict")
    service = link_cluster(admin)
    count = len(admin.get("/deployments"))
    rules = f"{service}/rules"
    for body in ({"database": "a", "collection": "b", "roles": [{"name": "x", "documentfilters": {}}]},
                 {"database": "a", "collection": "b", "roles": [{"apply_when": {}}]}):
        refused = admin.post(rules, body, 400)
        assert refused["error_code"] and refused["findings"][0]["pointer"], refused
    unknown = {"database": "a", "collection": "b", "roles": [{"name": "x", "apply_when": {"owner": "%%usr.id"}}]}
    assert "error validating rule: do not know how to expand '%%usr.id'" in admin.post(rules, unknown, 400)["error"]
    assert admin.post("/values", {"name": "no spaces", "value": 1}, 400)["error_code"] == "InvalidParameter"
    assert admin.post("/values", {"name": "from", "value": "nothing", "from_secret": True}, 400)["error"].endswith(
        'secret not found: "nothing"')
    assert admin.post("/triggers", {"name": "t", "type": "SCHEDULED", "config": {"schedule": "* *"}}, 400)["findings"]
    assert admin.post("/services", {"name": "x", "type": "moon", "config": {}}, 400)["error_code"] == \
        "ServiceTypeNotFound"
    refused = admin.patch(f"{service}/config", {"clusterName": "Other"}, 400)
    assert refused["error_code"] == "InvalidParameter"
    assert admin.get(rules) == [] and len(admin.get("/deployments")) == count
    rule = admin.post(rules, {"database": "a", "collection": "b", **roles()})
    assert admin.post(rules, {"database": "a", "collection": "b", **roles()}, 409)["error_code"] == "RuleAlreadyExists"
    assert admin.get(rules) == [{"_id": rule["_id"], "database": "a", "collection": "b"}]
    assert admin.expect(400, "POST", admin.path("/values"), "{not json")["error_code"] == "BadRequest"
    for family, code in (("functions", "FunctionNotFound"), ("services", "ServiceNotFound"),
                         ("values", "ValueNotFound"), ("auth_providers", "AuthProviderNotFound"),
                         ("users", "UserNotFound"), ("api_keys", "APIKeyNotFound"),
                         ("environment_values", "EnvironmentValueNotFound")):
        for identifier in ("0" * 24, "nonsense"):
            assert admin.get(f"/{family}/{identifier}", 404)["error_code"] == code
    admin.delete_app()


def test_secrets_and_access_list_answer_as_the_command_line_compares(server):
    admin = server.admin()
    admin.create_app("cli")
    secret = admin.post("/secrets", {"name": "first", "value": "1"})
    assert secret == {"_id": secret["_id"], "name": "first"}
    assert admin.put(f"/secrets/{secret['_id']}", {"name": "renamed", "value": ""}) == b""
    assert admin.get("/secrets") == [{"_id": secret["_id"], "name": "renamed"}]
    for method in ("PUT", "DELETE"):
        answer = admin.call(method, admin.path("/secrets/notFound"), {"name": "x", "value": "y"})
        assert answer.status == 404 and answer.json == {"error": 'secret not found: "notFound"'}
    assert admin.delete(f"/secrets/{secret['_id']}") == b""
    entry = admin.post("/security/access_list", {"address": "10.0.0.0/8", "comment": "office"})
    changed = admin.patch(f"/security/access_list/{entry['_id']}", {"comment": "lab"}, 200)
    assert changed["address"] == "10.0.0.0/8" and changed["comment"] == "lab"
    unknown = "f" * 24
    answer = admin.call("PATCH", admin.path(f"/security/access_list/{unknown}"), {"comment": "x"})
    assert answer.status == 404 and answer.json == {"error": f"allowed IP not found: 'ObjectID(\"{unknown}\")'"}
    assert admin.delete(f"/security/access_list/{entry['_id']}") == b""
    assert admin.post("/security/access_list", {"address": "10.0.0.999"}, 400)["error_code"] == "InvalidParameter"
    admin.put("/security/refresh_token_expiration", {"expiration_time_seconds": 3600})
    assert admin.get("/security/refresh_token_expiration") == {"expiration_time_seconds": 3600}
    admin.put("/security/refresh_token_expiration", {"expiration_time_seconds": 10}, 400)
    admin.delete_app()


def test_server_keys_and_users_are_administered(server):
    admin = server.admin()
    admin.create_app("users")
    api_key = admin.get("/auth_providers")[0]
    admin.put(f"/auth_providers/{api_key['_id']}/enable", None)
    admin.post("/auth_providers", {"type": "local-userpass", "config": {"emailConfirmationUrl": "http://localhost/c"},
                                   "metadata_fields": [{}]})
    key = admin.post("/api_keys", {"name": "server"})
    assert set(key) == {"_id", "name", "disabled", "key"}
    assert admin.get("/api_keys") == [{"_id": key["_id"], "name": "server", "disabled": False}]
    created = admin.post("/users", {"email": "a@example.com", "password": "password1"})
    assert admin.get(f"/users/{created['_id']}") == created
    assert admin.post("/users", {"email": "a@example.com", "password": "password1"}, 409)["error_code"] == \
        "AccountNameInUse"
    listed = admin.get("/users")
    assert [one["type"] for one in listed] == ["server", "normal"]
    identity = listed[0]["identities"][0]
    assert identity["id"] == key["_id"] and identity["provider_type"] == "api-key" and \
        len(identity["provider_id"]) == 24 and listed[0]["data"] == {"name": "server"}
    assert [one["_id"] for one in admin.get("/users?provider_types=local-userpass&status=enabled")] == [created["_id"]]
    assert admin.get(f"/users?after={listed[1]['_id']}") == []
    client = AppUser(admin)
    client.login("api-key", {"key": key["key"]})
    assert client.id == listed[0]["_id"]
    admin.put(f"/api_keys/{key['_id']}/disable", {})
    client.login("api-key", {"key": key["key"]}, status=401)
    client.login("local-userpass", {"username": "a@example.com", "password": "password1"})
    assert admin.get(f"/users/{created['_id']}")["last_authentication_date"] > 0
    answer = admin.raw("POST", f"{client.base}/auth/providers/local-userpass/register",
                       json.dumps({"email": "b@example.com", "password": "password1"}),
                       {"Content-Type": "application/json"})
    assert answer.status == 201
    pending = admin.get("/user_registrations/pending_users")
    assert [one["login_ids"] for one in pending] == [[{"id_type": "email", "id": "b@example.com"}]]
    admin.post("/user_registrations/by_email/b%40example.com/confirm", None, 204)
    assert admin.get("/user_registrations/pending_users") == []
    client.login("local-userpass", {"username": "b@example.com", "password": "password1"})
    admin.delete(f"/api_keys/{key['_id']}")
    admin.delete(f"/users/{created['_id']}")
    assert admin.get(f"/users/{created['_id']}", 404)["error_code"] == "UserNotFound"
    admin.delete_app()


def test_rules_tell_the_users_of_server_keys_of_which_there_are_at_most_100(server):
    admin = server.admin()
    admin.create_app("server-keys")
    api_key = next(one for one in admin.get("/auth_providers") if one["type"] == "api-key")
    admin.put(f"/auth_providers/{api_key['_id']}/enable", None)
    admin.post("/auth_providers", {"type": "anon-user"})
    admin.post(f"{link_cluster(admin)}/rules", {
        "database": "keys", "collection": "items",
        "roles": [{"name": "servers", "apply_when": {"%%user.type": "server"}, "read": True, "write": True}]})
    machine, person = AppUser(admin), AppUser(admin)
    machine.login("api-key", {"key": admin.post("/api_keys", {"name": "key"})["key"]})
    person.login()
    document = {"database": "keys", "collection": "items", "document": {"_id": "made by a server"}}
    machine.call("insertOne", document, service="mongodb-atlas")
    person.call("insertOne", document, service="mongodb-atlas", status=400)
    assert len(machine.call("find", {"database": "keys", "collection": "items"}, service="mongodb-atlas")) == 1
    assert person.call("find", {"database": "keys", "collection": "items"}, service="mongodb-atlas") == []
    for number in range(99):
        admin.post("/api_keys", {"name": f"key{number}"})
    refused = admin.post("/api_keys", {"name": "one-more"}, 400)
    assert refused["error"] == "an app can have at most 100 server API keys", refused
    admin.delete_app()


def settled_logs(admin, seconds=10):
    """All entries, once no more come: they are stored after the answers that they tell of."""
    deadline = time.monotonic() + seconds
    before, logs = None, admin.get("/logs")["logs"]
    while (logs != before or not logs) and time.monotonic() < deadline:
        time.sleep(0.3)
        before, logs = logs, admin.get("/logs")["logs"]
    return logs


def test_functions_are_run_for_administrators(server):
    admin = server.admin()
    admin.create_app("debug")
    admin.post("/functions", {"name": "sum", "source": "exports = (...a) => { console.log('called'); return a.length; };"})
    admin.post("/functions", {"name": "id", "source": "exports = (x) => x;"})
    admin.post("/functions", {"name": "fail", "source": "exports = () => { throw new Error('boom'); };"})
    result = admin.post("/debug/execute_function?run_as_system=true", {"name": "sum", "arguments": [1, "x"]}, 200)
    assert result["result"] == {"$numberInt": "2"} and result["logs"] == ["called"] and result["error_logs"] is None
    assert result["stats"]["execution_time"].endswith(("s", "ms"))
    result = admin.post("/debug/execute_function?run_as_system=true", {"name": "id", "arguments": None}, 200)
    assert result["result"] is None and result["logs"] is None
    refused = admin.post("/debug/execute_function?run_as_system=true", {"name": "fail", "arguments": []}, 400)
    assert refused["error_code"] == "FunctionExecutionError"
    admin.post("/debug/execute_function", {"name": "sum", "arguments": []}, 400)
    result = admin.post("/debug/execute_function_source?run_as_system=true",
                        {"source": "exports = (a) => a * 2;", "eval_source": "exports(21)"}, 200)
    assert result["result"] == {"$numberInt": "42"}
    logs = settled_logs(admin)
    assert [one["type"] for one in logs][:1] == ["FUNCTION"] and all(isinstance(one["_id"], str) for one in logs)
    errors = admin.get("/logs?errors_only=false")["logs"]
    assert len(errors) == 1 and "boom" in errors[0]["error"]
    page = admin.get("/logs?limit=2")
    rest = admin.get(f"/logs?limit=100&end_date={page['nextEndDate']}&skip={page.get('nextSkip', 0)}")
    assert len(page["logs"]) + len(rest["logs"]) == len(logs)
    admin.delete_app()


def test_an_import_of_an_export_changes_nothing(server):
    admin = server.admin()
    admin.create_app("transfer")
    document = {
        "config_version": 20210101, "name": "other-name",
        "environments": {"no-environment.json": {"values": {"base": "http://a"}},
                         "production.json": {"values": {"base": "http://b"}}},
        "values": [{"name": "list", "value": [1, {"$numberLong": "5"}], "from_secret": False}],
        "auth": {"providers": {"anon-user": {"name": "anon-user", "type": "anon-user", "disabled": False}},
                 "custom_user_data": {"enabled": False}},
        "functions": {"config": [{"name": "foo/bar", "private": True}],
                      "sources": {"foo/bar.js": "exports = () => 1;\n"}},
        "triggers": [{"name": "nightly", "type": "SCHEDULED", "config": {"schedule": "0 0 * * *"},
                      "function_name": "foo/bar", "disabled": True}],
        "data_sources": [{"config": {"name": "mongodb-atlas", "type": "mongodb-atlas",
                                     "config": {"clusterName": "Cluster0", "readPreference": "primary",
                                                "wireProtocolEnabled": False}, "version": 1},
                          "rules": [{"database": "shop", "collection": "items", **roles(),
                                     "schema": {"title": "item", "properties": {"_id": {"bsonType": "objectId"}}},
                                     "relationships": {}},
                                    {"database": "shop", "collection": "plain",
                                     "schema": {"properties": {}}, "relationships": {}}]}],
        "endpoints": {"config": [{"route": "/hello", "http_method": "GET", "function_name": "foo/bar",
                                  "validation_method": "NO_VALIDATION", "respond_result": True,
                                  "fetch_custom_user_data": False, "create_user_on_auth": False, "disabled": False}]},
        "graphql": {"config": {"use_natural_pluralization": True}}, "sync": {}, "secrets": {}}
    diff = admin.post("/import?strategy=replace-by-name&diff=true", document, 200)
    assert any(one.startswith("--- functions/foo/bar.js\n") for one in diff), diff
    assert admin.post("/import?strategy=replace-by-name", document, 204) == b""
    assert admin.post("/import?strategy=replace-by-name&diff=true", document, 200) == []
    assert len(admin.get("/deployments")) == 1
    assert admin.get("")["name"] == "transfer"
    service = admin.get("/services")[0]
    assert [one["collection"] for one in admin.get(f"/services/{service['_id']}/rules")] == ["items"]
    assert [one["metadata"]["collection"] for one in admin.get("/schemas")] == ["items", "plain"]
    trigger = admin.get("/triggers")[0]
    assert trigger["function_name"] == "foo/bar" and len(trigger["function_id"]) == 24
    function = admin.get("/functions")[0]
    ids = {path: admin.get(path)[0]["_id"] for path in ("/functions", "/services", "/values", "/triggers", "/endpoints")}
    document["functions"]["sources"]["foo/bar.js"] = "exports = () => 2;\n"
    admin.post("/import?strategy=replace-by-name", document, 204)
    assert {path: admin.get(path)[0]["_id"] for path in ids} == ids
    assert admin.get(f"/functions/{function['_id']}")["source"] == "exports = () => 2;\n"
    answer = admin.call("GET", admin.path("/export?version=20210101&source_control=true"))
    assert answer.status == 200 and 'filename="transfer_' in answer.headers["Content-Disposition"]
    files = zipfile.ZipFile(io.BytesIO(answer.body))
    names = files.namelist()
    for name in ("realm_config.json", "auth/providers.json", "functions/foo/bar.js", "functions/config.json",
                 "data_sources/mongodb-atlas/config.json", "data_sources/mongodb-atlas/shop/items/schema.json",
                 "environments/production.json", "values/list.json", "triggers/nightly.json", ".mdb/app_meta.json"):
        assert name in names, (name, names)
    assert json.loads(files.read("data_sources/mongodb-atlas/config.json")) == {
        "name": "mongodb-atlas", "type": "mongodb-atlas",
        "config": {"clusterName": "Cluster0", "readPreference": "primary", "wireProtocolEnabled": False}}
    assert json.loads(files.read("values/list.json"))["value"] == [1, {"$numberLong": "5"}]
    for version in (20180301, 20200603, 20230101):
        assert admin.call("GET", admin.path(f"/export?version={version}")).status == 200
    admin.expect(400, "GET", admin.path("/export?version=1"))
    # What a directory does not have any more goes; settings stay.
    minimal = {"config_version": 20210101, "hosting": {"enabled": True}}
    admin.post("/import?strategy=replace-by-name", minimal, 204)
    assert admin.get("/functions") == [] and admin.get("/services") == []
    assert admin.get("/hosting/config")["enabled"] is True
    assert len(admin.get("/environment_values")) == 1
    bad = {"config_version": 20210101, "values": [{"name": "a b", "value": 1}, {"name": "c d", "value": 1}]}
    refused = admin.post("/import?strategy=replace-by-name", bad, 400)
    assert len(refused["findings"]) >= 2 and refused["error"].count("\n") >= 1, refused
    assert admin.post("/import?strategy=replace-by-name&diff=true", bad, 400)["findings"] == refused["findings"]
    admin.post("/import?strategy=moon", {}, 400)
    admin.delete_app()


def test_packages_of_functions_are_uploaded_and_installed(server):
    admin = server.admin()
    admin.create_app("packages")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("node_modules/tiny/package.json", '{"name": "tiny", "version": "1.0.0", "main": "index.js"}')
        files.writestr("node_modules/tiny/index.js", "module.exports = () => 42;")
    boundary = "a-boundary-of-its-own"
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="node_modules.zip"\r\n'
            f'Content-Type: application/octet-stream\r\n\r\n').encode() + archive.getvalue() + \
        f"\r\n--{boundary}--\r\n".encode()
    kind = f"multipart/form-data; boundary={boundary}"
    assert admin.get("/dependencies/status") == {"status": "", "status_message": ""}
    assert admin.expect(204, "PUT", admin.path("/dependencies"), body, content_type=kind) == b""
    status = admin.get("/dependencies/status")
    assert status in ({"status": "created", "status_message": "processing request"},
                      {"status": "successful", "status_message": ""})
    deadline = time.monotonic() + 20
    while admin.get("/dependencies/status")["status"] == "created" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert admin.get("/dependencies/status")["status"] == "successful"
    admin.post("/functions", {"name": "answer", "source": "exports = () => require('tiny')();"})
    result = admin.post("/debug/execute_function?run_as_system=true", {"name": "answer", "arguments": []}, 200)
    assert result["result"] == {"$numberInt": "42"}
    answer = admin.raw("GET", admin.path("/dependencies/archive"), None, {"Authorization": f"Bearer {admin.token}"})
    assert answer.status == 200 and answer.body == archive.getvalue()
    assert 'filename="node_modules.zip"' in answer.headers["Content-Disposition"]
    admin.expect(400, "PUT", admin.path("/dependencies"), "--x", content_type="multipart/form-data; boundary=x")
    admin.delete_app()


def test_a_function_patches_the_configuration_of_its_own_app(server):
    admin = server.admin()
    admin.create_app("tunnel")
    admin.post("/functions", {"name": "forwardAsPatch", "run_as_system": True, "source": """
        exports = async function (request, response) {
          const { url, body } = JSON.parse(request.body.text());
          const answer = await context.http.patch({ url, body: JSON.parse(body),
            headers: context.request.requestHeaders, encodeBodyAsJSON: true });
          response.setStatusCode(answer.statusCode);
        };"""})
    admin.post("/endpoints", {
        "route": "/forwardAsPatch", "http_method": "POST", "function_name": "forwardAsPatch",
        "function_id": admin.get("/functions")[0]["_id"], "validation_method": "NO_VALIDATION", "secret_id": "",
        "secret_name": "", "create_user_on_auth": False, "fetch_custom_user_data": False, "respond_result": False,
        "disabled": False, "return_type": "JSON"})
    provider = admin.get("/auth_providers")[0]
    for _ in range(2):
        answer = admin.raw("POST", f"/app/{admin.client_app_id}/endpoint/forwardAsPatch",
                           json.dumps({"url": admin.url + admin.path(f"/auth_providers/{provider['_id']}"),
                                       "body": json.dumps({"disabled": False})}),
                           {"Authorization": f"Bearer {admin.token}", "Content-Type": "application/json"})
        assert answer.status == 204, answer.body
    assert admin.get("/auth_providers")[0]["disabled"] is False
    admin.delete_app()


def test_sign_ins_are_in_the_logs_and_data_sources_answer_commands(server):
    admin = server.admin()
    service = open_to_its_users(admin, "looks")
    user = AppUser(admin)
    user.login()
    user.login("local-userpass", {"username": "a", "password": "b"}, status=404)
    deadline = time.monotonic() + 10
    logs = []
    while len(logs) < 2 and time.monotonic() < deadline:
        logs = admin.get("/logs?type=AUTH")["logs"]
    assert [one["auth_event"]["failed"] for one in logs] == [True, False], logs
    assert logs[0]["error_code"] == "AuthProviderNotFound" and logs[1]["user_id"] == user.id
    assert admin.get(f"/logs?co_id={logs[0]['co_id']}")["logs"] == [logs[0]]
    assert [one["status"] for one in admin.get("/logs?errors_only")["logs"]] == [404]
    user.call("insertOne", {"database": "looked", "collection": "at", "document": {"a": 1, "b": {"c": ["x"]}}},
              service="mongodb-atlas")
    commands = f"{service}/commands"
    assert admin.get(f"{commands}/build_info")["version"]
    databases = admin.post(f"{commands}/list_databases", None, 200)["databases"]
    assert "looked" in databases and not any(one.startswith("__restitch") for one in databases)
    assert admin.post(f"{commands}/list_collections", {"database_name": "looked"}, 200) == {"collections": ["at"]}
    schema = admin.post(f"{commands}/generate_schema", {"database_name": "looked", "collection_name": "at"}, 200)["schema"]
    assert schema["properties"]["b"]["properties"]["c"] == {"bsonType": "array", "items": {"bsonType": "string"}}
    user.call("insertOne", {"database": "looked", "collection": "at", "document": {"a": "text"}}, service="mongodb-atlas")
    wanted = {"database_name": "looked", "collection_name": "at", "limit": 1}
    for more, types in (({"sort": {"_id": 1}}, ["int", "long", "double"]), ({"query": {"a": "text"}}, ["string"])):
        schema = admin.post(f"{commands}/generate_schema", {**wanted, **more, "projection": {"a": 1}}, 200)["schema"]
        assert set(schema["properties"]) == {"_id", "a"} and schema["properties"]["a"]["bsonType"] in types, schema
    refused = admin.post(f"{commands}/generate_schema", {**wanted, "limit": 50001}, 400)
    assert refused["error"] == "'limit' must be between 1 and 50000"
    logs = logs_of(admin, "type=SCHEMA_GENERATION", 4)
    assert [one.get("error") for one in logs] == [refused["error"], None, None, None], logs
    assert admin.post(f"{commands}/moon", {}, 404)["error_code"] == "ServiceCommandNotFound"
    admin.delete_app()


def test_documents_are_validated_against_a_schema(server):
    admin = server.admin()
    service = open_to_its_users(admin, "validated")
    user = AppUser(admin)
    user.login()
    insert = {"database": "checked", "collection": "items"}
    documents = [{"_id": {"$oid": "60000000000000000000000%d" % number}, "n": number} for number in range(3)]
    documents += [{"_id": "text", "n": "three"}, {"_id": {"$numberInt": "7"}, "tags": ["a", 1]}]
    user.call("insertMany", {**insert, "documents": documents}, service="mongodb-atlas")
    schema = {"bsonType": "object", "required": ["n"],
              "properties": {"n": {"bsonType": "int", "maximum": 1},
                             "tags": {"bsonType": "array", "items": {"bsonType": "string"}}}}
    command = f"{service}/commands/validate_documents"
    body = {"database_name": "checked", "collection_name": "items", "from_schema": schema}
    assert admin.post(command, body, 200) == {
        "errors": [
            {"error_code": "invalid_type", "error_count": 1, "field": "(root).n", "failed_ids": ["text"],
             "failed_documents_query": {"_id": {"$in": ["text"]}}},
            {"error_code": "invalid_type", "error_count": 1, "field": "(root).tags.1", "failed_ids": ["7"],
             "failed_documents_query": {"_id": {"$in": [7]}}},
            {"error_code": "number_lte", "error_count": 1, "field": "(root).n",
             "failed_ids": ["600000000000000000000002"],
             "failed_documents_query": {"_id": {"$in": [{"$oid": "600000000000000000000002"}]}}},
            {"error_code": "required", "error_count": 1, "field": "(root).n", "failed_ids": ["7"],
             "failed_documents_query": {"_id": {"$in": [7]}}}],
        "total_processed_count": 5, "total_error_count": 3}
    # The sample is what the query finds, in order, up to the limit.
    some = admin.post(command, {**body, "query": {"_id": {"$type": "objectId"}}}, 200)
    assert (some["total_processed_count"], some["total_error_count"]) == (3, 1), some
    newest = admin.post(command, {**body, "query": {"_id": {"$gte": {"$oid": "6" + "0" * 23}}}, "sort": {"_id": -1},
                                  "limit": 1}, 200)
    assert newest["errors"][0]["failed_ids"] == ["600000000000000000000002"], newest
    assert newest["total_processed_count"] == 1
    nothing = admin.post(command, {**body, "collection_name": "empty"}, 200)
    assert nothing == {"errors": [], "total_processed_count": 0, "total_error_count": 0}
    # Without a schema of its own the request means that of the collection.
    stored = {**body, "from_schema": True}
    assert "has no schema" in admin.post(command, stored, 400)["error"]
    admin.post("/schemas", {"metadata": {"data_source": "mongodb-atlas", "database": "checked", "collection": "items"},
                            "schema": {**schema, "title": "item"}, "relationships": {}})
    assert admin.post(command, stored, 200)["total_error_count"] == 3
    many = [{"n": "x"} for _ in range(1500)]
    user.call("insertMany", {**insert, "collection": "many", "documents": many}, service="mongodb-atlas", status=200)
    bounded = admin.post(command, {**body, "collection_name": "many"}, 200)["errors"]
    assert [(one["error_count"], len(one["failed_ids"])) for one in bounded] == [(1500, 1000)], bounded[0]["error_count"]
    for change, words in (({"from_schema": {"bsonType": "moon"}}, "moon"), ({"from_schema": "text"}, "must be a schema"),
                          ({"limit": 0}, "between 1 and 50000"), ({"limit": 50001}, "between 1 and 50000"),
                          ({"query": []}, "'query' must be an object"), ({"database_name": "__restitch"}, "own"),
                          ({"query": {"$moon": 1}}, "$moon"), ({"collection_name": ""}, "collection_name")):
        refused = admin.post(command, {**body, **change}, 400)
        assert words in refused["error"], (change, refused)
    admin.delete_app()


def test_an_administrator_behind_a_trusted_proxy_has_an_address_of_its_own(server):
    for options, expected in (((), "127.0.0.1"), (("--trusted-proxy", "127.0.0.1"), "203.0.113.9")):
        server.restart(options=options)
        admin = server.admin()
        admin.create_app("seen")
        answer = admin.raw("POST", admin.path("/security/access_list"), json.dumps({"use_current": True}),
                           {"Authorization": f"Bearer {admin.token}", "X-Forwarded-For": "203.0.113.9",
                            "X-Forwarded-Proto": "https", "X-Forwarded-Host": "apps.example.org"})
        assert (answer.status, answer.json["address"], answer.json["includes_current"]) == (201, expected, True), answer.body
        admin.delete_app()


def test_names_that_are_taken_or_unknown_have_their_codes(server):
    admin = server.admin()
    admin.create_app("codes")
    mongo = link_cluster(admin)
    hooks = f"/services/{admin.post('/services', {'name': 'hooks', 'type': 'http'})['_id']}/incoming_webhooks"
    hook = {"name": "hook", "function_source": "exports = () => 1;", "options": {"httpMethod": "GET"}}
    admin.post("/values", {"name": "v", "value": 1})
    admin.post(hooks, hook)
    missing = "5f4863e4d49bd2191ff1e623"
    twice = {"roles": [{"name": "same", "apply_when": {}}, {"name": "same", "apply_when": {}}]}
    provider = {"name": "anon-user", "type": "anon-user"}

    def imported(member, *entries, version=20210101):
        return admin.expect(400, "POST", admin.path("/import?strategy=replace-by-name"),
                            {"config_version": version, member: list(entries)})

    for code, refused in (
            ("ValueAlreadyExists", admin.post("/values", {"name": "v", "value": 2}, 409)),
            ("IncomingWebhookAlreadyExists", admin.post(hooks, hook, 409)),
            ("IncomingWebhookNotFound", admin.get(f"{hooks}/{missing}", 404)),
            ("RuleNotFound", admin.get(f"{mongo}/rules/{missing}", 404)),
            ("RuleDuplicateName", admin.post(f"{mongo}/rules", {"database": "a", "collection": "b", **twice}, 400)),
            ("FunctionInvalid", admin.post("/functions", {"name": "..", "source": "exports = () => 1;"}, 400)),
            ("ValueDuplicateName", imported("values", {"name": "w", "value": 1}, {"name": "w", "value": 2})),
            ("AuthProviderDuplicateName", imported("auth_providers", provider, provider, version=20200603)),
            ("IncomingWebhookDuplicateName", imported("services", {
                "config": {"name": "more", "type": "http"}, "incoming_webhooks": [{"config": hook}, {"config": hook}]},
                version=20200603))):
        assert refused["error_code"] == code, refused
    admin.delete_app()


def test_null_may_stand_for_an_optional_field_when_the_app_says_so(server):
    admin = server.admin()
    open_to_its_users(admin, "nulls")
    admin.post("/schemas", {
        "metadata": {"data_source": "mongodb-atlas", "database": "nulls", "collection": "things"},
        "schema": {"title": "Thing", "bsonType": "object", "required": ["must"],
                   "properties": {"must": {"bsonType": "string"}, "may": {"bsonType": "string"}}}})
    user = AppUser(admin)
    user.login()
    setting = "/validation_settings/null_type_schema_validation"

    def insert(status, **document):
        user.call("insertOne", {"database": "nulls", "collection": "things", "document": document},
                  service="mongodb-atlas", status=status)

    assert admin.get(setting) == {"enabled": False}
    insert(400, must="x", may=None)
    admin.expect(204, "PUT", admin.path(setting), {"enabled": True})
    assert admin.get(setting) == {"enabled": True}
    insert(200, must="x", may=None)
    insert(400, must=None)
    server.restart()
    user.admin = server.admin()
    insert(200, must="y", may=None)


def test_what_is_over_a_limit_fills_no_logs(server):
    admin = server.admin()
    admin.create_app("guessed")
    admin.post("/auth_providers", {"type": "local-userpass", "config": {"autoConfirm": True}})
    user = AppUser(admin)
    guess = {"username": "guessed@example.org", "password": "wrong-one"}
    statuses = [user.attempt("local-userpass", guess) for _ in range(40)]
    assert statuses == [401] * 20 + [429] * 20, statuses
    deadline = time.monotonic() + 10
    logs = []
    while len(logs) < 20 and time.monotonic() < deadline:
        logs = admin.get("/logs?type=AUTH")["logs"]
    time.sleep(0.5)  # for more, if there were more
    assert [one["status"] for one in admin.get("/logs?type=AUTH")["logs"]] == [401] * 20
    admin.delete_app()


def explained_app(server, database):
    """An app whose items belong to users, with two of them stored."""
    admin = server.admin()
    admin.create_app("explains")
    admin.post("/auth_providers", {"type": "anon-user"})
    service = link_cluster(admin)
    admin.post("/secrets", {"name": "theKey", "value": "hunter2"})
    admin.post("/values", {"name": "key", "value": "theKey", "from_secret": True})
    admin.post(f"{service}/rules", {
        "database": database, "collection": "items",
        "roles": [{"name": "key", "apply_when": {"owner": "%%values.key"}, "read": True},
                  {"name": "owner", "apply_when": {"owner": "%%user.id"}, "insert": True, "delete": True,
                   "fields": {"note": {"read": False, "write": False}},
                   "additional_fields": {"read": True, "write": True}}],
        "filters": [{"name": "open", "apply_when": {"%%user.type": "normal"}, "query": {"closed": {"$ne": True}}},
                    {"name": "servers", "apply_when": {"%%user.type": "server"}, "query": {"_id": 0}}]})
    admin.post("/schemas", {"metadata": {"data_source": "mongodb-atlas", "database": database, "collection": "items"},
                            "schema": {"title": "Item", "bsonType": "object", "properties": {"n": {"bsonType": "int"}}},
                            "relationships": None})
    user = AppUser(admin)
    user.login()
    for document in ({"_id": 1, "owner": user.id, "n": 1}, {"_id": 2, "owner": user.id, "n": 2, "closed": True}):
        user.call("insertOne", {"database": database, "collection": "items", "document": document}, service="mongodb-atlas")
    return admin, user


def test_the_rules_explain_every_operation(server):
    admin, user = explained_app(server, "seen")

    def explain(operation, as_user=None, status=200, **members):
        return admin.post("/rules/explain", {"user": as_user or user.id, "database": "seen", "collection": "items",
                                             "operation": operation, **members}, status)

    found = explain("find")
    assert found["rule"]["from"] == "collection" and found["verdict"] == "allowed", found
    assert [(one["name"], one["applies"]) for one in found["filters"]] == [("open", True), ("servers", False)], found
    assert found["filters"][0]["query"] == {"closed": {"$ne": True}}, found
    assert found["filters"][1]["because"] == '%%user.type: "normal" is not "server"', found
    assert [(one["_id"], one["role"], one["verdict"]) for one in found["documents"]] == [
        (1, "owner", "readable"), (2, None, "hidden")], found
    assert found["documents"][1]["because"] == 'the query of the filter "open" does not match it', found
    assert "hunter2" not in json.dumps(found) and '("<secret>")' in found["documents"][0]["roles"][0]["because"], found
    assert "<secret>" in json.dumps(found["query"]), found
    stranger = {"id": "somebody", "custom_data": {"team": "red"}}
    hidden = explain("findOne", stranger, query={"_id": 1})
    assert hidden["documents"][0]["because"] == "no role applies" and hidden["user"]["id"] == "somebody", hidden
    assert hidden["documents"][0]["roles"][1] == {
        "name": "owner", "applies": False, "because": f'owner: "{user.id}" is not "%%user.id" ("somebody")'}, hidden
    assert explain("count")["verdict"] == "allowed"
    passed = explain("aggregate", pipeline=[{"$match": {"_id": 1}}, {"$count": "n"}])
    assert passed["decided_by_data_source"] is False and len(passed["documents"]) == 1, passed

    withheld = explain("insert", document={"_id": 3, "owner": user.id, "note": "x", "n": "one"})
    assert (withheld["verdict"], withheld["error"], withheld["error_code"]) == (
        "refused", "insert not permitted", "NoMatchingRuleFound"), withheld
    assert withheld["documents"][0]["fields"] == [
        {"path": "note", "permission": "fields.note.write", "pointer": "/roles/1/fields/note/write",
         "because": "it is false"}], withheld
    assert [one["path"] for one in withheld["documents"][0]["schema_errors"]] == ["n"], withheld
    unfit = explain("insert", document={"_id": 3, "owner": user.id, "n": "one"})
    assert unfit["error_code"] == "SchemaValidationFailedWrite", unfit
    assert explain("insert", document={"_id": 3, "owner": user.id})["verdict"] == "allowed"
    changed = explain("update", query={"_id": 1}, update={"$set": {"n": 5}})
    assert [one["verdict"] for one in changed["documents"]] == ["allowed"], changed
    refused = explain("updateOne", query={"_id": 1}, update={"$set": {"note": "x"}})
    assert refused["error"] == "update not permitted" and refused["documents"][0]["fields"][0]["path"] == "note", refused
    upserted = explain("updateOne", query={"_id": 9}, update={"$set": {"n": 1}}, upsert=True)
    assert upserted["documents"][0]["new"] is True and upserted["error"] == "insert not permitted", upserted
    assert explain("delete", query={"_id": 1})["documents"][0]["verdict"] == "allowed"
    values = explain("distinct", key="n")
    assert [one["verdict"] for one in values["documents"]] == ["readable", "hidden"], values
    bulk = explain("bulkWrite", operations=[
        {"updateOne": {"filter": {"_id": 1}, "update": {"$set": {"n": 5}}}},
        {"updateOne": {"filter": {"_id": 1}, "update": {"$set": {"note": "x"}}}}, {"deleteMany": {"filter": {}}}])
    assert [(one["operation"], one["verdict"]) for one in bulk["operations"]] == [
        ("updateOne", "allowed"), ("updateOne", "refused")], bulk
    assert bulk["operations"][1]["documents"][0]["fields"][0]["path"] == "note", bulk
    assert (bulk["error"], bulk["error_code"]) == ("update not permitted", "NoMatchingRuleFound"), bulk
    assert (bulk["not_reached"], bulk["more_operations"], "documents" in bulk) == (1, False, False), bulk
    unordered = explain("bulkWrite", ordered=False, operations=[
        {"insertOne": {"document": {"_id": 3}}}, {"deleteMany": {"filter": {}}}])
    assert [one["verdict"] for one in unordered["operations"]] == ["refused", "allowed"], unordered
    assert (unordered["error"], unordered["not_reached"]) == ("insert not permitted", 0), unordered
    # Nothing of it was done.
    stored = user.call("find", {"database": "seen", "collection": "items"}, service="mongodb-atlas")
    assert [(one["_id"], one["n"]) for one in stored] == [({"$numberInt": "1"}, {"$numberInt": "1"})], stored

    none = explain("find", collection="nothing")
    assert none["rule"]["from"] == "none" and none["error_code"] == "NoMatchingRuleFound", none
    assert none["error"] == "no rule exists for namespace 'seen.nothing'", none
    assert explain("find", "system")["rule"]["from"] == "system"
    assert none["text"][0] == f'find on seen.nothing of mongodb-atlas as normal user "{user.id}"', none
    only = explain("find", first=1)
    assert len(only["documents"]) == 1 and only["more_documents"] is True, only
    admin.delete_app()


def test_what_cannot_be_explained_says_what_is_wrong(server):
    admin, user = explained_app(server, "unseen")
    good = {"user": user.id, "database": "unseen", "collection": "items", "operation": "find"}

    def refused(change, status=400):
        body = {name: value for name, value in {**good, **change}.items() if value is not None}
        answer = admin.post("/rules/explain", body, status)
        return answer["error"], answer["error_code"]

    assert refused({"operation": None}) == ("missing parameter 'operation'", "MissingParameter")
    assert refused({"operation": "fly"}) == ("unknown operation 'fly'", "InvalidParameter")
    assert refused({"operation": "bulkWrite"}) == ("missing parameter 'operations'", "MissingParameter")
    assert refused({"operation": "bulkWrite", "operations": {}}) == (
        "expected 'operations' to be an array", "InvalidParameter")
    assert refused({"operation": "distinct"}) == ("missing parameter 'key'", "MissingParameter")
    assert refused({"database": None}) == ("missing parameter 'database'", "MissingParameter")
    assert refused({"query": []}) == ("expected 'query' to be an object", "InvalidParameter")
    assert refused({"limit": -1}) == ("expected 'limit' to be a non-negative integer", "InvalidParameter")
    assert refused({"quarry": {}}) == ("unknown member 'quarry'", "InvalidParameter")
    assert refused({"first": 0}) == ("'first' must be between 1 and 100", "InvalidParameter")
    assert refused({"user": None})[1] == "MissingParameter"
    assert refused({"user": {"data": {}}}) == ("user: missing parameter 'id' of the user", "MissingParameter")
    assert refused({"user": {"id": "x", "date": {}}}) == ("user: unknown member 'date'", "InvalidParameter")
    assert refused({"user": "65a000000000000000000001"}, 404)[1] == "UserNotFound"
    assert refused({"data_source": "other"}, 404) == ("service not found: 'other'", "ServiceNotFound")
    assert refused({"operation": "update"}) == ("missing parameter 'update'", "MissingParameter")
    assert admin.expect(400, "POST", admin.path("/rules/explain"), "{oops")["error_code"] == "BadRequest"
    # A query that users may not send is explained: that is what they get.
    answer = admin.post("/rules/explain", {**good, "query": {"$where": "true"}}, 200)
    assert answer["verdict"] == "refused" and "$where" in answer["error"], answer
    # For administrators only.
    assert admin.call("POST", admin.path("/rules/explain"), good, token=user.token).status == 401
    admin.delete_app()


def logs_of(admin, query, count, seconds=10):
    """The entries that the query finds, once there are so many."""
    deadline = time.monotonic() + seconds
    logs = []
    while len(logs) < count and time.monotonic() < deadline:
        logs = admin.get(f"/logs?{query}")["logs"]
        time.sleep(0.05)
    assert len(logs) == count, logs
    return logs


def test_data_requests_of_clients_are_in_the_logs(server):
    admin = server.admin()
    open_to_its_users(admin, "noted")
    admin.post("/schemas", {
        "metadata": {"data_source": "mongodb-atlas", "database": "noted", "collection": "things"}, "relationships": None,
        "schema": {"title": "Thing", "bsonType": "object", "required": ["_id"],
                   "properties": {"_id": {"bsonType": "string"}, "depth": {"bsonType": "string"}}}})
    admin.post("/functions", {"name": "open", "source": "exports = (x) => x;"})
    admin.post("/functions", {"name": "hushed", "disable_arg_logs": True, "source": "exports = (x) => x;"})
    user = AppUser(admin)
    user.login(credential={"options": {"device": {"platform": "android", "platformVersion": "14", "sdk": "Kotlin",
                                                  "sdkVersion": "1.16.0"}}})
    where = {"database": "noted", "collection": "things"}
    user.call("insertOne", {**where, "document": {"_id": "a", "depth": "x"}}, service="mongodb-atlas")
    user.call("find", {**where, "query": {}}, service="mongodb-atlas")
    refused = user.call("insertOne", {**where, "document": {"_id": "b", "depth": 1.5}}, service="mongodb-atlas", status=400)
    assert "depth" not in refused["error"] and refused["error_code"] == "SchemaValidationFailedWrite", refused
    user.call("insertMany", {**where, "documents": [{"_id": "c", "depth": "y" * 10000}]}, service="mongodb-atlas")
    user.call("leap", where, service="mongodb-atlas", status=404)
    user.call("open", "shown")
    user.call("hushed", "hidden")
    logs = logs_of(admin, "type=SERVICE_FUNCTION", 4)
    written, = [one for one in logs if one["function_name"] == "insertOne" and one["status"] == 200]
    assert written["function_call"] == {"name": "insertOne", "service": "mongodb-atlas",
                                        "arguments": [{**where, "document": {"_id": "a", "depth": "x"}}]}
    assert written["user_id"] == user.id and written["remote_ip_address"] == "127.0.0.1" and "error" not in written
    assert written["request_url"].endswith("/functions/call") and written["request_method"] == "POST"
    assert written["started"] <= written["completed"] and len(written["domain_id"]) == 24
    failed, = [one for one in logs if one.get("error_code") == "SchemaValidationFailedWrite"]
    assert failed["status"] == 400 and failed["error"] == refused["error"]
    assert "\n\tdepth: Invalid type." in failed["error_details"], failed
    large, = [one for one in logs if one["function_name"] == "insertMany"]
    argument, = large["function_call"]["arguments"]
    assert set(argument) == {"database", "collection", "arguments_left_out_bytes"}
    unknown, = [one for one in logs if one["function_name"] == "leap"]
    assert unknown["status"] == 404 and unknown["error_code"] == "ServiceCommandNotFound"
    calls = {one["function_name"]: one["function_call"] for one in logs_of(admin, "type=FUNCTION", 2)}
    assert calls == {"open": {"name": "open", "arguments": ["shown"]}, "hushed": {"name": "hushed"}}
    signed_in, = logs_of(admin, "type=AUTH", 1)
    assert [signed_in[name] for name in ("platform", "platform_version", "sdk_name", "sdk_version")] == \
        ["android", "14", "Kotlin", "1.16.0"]
    admin.delete_app()


def test_the_operator_decides_which_requests_are_logged(server):
    where = {"database": "chosen", "collection": "things"}
    try:
        for level, expected in (("all", ["find", "insertOne", "leap"]), ("errors", ["leap"])):
            server.restart((), ["--log-requests", level])
            admin = server.admin()
            open_to_its_users(admin, "chosen")
            user = AppUser(admin)
            user.login()
            user.call("find", {**where, "query": {}}, service="mongodb-atlas")
            user.call("insertOne", {**where, "document": {}}, service="mongodb-atlas")
            user.call("leap", where, service="mongodb-atlas", status=404)
            logs = logs_of(admin, "type=SERVICE_FUNCTION", len(expected))
            assert sorted(one["function_name"] for one in logs) == expected
            admin.delete_app()
    finally:
        server.restart()


def test_a_busy_app_has_no_more_entries_of_successes_than_the_operator_allows(server):
    try:
        server.restart((), ["--log-rate", "5"])
        admin = server.admin()
        open_to_its_users(admin, "busy")
        user = AppUser(admin)
        user.login()
        where = {"database": "busy", "collection": "things"}
        begin = time.monotonic()
        for _ in range(60):
            user.call("insertOne", {**where, "document": {}}, service="mongodb-atlas")
        at_most = 10 + 5 * (time.monotonic() - begin)
        user.call("leap", where, service="mongodb-atlas", status=404)
        logs = settled_logs(admin)
        inserts = [one for one in logs if one.get("function_name") == "insertOne"]
        assert 10 <= len(inserts) <= at_most, len(inserts)
        assert sum(one.get("entries_left_out", 0) for one in logs) == 60 - len(inserts), logs
        failed, = [one for one in logs if one.get("function_name") == "leap"]
        assert failed["error_code"] == "ServiceCommandNotFound"
        admin.delete_app()
    finally:
        server.restart()


FORWARDED = {"log_types": ["service", "auth"], "log_statuses": ["success", "error"]}


def stored(user, collection, count, seconds=10):
    """What a log forwarder has stored, once it is so much."""
    deadline = time.monotonic() + seconds
    found = []
    while len(found) < count and time.monotonic() < deadline:
        found = user.call("find", {"database": "kept", "collection": collection, "query": {}}, service="mongodb-atlas")
        time.sleep(0.05)
    assert len(found) == count, found
    return found


def test_logs_are_forwarded_to_collections_and_functions(server):
    admin = server.admin()
    open_to_its_users(admin, "forwards")
    admin.post("/functions", {"name": "ship", "source": """exports = async (logs) => {
        await context.services.get("mongodb-atlas").db("kept").collection("shipped").insertOne({
          size: logs.length, types: logs.map((log) => log.type), error: logs[0].error});
      };"""})
    to_collection = {"type": "collection", "data_source": "mongodb-atlas", "database": "kept", "collection": "single"}
    single = admin.post("/log_forwarders", {"name": "single", **FORWARDED, "policy": {"type": "single"}, "action": to_collection})
    assert single["disabled"] is False and admin.get(f"/log_forwarders/{single['_id']}") == single
    batch = admin.post("/log_forwarders", {"name": "batch", "log_types": ["service"], "log_statuses": ["error"],
                                           "policy": {"type": "batch"}, "action": {"type": "function", "name": "ship"}})
    user = AppUser(admin)
    user.login()
    leap = {"database": "kept", "collection": "none"}
    for _ in range(3):
        user.call("leap", leap, service="mongodb-atlas", status=404)
    entries = stored(user, "single", 4)
    assert sorted(one["type"] for one in entries) == ["AUTH"] + ["SERVICE_FUNCTION"] * 3
    kept = {one["_id"]: one for one in logs_of(admin, "", 4)}
    assert {one["_id"]["$oid"] for one in entries} == set(kept)
    assert all(one.get("error_code") == kept[one["_id"]["$oid"]].get("error_code") for one in entries)
    # A batch that is not full waits for a minute, unless its forwarder ends.
    assert stored(user, "shipped", 0) == []
    admin.put(f"/log_forwarders/{batch['_id']}/disable", "")
    shipped, = stored(user, "shipped", 1)
    assert shipped["size"] == {"$numberInt": "3"} and set(shipped["types"]) == {"SERVICE_FUNCTION"}, shipped
    own, = logs_of(admin, "type=LOG_FORWARDER", 1)
    assert (own["log_forwarder_id"], own["log_forwarder_name"], own["function_name"]) == (batch["_id"], "batch", "ship")
    admin.put(f"/log_forwarders/{batch['_id']}/enable", "")
    for _ in range(100):
        user.call("leap", leap, service="mongodb-atlas", status=404)
    assert sorted(int(one["size"]["$numberInt"]) for one in stored(user, "shipped", 2)) == [3, 100]
    assert len(stored(user, "single", 104)) == 104
    admin.delete_app()


def test_a_log_forwarder_that_fails_is_suspended_until_it_is_enabled(server):
    admin = server.admin()
    open_to_its_users(admin, "stuck")
    ship = admin.post("/functions", {"name": "ship", "source": "exports = () => { throw new Error('no post today'); };"})
    forwarder = admin.post("/log_forwarders", {"name": "stuck", "log_types": ["function", "auth"],
                                               "log_statuses": ["success", "error"], "policy": {"type": "single"},
                                               "action": {"type": "function", "name": "ship"}})
    user = AppUser(admin)
    for _ in range(7):
        user.login()
    # Its own entries are not forwarded: five deliveries, each with the call's entry and the failure's.
    own = logs_of(admin, "type=LOG_FORWARDER", 10)
    failures = [one for one in own if "failed_to_forward_log_ids" in one]
    assert len(failures) == 5 and all("no post today" in one["error"] for one in own)
    assert [one["error"].startswith("log forwarder suspended: ") for one in failures].count(True) == 1
    assert all(one["log_forwarder_id"] == forwarder["_id"] for one in own)
    signed_in = {one["_id"] for one in logs_of(admin, "type=AUTH", 7)}
    assert all(set(one["failed_to_forward_log_ids"]) <= signed_in for one in failures)
    admin.put(f"/functions/{ship['_id']}", {"name": "ship", "source": "exports = () => 1;"})
    user.login()
    time.sleep(0.5)
    assert len(admin.get("/logs?type=LOG_FORWARDER")["logs"]) == 10
    admin.put(f"/log_forwarders/{forwarder['_id']}/enable", "")
    user.login()
    assert "error" not in logs_of(admin, "type=LOG_FORWARDER", 11)[0]
    admin.delete_app()


def test_a_directory_and_the_api_work_on_the_same_app(server):
    directory = tempfile.mkdtemp(prefix="restitch-admin-app-")
    root = pathlib.Path(directory)
    (root / "functions").mkdir()
    (root / "realm_config.json").write_text('{"config_version": 20210101, "name": "shelf", "app_id": "shelf-abcde"}')
    (root / "auth").mkdir()
    (root / "auth/providers.json").write_text('{"anon-user": {"name": "anon-user", "type": "anon-user"}}')
    (root / "functions/one.js").write_text("exports = () => 'one';")
    try:
        admin = AdminClient(server.restart([directory]))
        admin.login()
        app = [one for one in admin.expect(200, "GET", admin.apps) if one["client_app_id"] == "shelf-abcde"][0]
        admin.app, admin.client_app_id = app["_id"], "shelf-abcde"
        assert [one["name"] for one in admin.get("/functions")] == ["one"]
        deployments = len(admin.get("/deployments"))
        admin.post("/functions", {"name": "two", "source": "exports = () => 'two';"})
        user = AppUser(admin)
        user.login()
        assert (user.call("one"), user.call("two")) == ("one", "two")
        admin = AdminClient(server.restart())
        admin.login()
        admin.app, admin.client_app_id = app["_id"], "shelf-abcde"
        again = AppUser(admin)
        again.token = user.token
        assert (again.call("one"), again.call("two")) == ("one", "two")
        assert len(admin.get("/deployments")) == deployments + 1
        admin.delete_app()
    finally:
        shutil.rmtree(directory)


def main():
    options = suite_options(__doc__)
    server = Server(options.binary)
    tally = Tally()
    try:
        tally.run(globals(), options.only, server)
        tally.run(vars(operations_tests), options.only, server)
    finally:
        server.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
