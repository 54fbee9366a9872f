"""Restart policies, pauses, and who ran out of memory, as pure decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmstack.engines.process.policy import delay_s, oom_kills, out_of_memory, restarts_after


@pytest.mark.parametrize(
    ("policy", "exit_code", "failures", "again"),
    [
        ("no", 1, 1, False),
        ("always", 0, 1, True),
        ("always", 1, 99, True),
        ("unless-stopped", 0, 1, True),
        ("on-failure", 0, 1, False),
        ("on-failure", 137, 99, True),
        ("on-failure:2", 1, 2, True),
        ("on-failure:2", 1, 3, False),
        ("on-failure:0", 1, 1, False),
    ],
)
def test_each_policy_decides(policy: str, exit_code: int, failures: int, again: bool) -> None:
    assert restarts_after(policy, exit_code, failures) is again


def test_the_pause_doubles_up_to_ten_seconds() -> None:
    assert [delay_s(count) for count in (1, 2, 3, 7, 8, 9999)] == [0.1, 0.2, 0.4, 6.4, 10.0, 10.0]


@pytest.mark.parametrize(
    ("before", "after", "killed", "answer"),
    [
        ((1, 1), (2, 2), False, False),
        ((1, 1), (1, 1), True, False),
        ((1, 1), (2, 2), True, True),
        ((1, 1), (2, 1), True, False),
        ((1, None), (2, None), True, None),
        ((None, None), (None, None), True, None),
        ((None, 1), (None, 2), True, True),
    ],
)
def test_out_of_memory_is_told_never_guessed(
    before: tuple[int | None, int | None], after: tuple[int | None, int | None], killed: bool, answer: bool | None
) -> None:
    assert out_of_memory(before, after, killed=killed) is answer


def test_the_kernels_counters_are_read_where_they_are(tmp_path: Path) -> None:
    machine, own, group = tmp_path / "vmstat", tmp_path / "cgroup", tmp_path / "user" / "memory.events"
    group.parent.mkdir()
    machine.write_text("nr_free 12\noom_kill 4\n")
    own.write_text("1:name=systemd:/old\n0::/user\n")
    group.write_text("oom 9\noom_kill 3\noom_group_kill 0\n")
    assert oom_kills(str(machine), str(tmp_path), str(own)) == (4, 3)
    own.write_text("4:memory:/docker\n")
    assert oom_kills(str(machine), str(tmp_path), str(own)) == (4, None)
    assert oom_kills(str(tmp_path / "no"), str(tmp_path), str(tmp_path / "no")) == (None, None)
