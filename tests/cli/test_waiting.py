"""Tasks that wait, and tasks that go on."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

from tests.desk import DEADLINE_S, Desk, Ran


def test_what_answers_is_waited_for_no_longer(look: Callable[..., Ran]) -> None:
    ran = look("wait", "-o", "json")
    assert (ran.code, ran.json["rc"]) == (0, 0)
    assert all("answered" in [rung["rung"] for rung in item["rungs"]] for item in ran.json["items"] if item["model"])


def test_what_is_not_there_is_named_when_the_time_is_over(desk: Desk, door: str) -> None:
    ran = desk.run("wait", "--timeout", "1", "-o", "json", door=door)
    assert (ran.code, ran.json["rc"]) == (124, 124)
    assert "not there" in ran.json["errors"][0]["message"]
    assert "llmstack why" in ran.json["errors"][0]["hint"]


def test_a_status_that_goes_on_tells_what_changes_until_it_is_told_to_end(desk: Desk, door: str) -> None:
    with desk.start("status", "--watch", "-o", "ndjson", door=door) as watch:
        try:
            assert watch.stdout is not None
            first = json.loads(watch.stdout.readline())
            assert (first["type"], first["state"]) == ("item", "absent")
            desk.good("up", "--no-wait")
            later = next(line for line in map(json.loads, watch.stdout) if line["target"] == first["target"])
            assert later["state"] != "absent"
        finally:
            watch.send_signal(signal.SIGINT)
            rest = watch.communicate(timeout=DEADLINE_S)[0].splitlines()
    assert (watch.returncode, json.loads(rest[-1])["rc"]) == (130, 130)


def test_what_has_no_end_makes_no_document(desk: Desk, door: str) -> None:
    for task in ("status", "health", "stats", "sync"):
        ran = desk.run(task, "--watch", "-o", "json", door=door)
        assert (ran.code, "take -o ndjson" in ran.err) == (2, True)
