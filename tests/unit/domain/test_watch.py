"""A fetch through all its tries: what is told of it, when it stands still, when it is tried again."""

from __future__ import annotations

import pytest

from llmstack.domain.fetching import RESTARTS, TRIES, Watch
from llmstack.domain.progress import Progress
from llmstack.errors import FetchError


def at(completed: int, total: int | None = 100, phase: str = "pulling", **more) -> Progress:
    return Progress("m", phase, completed, total, **more)


def marks(*told: int, total: int | None = 100) -> list[int]:
    watch = Watch("m")
    return [watch.take(at(completed, total), second).completed_bytes for second, completed in enumerate(told)]


def test_the_mark_never_goes_back_not_even_in_the_next_try():
    watch = Watch("m")
    watch.take(at(60), 1)
    watch.begin(2)
    again = watch.take(at(10), 3)
    assert (again.completed_bytes, again.phase) == (60, "resuming")
    assert watch.take(at(61), 4).phase == "pulling"
    assert marks(0, 30, 6, 31, 30) == [0, 30, 30, 31, 31]


def test_a_total_that_is_told_once_stays():
    watch = Watch("m")
    watch.take(at(10, 100), 1)
    assert watch.take(at(20, None), 2).total_bytes == 100
    assert Watch("m").take(at(20, None), 2).total_bytes is None


def test_what_is_done_is_told_as_it_is():
    watch = Watch("m")
    watch.take(at(99), 1)
    assert watch.take(at(100, done=True), 400) == at(100, done=True)


def test_rate_and_time_left_are_those_of_the_last_seconds():
    watch = Watch("m")
    told = [watch.take(at(10 * second, 1000), second) for second in range(10)]
    assert (told[0].bytes_per_s, told[0].left_s) == (None, None)
    assert (told[9].bytes_per_s, told[9].left_s) == (10.0, 91.0)
    faster = [watch.take(at(90 + 20 * second, 1000), 9 + second) for second in range(1, 31)]
    assert (faster[-1].bytes_per_s, faster[-1].left_s) == (20.0, 15.5)


def test_what_was_there_before_is_no_rate():
    watch = Watch("m")
    watch.take(Progress("m", "pulling manifest"), 0)
    assert watch.take(at(50), 1).bytes_per_s is None
    assert watch.take(at(55), 2).bytes_per_s == 5.0


def test_a_stall_is_known_by_bytes_whatever_is_told():
    watch = Watch("m", 100)
    watch.begin(0)
    for second in range(101):
        told = watch.take(at(40), second)
    assert watch.take(at(40), 9).stalled_s is None
    assert told.stalled_s == 100
    with pytest.raises(FetchError, match="nothing arrived for 101 s") as caught:
        watch.take(at(40), 101)
    assert (caught.value.data["kind"], caught.value.data["again"]) == ("stalled", True)
    assert "stall_timeout_s" in (caught.value.hint or "")


def test_bytes_end_a_stall_though_they_came_before():
    watch = Watch("m", 100)
    for second, completed in ((0, 50), (80, 10), (100, 20), (190, 30), (280, 31)):
        told = watch.take(at(completed), second)
    assert (told.completed_bytes, told.phase) == (50, "resuming")


def test_another_phase_is_progress_too():
    watch = Watch("m", 100)
    for second, phase in ((0, "pulling manifest"), (99, "pulling"), (198, "writing manifest")):
        assert watch.take(at(0, phase=phase), second).stalled_s is None


def test_starting_anew_again_and_again_has_an_end():
    watch = Watch("m", 1000)
    watch.take(at(50), 0)
    for second in range(RESTARTS):
        watch.take(at(10), second)
        watch.take(at(40), second)
    with pytest.raises(FetchError, match="started anew 21 times"):
        watch.take(at(10), 21)


@pytest.mark.parametrize("phase", ["verifying sha256 digest", "Extracting", "checking"])
def test_the_disk_is_given_time_for_all_bytes(phase):
    watch = Watch("m", 100)
    watch.take(at(40_000_000_000, 40_000_000_000), 0)
    watch.take(at(40_000_000_000, 40_000_000_000, phase), 0)
    assert watch.take(at(40_000_000_000, 40_000_000_000, phase), 1999).stalled_s == 1999
    with pytest.raises(FetchError, match=phase):
        watch.take(at(40_000_000_000, 40_000_000_000, phase), 2001)


def test_only_what_may_go_better_is_tried_again():
    assert Watch("m").pause_s(FetchError("no such model", kind="not_found")) is None
    assert Watch("m").pause_s(FetchError("cut", again=True)) == 1.0


def test_tries_that_bring_nothing_are_bounded_and_come_ever_later():
    watch = Watch("m")
    pauses = [watch.pause_s(FetchError("cut", again=True)) for _ in range(TRIES)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, None]


def test_a_try_that_brought_bytes_counts_from_the_start():
    watch = Watch("m")
    for completed in (10, 20, 30, 40, 50, 60, 70):
        watch.take(at(completed), completed)
        assert watch.pause_s(FetchError("cut", again=True)) == 1.0
