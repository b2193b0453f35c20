"""`restitch rules test`: the tests of an app's rules, without a server."""

import json
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = {"database": "shop", "collection": "items", "roles": [
    {"name": "owner", "apply_when": {"owner": "%%user.id"}, "read": True, "fields": {"n": {"write": True}}},
    {"name": "manager", "apply_when": {"%%true": {"%function": {"name": "isManager", "arguments": ["%%user.data.team"]}}},
     "read": True, "write": True}]}
USERS = {"ann": {"id": "a"}, "meg": {"id": "m", "data": {"team": "red"}}}
DOCUMENTS = {"shop.items": [{"_id": 1, "owner": "a", "n": 1}, {"_id": 2, "owner": "b", "n": 2}]}


def app(cli, name, cases, rules=RULES, function=None, **members):
    """A directory with one collection and one file of tests."""
    folder = cli.folder / name
    (folder / "data_sources/mongodb-atlas/shop/items").mkdir(parents=True)
    (folder / "tests/rules").mkdir(parents=True)
    (folder / "root_config.json").write_text(json.dumps({"name": name, "config_version": 20230101}))
    source = {"name": "mongodb-atlas", "type": "mongodb-atlas", "config": {"clusterName": "Cluster0"}}
    (folder / "data_sources/mongodb-atlas/config.json").write_text(json.dumps(source))
    (folder / "data_sources/mongodb-atlas/shop/items/rules.json").write_text(json.dumps(rules))
    if function:
        (folder / "functions").mkdir()
        (folder / "functions/config.json").write_text(json.dumps([{"name": "isManager", "private": True}]))
        (folder / "functions/isManager.js").write_text(function)
    content = {"database": "shop", "collection": "items", "users": USERS, "documents": DOCUMENTS, "cases": cases, **members}
    (folder / "tests/rules/items.json").write_text(json.dumps(content))
    return folder


def test_the_tests_of_the_example_pass_and_cover_its_rules(make):
    cli = make()
    said = cli.run("rules", "test", ROOT / "examples/tasks", "--coverage")
    assert said.code == 0, said
    assert said.out.splitlines()[-1].startswith("18 passed, 0 failed; coverage of the rules "), said
    result = json.loads(cli.run("rules", "test", ROOT / "examples/tasks", "--json").out)
    assert result["failed"] == 0 and len(result["cases"]) == 18, result
    assert result["coverage"]["percent"] >= 80, result["coverage"]


def test_a_failure_says_what_was_expected_what_came_and_why(make):
    cli = make()
    folder = app(cli, "failing", [
        {"name": "sees both", "as": "ann", "operation": "find", "expect": {"count": 2}},
        {"name": "is refused", "as": "ann", "operation": "updateOne", "query": {"_id": 1}, "update": {"$set": {"n": 5}},
         "expect": {"outcome": "refused", "role": "manager"}},
        {"name": "sees this", "as": "ann", "operation": "findOne", "query": {"_id": 1}, "expect": {"visible": {"_id": 1}}},
        {"name": "is told", "as": "ann", "operation": "updateOne", "query": {"_id": 1}, "update": {"$set": {"owner": "b"}},
         "expect": {"error": "no", "withheld": []}},
    ], functions={"isManager": False})
    said = cli.run("rules", "test", folder)
    assert said.code == 1, said
    lines = said.out.splitlines()
    assert lines[0].startswith("FAILED tests/rules/items.json: sees both: count: expected 2, got 1 (document 2: hidden, "
                               "no role applies; role \"owner\" does not apply: owner: \"b\" is not \"%%user.id\" (\"a\")"), said
    assert "is refused: outcome: expected refused, got allowed; role: expected [\"manager\"], got [\"owner\"]" in lines[1], said
    assert 'sees this: visible: expected {"_id":1}, got {"_id":1,"owner":"a","n":1}' in lines[2], said
    assert 'error: expected "no", got "update not permitted"; withheld: expected [], got [owner]' in lines[3], said
    assert "no permission to write covers it" in lines[3], said
    assert lines[4].startswith("0 passed, 4 failed; coverage"), said
    more = cli.run("rules", "test", folder, "--why", "--only", "sees both")
    assert "    query sent: " in more.out and "0 passed, 1 failed" in more.out, more
    result = json.loads(cli.run("rules", "test", folder, "--json").out)
    assert result["failed"] == 4 and result["cases"][0]["problems"] == [
        {"what": "count", "expected": "2", "actual": "1"}], result


def test_distinct_and_bulk_writes_are_tested_too(make):
    cli = make()

    def bulk(name, expect, *operations, **members):
        return {"name": name, "as": "ann", "operation": "bulkWrite", "operations": list(operations), "expect": expect,
                **members}

    change, take = ({"updateOne": {"filter": {"_id": 1}, "update": {"$set": {name: 5}}}} for name in ("n", "owner"))
    folder = app(cli, "several", [
        {"name": "sees values", "as": "ann", "operation": "distinct", "key": "n", "expect": {"visible": [1], "role": ["owner", None]}},
        bulk("changes a field", {"outcome": "allowed", "role": "owner"}, change),
        bulk("changes the owner", {"error": "update not permitted", "withheld": ["owner"]}, change, take),
        bulk("goes on", "refused", take, change, ordered=False),
        bulk("meets nothing", "nothing", {"deleteMany": {"filter": {"_id": 2}}}),
        bulk("as the system", "allowed", take, **{"as": "system"}),
    ], functions={"isManager": False})
    said = cli.run("rules", "test", folder)
    assert said.code == 0 and said.out.splitlines()[-1].startswith("6 passed, 0 failed"), said


def test_every_case_begins_with_the_documents_of_its_file(make):
    cli = make()
    gone = {"as": "meg", "operation": "delete", "query": {}, "expect": {"count": 2}}
    folder = app(cli, "fresh", [{"name": "once", **gone}, {"name": "twice", **gone}], functions={"isManager": True})
    said = cli.run("rules", "test", folder)
    assert said.code == 0, said


def test_functions_of_rules_run_or_are_stated(make):
    cli = make()
    find = {"operation": "find", "query": {"_id": 2}}
    cases = [{"name": "a manager", "as": "meg", **find, "expect": {"role": "manager", "count": 1}},
             {"name": "no manager", "as": "ann", **find, "expect": "nothing"}]
    real = "exports = async (team) => team === 'red';"
    said = cli.run("rules", "test", app(cli, "real", cases, function=real))
    assert said.code == 0, said
    stated = [{"arguments": ["red"], "result": True}, {"throws": "not now"}]
    said = cli.run("rules", "test", app(cli, "stated", cases, functions={"isManager": stated}))
    assert said.code == 0, said
    said = cli.run("rules", "test", app(cli, "missing", cases))
    assert said.code == 1 and "the app has no function 'isManager', and the test states no result" in said.out, said
    said = cli.run("rules", "test", app(cli, "unfit", cases, functions={"isManager": stated[:1]}))
    assert said.code == 1 and "no result is stated for the call isManager [" in said.out, said
    said = cli.run("rules", "test", app(cli, "nonode", cases, function=real), "--node", "/nowhere/node")
    assert said.code == 1 and 'state its result in "functions"' in said.out, said


def test_coverage_lists_what_was_never_true_or_never_false(make):
    cli = make()
    folder = app(cli, "covered", [{"name": "one", "as": "ann", "operation": "find", "query": {"_id": 1}, "expect": "allowed"}],
                 functions={"isManager": False})
    said = cli.run("rules", "test", folder, "--coverage")
    assert said.code == 0, said
    assert said.out.splitlines() == [
        "data_sources/mongodb-atlas/shop/items/rules.json",
        '  role "owner" apply_when: never false',
        '  role "owner" fields.n.write: never asked',
        '  role "manager" apply_when: never asked',
        '  role "manager" read: never asked',
        '  role "manager" write: never asked',
        "1 passed, 0 failed; coverage of the rules 25 % (2 of 8)"], said


def test_secrets_stay_out_of_explanations(make):
    cli = make()
    rules = {"database": "shop", "collection": "items", "roles": [
        {"name": "key", "apply_when": {"owner": "%%values.key"}, "read": True}]}
    folder = app(cli, "secret", [{"name": "one", "as": "ann", "operation": "find", "expect": {"count": 5}}], rules, values={"key": "hunter2"})
    (folder / "values").mkdir()
    (folder / "values/key.json").write_text(json.dumps({"name": "key", "value": "theKey", "from_secret": True}))
    for options in ([], ["--why"], ["--json"], ["--coverage"]):
        said = cli.run("rules", "test", folder, *options)
        assert said.code == 1 and "hunter2" not in said.out + said.err, said
    assert '"%%values.key" ("<secret>")' in cli.run("rules", "test", folder, "--why").out


def test_a_file_that_is_wrong_names_the_place(make):
    cli = make()
    find = {"name": "x", "as": "ann", "operation": "find"}
    wrong = [
        ({**find, "expect": "perhaps"}, "tests/rules/items.json: \"x\": expected 'expect' to be allowed, refused, nothing, or an object"),
        ({**find, "as": "zoe", "expect": "allowed"}, "\"x\": no user 'zoe' in 'users'"),
        ({**find, "expct": "allowed"}, "\"x\": unknown member 'expct'"),
        ({**find, "operation": "fnd", "expect": "allowed"}, "\"x\": unknown operation 'fnd'"),
        ({**find, "query": [], "expect": "allowed"}, "\"x\": expected 'query' to be an object"),
        (find, "\"x\": missing parameter 'expect'"),
    ]
    for number, (case, message) in enumerate(wrong):
        said = cli.run("rules", "test", app(cli, f"wrong{number}", [case]))
        assert said.code == 2 and message in said.err, (message, said)
    folder = app(cli, "nojson", [])
    (folder / "tests/rules/items.json").write_text("{\n  oops")
    said = cli.run("rules", "test", folder)
    assert said.code == 2 and "tests/rules/items.json: " in said.err, said
    shutil.rmtree(folder / "tests")
    said = cli.run("rules", "test", folder)
    assert said.code == 2 and "there are no tests" in said.err, said
    (folder / "data_sources/mongodb-atlas/shop/items/rules.json").write_text('{"roles": [{"name": "r", "apply_when": {"%x": 1}}]}')
    said = cli.run("rules", "test", folder)
    assert said.code == 2 and "/roles/0/apply_when" in said.err, said


def test_tests_are_no_part_of_the_configuration(make):
    cli = make()
    folder = app(cli, "checked", [])
    (folder / "tests/rules/items.json").write_text("no JSON")
    said = cli.run("check", folder)
    assert said.code == 0 and said.out == "0 errors, 0 warnings\n", said
