"""Answers and errors as they read, 80 columns wide and without colour."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.domain.instance import NO_NETWORK, State
from llmstack.domain.leftover import Leftover, LeftoverKind, Remains, Remnant
from llmstack.domain.position import Position, Problem
from llmstack.domain.report import Difference, StatusReport, StatusRow, SyncReport
from llmstack.domain.setting import Setting
from llmstack.domain.target import Target
from llmstack.errors import InventoryError, NoMatchError
from llmstack.ui.inventory import setting_lines
from llmstack.ui.leftovers import leftover_lines
from llmstack.ui.problems import error_lines, problem_lines, warning_line
from llmstack.ui.status import status_lines, status_note
from llmstack.ui.sync import sync_lines
from llmstack.ui.table import table
from llmstack.ui.text import Text, cells
from tests.unit.ui.conftest import plain

ROWS = (
    StatusRow(
        model="llama3",
        service="ollama",
        host="gpu01.lab",
        state=State.READY,
        engine="docker",
        device="gpu",
        version="0.12.6",
        cpu_percent=3.1,
        memory_bytes=int(1.2 * 2**30),
        memory_limit_bytes=12 * 2**30,
        gpu_memory_bytes=int(5.1 * 2**30),
        url="http://127.0.0.1:11434",
    ),
    StatusRow(
        model="embed",
        service="embed",
        host="localhost",
        state=State.CRASHED,
        engine="docker",
        detail="exit 137, out of memory, 4 restarts",
    ),
    StatusRow(
        model=None,
        service="evil\x1b[2J",
        host="localhost",
        state=State.READY,
        engine="docker",
        wanted=False,
        ours=False,
    ),
)


def test_status_as_a_table():
    report = StatusReport(rows=ROWS, inventory="inventory.yaml")
    assert plain(status_lines(report, 140)) == (
        "MODEL   SERVICE  HOST       STATE    DEVICE  URL                     CPU  MEMORY            GPU MEM  VERSION\n"
        "llama3  ollama   gpu01.lab  ready    gpu     http://127.0.0.1:11434  3 %  1.2 GiB / 12 GiB  5.1 GiB  0.12.6\n"
        "embed   embed    localhost  crashed  -       -                       -    -                 -        -\n"
        "-       evil     localhost  ready    -       -                       -    -                 -        -\n"
        "embed@localhost: exit 137, out of memory, 4 restarts\n"
        "evil@localhost: not ours\n"
    )
    assert plain(status_note(report)) == ("Why:  llmstack why --model embed\nMake it so:  llmstack up --model embed\n")
    assert plain(status_note(StatusReport(rows=ROWS[:1], inventory="inventory.yaml"))) == ""


def test_what_is_degraded_is_to_be_started_anew_and_not_only_brought_up():
    sick = replace(ROWS[0], state=State.DEGRADED)
    lost = replace(ROWS[1], state=State.DEGRADED, detail=NO_NETWORK)
    report = StatusReport(rows=(sick, replace(sick, model="qwen"), lost), inventory="inventory.yaml")
    assert plain(status_note(report)) == (
        "Make it so:  llmstack up --model embed\nStart anew:  llmstack restart --service ollama --host gpu01.lab\n"
    )


def test_a_narrow_status_drops_columns_and_still_tells_what_matters():
    lines = plain(status_lines(StatusReport(rows=ROWS, inventory="inventory.yaml"), 50)).splitlines()
    assert lines[0] == "MODEL   SERVICE  HOST       STATE    DEVICE"
    assert lines[-2] == "embed@localhost: exit 137, out of memory, 4 restarts"


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 40, 30])
def test_a_row_of_status_has_its_state_and_one_line_at_any_width(width):
    long = StatusRow(model="日本語" * 9, service="a" * 40, host="localhost", state=State.UNREACHABLE, engine="docker")
    heads, first, second = plain(status_lines(StatusReport(rows=(long, ROWS[0])), width)).splitlines()
    assert "STATE" in heads
    assert ("unreachable" in first, "ready" in second) == (True, True)
    assert max(map(cells, (heads, first, second))) <= width


def test_status_of_nothing():
    wanted = StatusReport(inventory="inventory.yaml")
    assert plain(status_lines(wanted, 80)) == ""
    assert plain(status_note(wanted)) == "inventory.yaml wants no service and no model, and nothing runs\n"
    assert plain(status_note(StatusReport())) == (
        "no inventory found, and nothing serves models here\nllmstack init writes an inventory\n"
    )
    found = StatusReport(rows=ROWS[:1])
    assert plain(status_note(found)).startswith("no inventory found: this is what serves models")


def test_without_an_inventory_each_row_has_its_stack_and_the_next_step_needs_none():
    crashed = replace(ROWS[1], stack="lab", engine="docker", container_name="llmstack-lab-embed")
    report = StatusReport(rows=(crashed, replace(crashed, stack="other", state=State.READY)))
    heads, first, second, *_ = plain(status_lines(report, 120)).splitlines()
    assert [line.split()[0] for line in (heads, first, second)] == ["STACK", "lab", "other"]
    assert plain(status_note(report)).endswith("\nWhy:  docker logs --tail 20 llmstack-lab-embed\n")
    assert plain(status_lines(replace(report, inventory="inventory.yaml"), 120)).startswith("MODEL")


def test_one_column_is_cut_where_nothing_else_fits():
    rows = [[Text("NAME"), Text("Y")], [Text("a-very-long-name"), Text("x")]]
    assert plain(table(rows, 8)) == "NAME\na-very-…\n"


def test_the_last_column_is_cut_where_some_of_it_is_enough():
    rows = [[Text("NAME"), Text("COMMAND")], [Text("demo"), Text("llmstack up")], [Text("a"), Text("python")]]
    assert plain(table(rows, 14, least=8)) == "NAME  COMMAND\ndemo  llmstac…\na     python\n"
    assert plain(table(rows, 13, least=8)) == "NAME\ndemo\na\n"
    assert plain(table([[Text("NAME"), Text("Y")]], 80, least=8)) == "NAME  Y\n"


def test_wide_characters_keep_their_columns():
    rows = [[Text("日本"), Text("x")], [Text("abcd"), Text("y")]]
    assert plain(table(rows)) == "日本  x\nabcd  y\n"


def test_sync_shows_both_sides():
    report = SyncReport(
        differences=(
            Difference(target=Target("llama3", "gpu01.lab"), store="active", engine="exited 137", action="recorded"),
            Difference(
                target=Target("old", "gpu01.lab"),
                store="",
                engine="no longer in the inventory",
                action="orphan: llmstack down --orphans removes it",
            ),
        )
    )
    assert plain(sync_lines(report)) == (
        "2 differences between what was known and what runs:\n"
        "  llama3@gpu01.lab  store: active   engine: exited 137  → recorded\n"
        "  old@gpu01.lab     no longer in the inventory          → orphan: llmstack down --orphans removes it\n"
    )
    assert plain(sync_lines(SyncReport())) == "what was known is what runs\n"


def test_a_long_value_is_cut_so_that_its_place_stays():
    at = Position("inventory.yaml", 9, 11)
    settings = [
        Setting(key="web.args", value=["-f"] * 40, at=at),
        Setting(key="web.port", value=80, default="llmstack"),
    ]
    lines = plain(setting_lines("web@lone", settings, 60)).splitlines()
    assert lines[1].endswith("…  inventory.yaml:9:11")
    assert lines[2].split() == ["web.port", "80", "default", "of", "llmstack"]
    assert max(map(len, lines)) <= 60
    lines = plain(setting_lines("web@lone", settings, 20)).splitlines()
    assert lines[2].split() == ["web.port", "80", "default", "of", "llmstack"]


def test_an_error_with_its_next_step():
    error = NoMatchError("no model 'lama3'. Did you mean 'llama3'?", "models: demo llama3\nor `llmstack status`")
    assert plain(error_lines(error)) == (
        "error: no model 'lama3'. Did you mean 'llama3'?\n       models: demo llama3\n       or `llmstack status`\n"
    )
    assert plain(error_lines(NoMatchError("a"), NoMatchError("b"))) == "error: a\nerror: b\n"
    assert plain([warning_line("see `llmstack status`")]) == "! see `llmstack status`\n"


def test_mistakes_in_an_inventory():
    problems = [
        Problem(
            "E012",
            "unknown key 'imge' in models.llama3",
            Position("inventory.yaml", 32, 5, 9),
            "image",
            "    imge: vllm/vllm-openai:v0.11.0",
        ),
        Problem(
            "E021",
            "pattern 'gpuu' names no host or group",
            Position("inventory.yaml", 34, 12, 16),
            "did you mean 'gpu'? (groups: all, gpu)",
            "    hosts: gpuu",
        ),
    ]
    assert plain(error_lines(InventoryError(problems, "nothing ran"))) == (
        "inventory.yaml:32:5: error E012: unknown key 'imge' in models.llama3\n"
        "   32 |     imge: vllm/vllm-openai:v0.11.0\n"
        "      |     ^^^^ did you mean 'image'?\n"
        "inventory.yaml:34:12: error E021: pattern 'gpuu' names no host or group\n"
        "   34 |     hosts: gpuu\n"
        "      |            ^^^^ did you mean 'gpu'? (groups: all, gpu)\n"
        "2 errors; nothing was changed\n"
        "       nothing ran\n"
    )


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("E1", "no file"), "error E1: no file\n"),
        (Problem("E1", "no file", None, "write one"), "error E1: no file\n      write one\n"),
        (
            Problem("E2", "bad", Position("i.yaml", 1, 3), None, "a: b"),
            "i.yaml:1:3: error E2: bad\n    1 | a: b\n      |   ^\n",
        ),
        (
            Problem("E2", "bad", Position("i.yaml", 1, 3, 99), None, "日本: b"),
            "i.yaml:1:3: error E2: bad\n    1 | 日本: b\n      |     ^^^\n",
        ),
        (
            Problem("E2", "bad", Position("i.yaml", 1, 101, 102), None, "-" * 100 + "x" + "-" * 100),
            f"i.yaml:1:101: error E2: bad\n    1 | {'-' * 35}x{'-' * 33}…\n      | {' ' * 35}^\n",
        ),
        (
            Problem("E2", "bad", Position("i.yaml", 1, 9), None, "a:"),
            "i.yaml:1:9: error E2: bad\n    1 | a:\n      |   ^\n",
        ),
    ],
)
def test_a_caret_stands_below_the_word(problem, text):
    assert plain(problem_lines(problem)) == text


def test_what_is_left_names_the_hosts_that_could_not_be_looked_at():
    volume = Leftover(LeftoverKind.VOLUME, "data", "data of page", "lab", 3_200_000)
    data = Remnant(host="localhost", engine="docker", leftover=volume)
    away = {"asked": ("localhost", "near"), "unknown": ("far", "dead")}

    def last(found: Remains) -> str:
        return plain(leftover_lines(found, 80)).splitlines()[-1]

    assert last(Remains(asked=("localhost",))) == "nothing is left"
    assert last(Remains(**away)) == "nothing left on localhost, near; unknown: far, dead"
    assert last(Remains(unknown=("far",))) == "unknown: far"
    assert last(Remains(items=(data,))) == "1 left, 3.2 MB as far as is known"
    assert last(Remains(items=(data,), **away)) == "1 left, 3.2 MB as far as is known; unknown: far, dead"
