"""An Ollama that somebody else runs: everything works but to create and to stop it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk, get
from tests.servers import replay

INVENTORY = """\
llmstack: 1
stack: theirs
services:
  far: {{type: ollama, url: "{url}"}}
models:
  small: {{service: far, source: "smollm2:135m"}}
"""


@pytest.fixture
def far() -> Iterator[str]:
    """The URL of a replaying Ollama that runs as a process of its own."""
    with replay.process() as (_, url):
        yield url


@pytest.fixture
def desk(far: str, tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk", INVENTORY.format(url=far))


def names(url: str, what: str) -> list[str]:
    return [one["name"] for one in json.loads(get(f"{url}/api/{what}"))["models"]]


def test_its_models_are_pulled_asked_and_unloaded(desk: Desk, far: str) -> None:
    assert desk.good("up").recap == "localhost : ok=1 changed=1 unreachable=0 failed=0 unhealthy=0 skipped=0"
    assert names(far, "tags") == names(far, "ps") == ["smollm2:135m"]
    assert desk.good("up").recap == "localhost : ok=2 changed=0 unreachable=0 failed=0 unhealthy=0 skipped=0"
    assert desk.good("ask", "-m", "small", "--prompt", "hello").out.strip()
    assert desk.good("health", "-m", "small", "-o", "json").rungs("small")["answered"]["ok"]
    (row,) = desk.good("status", "-o", "json").json["items"]
    assert (row["state"], row["engine"], row["url"]) == ("ready", "external", far)
    assert desk.good("down", "-m", "small").recap.startswith("localhost : ok=0 changed=1")
    assert names(far, "ps") == []


def test_it_is_never_stopped(desk: Desk, far: str) -> None:
    ran = desk.good("down")
    assert "not llmstack's to stop" in ran.err
    assert get(far) == "Ollama is running"


def test_one_that_went_away_is_told(tmp_path: Path) -> None:
    with replay.process() as (_, url):
        desk = Desk(tmp_path / "desk", INVENTORY.format(url=url))
        desk.good("up")
    (difference,) = desk.good("sync", "-o", "json").json["items"]
    assert (difference["store"], difference["action"]) == ("active", "recorded inactive")
    for task, code in (("up", 4), ("health", 6), ("ask", 6)):
        ran = desk.run(task, *(["--prompt", "hello"] if task == "ask" else []))
        assert ran.code == code, ran.err
        assert url.removeprefix("http://") in ran.err + ran.out
    (row,) = desk.good("status", "-o", "json").json["items"]
    assert row["state"] == "unreachable"
