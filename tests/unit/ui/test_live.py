"""The screen of a run, while it goes on."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from llmstack.domain.event import Event, EventType
from llmstack.domain.instance import InstanceSpec
from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.progress import Progress
from llmstack.domain.target import Target
from llmstack.errors import UnhealthyError
from llmstack.ui.blocks import draw_fetch
from llmstack.ui.console import open_streams
from llmstack.ui.live import RunScreen
from llmstack.ui.progress import Fetch, fetch_line
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


def test_off_a_terminal_a_start_is_told_at_once_and_its_rungs_when_it_is_over(streams):
    play(RunScreen(streams), event("start", message="llamacpp", engine="process"))
    assert said(streams) == "localhost · process engine\n  demo  llamacpp\n"


def test_what_follows_directly_does_not_repeat_its_first_line(streams):
    play(RunScreen(streams), event("start", message="llamacpp"), event("rung", rung=CREATED), done())
    assert said(streams) == "localhost\n  demo  llamacpp\n    ✓ created 0.0 s\n"


def test_targets_side_by_side_stay_apart(streams):
    play(
        RunScreen(streams),
        event("start", message="llamacpp", engine="docker 28.5.2"),
        event("start", QWEN, "vllm", engine="docker"),
        event("rung", rung=CREATED),
        done(),
        done(QWEN),
    )
    assert said(streams) == (
        "localhost · docker 28.5.2\n  demo  llamacpp\n"
        "gpu02.lab · docker engine\n  qwen  vllm\n"
        "localhost · docker 28.5.2\n  demo  llamacpp\n    ✓ created 0.0 s\n"
        "gpu02.lab · docker engine\n  qwen  vllm\n    ✓ created 0.0 s\n"
    )


def test_the_plan_tells_which_engine_a_host_has(streams):
    spec = InstanceSpec(stack="s", service="demo", host="localhost", type="llamacpp", engine="process")
    plan = Plan(
        (
            Action(kind=ActionKind.KEEP, target=DEMO, reason="as wanted", spec=spec),
            Action(kind=ActionKind.KEEP, target=QWEN, reason="x"),
        )
    )
    screen = RunScreen(streams)
    play(screen, event("plan", None, plan=plan), done())
    assert said(streams).startswith("localhost · process engine\n")
    assert screen.plan is plan


def test_events_that_say_nothing_known_are_passed_over(streams):
    play(RunScreen(streams), event("plan", None, plan="?"), event("recap", None), event("rung", rung="?"))
    assert said(streams) == ""


def test_a_warning_stands_between(streams):
    play(RunScreen(streams), event("warning", None, "the disk is nearly full"))
    assert said(streams) == "! the disk is nearly full\n"


@pytest.mark.parametrize(("keep", "names"), [("all", ["demo", "qwen"]), ("failed", ["qwen"]), ("none", [])])
def test_only_the_blocks_that_are_wanted_stay(streams, keep, names):
    bad = done(QWEN, Status.UNHEALTHY, error=UnhealthyError("x"))
    play(RunScreen(streams, keep=keep), event("start", message="a"), done(), bad)
    assert [name for name in ("demo", "qwen") if f"  {name}" in said(streams)] == names


def progress(completed, ts, total=4_700_000_000, **more):
    return event(
        "progress",
        ts=ts,
        progress=Progress("llama3:8b", "pulling", completed_bytes=completed, total_bytes=total, **more),
    )


def test_off_a_terminal_a_fetch_says_at_most_every_ten_seconds_how_far_it_is(streams):
    steps = [progress(second * 100_000_000, 1000.0 + second) for second in range(25)]
    play(RunScreen(streams, draw=draw_fetch), event("start", message="x"), *steps)
    assert said(streams) == (
        "llama3:8b on localhost   0 %  0/4.7 GB\n"
        "llama3:8b on localhost   21 %  1/4.7 GB   100 MB/s   0:00:37\n"
        "llama3:8b on localhost   43 %  2/4.7 GB   100 MB/s   0:00:27\n"
    )


def test_a_fetch_that_is_done_stays_as_one_line(streams):
    finish = event("result", outcome=Outcome(target=DEMO, status=Status.CHANGED, reason="pulled"))
    play(RunScreen(streams, draw=draw_fetch), progress(4_700_000_000, 1001.0, done=True), finish)
    assert said(streams).splitlines()[-1] == "llama3:8b on localhost   ✓ fetched, 4.7 GB"


def test_a_broken_stream_is_no_reason_to_end_a_run():
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    streams = open_streams(out=io.StringIO(), err=Full(), environ={})
    play(RunScreen(streams), event("warning", None, "x"), done())


def test_a_terminal_shows_what_moves_and_keeps_what_is_over(terminal):
    with RunScreen(terminal, now=lambda: 1012.0) as screen:
        screen.emit(event("start", QWEN, message="vllm"))
        screen.emit(event("start", message="llamacpp", engine="process"))
        screen.emit(event("rung", rung=CREATED))
        before = said(terminal)
        screen.emit(done())
        after = said(terminal)[len(before) :]
    assert "localhost" not in before
    moving, over, moving_again = after.partition("localhost · process engine\n  demo  llamacpp\n    ✓ created 0.0 s\n")
    assert over
    assert "  qwen  vllm\n    … 12 s" in moving
    assert "demo" not in moving
    assert "  qwen  vllm\n    … 12 s" in moving_again
    assert "\x1b[2K" in said(terminal)[len(before) + len(after) :], "what moved is wiped in the end"


def test_a_fetch_moves_below_its_target(terminal):
    with RunScreen(terminal, now=lambda: 1012.0) as screen:
        screen.emit(event("start", message="ollama"))
        screen.emit(progress(2_900_000_000, 1001.0))
        screen.emit(done(QWEN))
    assert "  demo  ollama\n    llama3:8b on localhost   ━" in said(terminal)


def test_a_quiet_terminal_does_not_move(terminal):
    play(RunScreen(terminal, keep="failed"), event("start", message="llamacpp"), done())
    assert said(terminal) == ""


def test_a_long_line_is_cut_on_a_moving_screen():
    streams = open_streams("never", out=Terminal(), err=Terminal(), environ={"COLUMNS": "30", "TERM": "xterm"})
    with RunScreen(streams, now=lambda: 1000.0) as screen:
        screen.emit(event("start", message="x" * 100))
        screen.emit(done(QWEN))
    assert f"  demo  {'x' * 21}…\n" in said(streams)


def fetched(*steps):
    fetch = Fetch(Progress("m", "pulling"))
    for ts, step in steps:
        fetch.take(ts, step)
    return fetch


def test_a_bar_fills_from_left_to_right():
    half = Progress("m", "pulling", completed_bytes=50, total_bytes=100)
    line = fetch_line(fetched((0.0, half)), "h", bar=True).plain
    assert line == "m on h   ━━━━━━━━━━━╸──────────  50 %  50/100 B"
    full = fetch_line(fetched((0.0, replace(half, completed_bytes=100))), "h", bar=True).plain
    assert full == "m on h   ━━━━━━━━━━━━━━━━━━━━━━  100 %  100/100 B"


def test_a_fetch_never_goes_backwards():
    far = Progress("m", "pulling", completed_bytes=80, total_bytes=100)
    fetch = fetched((0.0, far), (1.0, replace(far, completed_bytes=30)))
    assert fetch.latest.completed_bytes == 80
    fetch.take(2.0, replace(far, completed_bytes=0, done=True, phase="fetched"))
    assert fetch_line(fetch, "h", bar=True).plain == "m on h   ✓ fetched, 100 B"


def test_a_fetch_that_stands_still_says_so():
    stalled = Progress("m", "pulling", completed_bytes=80, total_bytes=100, stalled_s=35.0)
    assert (
        fetch_line(fetched((0.0, stalled)), "h", bar=False).plain == "m on h   80 %  80/100 B   stalled 35 s, resuming"
    )


def test_a_fetch_of_unknown_size_shows_its_phase_and_bytes():
    started = Progress("m", "reading manifest")
    assert fetch_line(fetched((0.0, started)), "h", bar=True).plain == "m on h   reading manifest"
    some = replace(started, completed_bytes=5_000_000)
    fetch = fetched((0.0, started), (1.0, some))
    assert fetch_line(fetch, "h", bar=True).plain == "m on h   reading manifest  5 MB   5 MB/s"


def test_the_pace_is_that_of_the_last_seconds():
    steps = [(float(second), Progress("m", "x", completed_bytes=second * 10)) for second in range(20)]
    fetch = fetched(*steps, (20.0, Progress("m", "x", completed_bytes=1190)))
    assert fetch.bytes_per_s == pytest.approx((1190 - 150) / 5)
    same = Progress("m", "x", completed_bytes=5)
    assert fetched((1.0, same), (1.0, same)).bytes_per_s is None
