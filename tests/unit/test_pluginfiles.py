"""Which files with plugins may be run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmstack import pluginfiles
from llmstack.errors import PluginError
from llmstack.modeltype.registry import Registry
from llmstack.pluginfiles import read, run, task_name, trust

TYPE = """
from llmstack.modeltype import Family, ModelType
class Mine(ModelType):
    name = "mine"
    family = Family.COMPANION
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir(mode=0o755)
    made = tmp_path / "plugins" / "mine.py"
    made.write_text(TYPE)
    return made


def test_what_an_inventory_lists_is_run_once_it_is_trusted_and_as_long_as_it_stays_the_same(path: Path) -> None:
    with pytest.raises(PluginError, match="not trusted it as it is") as raised:
        run(path, listed=True)
    assert raised.value.hint == f"look at it, then: llmstack plugins.trust --file {path}"
    trust(path)
    assert run(path, listed=True).__name__ == "llmstack_plugin_mine"
    path.write_text(TYPE + "\n")
    with pytest.raises(PluginError, match="not trusted"):
        run(path, listed=True)


def test_trust_is_kept_where_only_the_user_writes(path: Path) -> None:
    digest = trust(path)
    kept = Path(os.environ["XDG_CONFIG_HOME"]) / "llmstack" / "trusted-plugins"
    assert kept.read_text() == f"{digest}  mine.py\n"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_plugins_beside_tasks_py_need_no_trust(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pluginfiles, "beside_tasks", [path])
    assert run(path, listed=True).Mine.name == "mine"


@pytest.mark.parametrize(("name", "text"), [("mine.txt", TYPE), ("inventory.yaml", "a: 1\n"), ("mine.py", "def x(:\n")])
def test_what_is_no_python_file_is_never_trusted(path: Path, name: str, text: str) -> None:
    other = path.with_name(name)
    other.write_text(text)
    with pytest.raises(PluginError, match=r"no (plugin|Python)") as raised:
        trust(other)
    assert raised.value.hint
    assert not (Path(os.environ["XDG_CONFIG_HOME"]) / "llmstack" / "trusted-plugins").exists()


@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_others_can_write_is_refused(path: Path, which: str) -> None:
    trust(path)
    (path if which == "file" else path.parent).chmod(0o757)
    for refused in (lambda: read(path), lambda: run(path, listed=True), lambda: trust(path)):
        with pytest.raises(PluginError, match="others can write"):
            refused()


def test_the_group_may_write_where_it_is_the_user_s_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o664)
    assert read(path)
    monkeypatch.setattr("llmstack.pluginfiles.grp.getgrgid", lambda gid: type("Group", (), {"gr_name": "staff"}))
    with pytest.raises(PluginError, match="others can write"):
        read(path)


def test_what_cannot_be_read_is_told(path: Path) -> None:
    with pytest.raises(PluginError, match=r"gone\.py cannot be read: No such file"):
        run(path.parent / "gone.py")


def test_a_type_of_the_user_s_own_is_known_by_its_file_and_loaded_when_trusted(path: Path) -> None:
    registry = Registry(more=[path])
    assert "mine" in registry.names()
    with pytest.raises(PluginError, match="not trusted"):
        registry.get("mine")
    trust(path)
    found = registry.get("mine")
    assert found is not None
    assert found.name == "mine"


def test_a_file_of_the_user_s_own_never_stands_for_a_bundled_type(path: Path) -> None:
    evil = path.with_name("container.py")
    evil.write_text("raise RuntimeError")
    found = Registry(more=[evil]).get("container")
    assert found is not None


def test_a_file_with_tasks_alone_is_no_type(path: Path) -> None:
    (path.parent / "speed.py").write_text("from llmstack.tasks import task\n")
    assert "speed" not in Registry(more=[path.parent / "speed.py"]).names()


@pytest.mark.parametrize(
    ("stem", "function", "name"),
    [("speed", "speed", "speed"), ("speed", "report_all", "speed.report-all"), ("my_web", "my_web", "my-web")],
)
def test_a_task_is_called_like_its_file_and_function(stem: str, function: str, name: str) -> None:
    assert task_name(stem, function) == name
