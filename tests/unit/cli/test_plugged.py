"""Tasks of plugins, through both doors."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from invoke.program import Program

from llmstack import pluginfiles
from llmstack.cli import plugged
from llmstack.cli.program import main
from llmstack.pluginfiles import trust
from tests.unit.cli.fake_app import CALLS

TASKS = '''
from pathlib import Path
from llmstack.tasks import OUTPUT, SELECT, Flag, count, line, task

Path("loaded").touch()
ROUNDS = Flag("rounds", "NUMBER of rounds.", 3, count(1))

@task(*SELECT, ROUNDS, OUTPUT, reads_only=True, examples=("speed -m demo", "speed --rounds 2"))
def speed(session):
    """Tell how fast.

    More words.
    """
    with session.app() as app:
        app.health(session.selection, deep=True)
    items = [{"target": name, "rounds": session[ROUNDS]} for name in session.selection.models]
    return session.answer(session.document(items), [line(f"{session[ROUNDS]} rounds")])

@task(OUTPUT)
def report(session):
    """Tell all."""
    return session.answer(session.document([]))

@task()
def fails(session):
    """Fail."""
    raise ValueError("oops")

def helper():
    """No task."""
'''
BROKEN = """
from llmstack.tasks import task

@task()
def broken(session):
    "Fail."

raise RuntimeError("no luck")
"""


@pytest.fixture
def project(tmp_path, monkeypatch, calls):
    """A project with plugins, some of them broken."""
    folder = tmp_path / "plugins"
    folder.mkdir(mode=0o755)
    (folder / "speed.py").write_text(TASKS)
    (folder / "broken.py").write_text(BROKEN)
    (folder / "nopython.py").write_text("from llmstack.tasks import task\ndef (")
    (folder / "up.py").write_text("from llmstack.tasks import task\n\n@task()\ndef up(session):\n    '''Mine.'''\n")
    (tmp_path / "tasks.py").write_text("from llmstack.cli.collection import namespace\nns = namespace(__file__)\n")
    (tmp_path / "inventory.yaml").write_text(
        "llmstack: 1\nplugins: [plugins/speed.py, plugins/broken.py]\nmodels: {}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pluginfiles, "beside_tasks", [])
    monkeypatch.setattr("llmstack.cli.collection.beside_tasks", pluginfiles.beside_tasks)
    monkeypatch.setattr("llmstack.cli.plugged.beside_tasks", pluginfiles.beside_tasks)
    yield tmp_path
    for name in ("speed", "broken", "up"):
        sys.modules.pop(f"llmstack_plugin_{name}", None)


@pytest.fixture
def run(project, door, capsys, monkeypatch):
    """Run a line there; in the installed door the plugins are trusted."""
    for name in ("speed", "broken"):
        trust(project / "plugins" / f"{name}.py")

    def through(*words):
        code = 0
        monkeypatch.setattr(sys, "argv", [door, *words])
        monkeypatch.delitem(sys.modules, "tasks", raising=False)
        try:
            main() if door == "llmstack" else Program().run([door, "--search-root", str(project), *words])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return through


def test_a_plugin_s_task_has_our_flags_formats_and_codes(run):
    assert run("speed", "-m", "a", "--rounds", "2")[:2] == (0, "2 rounds\n")
    code, out, _ = run("speed", "-m", "a", "-m", "b", "-o", "names")
    assert (code, out) == (0, "a\nb\n")
    assert [name for name, _, _ in CALLS].count("health") == 2
    code, _, err = run("speed", "--rounds", "none")
    assert (code, "--rounds cannot be 'none'" in err) == (2, True)
    assert run("speed", "-m", "unknown")[0] == 5


def test_it_is_part_of_a_line(run):
    code, out, _ = run("speed", "-m", "a", "speed.report", "status", "-m", "b", "-o", "names")
    assert (code, out) == (0, "3 rounds\nb@localhost\n")


def test_a_plugin_is_run_only_when_its_task_is_named(run, project):
    code, out, _ = run("--list")
    assert (code, "speed.report" in out, "Tell how fast." in out, "helper" in out) == (0, True, True, False)
    assert run("status")[0] == 0
    assert not (project / "loaded").exists()
    assert "--rounds" in run("speed", "--help")[1]
    assert (project / "loaded").exists()


def test_a_plugin_that_fails_ends_its_own_task_alone(run, project):
    assert run("status")[0] == 0
    code, _, err = run("broken")
    assert code == 13
    assert err.endswith(
        "error: plugin broken.py cannot be loaded: RuntimeError: no luck\n"
        f"       repair or remove {project}/plugins/broken.py\n"
    )


def test_a_plugin_s_task_that_raises_is_the_plugin_s_mistake(run):
    code, _, err = run("speed.fails")
    assert code == 13
    assert "error: plugin speed.py raised ValueError in its task speed.fails: oops\n" in err


def test_what_is_no_python_is_told_and_left_out(project, run, door):
    if door == "llmstack":
        (project / "inventory.yaml").write_text("llmstack: 1\nplugins:\n- plugins/nopython.py\n- plugins/up.py\n")
    code, out, err = run("status", "-o", "names")
    assert (code, out) == (0, "demo@localhost\n")
    place = "inventory.yaml:3: " if door == "llmstack" else ""
    assert f"! {place}plugin nopython.py is no Python: " in err
    assert "up.py would be called like ours; its tasks are left out: give the file another name\n" in err


def test_the_installed_door_runs_nothing_that_was_not_trusted(project, own):
    ran = own("speed", "-m", "a")
    path = project / "plugins" / "speed.py"
    assert ran.code == 13
    assert f"{path} is listed by the inventory, but you have not trusted it as it is" in ran.err
    assert not (project / "loaded").exists()
    assert own("plugins", "trust", "--file", "plugins/speed.py").out == f"trusted {path}\n"
    assert own("speed", "-m", "a").code == 0
    path.write_text(TASKS + "\n")
    assert own("speed", "-m", "a").code == 13


def test_the_installed_door_knows_no_plugin_that_is_only_there(project, own):
    (project / "inventory.yaml").write_text("llmstack: 1\n")
    assert own("speed").code == 2
    assert own("-i", "lab.yaml", "speed").code == 2
    (project / "lab.yaml").write_text('{"llmstack": 1,\n "plugins": ["plugins/speed.py"]}')
    assert own("-i", "lab.yaml", "speed").code == 13


def test_files_that_others_can_write_are_refused(project, through):
    (project / "plugins" / "speed.py").chmod(0o666)
    ran = through("llmstack", "status")
    assert (ran.code, "others can write" in ran.err) == (0, True)
    assert through("llmstack", "speed").code == 2


def test_trust_needs_a_file(own):
    assert own("plugins.trust").code == 2
    assert own("plugins.trust", "--file", "nowhere.py").code == 13


def test_completion_knows_the_tasks_of_plugins_and_their_flags(project, own):
    trust(project / "plugins" / "speed.py")
    assert own("--complete", "--", "llmstack spe").out.split() == ["speed", "speed.report", "speed.fails"]
    assert own("--complete", "--", "llmstack speed --rou").out.split() == ["--rounds"]


def test_its_own_help_has_its_examples(project, own):
    trust(project / "plugins" / "speed.py")
    assert own("help", "speed").out.endswith("Examples:\n  llmstack speed -m demo\n  llmstack speed --rounds 2\n")
    assert "\nPlugins\n  " in own("--list").out
    assert Path(os.environ["XDG_CONFIG_HOME"]).is_dir()


def test_an_inventory_that_is_no_file_is_not_read_to_find_plugins(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert [*plugged._listed(["status", "-i", str(tmp_path / "pipe")])] == []
