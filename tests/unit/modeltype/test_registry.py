"""Types are found by their file's name, and loaded when they are asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import llmstack.modeltype
from llmstack.errors import PluginError
from llmstack.modeltype import Family, Launch, LaunchRequest, ModelSpec, ModelType, NoOptions, ServiceSpec
from llmstack.modeltype.registry import Registry, bundled_folder

FINE = """
from llmstack.modeltype import Family, ModelType
print("loaded")
class Mine(ModelType):
    name = "my-type"
    family = Family.COMPANION
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_type.py").write_text(FINE)
    (tmp_path / "_private.py").write_text("raise RuntimeError")
    (tmp_path / "notes.txt").write_text("")
    return tmp_path


def test_names_are_told_without_loading_anything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Registry(folder).names() == ("my-type",)
    assert capsys.readouterr().out == ""


def test_a_type_is_loaded_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(folder)
    assert registry.get("my-type") is registry.get("my-type")
    assert capsys.readouterr().out == "loaded\n"


@pytest.mark.parametrize("name", ["nope", "", "../my-type", "_private", "my_type", "notes"])
def test_what_is_no_plugin_is_none(folder: Path, name: str) -> None:
    assert Registry(folder).get(name) is None


def test_a_plugin_that_failed_leaves_no_module_behind(folder: Path) -> None:
    (folder / "bad.py").write_text("raise OSError('no')")
    with pytest.raises(PluginError, match=r"plugin bad\.py cannot be loaded: OSError: no"):
        Registry(folder).get("bad")
    assert "llmstack_plugin_bad" not in sys.modules


def test_a_type_that_is_only_imported_is_not_the_plugins_own(folder: Path) -> None:
    (folder / "my_type.py").write_text(FINE + "Alias = Mine\nitems = [1]\n")
    assert Registry(folder).get("my-type") is not None


def test_the_bundled_plugins_are_found_from_anywhere(tmp_path: Path) -> None:
    code = "from llmstack.modeltype.registry import Registry; print(*Registry().names())"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["container", "llamacpp", "ollama", "open-webui"]
    assert bundled_folder().name == "plugins"


def test_an_installed_copy_of_the_plugins_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmstack.pluginfiles._PACKAGE", tmp_path)
    assert bundled_folder() == tmp_path.parent / "plugins"
    (tmp_path / "_plugins").mkdir()
    assert bundled_folder() == tmp_path / "_plugins"


def test_the_plugin_api_loads_a_client_only_when_it_is_named() -> None:
    code = (
        "import sys, llmstack.modeltype as api; assert 'requests' not in sys.modules; "
        "print(*(name for name in api.__all__ if getattr(api, name)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"LlamaServer", "Ollama", "OpenAI", "Web"} <= set(found.stdout.split())
    with pytest.raises(AttributeError):
        llmstack.modeltype.nosuch  # noqa: B018


class Plain(ModelType):
    name = "plain"
    family = Family.COMPANION
    port = 7
    image = "plain:1"


def test_a_type_that_says_little_has_sensible_manners() -> None:
    kind = Plain()
    service = ServiceSpec(name="x", type="plain", args=("a",))
    request = LaunchRequest(stack="s", service=service, engine="docker", options=NoOptions())
    assert kind.launch(request) == Launch(image="plain:1", command=("a",))
    assert kind.container_port(service, NoOptions()) == 7
    assert kind.served_name(ModelSpec(name="m", service="x")) == "m"
    assert kind.served_name(ModelSpec(name="m", service="x", source="s")) == "s"
    assert kind.same_model("a", "a")
    assert not kind.same_model("a", "A")
