"""The one way in which anything is fetched."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llmstack.core.fetching import fetched, followed
from llmstack.domain.progress import Progress
from llmstack.errors import FetchError, InterruptedRunError
from llmstack.protocols import Report
from llmstack.testing import FakeClock

CUT = FetchError("cut", kind="cut", again=True)


def steps(*tries: Callable[[Report], None]) -> Callable[[Report], None]:
    """A source that does another thing each time."""
    left = list(tries)

    def step(report: Report) -> None:
        left.pop(0)(report)

    return step


def brings(completed: int, error: FetchError | None = None) -> Callable[[Report], None]:
    def step(report: Report) -> None:
        report(Progress("m", "pulling", completed, 100, done=error is None))
        if error:
            raise error

    return step


def test_what_breaks_off_is_taken_up_again_and_never_goes_back() -> None:
    clock, heard = FakeClock(), list[Progress]()
    fetched("m", steps(brings(60, CUT), brings(10, CUT), brings(100)), heard.append, clock)
    assert [told.completed_bytes for told in heard] == sorted(told.completed_bytes for told in heard)
    assert heard[-1].done
    assert "again in 1 s: cut" in {told.phase for told in heard}
    assert sum(clock.slept) == 3


def test_what_cannot_go_better_fails_at_once() -> None:
    clock = FakeClock()
    with pytest.raises(FetchError, match="gone"):
        fetched("m", brings(0, FetchError("gone", kind="not_found")), lambda _: None, clock)
    assert clock.slept == []


def test_tries_have_an_end() -> None:
    clock, tries = FakeClock(), list[int]()

    def step(report: Report) -> None:
        tries.append(1)
        raise CUT

    with pytest.raises(FetchError, match="cut"):
        fetched("m", step, lambda _: None, clock)
    assert (len(tries), sum(clock.slept)) == (5, 15)


def test_a_source_that_stands_still_is_left_and_asked_anew() -> None:
    clock = FakeClock()

    def stands(report: Report) -> None:
        while True:
            clock.advance(1)
            report(Progress("m", "pulling", 50, 100))

    fetched("m", steps(stands, brings(100)), lambda _: None, clock, give_up_s=20)
    assert clock.monotonic() == 22 + 1


def test_who_listens_can_end_it_in_a_pause_too() -> None:
    def stop(told: Progress) -> None:
        if told.phase.startswith("again in"):
            raise InterruptedRunError("stop")

    clock = FakeClock()
    with pytest.raises(InterruptedRunError):
        fetched("m", brings(1, CUT), stop, clock)
    assert clock.slept == []


def test_what_is_only_followed_has_a_rate_for_each_item() -> None:
    clock, heard = FakeClock(), list[Progress]()
    report = followed(heard.append, clock)
    for completed in (0, 10):
        for item in ("a", "b"):
            report(Progress(item, "copying", completed if item == "a" else 2 * completed))
        clock.advance(1000)
    assert [told.bytes_per_s for told in heard] == [None, None, 0.01, 0.02]
