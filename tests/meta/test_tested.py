"""Every plugin, verb, error class and public name has a test that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import llmstack
from llmstack.errors import LlmstackError, exit_codes
from tests.meta.source import ROOT

PLUGINS = sorted(path.stem.replace("_", "-") for path in (ROOT / "plugins").glob("[!_]*.py"))
VERBS = ["up", "down", "restart", "update", "pull", "rm", "health", "sync", "status", "logs", "history", "ask"]
VERBS += ["inventory", "backup", "restore", "uninstall", "stats", "gpus", "rollback"]


def named(pattern: str, *suites: str) -> list[Path]:
    """The test files of these suites that name it."""
    paths = [path for suite in suites for path in sorted((ROOT / "tests" / suite).rglob("*.py"))]
    return [path for path in paths if re.search(rf"\b{pattern}\b", path.read_text(encoding="utf-8"))]


def errors(cls: type[LlmstackError] = LlmstackError) -> list[type[LlmstackError]]:
    return [
        cls,
        *(found for child in cls.__subclasses__() if child.__module__ == cls.__module__ for found in errors(child)),
    ]


@pytest.mark.parametrize("name", PLUGINS)
def test_each_plugin_is_tested(name: str) -> None:
    assert named(re.escape(name), "unit", "contract")


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_tested_as_a_command(verb: str) -> None:
    assert named(verb, "cli", "e2e")


@pytest.mark.parametrize("name", ["DockerManager", "ModelManager", "OllamaClient", "Stack"])
def test_each_public_name_is_tested(name: str) -> None:
    assert name in dir(llmstack) or hasattr(llmstack, name)
    assert named(name, "unit", "integration", "e2e")


@pytest.mark.parametrize("error", [cls.__name__ for cls in errors()])
def test_each_error_is_tested(error: str) -> None:
    assert named(error, "unit", "contract", "cli", "integration", "e2e", "fault")


def test_no_two_error_classes_of_a_kind_share_a_code() -> None:
    assert len(set(exit_codes().values()) - {"signal"}) == len(exit_codes()) - 3
