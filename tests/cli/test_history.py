"""What was done before, asked of the store by real commands."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable

from tests.desk import Desk, until


def test_runs_are_told_without_an_inventory_by_who_made_them(
    started: Desk, make_desk: Callable[..., Desk], door: str
) -> None:
    elsewhere = make_desk(None, LLMSTACK_STORE=started.env["LLMSTACK_STORE"])
    started.good("health", "-m", "llama3")
    ran = elsewhere.good("history", "--last", "1", door=door)
    head, row = ran.out.splitlines()
    assert head.split() == ["RUN", "WHEN", "TASK", "OUTCOME", "TOOK", "WHO", "COMMAND"]
    assert "  health  1 ok  " in row
    assert row.endswith(f"  {getpass.getuser()}@{socket.gethostname()}  llmstack health --model llama3")
    (item,) = elsewhere.good("history", "--last", "1", "-o", "json", door=door).json["items"]
    assert (item["task"], item["counts"], item["exit_code"], item["events"]) == ("health", {"ok": 1}, 0, None)


def test_one_run_is_told_in_full_and_a_name_with_its_reasons(started: Desk, door: str) -> None:
    oldest = started.good("history", "--last", "999", "-o", "names", door=door).out.split()[-1]
    told = started.good("history", "--run", oldest, door=door).out
    for part in ("command  llmstack up\n", "outcome  3 changed\n", "  why   not there\n", "first token", "  result  "):
        assert part in told
    told = started.good("history", "--model", "ollama", "--last", "999", door=door).out
    *_, row, why = told.splitlines()
    assert row.split()[3:6] == ["ollama@localhost", "create", "changed"]
    assert why == "  why   not there"
    assert "llama3" not in told


def test_what_is_not_remembered_ends_with_its_own_code(started: Desk, door: str) -> None:
    ran = started.run("history", "--run", "99999", "-o", "json", door=door)
    assert (ran.code, ran.json["kind"], ran.json["errors"][0]["class"]) == (5, "history", "nomatch")
    assert "no run '99999' is remembered\n       runs 1 to " in ran.err
    ran = started.run("history", "--model", "lama3", door=door)
    assert (ran.code, ran.out) == (5, "")
    assert "Did you mean 'llama3'?" in ran.err


def test_a_run_that_was_killed_tells_how_far_it_came(desk: Desk) -> None:
    desk.program("ollama", "#!/bin/sh\nexec sleep 600\n")
    with desk.start("up") as process:
        until(lambda: "running" in desk.run("history", "--run", "1").out)
        process.kill()
    (run,) = desk.good("history", "-m", "ollama", "-o", "json").json["items"]
    assert (run["ended_at"], run["exit_code"], [item["status"] for item in run["items"]]) == (None, None, [None])
    assert run["killed"]
    assert "  killed  " in desk.good("history").out
