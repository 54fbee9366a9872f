"""The screen of a run, while it goes on."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from llmstack.domain.event import Event, EventType
from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.progress import Progress
from llmstack.domain.target import Target
from llmstack.errors import InterruptedRunError, LockedError, UnhealthyError
from llmstack.ui.console import Console
from llmstack.ui.fetch import Fetch
from llmstack.ui.live import RunScreen
from tests.desk import until
from tests.unit.ui.conftest import Terminal, said

DEMO = Target("demo", "localhost")
QWEN = Target("qwen", "gpu02.lab")
CREATED = RungResult(rung=Rung.CREATED, ok=True, ms=20)


def event(type_, target=DEMO, message="", ts=1000.0, **data):
    return Event(ts=ts, type=EventType(type_), task="up", target=target, message=message, data=data)


def done(target=DEMO, status=Status.CHANGED, **more):
    ladder = Ladder(target=target, rungs=(CREATED,))
    outcome = Outcome(target=target, status=status, ladder=ladder, **more)
    return event("result", target, outcome=outcome)


def play(screen, *events):
    with screen:
        for one in events:
            screen.emit(one)


def test_off_a_terminal_a_start_is_told_at_once_and_its_rungs_when_it_is_over(err):
    play(RunScreen(err), event("start", message="llamacpp"), event("rung", rung=CREATED))
    assert said(err) == "demo@localhost  llamacpp\n"


def test_what_follows_directly_does_not_repeat_its_first_line(err):
    play(RunScreen(err), event("start", message="llamacpp"), event("rung", rung=CREATED), done())
    assert said(err) == "demo@localhost  llamacpp\n  ✓ created 0.0 s\n"


def test_targets_side_by_side_stay_apart(err):
    play(
        RunScreen(err),
        event("start", message="llamacpp"),
        event("start", QWEN, "vllm"),
        event("rung", rung=CREATED),
        done(),
        done(QWEN),
    )
    assert said(err) == (
        "demo@localhost  llamacpp\n"
        "qwen@gpu02.lab  vllm\n"
        "demo@localhost\n  ✓ created 0.0 s\n"
        "qwen@gpu02.lab\n  ✓ created 0.0 s\n"
    )


def test_the_plan_is_shown_before_it_is_applied_where_that_was_asked_for(err):
    plan = Plan((Action(kind=ActionKind.KEEP, target=DEMO, reason="as wanted"),))
    play(RunScreen(err), event("plan", None, plan=plan))
    assert said(err) == ""
    play(RunScreen(err, diff=True), event("plan", None, plan=plan))
    assert said(err) == "= demo@localhost  keep  as wanted\n1 looked at: 1 keep.\n"


def test_events_that_say_nothing_known_are_passed_over(err):
    play(RunScreen(err, diff=True), event("plan", None, plan="?"), event("rung", rung="?"))
    assert said(err) == ""


def test_a_warning_stands_between(err):
    play(RunScreen(err), event("warning", None, "the disk is nearly full"))
    assert said(err) == "! the disk is nearly full\n"


@pytest.mark.parametrize(
    ("how", "names"), [({}, ["demo@", "qwen@"]), ({"quiet": True}, ["qwen@"]), ({"keep": False}, [])]
)
def test_only_what_is_wanted_stays(err, how, names):
    bad = done(QWEN, Status.UNHEALTHY, error=UnhealthyError("x"))
    play(RunScreen(err, **how), event("start", message="a"), done(), bad)
    assert [name for name in ("demo@", "qwen@") if name in said(err)] == names


def progress(completed, ts, total=4_700_000_000, **more):
    return event(
        "progress",
        ts=ts,
        progress=Progress("llama3:8b", "pulling", completed_bytes=completed, total_bytes=total, **more),
    )


def test_off_a_terminal_a_fetch_says_at_most_every_ten_seconds_how_far_it_is(err):
    pace = {"bytes_per_s": 100e6, "left_s": 37.0}
    steps = [progress(second * 100_000_000, 1000.0 + second, **pace) for second in range(25)]
    play(RunScreen(err), *steps)
    assert said(err) == (
        "demo@localhost  llama3:8b  0 %  0 B / 4.7 GB  100 MB/s  0:00:37\n"
        "demo@localhost  llama3:8b  21 %  1 GB / 4.7 GB  100 MB/s  0:00:37\n"
        "demo@localhost  llama3:8b  43 %  2 GB / 4.7 GB  100 MB/s  0:00:37\n"
    )


def test_a_fetch_that_is_done_stays_as_one_line_with_its_size(err):
    finish = event("result", outcome=Outcome(target=DEMO, status=Status.CHANGED, reason="fetched"))
    play(RunScreen(err), progress(4_700_000_000, 1001.0, done=True), finish)
    assert said(err) == "✓ demo@localhost  fetched  4.7 GB\n"


def test_a_fetch_that_was_cut_short_has_no_size(err):
    error = InterruptedRunError("interrupted", "run it again to go on")
    cut = Outcome(target=DEMO, status=Status.INTERRUPTED, reason="interrupted", error=error)
    play(RunScreen(err), progress(1_000, 1001.0, total=3_600), event("result", outcome=cut))
    assert said(err).splitlines()[1] == "- demo@localhost  interrupted"


def test_what_was_kept_says_where_it_is(err):
    kept = Outcome(target=DEMO, status=Status.OK, reason="as wanted", urls=("http://127.0.0.1:1/v1",))
    play(RunScreen(err), event("result", outcome=kept))
    assert said(err) == "✓ demo@localhost  as wanted  http://127.0.0.1:1/v1\n"


def test_a_host_that_is_locked_is_told_once_whatever_was_meant_there(err):
    def locked(target, host):
        error = LockedError(f"stack lab on {host} is locked by ann", "wait for it")
        outcome = Outcome(target=target, status=Status.FAILED, error=error)
        return event("result", target, outcome=outcome)

    play(RunScreen(err), locked(DEMO, "localhost"), locked(QWEN, "gpu02"), locked(DEMO, "localhost"))
    assert said(err) == (
        "error: stack lab on localhost is locked by ann\n       wait for it\n"
        "error: stack lab on gpu02 is locked by ann\n       wait for it\n"
    )


def test_a_broken_stream_is_no_reason_to_end_a_run():
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    play(RunScreen(Console(Full(), talk=True)), event("warning", None, "x"), done())


def test_a_terminal_shows_what_moves_and_keeps_what_is_over(terminal):
    with RunScreen(terminal, now=lambda: 1012.0) as screen:
        screen.emit(event("start", QWEN, message="vllm"))
        screen.emit(event("start", message="llamacpp"))
        screen.emit(event("rung", rung=CREATED))
        before = said(terminal)
        screen.emit(done())
        after = said(terminal)[len(before) :]
    moving, over, moving_again = after.partition("demo@localhost  llamacpp\n  ✓ created 0.0 s\n")
    assert over
    assert "qwen@gpu02.lab  vllm\n  … 12 s" in moving
    assert "demo" not in moving
    assert "qwen@gpu02.lab  vllm\n  … 12 s" in moving_again
    assert "\x1b[2K" in said(terminal)[len(before) + len(after) :], "what moved is wiped in the end"


def test_a_fetch_moves_below_its_target(terminal):
    with RunScreen(terminal, now=lambda: 1012.0) as screen:
        screen.emit(event("start", message="ollama"))
        screen.emit(progress(2_900_000_000, 1001.0))
        screen.emit(done(QWEN))
    assert "demo@localhost  ollama\n  llama3:8b  ━" in said(terminal)


def test_a_quiet_terminal_does_not_move(terminal):
    play(RunScreen(terminal, quiet=True), event("start", message="llamacpp"), done())
    assert said(terminal) == ""


def test_a_long_line_is_cut_on_a_moving_screen(environ):
    environ(COLUMNS="30", TERM="xterm")
    narrow = Console(Terminal(), talk=True, color="never")
    with RunScreen(narrow, now=lambda: 1000.0) as screen:
        screen.emit(event("start", message="x" * 100))
        screen.emit(done(QWEN))
    assert f"demo@localhost  {'x' * 13}…\n" in said(narrow)


HALF = Progress("m", "pulling", completed_bytes=50, total_bytes=100)


def drawn(progress, *, bar=False):
    return Fetch(0.0, progress).line(bar=bar).plain


def test_a_bar_fills_from_left_to_right():
    assert drawn(HALF, bar=True) == "m  ━━━━━━━━━━━───────────  50 %  50 B / 100 B  pulling"
    full = replace(HALF, phase="verifying", completed_bytes=100)
    assert drawn(full, bar=True) == "m  ━━━━━━━━━━━━━━━━━━━━━━  100 %  100 B / 100 B  verifying"


def test_a_fetch_that_stands_still_says_so():
    assert drawn(replace(HALF, stalled_s=35.0)) == "m  50 %  50 B / 100 B  stalled 35 s"


def test_a_fetch_of_unknown_size_shows_its_phase_and_bytes():
    started = Progress("m", "reading manifest")
    assert drawn(started, bar=True) == "m  reading manifest"
    assert drawn(replace(started, completed_bytes=5_000_000, bytes_per_s=5e6), bar=True) == "m  5 MB  5 MB/s"


def test_rate_and_time_left_are_shown_once_they_are_known():
    assert drawn(replace(HALF, bytes_per_s=5.0, left_s=10.0)) == "m  50 %  50 B / 100 B  5 B/s  0:00:10"


def test_a_look_that_takes_a_moment_shows_the_time_and_leaves_nothing(terminal, monkeypatch):
    with RunScreen(terminal, keep=False):
        pass
    assert said(terminal) == ""
    monkeypatch.setattr("llmstack.ui.live.MOMENT_S", 0.0)
    now = iter(range(1000, 2000))
    with RunScreen(terminal, keep=False, now=lambda: next(now)):
        until(lambda: "… " in said(terminal))
    assert said(terminal).endswith("\x1b[2K")
    assert terminal.above is None
