"""The command line against the real server."""

import json
import time
import urllib.request



def request(method, url, body=None, token=None):
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:
        return json.loads(answer.read())


def pushed(cli, server, name, template="tasks"):
    """The folder of a new app that runs on the server."""
    assert cli.run("init", name, "--template", template).code == 0
    said = cli.run("push", "--yes", folder=cli.folder / name, environment=server)
    assert said.code == 0, said
    return cli.folder / name


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and not path.name.endswith(".mjs") and ".mdb" not in path.parts}


def test_init_and_push_give_an_app_that_serves_its_clients(make, server):
    cli = make()
    folder = pushed(cli, server, "hello")
    app_id = json.loads((folder / "realm_config.json").read_text())["app_id"]
    client = f"{server['RESTITCH_URL']}/api/client/v2.0/app/{app_id}"
    session = request("POST", f"{client}/auth/providers/anon-user/login", {})
    task = request("POST", f"{client}/functions/call", {"name": "addTask", "arguments": [" Try "]}, session["access_token"])
    assert task["title"] == "Try" and task["owner"] == session["user_id"], task


def test_a_second_push_finds_nothing_to_do(make, server):
    cli = make()
    folder = pushed(cli, server, "twice")
    said = cli.run("push", "--yes", folder=folder, environment=server)
    assert said.out == "Deployed app is identical to proposed version, nothing to do\n", said


def test_pull_writes_what_was_pushed(make, server):
    cli = make()
    for template in ("tasks", "endpoint", "blank"):
        folder = pushed(cli, server, f"pull-{template}", template)
        said = cli.run("pull", "--remote", f"pull-{template}", "--local", f"{template}-again", environment=server)
        assert said.code == 0, said
        assert files_of(cli.folder / f"{template}-again") == files_of(folder), said


def test_pull_takes_away_what_the_app_no_longer_has(make, server):
    cli = make()
    folder = pushed(cli, server, "shrinks")
    (folder / "functions/extra.js").write_text("exports = () => 1;\n")
    (folder / "notes.md").write_text("mine")
    said = cli.run("pull", "--yes", folder=folder, environment=server)
    assert said.code == 0, said
    assert not (folder / "functions/extra.js").exists() and (folder / "notes.md").exists()


def test_an_app_keeps_the_id_that_its_clients_know(make, server):
    cli = make()
    assert cli.run("init", "moved").code == 0
    folder = cli.folder / "moved"
    root = json.loads((folder / "realm_config.json").read_text())
    (folder / "realm_config.json").write_text(json.dumps({**root, "app_id": "application-0-xyzzy"}))
    said = cli.run("push", "--yes", folder=folder, environment=server)
    assert said.code == 0 and "Successfully pushed app up: application-0-xyzzy" in said.out, said
    said = cli.run("apps", "create", "--name", "other", environment=server)
    assert said.code == 0 and "application-0-xyzzy" not in said.out, said


def test_a_change_is_shown_and_deployed(make, server):
    cli = make()
    folder = pushed(cli, server, "changes")
    (folder / "functions/addTask.js").write_text("exports = () => 'changed';\n")
    shown = cli.run("apps", "diff", folder=folder, environment=server)
    assert shown.code == 0 and "+++ functions/addTask.js" in shown.out and "+exports = () => 'changed';" in shown.out, shown
    assert cli.run("push", "--yes", folder=folder, environment=server).code == 0
    ran = cli.run("function", "run", "--name", "addTask", folder=folder, environment=server)
    assert ran.code == 0 and '"changed"' in ran.out, ran


def test_a_refused_push_leaves_the_app_and_no_draft(make, server):
    cli = make()
    folder = pushed(cli, server, "refused")
    (folder / "functions/addTask.js").write_text("exports = () => {;\n")
    said = cli.run("push", "--yes", folder=folder, environment=server)
    assert said.code == 1 and "functions/addTask.js" in said.err, said
    (folder / "functions/addTask.js").write_text("exports = () => 'good again';\n")
    said = cli.run("push", "--yes", folder=folder, environment=server)
    assert said.code == 0 and "Deployment complete" in said.out, said


def test_missing_secrets_are_given_with_the_push(make, server):
    cli = make()
    assert cli.run("init", "secretive").code == 0
    folder = cli.folder / "secretive"
    (folder / "values").mkdir(exist_ok=True)
    (folder / "values/key.json").write_text('{"name": "key", "value": "apiKey", "from_secret": true}')
    said = cli.run("push", "--yes", folder=folder, environment=server)
    assert said.code == 1 and "the server lacks these secrets: apiKey" in said.err, said
    said = cli.run("push", "--yes", "--secret", "apiKey=hunter2", folder=folder, environment=server)
    assert said.code == 0, said
    assert "apiKey" in cli.run("secrets", "list", folder=folder, environment=server).out


def test_former_deployments_come_back(make, server):
    cli = make()
    folder = pushed(cli, server, "history")
    (folder / "functions/addTask.js").write_text("exports = () => 2;\n")
    assert cli.run("push", "--yes", folder=folder, environment=server).code == 0
    listed = cli.run("deployments", "list", "--json", folder=folder, environment=server).json_lines()[0]["data"]
    assert len(listed) >= 2 and listed[0]["Status"] == "successful", listed
    said = cli.run("deployments", "redeploy", listed[1]["ID"], "--yes", folder=folder, environment=server)
    assert said.code == 0, said
    said = cli.run("apps", "diff", folder=folder, environment=server)
    assert "functions/addTask.js" in said.out, said


def test_users_are_made_listed_disabled_and_deleted(make, server):
    cli = make()
    folder = pushed(cli, server, "people")
    said = cli.run("users", "create", "--email", "ada@example.org", "--password", "secret123", "--json", folder=folder,
                   environment=server)
    assert said.code == 0, said
    user = said.json_lines()[0]["doc"]
    assert user["email"] == "ada@example.org" and user["enabled"] is True, user
    listed = cli.run("users", "list", folder=folder, environment=server)
    assert "Provider type: User/Password" in listed.out and user["id"] in listed.out and "n/a" in listed.out, listed
    assert cli.run("users", "disable", "-u", user["id"], folder=folder, environment=server).code == 0
    assert user["id"] in cli.run("users", "list", "--state", "disabled", folder=folder, environment=server).out
    assert cli.run("users", "revoke", "-u", user["id"], folder=folder, environment=server).code == 0
    said = cli.run("users", "delete", "-u", user["id"], folder=folder, environment=server)
    assert said.code == 0 and "Successfully deleted 1/1 user(s)" in said.out, said
    assert cli.run("users", "list", folder=folder, environment=server).out == "No available users to show\n"


def test_secrets_and_values_and_the_access_list_are_kept(make, server):
    cli = make()
    folder = pushed(cli, server, "kept")

    def run(*arguments):
        said = cli.run(*arguments, folder=folder, environment=server)
        assert said.code == 0, said
        return said.out

    run("secrets", "create", "-n", "token", "-v", "one")
    run("secrets", "update", "-s", "token", "-n", "renamed")
    assert "renamed" in run("secrets", "list")
    run("secrets", "delete", "-s", "renamed")
    assert run("secrets", "list") == "No available secrets to show\n"
    run("values", "create", "-n", "limits", "-v", '{"max": 5}')
    assert '"max": 5' in run("values", "get", "limits")
    run("values", "update", "limits", "-v", "seven")
    assert '"value": "seven"' in run("values", "get", "limits")
    run("values", "delete", "limits")
    run("accessList", "create", "--ip", "10.0.0.0/8", "--comment", "inside")
    assert "inside" in run("accessList", "list")
    run("access-list", "update", "--ip", "10.0.0.0/8", "--comment", "changed")
    assert "changed" in run("accessList", "list")
    run("accessList", "delete", "--ip", "10.0.0.0/8")
    assert "10.0.0.0/8" not in run("accessList", "list")


def test_logs_tell_of_function_calls(make, server):
    cli = make()
    folder = pushed(cli, server, "logged")
    (folder / "functions/fails.js").write_text("exports = () => { throw new Error('on purpose'); };\n")
    assert cli.run("push", "--yes", folder=folder, environment=server).code == 0
    said = cli.run("function", "run", "--name", "addTask", "--args", "milk", folder=folder, environment=server)
    assert said.code == 0, said
    said = cli.run("function", "run", "--name", "fails", folder=folder, environment=server)
    assert said.code == 1 and "on purpose" in said.err, said
    listed = ""
    for _ in range(50):  # they are stored behind the answer
        listed = cli.run("logs", "list", folder=folder, environment=server).out
        if "addTask" in listed and "fails" in listed:
            break
        time.sleep(0.1)
    assert "Function addTask: OK" in listed, listed
    # The official command line puts "Error" behind every code.
    assert 'Function fails: FunctionExecutionErrorError - {"message":"on purpose"' in listed, listed


def test_changes_are_listed_with_who_made_them(make, server):
    cli = make()
    folder = pushed(cli, server, "watched")
    assert cli.run("secrets", "create", "-n", "token", "-v", "hunter2", folder=folder, environment=server).code == 0
    said = cli.run("audit", "list", "--app", "watched", "--path", "/secrets", "--json", environment=server)
    assert said.code == 0, said
    row = said.json_lines()[0]["data"][0]
    assert (row["Method"], row["Status"], row["Origin"], row["Address"]) == ("POST", "201", "CLI", "127.0.0.1"), row
    assert row["App"].startswith("watched-") and row["Path"].endswith("/secrets") and "hunter2" not in said.out
    assert cli.run("apps", "delete", "--app", "watched", "--yes", environment=server).code == 0
    said = cli.run("audit", "list", "--app", row["App"], "--method", "DELETE", environment=server)
    assert said.code == 0 and "Found 1 changes" in said.out, said
    said = cli.run("audit", "list", "--limit", "2", environment=server)
    assert said.code == 0 and "Found 2 changes" in said.out, said
    said = cli.run("audit", "list", "--user", "nobody", environment=server)
    assert said.out == "No changes to show\n", said
    said = cli.run("audit", "list", "--start", "soon", environment=server)
    assert said.code == 1 and "audit list setup failed: --start: 'soon' is no date" in said.err, said


def test_an_app_can_be_copied_described_and_deleted(make, server):
    cli = make()
    pushed(cli, server, "original")
    said = cli.run("apps", "create", "--remote", "original", "--name", "copy", environment=server)
    assert said.code == 0 and (cli.folder / "copy/functions/addTask.js").is_file(), said
    described = cli.run("apps", "describe", "--app", "copy", environment=server)
    assert described.code == 0 and '"addTask"' in described.out, described
    assert "copy-" in cli.run("apps", "list", environment=server).out
    assert cli.run("apps", "delete", "--app", "copy", "--yes", environment=server).code == 0
    assert "copy-" not in cli.run("apps", "list", environment=server).out


def test_every_layout_is_pushed_and_pulled(make, server):
    cli = make()
    for version in (20180301, 20200603, 20210101, 20230101):
        name = f"layout{version}"
        assert cli.run("init", name, "--config-version", version).code == 0
        said = cli.run("push", "--yes", folder=cli.folder / name, environment=server)
        assert said.code == 0, said
        said = cli.run("push", "--yes", folder=cli.folder / name, environment=server)
        assert "nothing to do" in said.out, (version, said)
        before = files_of(cli.folder / name)
        said = cli.run("pull", "--yes", folder=cli.folder / name, environment=server)
        assert said.code == 0, said
        assert files_of(cli.folder / name) == before, version


def test_rules_are_explained(make, server):
    cli = make()
    folder = pushed(cli, server, "explained")
    (folder / "tests/rules").mkdir(parents=True)
    (folder / "tests/rules/mine.json").write_text("{}")
    collection = next(folder.glob("data_sources/*/*/*/rules.json")).parent
    database = collection.parent.name
    source = collection.parent.parent.name
    user = '{"id": "65a000000000000000000001", "data": {"email": "a@example.org"}}'

    def explain(*arguments):
        return cli.run("rules", "explain", *arguments, "--source", source, folder=folder, environment=server)

    said = explain("insert", f"{database}.{collection.name}", "--user", user, "--document", '{"owner": "somebody else"}')
    assert said.code == 0, said
    assert "new document: refused as \"reader\", write: it is false" in said.out, said
    assert 'owner: "somebody else" is not "%%user.id" ("65a000000000000000000001")' in said.out, said
    assert said.out.endswith("refused: insert not permitted\n"), said
    said = explain("distinct", f"{database}.{collection.name}", "--user", user, "--key", "owner")
    assert said.code == 0 and said.out.endswith("allowed, but no document is met\n"), said
    writes = '[{"insertOne": {"document": {"owner": "x"}}}, {"deleteMany": {"filter": {}}}]'
    said = explain("bulkWrite", f"{database}.{collection.name}", "--user", user, "--operations", writes)
    assert said.code == 0 and "operations that are not reached, as they are ordered: 1" in said.out, said
    said = explain("bulkWrite", f"{database}.{collection.name}", "--user", user, "--operations", writes, "--unordered")
    assert "operation 2, deleteMany:" in said.out and said.out.endswith("refused: insert not permitted\n"), said
    said = explain("find", f"{database}.{collection.name}", "--user", user, "--json")
    assert said.json_lines()[0]["doc"]["rule"]["from"] == "collection", said
    said = explain("find", f"{database}.{collection.name}", "--user", "system")
    assert "rules: none hold for the system user" in said.out, said
    said = explain("find", "nowhere.at_all", "--user", user)
    assert said.code == 0 and "no rule exists for namespace 'nowhere.at_all'" in said.out, said
    said = explain("find", "nowhere", "--user", user)
    assert said.code == 1 and "'nowhere' is not of the form DATABASE.COLLECTION" in said.err, said
    said = explain("find", "a.b", "--user", user, "--query", "{")
    assert said.code == 1 and "--query is no JSON" in said.err, said
    said = explain("find", "a.b", "--user", user, "--first", "1000")
    assert said.code == 1 and "'first' must be between 1 and 100" in said.err, said
    # Tests stay where they are, and are not sent.
    assert cli.run("pull", "--yes", folder=folder, environment=server).code == 0
    assert (folder / "tests/rules/mine.json").is_file()
    said = cli.run("push", "--yes", folder=folder, environment=server)
    assert "nothing to do" in said.out, said


def test_documents_are_validated_against_the_schema_of_their_collection(make, server):
    cli = make()
    folder = pushed(cli, server, "validated")
    app_id = json.loads((folder / "realm_config.json").read_text())["app_id"]
    client = f"{server['RESTITCH_URL']}/api/client/v2.0/app/{app_id}"
    session = request("POST", f"{client}/auth/providers/anon-user/login", {})
    request("POST", f"{client}/functions/call", {"name": "addTask", "arguments": ["Try"]}, session["access_token"])
    said = cli.run("schema", "validate", "--app", app_id, "--database", "todo", "--collection", "tasks", environment=server)
    assert said.code == 0, said
    report = json.loads(said.out.split("\n", 1)[1])  # of the tasks of all apps of these tests
    assert report["total_processed_count"] > report["total_error_count"], report


def test_hosted_files_are_pushed_compared_and_pulled(make, server):
    cli = make()
    folder = pushed(cli, server, "pages", "blank")
    files = folder / "hosting/files"
    (files / "css").mkdir(parents=True)
    (folder / "hosting/config.json").write_text('{"enabled": true}')
    (files / "index.html").write_text("<h1>Pages</h1>")
    (files / "css/a b.css").write_text("a{}")
    (files / "large.bin").write_bytes(bytes(range(256)) * 80_000)
    metadata = [{"path": "/css/a b.css", "attrs": [{"name": "Cache-Control", "value": "max-age=9"}]}]
    (folder / "hosting/metadata.json").write_text(json.dumps(metadata))
    said = cli.run("apps", "diff", "--include-hosting", folder=folder, environment=server)
    assert "New hosting files\n  + /css/a b.css\n  + /index.html\n  + /large.bin\n" in said.out, said
    said = cli.run("push", "--yes", "--include-hosting", "--reset-cdn-cache", folder=folder, environment=server)
    assert said.code == 0 and "Import hosting assets\nReset CDN cache\n" in said.out, said
    app_id = json.loads((folder / "realm_config.json").read_text())["app_id"]
    site = f"{server['RESTITCH_URL']}/hosting/{app_id}/"
    with urllib.request.urlopen(site, timeout=30) as answer:
        assert answer.read() == b"<h1>Pages</h1>" and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    with urllib.request.urlopen(f"{site}css/a%20b.css", timeout=30) as answer:
        assert answer.headers["Cache-Control"] == "max-age=9"
    again = cli.run("push", "--yes", "--include-hosting", folder=folder, environment=server)
    assert again.out == "Deployed app is identical to proposed version, nothing to do\n", again
    # What is pulled is what was pushed.
    said = cli.run("pull", "--remote", app_id, "--local", "again", "--include-hosting", environment=server)
    assert said.code == 0 and "Fetched hosting assets" in said.out, said
    pulled = cli.folder / "again/hosting"
    assert {name: content for name, content in files_of(pulled / "files").items()} == files_of(files)
    assert json.loads((pulled / "metadata.json").read_text()) == metadata
    # Contents, attributes and files that are gone are told apart.
    (files / "index.html").write_text("<h1>New</h1>")
    (files / "large.bin").unlink()
    (folder / "hosting/metadata.json").write_text('[{"path": "/nothing.txt", "attrs": []}]')
    said = cli.run("push", "--yes", "--include-hosting", folder=folder, environment=server)
    assert said.code == 0 and "file '/nothing.txt' has an entry in metadata file" in said.out + said.err, said
    said = cli.run("apps", "diff", "--include-hosting", "--local", str(cli.folder / "again"), "--remote", app_id,
                   environment=server)
    assert "New hosting files\n  + /large.bin\nModified hosting files\n  * /css/a b.css\n  * /index.html\n" in said.out, said
    with urllib.request.urlopen(site, timeout=30) as answer:
        assert answer.read() == b"<h1>New</h1>"


def test_a_file_that_is_refused_fails_the_push_by_its_name(make, server):
    cli = make()
    folder = pushed(cli, server, "refused-file", "blank")
    files = folder / "hosting/files"
    files.mkdir(parents=True)
    for number in range(40):
        (files / f"{number}.txt").write_text(str(number))
    metadata = [{"path": "/7.txt", "attrs": [{"name": "X-Powered-By", "value": "me"}]}]
    (folder / "hosting/metadata.json").write_text(json.dumps(metadata))
    said = cli.run("push", "--yes", "--include-hosting", folder=folder, environment=server)
    assert said.code == 1 and "push failed: /7.txt: unknown attribute 'X-Powered-By'" in said.err, said
    (folder / "hosting/metadata.json").unlink()
    said = cli.run("push", "--yes", "--include-hosting", folder=folder, environment=server)
    assert said.code == 0 and "Import hosting assets" in said.out, said
    said = cli.run("push", "--yes", "--include-hosting", folder=folder, environment=server)
    assert "nothing to do" in said.out, said
