"""The command line on a terminal: what it asks, what is not shown, and what a refusal leaves."""

import json

from server_tests import pushed

SECRET = "hunter2-typed"


def test_a_secret_that_is_typed_is_kept_and_not_shown(make, server):
    cli = make()
    folder = pushed(cli, server, "typed")
    said = cli.converse("secrets", "create", "-n", "token", answers=[("Secret Value", SECRET)], folder=folder,
                        environment=server)
    assert said.code == 0 and "Successfully created secret" in said.out and SECRET not in said.out, said
    assert "token" in cli.run("secrets", "list", folder=folder, environment=server).out


def test_a_push_asks_for_the_secrets_that_are_missing(make, server):
    cli = make()
    assert cli.run("init", "asking").code == 0
    folder = cli.folder / "asking"
    (folder / "values").mkdir(exist_ok=True)
    (folder / "values/key.json").write_text('{"name": "key", "value": "apiKey", "from_secret": true}')
    said = cli.converse("push", answers=[
        ("Do you wish to create a new app named 'asking'? (y/N)", "y"),
        ("Value of the secret 'apiKey' (empty: not now):", SECRET),
        ("Please confirm the changes shown above (y/N)", "y")], folder=folder, environment=server)
    assert said.code == 0 and "Successfully pushed app up" in said.out and SECRET not in said.out, said
    assert "apiKey" in cli.run("secrets", "list", folder=folder, environment=server).out


def test_a_change_that_is_declined_is_not_made(make, server):
    cli = make()
    folder = pushed(cli, server, "declined")
    (folder / "functions/addTask.js").write_text("exports = () => 'changed';\n")
    said = cli.converse("push", answers=[("Please confirm the changes shown above (y/N)", "n")], folder=folder,
                        environment=server)
    assert said.code == 0 and "+exports = () => 'changed';" in said.out and "Deployment complete" not in said.out, said
    assert "functions/addTask.js" in cli.run("apps", "diff", folder=folder, environment=server).out
    # Whatever is not yes is no.
    said = cli.converse("apps", "delete", "--app", "declined", answers=[("Are you sure? (y/N)", "")], environment=server)
    assert said.code == 0, said
    assert "declined-" in cli.run("apps", "list", environment=server).out
    said = cli.converse("apps", "delete", "--app", "declined", answers=[("Are you sure? (y/N)", "yes")],
                        environment=server)
    assert said.code == 0, said
    assert "declined-" not in cli.run("apps", "list", environment=server).out


def test_a_login_asks_for_what_is_left_out(make, server):
    cli = make()
    keys = json.loads(open(f"{server['RESTITCH_DATA']}/admin.json").read())
    said = cli.converse("login", "--url", server["RESTITCH_URL"], answers=[
        ("Public API Key", keys["publicApiKey"]), ("Private API Key", keys["privateApiKey"])])
    assert said.code == 0 and "Successfully logged in" in said.out, said
    assert keys["privateApiKey"] not in said.out
    assert keys["publicApiKey"] in cli.run("whoami").out
    other = cli.converse("login", "--url", server["RESTITCH_URL"], "--api-key", "another", "--private-api-key", "x", answers=[
        (f"This action will terminate the existing session for user: {keys['publicApiKey']}", "n")])
    assert other.code == 0, other
    assert keys["publicApiKey"] in cli.run("whoami").out


def test_a_link_to_a_repository_is_confirmed_and_its_secrets_are_typed(make, server):
    cli = make()
    folder = pushed(cli, server, "linked")
    command = ("deploy", "configure", "--repository", "https://127.0.0.1:1/none.git", "--poll-seconds", "0",
               "--webhook-secret", "--access-token")
    said = cli.converse(*command, answers=[
        ("Webhook Secret", SECRET), ("Access Token", SECRET),
        ("What the branch holds will take the place of what the app has. Proceed? (y/N)", "n")],
        folder=folder, environment=server)
    assert said.code == 0 and "enabled" not in said.out and SECRET not in said.out, said
    assert '"enabled": false' in cli.run("deploy", "describe", folder=folder, environment=server).out
