"""The figures of one stats answer, as the Docker CLI computes them."""

from __future__ import annotations

from typing import Any

import pytest

from llmstack.engines.docker.usage import usage_of


def answer(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "cpu_stats": {"cpu_usage": {"total_usage": 500_000_000}, "system_cpu_usage": 4_000_000_000, "online_cpus": 2},
        "precpu_stats": {"cpu_usage": {"total_usage": 0}, "system_cpu_usage": 2_000_000_000},
        "memory_stats": {"usage": 65_200_000, "limit": 1 << 30, "stats": {"total_inactive_file": 59_800_000}},
    }
    return base | changes


def test_half_a_core_of_two_is_fifty_percent() -> None:
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
    usage = usage_of(answer(precpu_stats={"cpu_usage": {"total_usage": 0}}))
    assert usage is not None
    assert usage.cpu_percent is None


def test_cores_are_counted_by_their_own_figures_where_the_engine_names_no_number() -> None:
    cpu = {"cpu_usage": {"total_usage": 500_000_000, "percpu_usage": [1, 2, 3, 4]}, "system_cpu_usage": 4_000_000_000}
    usage = usage_of(answer(cpu_stats=cpu))
    assert usage is not None
    assert usage.cpu_percent == pytest.approx(100.0)


def test_a_container_that_does_not_run_uses_nothing() -> None:
    assert usage_of(answer(memory_stats={})) is None
