"""Logins, pushes and what can go wrong in them, against the stand-in."""

import json
import stat
import threading

from cli import interrupt

MISSING = {"name": "key", "value": "apiKey", "from_secret": True}


def app_folder(cli, name="shop"):
    assert cli.run("init", name).code == 0
    return cli.folder / name


def test_login_keeps_the_session_for_its_owner_only(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    profile = cli.home / "config/restitch/default.yaml"
    assert stat.S_IMODE(profile.stat().st_mode) == 0o600
    assert stat.S_IMODE(profile.parent.stat().st_mode) == 0o700
    said = cli.run("whoami")
    assert said.out == "Currently logged in user: key (****-bbbb)\n", said
    assert cli.run("logout").out == "Successfully logged out\n"
    assert cli.run("whoami").out == "No user is currently logged in\n"
    assert "access" not in profile.read_text()


def test_a_wrong_key_is_refused_in_the_words_of_the_server(make, fake):
    cli, server = make(), fake()
    said = cli.run("login", "--url", server.url, "--api-key", "key", "--private-api-key", "wrong")
    assert said.code == 1 and said.err.startswith("login failed: failed to authenticate"), said
    assert cli.run("whoami").out == "No user is currently logged in\n"


def test_an_expired_session_is_renewed_once(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    server.token += 1  # what the profile has is no longer good
    said = cli.run("apps", "list")
    assert said.code == 0 and said.out == "No available apps to show\n", said
    assert len(server.called("POST", "/auth/session")) == 1


def test_profiles_keep_servers_apart(make, fake):
    cli, one, two = make(), fake(), fake()
    two.add_app("second")
    cli.login(one)
    said = cli.run("login", "--profile", "other", "--url", two.url, "--api-key", "key", "--private-api-key", "aaaa-bbbb")
    assert said.code == 0, said
    assert cli.run("apps", "list").out == "No available apps to show\n"
    assert "second-" in cli.run("apps", "list", "--profile", "other").out
    assert cli.run("profiles", "list").out == "Found 2 profile(s)\n  default\n  other\n"


def test_admin_json_of_a_local_server_signs_in(make, fake):
    cli, server = make(), fake()
    (cli.folder / "data").mkdir()
    (cli.folder / "data/admin.json").write_text(json.dumps(
        {"publicApiKey": "key", "privateApiKey": "aaaa-bbbb", "groupId": "5f0000000000000000000001"}))
    assert cli.run("apps", "list", "--url", server.url).code == 0
    assert not (cli.home / "config/restitch/default.yaml").exists()


def test_a_new_app_is_made_and_remembered(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    folder = app_folder(cli)
    said = cli.run("push", "--yes", folder=folder)
    assert said.code == 0, said
    assert [line for line in said.out.splitlines() if line] == [
        "Created the app shop-bbbbb", "Deployment complete", "Successfully pushed app up: shop-bbbbb"], said
    assert json.loads((folder / "realm_config.json").read_text())["app_id"] == "shop-bbbbb"
    app = server.apps[0]
    assert app.document["functions"]["sources"].keys() == {"addTask.js"}
    assert len(server.apps) == 1 and len(app.deployments) == 1
    again = cli.run("push", "--yes", folder=folder)
    # The root file has an id now, which the deployed document did not.
    assert again.code == 0, again
    third = cli.run("push", "--yes", folder=folder)
    assert third.out == "Deployed app is identical to proposed version, nothing to do\n", third


def test_an_app_id_of_the_directory_is_asked_for(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    folder = app_folder(cli)
    root = json.loads((folder / "realm_config.json").read_text())
    (folder / "realm_config.json").write_text(json.dumps({**root, "app_id": "shop-xyzzy"}))
    said = cli.run("push", "--yes", folder=folder)
    assert said.code == 0 and server.apps[0].client_app_id == "shop-xyzzy", said


def test_nothing_is_pushed_without_an_answer(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    server.add_app("shop")
    folder = app_folder(cli)
    said = cli.run("push", folder=folder)
    assert said.code == 1 and "confirm with --yes" in said.err, said
    assert server.apps[0].document is None and server.apps[0].draft is None


def test_a_dry_run_changes_nothing(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    folder = app_folder(cli)
    said = cli.run("push", "--dry-run", "--yes", folder=folder)
    assert said.code == 0 and said.out.startswith("This is a new app."), said
    assert not server.apps
    server.add_app("shop")
    said = cli.run("push", "--dry-run", "--yes", folder=folder)
    assert said.code == 0 and "@@ -1 +1 @@" in said.out, said
    assert "To push these changes, you must omit the 'dry-run' flag to proceed" in said.out, said
    assert not server.called("POST", "/drafts")


def test_a_refused_import_takes_its_draft_back(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    app = server.add_app("shop")
    folder = app_folder(cli)
    error = {"error": "functions/x.js: is wrong\ntriggers/y.json: /name: is wrong", "error_code": "InvalidParameter"}
    server.plan[("POST", "/import")] = [(200, ["diff"]), (400, error)]
    said = cli.run("push", "--yes", folder=folder)
    assert said.code == 1 and said.err == f"push failed: {error['error']}\n", said
    assert app.draft is None and app.document is None and not app.deployments


def test_a_failed_deployment_is_an_error(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    server.add_app("shop")
    folder = app_folder(cli)
    server.plan[("POST", "/deployment")] = [(201, {"_id": "1", "status": "failed", "status_error_message": "no"})]
    said = cli.run("push", "--yes", folder=folder)
    assert said.code == 1 and "push failed: failed to deploy app: no" in said.err, said


def test_an_interrupted_push_leaves_the_old_app(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    app = server.add_app("shop")
    app.document = {"old": True}
    folder = app_folder(cli)
    server.wait_in_import = threading.Event()
    process = cli.start("push", "--yes", folder=folder)
    assert server.import_started.wait(20)
    said = interrupt(process)
    server.wait_in_import.set()
    assert said.code == 130 and "push was interrupted" in said.err, said
    assert len(server.called("DELETE", "/" + "5d0000000000000000000001")) == 1
    assert app.document == {"old": True} and not app.deployments


def test_an_existing_draft_is_discarded_when_that_is_agreed(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    app = server.add_app("shop")
    app.draft = "5d00000000000000000000aa"
    folder = app_folder(cli)
    said = cli.run("push", "--yes", folder=folder)
    assert said.code == 0 and len(app.deployments) == 1, said
    assert len(server.called("DELETE", "/drafts/5d00000000000000000000aa")) == 1


def test_missing_secrets_are_named_and_can_be_given(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    app = server.add_app("shop")
    folder = app_folder(cli)
    (folder / "values").mkdir(exist_ok=True)
    (folder / "values/key.json").write_text(json.dumps(MISSING))
    said = cli.run("push", "--yes", folder=folder)
    assert said.code == 1, said
    assert "secret 'apiKey' is not on the server; it is named by values/key.json: /value" in said.out, said
    assert said.err == ("push failed: the server lacks these secrets: apiKey\n"
                        "Try instead: restitch push --secret apiKey=<value>\n"), said
    assert app.document is None
    said = cli.run("push", "--yes", "--secret", "apiKey=hunter2", folder=folder)
    assert said.code == 0 and app.secrets == {"apiKey": "hunter2"}, said
    assert "hunter2" not in said.out + said.err


def test_a_deployment_can_be_named(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    app = server.add_app("shop")
    assert cli.run("push", "--yes", "-n", "release 7", folder=app_folder(cli)).code == 0
    assert app.deployments[0]["name"] == "release 7"
    listed = cli.run("deployments", "list", "--app", "shop", "--json").json_lines()
    assert listed[0]["data"][0]["Name"] == "release 7", listed


def test_metadata_of_another_server_does_not_mislead(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    app = server.add_app("shop")
    folder = app_folder(cli)
    (folder / ".mdb").mkdir()
    (folder / ".mdb/app_meta.json").write_text(json.dumps(
        {"app_id": "6" * 24, "group_id": "7" * 24, "config_version": 20210101}))
    said = cli.run("push", "--yes", folder=folder)
    assert said.code == 0 and len(app.deployments) == 1, said


def test_an_ambiguous_app_is_not_guessed(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    server.add_app("shop")
    server.add_app("shop")
    said = cli.run("logs", "list", "--app", "shop")
    assert said.code == 1 and "may mean several apps: shop-bbbbb, shop-ccccc" in said.err, said
    assert cli.run("logs", "list", "--app", "shop-c").code == 0
    said = cli.run("logs", "list", "--app", "other")
    assert said.code == 1 and said.err == "log list setup failed: failed to find app 'other'\n", said


def test_arguments_of_functions_have_their_types(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    server.add_app("shop")
    said = cli.run("function", "run", "--app", "shop", "--name", "f", "--args", '{"a":[1]}', "--args", "[2]", "--args", "3",
                   "--args", "4.5", "--args", "true", "--args", "{no json", "--json")
    assert said.code == 0, said
    assert said.json_lines()[-1]["doc"] == [{"a": [1]}, [2], 3, 4.5, "true", "{no json"], said
    assert server.called("POST", "/debug/execute_function")[0][2] == {"run_as_system": "true"}


def test_what_only_the_log_may_tell_of_a_failure_is_shown(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    server.add_app("shop").logs = [
        {"started": "2022-05-31T10:00:00Z", "completed": "2022-05-31T10:00:00Z", "type": "SERVICE_FUNCTION",
         "function_name": "insertOne", "error": "refused", "error_code": "SchemaValidationFailedWrite",
         "error_details": "could not validate document: \n\tdepth: Invalid type.", "messages": []}]
    said = cli.run("logs", "list", "--app", "shop")
    assert said.out.splitlines()[1:] == ["  could not validate document: ", "  \tdepth: Invalid type."], said


def test_logs_are_shown_oldest_first_in_the_known_form(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    app = server.add_app("shop")
    app.logs = [
        {"started": "2022-05-31T10:00:01.25Z", "completed": "2022-05-31T10:00:01.258Z", "type": "FUNCTION",
         "function_name": "sum", "error": "boom", "error_code": "FunctionExecution", "messages": ["one"]},
        {"started": "2022-05-31T10:00:00Z", "completed": "2022-05-31T10:00:00.1Z", "type": "AUTH"}]
    said = cli.run("logs", "list", "--app", "shop", "--type", "auth", "--type", "sync", "--errors", "--start", "2022-05-31",
                   "--end", "2022-06-01T00:00:00.120+0200")
    assert said.out == (
        "2022-05-31T10:00:00.000+0000   [100ms]             Authentication: OK\n"
        "2022-05-31T10:00:01.250+0000     [8ms]                   Function sum: FunctionExecutionError - boom\n"
        "  one\n"), said
    query = server.called("GET", "/logs")[0][2]
    assert query == {"type": "AUTH,API_KEY,SYNC_CONNECTION_START,SYNC_CONNECTION_END,SYNC_SESSION_START,SYNC_SESSION_END,"
                             "SYNC_CLIENT_WRITE,SYNC_ERROR,SYNC_OTHER", "errors_only": "true",
                     "start_date": "2022-05-31T00:00:00Z", "end_date": "2022-05-31T22:00:00.12Z"}, query


def test_json_output_is_one_object_a_line(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    app = server.add_app("shop")
    app.secrets = {"one": "1"}
    line, = cli.run("secrets", "list", "--app", "shop", "-f", "json").json_lines()
    assert line["level"] == "info" and line["message"] == "Found 1 secrets", line
    assert line["headers"] == ["ID", "Name"] and line["data"] == [{"ID": "0", "Name": "one"}], line
    said = cli.run("secrets", "list", "--app", "none", "--json")
    error = json.loads(said.err.splitlines()[0])
    assert said.code == 1 and error["level"] == "error" and error["message"].startswith("secret list setup failed"), said


def test_output_can_go_to_a_file(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    for _ in range(2):
        said = cli.run("apps", "list", "-o", "out.txt")
        assert said.code == 0 and said.out == "", said
    assert (cli.folder / "out.txt").read_text() == "No available apps to show\n" * 2


def test_deleting_apps_wants_a_yes(make, fake):
    cli, server = make(), fake()
    cli.login(server)
    server.add_app("shop")
    said = cli.run("apps", "delete", "--app", "shop")
    assert said.code == 1 and len(server.apps) == 1, said
    said = cli.run("apps", "delete", "--app", "shop", "--yes")
    assert said.code == 0 and "Successfully deleted 1/1 app(s)" in said.out and not server.apps, said
