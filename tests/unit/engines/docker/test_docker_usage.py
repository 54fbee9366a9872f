"""The figures of one stats answer."""

from __future__ import annotations

from typing import Any

import pytest

from llmstack.engines.docker.usage import usage_of


def answer(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "read": "2026-11-22T10:00:02.500000001Z",
        "preread": "2026-11-22T10:00:01.5Z",
        "cpu_stats": {"cpu_usage": {"total_usage": 900_000_000}},
        "precpu_stats": {"cpu_usage": {"total_usage": 400_000_000}},
        "memory_stats": {"usage": 65_200_000, "limit": 1 << 30, "stats": {"total_inactive_file": 59_800_000}},
    }
    return base | changes


def test_half_a_second_of_work_in_a_second_is_fifty_percent() -> None:
    usage = usage_of(answer())
    assert usage is not None
    assert usage.cpu_percent == pytest.approx(50.0)


def test_memory_is_without_the_pages_that_can_be_dropped() -> None:
    usage = usage_of(answer())
    assert usage is not None
    assert (usage.memory_bytes, usage.memory_limit_bytes) == (5_400_000, 1 << 30)


def test_cgroup_v2_names_the_idle_pages_otherwise() -> None:
    usage = usage_of(answer(memory_stats={"usage": 100, "stats": {"inactive_file": 40}}))
    assert usage is not None
    assert (usage.memory_bytes, usage.memory_limit_bytes) == (60, None)


def test_idle_pages_beyond_the_usage_do_not_count() -> None:
    usage = usage_of(answer(memory_stats={"usage": 100, "stats": {"inactive_file": 400}}))
    assert usage is not None
    assert usage.memory_bytes == 100


def test_one_sample_tells_no_cpu() -> None:
    usage = usage_of(answer(preread="0001-01-01T00:00:00Z", precpu_stats={"cpu_usage": {"total_usage": 0}}))
    assert usage is not None
    assert usage.cpu_percent is None


def test_a_container_that_does_not_run_uses_nothing() -> None:
    assert usage_of(answer(memory_stats={})) is None
