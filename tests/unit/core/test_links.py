"""Links are proved from where the dependant runs, and never guessed."""

from __future__ import annotations

import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.core.links import CONNECT, NO_TOOL, TRY
from llmstack.domain.ladder import RungResult
from llmstack.domain.outcome import Outcome
from llmstack.errors import LlmstackError
from llmstack.modeltype import Family, Peer
from tests.unit.core.test_health import check
from tests.unit.core.world import World

REFUSED = LlmstackError("ended", ended=1, said="wget: hm\nfar: line 1: Connection refused")


def linked(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    error: LlmstackError | None = None,
    url: str = "http://far:11434",
    **more: str,
) -> tuple[Outcome, list[RungResult], list[Sequence[str]]]:
    """The health of a page that was told `url`, where every command comes to `error`."""
    peer = Peer(name="far", type="lazy", family=Family.LAZY, url=url)
    page = replace(world.want("page", "page", **more), peers=(peer,))  # type: ignore[arg-type]
    world.run(page)
    ran: list[Sequence[str]] = []

    def execute(name: str, command: Sequence[str]) -> None:
        ran.append(command)
        if error:
            raise error

    monkeypatch.setattr(world.engine(kind=more.get("engine", "docker")), "execute", execute)
    (outcome,) = check(world, page)
    assert outcome.ladder
    return outcome, [rung for rung in outcome.ladder.rungs if rung.rung == "linked"], ran


def test_a_link_is_a_rung_of_who_depends_and_no_shell_reads_its_address(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, (rung,), (command,) = linked(world, monkeypatch)
    assert (outcome.status, rung.ok, rung.detail) == ("ok", True, "http://far:11434")
    assert command[0] == "sh"
    assert command[4:6] == ("far", "11434")
    assert "far" not in command[2]


def test_a_broken_link_is_unhealthy_with_the_last_word_and_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, (rung,), _ = linked(world, monkeypatch, REFUSED)
    assert rung.detail == "http://far:11434: Connection refused"
    assert (outcome.reason, outcome.exit_code) == (f"linked: {rung.detail}", 6)
    assert outcome.error
    assert outcome.error.hint == "llmstack up --service page"


@pytest.mark.parametrize("error", [LlmstackError("no", ended=127, said=""), LlmstackError("paused")])
def test_what_cannot_be_tried_is_unknown(world: World, monkeypatch: pytest.MonkeyPatch, error: LlmstackError) -> None:
    outcome, (rung,), _ = linked(world, monkeypatch, error)
    assert (outcome.status, rung.ok, "unknown" in rung.detail) == ("ok", None, True)


def test_a_port_that_nobody_was_told_is_not_tried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, (rung,), ran = linked(world, monkeypatch, url="http://far")
    assert (rung.ok, ran) == (None, [])


@pytest.mark.parametrize(("url", "port"), [("https://far.example/v1", "443"), ("http://127.0.0.1", "80")])
def test_an_address_without_a_port_has_that_of_its_scheme(
    world: World, monkeypatch: pytest.MonkeyPatch, url: str, port: str
) -> None:
    _, _, (command,) = linked(world, monkeypatch, url=url, engine="process")
    assert command[-1] == port
    assert "sh" not in command


def test_a_link_is_no_rung_of_a_model_that_its_service_holds(world: World) -> None:
    peer = Peer(name="far", type="lazy", family=Family.LAZY, url="http://far:1")
    shared = replace(world.want("ollama", "lazy", models=("m",)), peers=(peer,))
    world.run(shared)
    ladders = [outcome.ladder for outcome in check(world, shared) if outcome.ladder]
    assert [any(rung.rung == "linked" for rung in ladder.rungs) for ladder in ladders] == [True, False]


@pytest.mark.parametrize("tools", [("python3",), ("bash", "timeout"), ("curl",), ("wget",)])
def test_each_tool_of_an_image_tells_a_link_from_none(tools: Sequence[str], tmp_path: Path) -> None:
    for tool in tools:
        found = sys.executable if tool == "python3" else shutil.which(tool)
        if found is None:
            pytest.skip(f"needs {tool}")
        (tmp_path / tool).symlink_to(found)
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert tried(tmp_path, "127.0.0.1", port) == 0, "it need not speak HTTP"
        server.shutdown()
    assert tried(tmp_path, "127.0.0.1", port) not in (0, *NO_TOOL)
    assert tried(tmp_path, "no-such-host.invalid", port) not in (0, *NO_TOOL)


def test_an_image_without_any_is_told_from_a_broken_link(tmp_path: Path) -> None:
    assert tried(tmp_path, "127.0.0.1", 1) == NO_TOOL[1]


def tried(path: Path, host: str, port: int) -> int:
    """How the script ends where only the programs of `path` are there."""
    command = ["/bin/sh", "-c", TRY, "sh", host, str(port), CONNECT]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, timeout=60, check=False).returncode
