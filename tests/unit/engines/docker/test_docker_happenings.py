"""What the engine's words mean, and what is asked of it after a stream has ended."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from llmstack.domain.happening import Happening, What
from llmstack.engines.docker.address import Address
from llmstack.engines.docker.happenings import cursor, follow, happenings
from llmstack.engines.docker.wire import Wire
from tests.unit.engines.docker.stub import serving

AT = 1_700_000_000_123_456_789
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


def event(action: str, at: int = AT, **attributes: str) -> dict[str, Any]:
    return {"Type": "container", "Action": action, "timeNano": at, "Actor": {"ID": "a", "Attributes": attributes}}


@pytest.mark.parametrize(
    ("told", "what"),
    [
        (event("die", name="web", exitCode="7"), What.DIED),
        (event("died", name="web"), What.DIED),
        (event("oom", name="web"), What.OUT_OF_MEMORY),
        (event("kill", name="web", signal="15"), What.STOPPED),
        (event("kill", name="web"), What.STOPPED),
        (event("kill", name="web", signal="1"), What.OTHER),
        (event("stop", name="web"), What.STOPPED),
        (event("remove", name="web"), What.REMOVED),
        (event("exec_create: sh", name="web"), What.OTHER),
    ],
)
def test_each_word_of_an_engine_has_its_meaning(told: dict[str, Any], what: What) -> None:
    assert list(happenings(told)) == [Happening("web", what)]


def test_a_rename_concerns_both_names_and_the_stack_is_told() -> None:
    told = event("rename", **{"name": "new", "oldName": "/old", "io.llmstack.stack": "lab"})
    assert list(happenings(told)) == [Happening("new", What.OTHER, "lab"), Happening("old", What.OTHER, "lab")]


def test_what_names_nothing_tells_nothing() -> None:
    assert list(happenings({"Action": "die"})) == []
    assert cursor({}) is None


def test_a_stream_that_ended_is_begun_again_at_the_engine_s_own_time_without_what_was_told(tmp_path: Path) -> None:
    over = threading.Event()
    with serving(tmp_path / "docker.sock") as stub:
        stub.headers["Date"] = DATE
        lines = b'{"Action": "start", "timeNano": %d, "Actor": {"ID": "a", "Attributes": {"name": "web"}}}\n' % AT
        stub.on("GET /v[0-9.]+/events", 200, lines)
        wire = Wire(Address(stub.address, "a test"), "here")
        heard = follow(wire, over)
        told = [next(heard) for _ in range(5)]
        over.set()
        assert list(heard) == []
        wire.close()
    assert told == [None, Happening("web", What.STARTED), None, None, None]
    asked = [parse_qs(urlsplit(line.split()[1]).query)["since"][0] for line in stub.seen if "/events" in line]
    assert asked[:2] == ["1700000000", "1700000000.123456789"]
