"""Figures, foreign text, and streams."""

from __future__ import annotations

import io
import re

import pytest

from llmstack.domain import units
from llmstack.domain.clean import block, clean, masked
from llmstack.ui.clean import line, prose
from llmstack.ui.console import Console
from llmstack.ui.text import Text
from tests.unit.ui.conftest import Terminal, said


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (units.size(0), "0 B"),
        (units.size(999), "999 B"),
        (units.size(94_371_840), "94 MB"),
        (units.size(999_960), "1 MB"),
        (units.size(1_900_000_000), "1.9 GB"),
        (units.size(5 * 10**15), "5000 TB"),
        (units.size(None), "-"),
        (units.memory(7_945_689_497), "7.4 GiB"),
        (units.memory(None), "-"),
        (units.memory(int(1.2 * 2**30), 12 * 2**30), "1.2 GiB / 12 GiB"),
        (units.memory(2**30, None), "1 GiB"),
        (units.memory(3 * 2**20, 24 * 2**30), "3 MiB / 24 GiB"),
        (units.memory(0, 24 * 2**30), "0 B / 24 GiB"),
        (units.memory(None, 2**30), "-"),
        (units.duration(0.04), "0.0 s"),
        (units.duration(9.96), "10 s"),
        (units.duration(43.2), "43 s"),
        (units.duration(130), "2 min"),
        (units.duration(7200), "2 h"),
        (units.duration(200_000), "2 d"),
        (units.millis(38.2), "38 ms"),
        (units.millis(999.7), "1.0 s"),
        (units.moment(1e9, seconds=True)[:16], units.moment(1e9)),
        (units.rate(118.4), "118 tokens/s"),
        (units.rate(8.64), "8.6 tokens/s"),
        (units.percent(63.4), "63 %"),
        (units.percent(None), "-"),
    ],
)
def test_figures_read_well(shown, text):
    assert shown == text


@pytest.mark.parametrize(
    ("foreign", "safe"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdevice\x1b\\rest", "rest"),
        ("\x1b(Bplain", "plain"),
        ("\x9b2Jgone", "gone"),
        ("\x1b]0;never closed", ""),
        ("tab\there\nline\r", "tab here line"),
        ("bell\x07 null\x00 del\x7f", "bell null del"),
        ("\u202eright to left\u2066", "right to left"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("[bold]not markup[/bold] :smile:", "[bold]not markup[/bold] :smile:"),
        ("日本語 é", "日本語 é"),
    ],
)
def test_foreign_text_cannot_move_the_cursor(foreign, safe):
    assert clean(foreign) == safe


def test_a_block_keeps_its_lines():
    assert block("a\n\tb\x1b[1m\x00") == "a\n\tb"


def test_a_line_is_safe_whatever_its_parts_hold():
    made = line("a\x1b[2J", ("b\n", "bold"), Text("c"))
    assert made.plain == "ab c"
    assert made.parts == [("a", ""), ("b ", "bold"), ("c", "")]


@pytest.mark.parametrize(
    ("color", "given", "stream", "coloured"),
    [
        ("auto", {}, Terminal, True),
        ("auto", {}, io.StringIO, False),
        ("auto", {"NO_COLOR": "1"}, Terminal, False),
        ("auto", {"TERM": "dumb"}, Terminal, False),
        ("auto", {"FORCE_COLOR": "1"}, io.StringIO, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, io.StringIO, False),
        ("auto", {"FORCE_COLOR": "", "NO_COLOR": ""}, io.StringIO, False),
        ("always", {"NO_COLOR": "1"}, io.StringIO, True),
        ("never", {"FORCE_COLOR": "1"}, Terminal, False),
    ],
)
def test_the_flag_then_no_color_then_force_color_decide(environ, color, given, stream, coloured):
    environ(**{"TERM": "xterm", **given})
    console = Console(stream(), talk=True, color=color)
    console.put([Text("talk", "red")])
    assert said(console) == ("\x1b[31mtalk\x1b[0m\n" if coloured else "talk\n")


@pytest.mark.parametrize(
    ("given", "redraws"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "CI": "true"}, False)],
)
def test_only_a_terminal_outside_ci_is_redrawn(environ, given, redraws):
    environ(**given)
    assert Console(Terminal(), talk=True).redraws is redraws
    environ(FORCE_COLOR="1")
    assert not Console(io.StringIO(), talk=True).redraws


@pytest.mark.parametrize(("progress", "redraws"), [("tty", True), ("plain", False), ("none", False), ("auto", False)])
def test_what_is_asked_for_wins_over_what_the_stream_is(environ, progress, redraws):
    environ(TERM="xterm", CI="true")
    assert Console(Terminal(), talk=True, progress=progress).redraws is redraws
    assert Console(io.StringIO(), talk=True, progress=progress).redraws is redraws


def test_data_for_a_file_is_never_cut(environ, err):
    out = Console(io.StringIO(), talk=False)
    out.put([Text("x" * 5000)])
    assert said(out) == "x" * 5000 + "\n"
    assert (out.width, err.width) == (1000, 80)
    environ(COLUMNS="40")
    assert Console(io.StringIO(), talk=False).width == 40


def test_commands_are_spelled_for_the_door_and_keep_their_style():
    console = Console(io.StringIO(), talk=True, color="always", door="invoke")
    console.put([line(("run `llmstack down --orphans`", "red"), ", or ask whoever invoked it; llmstack knows")])
    plain = re.sub(r"\x1b\[\d*m", "", said(console))
    assert plain == "run `invoke down --orphans`, or ask whoever invoked it; llmstack knows\n"
    assert "\x1b[31mrun `invoke down --orphans`\x1b[0m" in said(console)


def test_commands_have_the_flags_that_make_them_work_once(err):
    console = Console(io.StringIO(), talk=True, door="invoke", flags=" --inventory 'a b.yaml'")
    console.put([line("llmstack plugins.trust --file x"), line("llmstack up --inventory c.yaml"), line("llmstack is")])
    told = ["invoke plugins.trust --inventory 'a b.yaml' --file x", "invoke up --inventory c.yaml", "llmstack is"]
    assert said(console).splitlines() == told


@pytest.mark.parametrize(("width", "fit"), [(5, "日本x"), (4, "日…"), (3, "日…"), (2, "…"), (1, "…"), (0, "")])
def test_what_is_too_wide_is_cut_by_its_cells(width, fit):
    made = line(("日本", "red"), "x").fitted(width)
    assert made.plain == fit
    assert made.cell_len <= width


def test_a_mark_above_a_letter_takes_no_cell():
    assert Text("e\u0301").cell_len == 1


@pytest.mark.parametrize(
    ("row", "rows"),
    [
        (
            prose("✗ web@localhost  the engine of localhost does not run"),
            "✗ web@localhost  the engine of\n  localhost does not run\n",
        ),
        (
            prose("  why   a file that the server needs is not there"),
            "  why   a file that the server\n        needs is not there\n",
        ),
        (
            prose(("error: ", "bold"), "no model or service 'lama3' in it"),
            "error: no model or service\n       'lama3' in it\n",
        ),
        (prose("x" * 40), "x" * 40 + "\n"),
        (line("  do    sudo usermod -aG docker $USER and so on"), "  do    sudo usermod -aG docker $USER and so on\n"),
    ],
)
def test_prose_breaks_at_blanks_where_a_terminal_is_narrow_and_commands_never_do(environ, row, rows):
    environ(COLUMNS="30", TERM="xterm")
    narrow = Console(Terminal(), talk=True, color="never")
    narrow.put([row])
    assert said(narrow) == rows
    file = Console(io.StringIO(), talk=True)
    file.put([row])
    assert said(file) == f"{row.plain}\n"


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_reader_that_went_away_matters_on_stdout_alone():
    talk = Console(Broken(), talk=True)
    talk.put([Text("talk")])
    talk.put([Text("more talk")])
    with pytest.raises(BrokenPipeError):
        Console(Broken(), talk=False).put([Text("data")])


@pytest.mark.parametrize(
    ("told", "safe"),
    [
        ("the key is hush, hush!", "the key is ..., ...!"),
        ("GET /v1?key=1&b=2 for Bearer abc", "GET /v1?... for Bearer ..."),
        ("HF_TOKEN=hf_123 https://user:pw@hub/x", "HF_TOKEN=... https://...hub/x"),
        ("insert into a values (?, ?) where b = ?", "insert into a values (?, ?) where b = ?"),
        ("8 tokens/s, no secrets", "8 tokens/s, no secrets"),
    ],
)
def test_a_secret_is_not_shown(told, safe):
    assert masked(told, ["hush", ""]) == safe
