"""What needs no server: templates, imports, help, completion, mistakes."""

import io
import json
import os
import pathlib
import stat
import subprocess
import zipfile

import cli_docs

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data/app"


def test_init_makes_an_app_of_every_template_and_layout_that_passes_the_check(make):
    cli = make()
    for template in ("tasks", "endpoint", "blank"):
        for version in (20180301, 20200603, 20210101, 20230101):
            name = f"{template}-{version}"
            said = cli.run("init", name, "--template", template, "--config-version", version)
            if template == "endpoint" and version < 20210101:
                assert said.code == 1 and "has no HTTPS endpoints" in said.err, said
                continue
            assert said.code == 0, said
            checked = cli.run("check", name)
            assert checked.code == 0 and checked.out.endswith("0 errors, 0 warnings\n"), checked


def test_init_in_the_working_folder_takes_its_name(make):
    cli = make()
    said = cli.run("init")
    assert said.code == 0, said
    root = json.loads((cli.folder / "realm_config.json").read_text())
    assert root["name"] == "work" and "app_id" not in root, root
    again = cli.run("init")
    assert again.code == 1 and "app init setup failed: '.' holds an app already" in again.err, again


def test_init_overwrites_nothing(make):
    cli = make()
    (cli.folder / "functions").mkdir()
    (cli.folder / "functions/addTask.js").write_text("mine")
    said = cli.run("init")
    assert said.code == 1 and "exists already and is not overwritten" in said.err, said
    assert not (cli.folder / "realm_config.json").exists()
    assert (cli.folder / "functions/addTask.js").read_text() == "mine"


def test_import_atlas_says_what_works_and_what_is_left(make):
    cli = make()
    said = cli.run("import", "atlas", DATA / "layout_20210101")
    assert said.code == 0, said
    for title in ("Works as it is:", "Is different here:", "Left for you to do:"):
        assert title in said.out, said
    assert "data source" in said.out and "baseUrl" in said.out, said


def zip_of(directory, prefix=""):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                archive.write(path, prefix + str(path.relative_to(directory)))
    return out.getvalue()


def test_import_atlas_unpacks_a_zip_with_a_folder_inside(make):
    cli = make()
    (cli.folder / "exported.zip").write_bytes(zip_of(DATA / "layout_20230101", "Shop/"))
    said = cli.run("import", "atlas", "exported.zip")
    assert said.code == 0, said
    assert (cli.folder / "exported/Shop/root_config.json").is_file()
    again = cli.run("import", "atlas", "exported.zip")
    assert again.code == 1 and "exists and is not empty" in again.err, again


def test_import_atlas_refuses_archives_that_leave_their_folder(make):
    cli = make()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../evil.txt", "x")
    (cli.folder / "evil.zip").write_bytes(out.getvalue())
    said = cli.run("import", "atlas", "evil.zip")
    assert said.code == 1 and "path is not allowed" in said.err, said
    assert not (cli.home / "evil.txt").exists()


def test_import_atlas_refuses_links_in_archives(make):
    cli = make()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("functions/link.js")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    (cli.folder / "link.zip").write_bytes(out.getvalue())
    said = cli.run("import", "atlas", "link.zip")
    assert said.code == 1 and "no regular file" in said.err, said


def test_import_atlas_refuses_bombs(make):
    cli = make()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("realm_config.json", b" " * (80 << 20))
    (cli.folder / "bomb.zip").write_bytes(out.getvalue())
    said = cli.run("import", "atlas", "bomb.zip")
    assert said.code == 1 and "unpacks to more than is allowed" in said.err, said


def test_import_atlas_converts_to_another_layout(make):
    cli = make()
    said = cli.run("import", "atlas", DATA / "layout_20180301", "--into", "new", "--config-version", 20230101)
    assert said.code == 0, said
    assert (cli.folder / "new/root_config.json").is_file()
    assert cli.run("check", "new").code in (0, 1)
    assert (cli.folder / "new/functions/signIn.js").is_file(), sorted(cli.folder.rglob("*"))


def test_import_atlas_lists_the_errors_of_a_directory_and_fails(make):
    cli = make()
    said = cli.run("import", "atlas", DATA / "everything_wrong")
    assert said.code == 1 and "Must be put right first:" in said.out, said


def test_completion_offers_commands_and_options(make):
    cli = make()
    script = cli.run("completion", "bash")
    assert script.code == 0, script
    question = (script.out + '\nCOMP_WORDS=(restitch users cre); COMP_CWORD=2; _restitch; echo "${COMPREPLY[@]}"'
                '\nCOMP_WORDS=(restitch push --dry); COMP_CWORD=2; _restitch; echo "${COMPREPLY[@]}"')
    answer = subprocess.run(["bash", "-c", question], text=True, capture_output=True, check=True, cwd=cli.folder)
    assert answer.stdout.split() == ["create", "--dry-run"], answer
    for shell in ("zsh", "fish"):
        assert "restitch" in cli.run("completion", shell).out


def test_mistakes_name_the_option_and_fail(make):
    cli = make()
    said = cli.run("apps", "list", "-f", "xml")
    assert said.code != 0 and "unsupported value, use one of [json] instead" in said.err + said.out, said
    said = cli.run("apps", "list", "--url", "ftp://x")
    assert said.code == 1 and "app list setup failed: 'ftp://x' is no URL" in said.err, said


def test_without_a_login_the_error_says_what_to_do(make):
    cli = make()
    said = cli.run("apps", "list")
    assert said.code == 1, said
    assert "app list setup failed: not logged in to http://127.0.0.1:9090" in said.err, said
    assert "Try instead: restitch login" in said.err, said


def test_a_server_that_is_not_there_is_told(make):
    cli = make()
    said = cli.run("apps", "list", "--url", "http://127.0.0.1:1", environment={"RESTITCH_API_KEY": "k",
                                                                             "RESTITCH_PRIVATE_API_KEY": "p"})
    assert said.code == 1 and "no answer from http://127.0.0.1:1" in said.err, said


def test_the_documentation_of_the_commands_is_current(make):
    cli = make()
    written = (ROOT / "docs/cli.md").read_text()
    assert written == cli_docs.document(cli.binary), "run python3 tests/cli/cli_docs.py --binary build/release/restitch"


def test_push_outside_of_an_app_and_of_a_broken_one(make):
    cli = make()
    said = cli.run("push")
    assert said.code == 1 and "push setup failed: directory '.' is not a supported Realm app project" in said.err, said
    said = cli.run("push", "--local", "nowhere")
    assert said.code == 1 and "push setup failed: directory 'nowhere' does not exist" in said.err, said
    assert cli.run("init").code == 0
    (cli.folder / "functions/config.json").write_text("[{")
    said = cli.run("push")
    assert said.code == 1 and "functions/config.json" in said.err and "nothing was sent" in said.err, said
