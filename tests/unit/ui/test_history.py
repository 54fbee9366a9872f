"""What was done before, as it reads; 80 columns unless said otherwise."""

from __future__ import annotations

import re
import time

import pytest

from llmstack.domain.event import Event, EventType
from llmstack.domain.ladder import Answer, Ladder, Rung, RungResult, Why
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind, FieldChange
from llmstack.domain.stored import StoredRun
from llmstack.domain.target import Target
from llmstack.errors import UnhealthyError
from llmstack.ui.history import action_lines, history_lines, run_lines
from tests.unit.ui.conftest import plain, said

OLLAMA, WEBUI = Target("ollama", "gpu01.lab"), Target("webui", "gpu01.lab")
RUNGS = (
    RungResult(rung=Rung.CREATED, ok=True, ms=20),
    RungResult(rung=Rung.ANSWERED, ok=True, ms=400, answer=Answer(text="", first_token_ms=38, tokens_per_s=118)),
)
REPLACED = Outcome(
    target=OLLAMA,
    status=Status.CHANGED,
    ms=14200,
    reason="image differs",
    action=Action(
        kind=ActionKind.REPLACE,
        target=OLLAMA,
        reason="image differs",
        changes=(FieldChange("image", "ollama:0.12.3", "ollama:0.12.6"),),
    ),
    ladder=Ladder(target=OLLAMA, rungs=RUNGS),
).as_json()
FALLEN = Outcome(
    target=WEBUI,
    status=Status.UNHEALTHY,
    ms=41000,
    reason="port: no memory",
    action=Action(
        kind=ActionKind.CREATE, target=WEBUI, reason="not there", changes=(FieldChange("image", None, "webui:1"),)
    ),
    ladder=Ladder(
        target=WEBUI,
        rungs=(RungResult(rung=Rung.PORT, ok=False, ms=41000, detail="exited 1"),),
        why=Why(summary="no memory", meaning="It needs 9.6 GiB for weights and cache; 7.9 GiB of GPU 0 were free."),
    ),
    error=UnhealthyError("port: no memory \x1b[31mleft on the device that it was given by its inventory", "free some"),
).as_json()
BEGUN = {"target": "ollama@gpu01.lab", "name": "ollama", "kind": "service", "host": "gpu01.lab", "status": None}
FACTS = {"task": "up", "command": "llmstack up --service ollama --service webui", "started_at": 1_770_000_000.0}
WHO = {"user": "ann", "controller": "laptop"}
GONE = {"ended_at": 1_770_000_055.0, "ms": 55200.0, "exit_code": 6}
BAD = StoredRun(id="7", items=(REPLACED, FALLEN), **FACTS, **WHO, **GONE)
KILLED = StoredRun(id="8", items=(BEGUN,), **FACTS, controller="laptop")


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_runs_are_a_table_whose_last_column_is_cut():
    old = StoredRun(id="6", **{**FACTS, "command": "python"}, **{**GONE, "exit_code": 0})
    assert plain(history_lines([KILLED, BAD, old], 92)) == (
        "RUN  WHEN              TASK  OUTCOME                 TOOK  WHO         COMMAND\n"
        "8    2026-02-02 02:40  up    not ended               -     -@laptop    llmstack up --servic…\n"
        "7    2026-02-02 02:40  up    1 unhealthy, 1 changed  55 s  ann@laptop  llmstack up --servic…\n"
        "6    2026-02-02 02:40  up    nothing to do           55 s  -           python\n"
    )


def test_a_command_is_shown_as_it_was_typed(err):
    err.put([*history_lines([BAD], 200), *run_lines(BAD, 60)])
    assert said(err).count("llmstack up --service ollama") == 2


def test_a_narrow_table_drops_the_last_columns():
    head, row = plain(history_lines([BAD], 80)).splitlines()
    assert head.split() == ["RUN", "WHEN", "TASK", "OUTCOME", "TOOK", "WHO"]
    assert len(row) <= 80


def test_no_run_is_no_table():
    assert plain(history_lines([], 80)) == ""


@pytest.mark.parametrize(
    ("items", "ended", "told"),
    [
        (
            ["ok", "changed", "failed", "ok", "skipped"],
            {"exit_code": 1},
            "1 failed, 1 skipped, 1 changed, 2 ok",
        ),
        (["changed"], {"exit_code": 130}, "1 changed, interrupted"),
        (["changed", "interrupted"], {"exit_code": 130}, "1 interrupted, 1 changed"),
        ([], {"exit_code": 4}, "failed"),
        (["ok"], {"ended_at": None}, "1 ok, not ended"),
        (["ok"], {"ended_at": None, "killed": True}, "1 ok, killed"),
    ],
)
def test_an_outcome_is_counted_the_worst_first(items, ended, told):
    records = tuple(Outcome(target=OLLAMA, status=Status(status)).as_json() for status in items)
    run = StoredRun(id="1", items=records, **FACTS, **{**GONE, **ended})
    assert f"  {told}  " in plain(history_lines([run], 1000))


def test_what_was_done_with_a_name_tells_why_and_what_differed():
    assert plain(action_lines([KILLED, BAD], 80)) == (
        "RUN  WHEN              TARGET            ACTION   STATUS     TOOK  WHO\n"
        "8    2026-02-02 02:40  ollama@gpu01.lab  -        not ended  -     -@laptop\n"
        "7    2026-02-02 02:40  ollama@gpu01.lab  replace  changed    14 s  ann@laptop\n"
        "  why   image differs\n"
        "      image  ollama:0.12.3 → ollama:0.12.6\n"
        "7    2026-02-02 02:40  webui@gpu01.lab   create   unhealthy  41 s  ann@laptop\n"
        "  why   not there\n"
        "  error port: no memory left on the device that it was given by its inventory\n"
        "        It needs 9.6 GiB for weights and cache; 7.9 GiB of GPU 0 were free.\n"
        "  do    free some\n"
    )


@pytest.mark.parametrize(("reason", "told"), [("", "speed"), ("as wanted", "keep")])
def test_what_a_task_only_looked_at_has_the_name_of_the_task(reason, told):
    looked = Outcome(
        target=OLLAMA, status=Status.OK, action=Action(kind=ActionKind.KEEP, target=OLLAMA, reason=reason)
    ).as_json()
    run = StoredRun(id="9", items=(looked,), **{**FACTS, "task": "speed"}, **GONE)
    assert f"ollama@gpu01.lab  {told} " in plain(action_lines([run], 80))


def test_a_run_in_full_tells_all_and_folds_what_is_long():
    told = [
        Event(1_770_000_001.0, EventType.START, "up", WEBUI, "open-webui on docker"),
        Event(1_770_000_002.0, EventType.RUNG, "up", WEBUI, "", {"rung": RUNGS[1].as_json()}),
        Event(1_770_000_003.0, EventType.RESULT, "up", WEBUI, "port: no memory", {"outcome": FALLEN}),
        Event(1_770_000_004.0, EventType.WARNING, "up", None, "the disk is nearly full " * 4),
    ]
    run = StoredRun(id="7", items=(REPLACED, FALLEN), events=tuple(told), **FACTS, **WHO, **GONE)
    assert plain(run_lines(run, 60)) == (
        "run      7\n"
        "when     2026-02-02 02:40:00\n"
        "who      ann@laptop\n"
        "command  llmstack up --service ollama --service webui\n"
        "took     55 s\n"
        "outcome  1 unhealthy, 1 changed\n"
        "\n"
        "ollama@gpu01.lab  replace  changed    14 s\n"
        "  why   image differs\n"
        "      image  ollama:0.12.3 → ollama:0.12.6\n"
        "  ✓ created 0.0 s\n"
        "  ✓ answered 0.4 s  first token 38 ms · 118 tokens/s\n"
        "webui@gpu01.lab   create   unhealthy  41 s\n"
        "  why   not there\n"
        "  ✗ port: exited 1\n"
        "  error port: no memory left on the device that it was given\n"
        "        by its inventory\n"
        "        It needs 9.6 GiB for weights and cache; 7.9 GiB of\n"
        "        GPU 0 were free.\n"
        "  do    free some\n"
        "\n"
        "02:40:01  start    webui@gpu01.lab  open-webui on docker\n"
        "02:40:02  rung     webui@gpu01.lab  ✓ answered 0.4 s  first…\n"
        "02:40:03  result   webui@gpu01.lab  unhealthy  port: no mem…\n"
        "02:40:04  warning  -                the disk is nearly full…\n"
    )


def test_a_run_that_was_killed_tells_what_is_known():
    told = plain(run_lines(KILLED, 80))
    assert re.findall(r"^(?:took|outcome|ollama\S*) .*", told, re.MULTILINE) == [
        "took     -",
        "outcome  not ended",
        "ollama@gpu01.lab  -  not ended  -",
    ]
