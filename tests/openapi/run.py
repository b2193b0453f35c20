#!/usr/bin/env python3
"""The Admin API against its own description (see README.md)."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.path.insert(0, str(HERE.parent / "admin"))
sys.dont_write_bytecode = True

from admin_client import ADMIN, AdminClient  # noqa: E402
from black_box import BINARY, Tally  # noqa: E402
from python_packages import provide_packages  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

PACKAGES = pathlib.Path.home() / ".cache/restitch/openapi-tests"
USER, PASSWORD = "unique_user@domain.com", "password"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# What would end the app or the session that all requests are made with.
LEFT_OUT = ("DELETE_admin_v3_0_groups_group_apps_app",)
SECONDS = 540

SETTINGS = """
[parameters]
"path.group" = "{group}"
"path.app" = "{app}"
"path.provider" = "local-userpass"
"""


def some_app(admin):
    """An app with one thing of every kind; their ids by the names of the lists that hold them."""
    admin.create_app("described")
    service = admin.post("/services", {"name": "mongodb-atlas", "type": "mongodb-atlas",
                                       "config": {"clusterName": "Cluster0"}})["_id"]
    third = admin.post("/services", {"name": "http", "type": "http", "config": {}})["_id"]
    admin.post("/auth_providers", {"type": "local-userpass", "config": {"autoConfirm": True}})
    roles = [{"name": "all", "apply_when": {}, "read": True, "write": True, "insert": True, "delete": True}]
    function = admin.post("/functions", {"name": "one", "private": False, "source": "exports = () => 1;"})["_id"]

    def made(path, **body):
        return admin.post(path, body)["_id"]

    return {
        "services": service, "service_of_hooks": third, "functions": function,
        "incoming_webhooks": made(f"/services/{third}/incoming_webhooks", name="hook", function_source="exports = () => 1;",
                                  options={"httpMethod": "POST", "validationMethod": "NO_VALIDATION"}),
        "rules": made(f"/services/{service}/rules", database="db", collection="c", roles=roles),
        "schemas": made("/schemas", metadata={"data_source": "mongodb-atlas", "database": "db", "collection": "c"},
                        schema={"title": "C", "bsonType": "object", "properties": {"_id": {"bsonType": "objectId"}}}),
        "auth_providers": made("/auth_providers", type="anon-user"),
        "users": made("/users", email="a@example.org", password="secret123"),
        "api_keys": made("/api_keys", name="key"), "values": made("/values", name="two", value=2),
        "secrets": made("/secrets", name="three", value="x"),
        "environment_values": made("/environment_values", name="four", values={"testing": 1}),
        "triggers": made("/triggers", name="often", type="SCHEDULED", function_id=function, disabled=True,
                         config={"schedule": "0 0 1 1 *"}),
        "endpoints": made("/endpoints", route="/five", http_method="GET", function_id=function,
                          validation_method="NO_VALIDATION", respond_result=True),
        "log_forwarders": made("/log_forwarders", name="six", log_types=["function"], log_statuses=["error"],
                               policy={"type": "batch"}, action={"type": "function", "name": "one"}),
        "access_list": admin.get("/security/access_list")["allowed_ips"][0]["_id"],
        "deployments": admin.get("/deployments")[0]["_id"],
    }


def settings_of(admin, ids):
    """The configuration of schemathesis: what stands in the places of paths. Nothing that is there is deleted by its id."""
    settings = SETTINGS.format(group=admin.group, app=admin.app)

    def add(path, **places):
        nonlocal settings
        values = ", ".join(f'"path.{name}" = "{value}"' for name, value in places.items())
        settings += f"""
[[operations]]
include-operation-id-regex = "^(GET|PUT|PATCH|POST)_.*_{path}(_|$)"
parameters = {{ {values} }}
"""

    for kind in ids.keys() - {"rules", "incoming_webhooks", "service_of_hooks"}:
        add(f"{kind}_id", id=ids[kind])
    add("services_id_rules_rule", id=ids["services"], rule=ids["rules"])
    add("services_id_incoming_webhooks", id=ids["service_of_hooks"], hook=ids["incoming_webhooks"])
    return settings


def test_the_description_has_every_path_below_the_api(admin, options):
    described = admin.expect(200, "GET", f"{ADMIN}/openapi.json")
    assert described["openapi"].startswith("3.") and described["servers"] == [{"url": f"{admin.url}/api"}]
    paths = described["paths"]
    assert "get" in paths["/admin/v3.0/groups/{group}/apps/{app}/services/{id}"]
    operations = [operation for path in paths.values() for operation in path.values()]
    assert len(operations) > 150
    for operation in operations:
        assert operation["summary"] and "4XX" in operation["responses"], operation


def test_answers_are_those_of_the_description(admin, options):
    ids = some_app(admin)
    with tempfile.TemporaryDirectory(prefix="restitch-openapi-") as folder:
        settings = pathlib.Path(folder) / "schemathesis.toml"
        settings.write_text(settings_of(admin, ids))
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run",
                   f"{admin.url}{ADMIN}/openapi.json", "--header", f"Authorization: Bearer {admin.token}",
                   "--phases", "coverage,fuzzing", "--checks", CHECKS, "--seed", str(options.seed),
                   "--max-examples", str(options.examples), "--request-timeout", "30", "--workers", "1",
                   "--continue-on-failure", "--no-color"]
        for operation in LEFT_OUT:
            command += ["--exclude-operation-id", operation]
        environment = {**os.environ, "PYTHONPATH": str(PACKAGES / "packages"), "SCHEMATHESIS_HOOKS": ""}
        try:
            said = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired as expired:
            raise AssertionError(f"not done in {SECONDS} s\n{(expired.stdout or b'')[-2000:]}") from None
    assert said.returncode == 0, said.stdout[-30000:] + said.stderr[-2000:]
    print("\n".join(said.stdout.splitlines()[-12:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(BINARY), type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--only", default="", help="only tests whose name holds this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=5, help="requests for each operation, at most, beside the odd ones")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    provide_packages(PACKAGES, HERE / "requirements.txt")
    data = tempfile.mkdtemp(prefix="restitch-openapi-data-")
    server = RestitchProcess(options.binary, data, [], ["--admin-user", USER, "--admin-password", PASSWORD]).wait_until_ready()
    tally = Tally()
    try:
        admin = AdminClient(server.url)
        admin.login()
        tally.run(globals(), options.only, admin, options)
        assert server.is_running(), server.log_tail()
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
