"""Names that are none, inventories with mistakes, and no inventory at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.desk import Desk
from tests.servers import replay

BROKEN = """\
llmstack: 1
services:
  ollama:
    type: olama
    prot: 11434
    restart: no
models:
  llama3:
    service: ollma
  llama3:
    service: ollama
"""


@pytest.mark.parametrize(
    ("flag", "word", "said"),
    [
        ("--model", "lama3", "no model or service 'lama3' in the inventory. Did you mean 'llama3'?"),
        ("--service", "olama", "no service 'olama' in the inventory. Did you mean 'ollama'?"),
        ("--host", "localhos", "no host or group 'localhos' in the inventory. Did you mean 'localhost'?"),
        ("--model", "zzz", "no model or service 'zzz' in the inventory."),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_all_names(
    started: Desk, flag: str, word: str, said: str
) -> None:
    ran = started.run("up", flag, word)
    assert ran.code == 5
    assert ran.err.startswith(f"error: {said}\n")
    assert "localhost" in ran.err if flag == "--host" else "llama3 mistral" in ran.err


@pytest.mark.parametrize("name", ["quick", "mistral@localhost"])
def test_an_alias_and_a_pair_are_names_too(started: Desk, name: str) -> None:
    assert started.run("status", "-o", "names", "-m", name).out == "mistral@localhost\n"


def test_every_mistake_of_an_inventory_is_shown_at_once_where_it_is(make_desk: Callable[..., Desk], door: str) -> None:
    ran = make_desk(BROKEN).run("status", door=door)
    assert (ran.code, ran.out) == (3, "")
    assert "inventory.yaml:5:5: error E012: unknown key 'prot' in services.ollama" in ran.err
    assert "    5 |     prot: 11434\n      |     ^^^^ did you mean 'port'?\n" in ran.err
    assert "inventory.yaml:10:3: " in ran.err
    assert "did you mean 'ollama'?" in ran.err
    assert ran.err.endswith(" errors; nothing was changed\n")


def test_an_unknown_type_is_answered_with_the_types_there_are(make_desk: Callable[..., Desk]) -> None:
    ran = make_desk("llmstack: 1\nservices:\n  a: {type: olama}\n").run("up")
    assert ran.code == 3
    assert "inventory.yaml:3:13: error E030: unknown type 'olama' (types: container, llamacpp, ollama" in ran.err
    assert "did you mean 'ollama'?" in ran.err


def test_without_an_inventory_status_shows_what_serves_models_here(make_desk: Callable[..., Desk], door: str) -> None:
    desk = make_desk(None, DOCKER_HOST="unix:///nowhere/docker.sock")
    with replay.process() as (_, url):
        ran = desk.run("status", "-o", "json", door=door)
        text = desk.run("status", door=door)
    assert (ran.code, text.code) == (0, 0)
    assert ran.json["inventory"] is None
    (found,) = (item for item in ran.json["items"] if item["url"] == url)
    assert (found["ours"], found["service"]) == (False, "ollama")
    assert url in text.out
    assert "no inventory" in text.err


def test_without_an_inventory_nothing_can_be_started(make_desk: Callable[..., Desk], door: str) -> None:
    desk = make_desk(None)
    ran = desk.run("up", door=door)
    assert ran.code == 3
    assert ran.err.startswith(f"error: no inventory in {desk.folder} or above it\n")
    assert not list(Path(desk.processes_root).iterdir())


def test_an_inventory_that_is_named_must_be_there(desk: Desk) -> None:
    ran = desk.run("status", "-i", "lab.yaml")
    assert ran.code == 3
    assert "the inventory lab.yaml is not there" in ran.err
