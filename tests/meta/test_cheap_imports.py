"""Commands that do no work load no heavy library: what they import is the time they take."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable

import pytest

from tests import room
from tests.meta.source import ROOT

HEAVY = {"docker", "peewee", "requests", "rich", "pynvml", "psutil", "yaml", "huggingface_hub", "xllamacpp"}
PLUGIN = "llmstack_plugin_"

PROBE = """
import atexit, sys
atexit.register(lambda: open({out!r}, "w").write(" ".join(sys.modules)))
sys.argv[:] = {argv!r}
from {module} import {function}
{call}
"""


def loaded(argv: list[str], module: str, function: str, call: str) -> set[str]:
    """The modules that one command has loaded when it ends."""
    with tempfile.NamedTemporaryFile("r") as out:
        code = PROBE.format(out=out.name, argv=argv, module=module, function=function, call=call)
        env = room.unmeasured(os.environ)
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60
        )
        assert run.returncode == 0, run.stderr
        return set(out.read().split())


@pytest.fixture(scope="module")
def bare() -> set[str]:
    """What Invoke itself brings along, PyYAML among it."""
    return loaded(["invoke"], "invoke.main", "program", "")


def own_door(*arguments: str) -> set[str]:
    return loaded(["llmstack", *arguments], "llmstack.cli.program", "main", "sys.exit(main())")


def invoke_door(*arguments: str) -> set[str]:
    return loaded(["invoke", *arguments], "invoke.main", "program", "program.run()")


@pytest.mark.parametrize(
    "modules",
    [
        pytest.param(lambda: own_door("--version"), id="llmstack --version"),
        pytest.param(lambda: own_door("--help"), id="llmstack --help"),
        pytest.param(lambda: own_door("--list"), id="llmstack --list"),
        pytest.param(lambda: own_door("--complete", "--", "llmstack "), id="llmstack --complete"),
        pytest.param(lambda: invoke_door("--list"), id="invoke --list"),
    ],
)
def test_a_cheap_command_loads_no_heavy_library(modules: Callable[[], set[str]], bare: set[str]) -> None:
    names = modules() - bare
    assert {name.split(".")[0] for name in names} & HEAVY == set()
    assert {name for name in names if name.startswith(PLUGIN)} == set()


@pytest.mark.parametrize("door", [own_door, invoke_door])
@pytest.mark.parametrize("words", [["history", "--store", ":memory:"], ["up", "--check", "-m", "no", "--allow-empty"]])
def test_what_does_not_move_on_a_terminal_needs_no_rich(door: Callable[..., set[str]], words: list[str]) -> None:
    assert "rich" not in door(*words)


def test_importing_the_package_loads_none_of_its_parts() -> None:
    names = loaded([""], "llmstack", "__version__", "")
    assert {name for name in names if name.startswith("llmstack.")} == set()
    assert {name.split(".")[0] for name in names} & HEAVY == set()


def test_the_public_names_are_there_when_asked_for() -> None:
    names = loaded([""], "llmstack", "Stack, DockerManager, ModelManager, OllamaClient", "")
    assert "llmstack.api" in names


def test_the_plugin_api_loads_no_client_until_a_plugin_names_one() -> None:
    assert "requests" not in loaded([""], "llmstack.modeltype", "ModelType", "")
