"""The figures of raw stats answers, beside what the Docker CLI makes of the same ones."""

from __future__ import annotations

from typing import Any

import pytest

from llmstack.domain.usage import Usage
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
    assert usage_of(answer(read="0001-01-01T00:00:00Z", memory_stats={})) is None
    assert usage_of({"cause": "container is stopped", "response": 500}) is None


def test_a_kernel_that_counts_no_memory_takes_nothing_from_the_rest() -> None:
    usage = usage_of(answer(memory_stats={"usage": 0, "limit": 0, "stats": {}}))
    assert usage is not None
    assert (usage.memory_bytes, usage.memory_limit_bytes, usage.cpu_percent) == (None, None, pytest.approx(50.0))


V1: dict[str, Any] = {
    "read": "2026-11-25T13:22:14.138553193Z",
    "preread": "0001-01-01T00:00:00Z",
    "pids_stats": {"current": 3},
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"major": 8, "minor": 0, "op": "Read", "value": 4096},
            {"major": 8, "minor": 0, "op": "Write", "value": 8192},
            {"major": 8, "minor": 0, "op": "Sync", "value": 12288},
            {"major": 8, "minor": 16, "op": "Read", "value": 1},
            {"major": 8, "minor": 16, "op": "Total", "value": 1},
        ]
    },
    "cpu_stats": {
        "cpu_usage": {"total_usage": 27767869, "percpu_usage": [25520628, 2247241]},
        "system_cpu_usage": 83183480000000,
        "online_cpus": 2,
    },
    "memory_stats": {
        "usage": 65_200_000,
        "stats": {"total_inactive_file": 59_800_000, "inactive_file": 1},
        "limit": 25276518400,
    },
    "networks": {"eth0": {"rx_bytes": 4968, "tx_bytes": 126}, "eth1": {"rx_bytes": 2, "tx_bytes": 4}},
}
"""Docker 28.5, cgroup v1, one-shot."""
V1_LATER: dict[str, Any] = {
    **V1,
    "read": "2026-11-25T13:22:14.638553193Z",
    "cpu_stats": {
        "cpu_usage": {"total_usage": 527767869, "percpu_usage": [25520628, 502247241]},
        "system_cpu_usage": 83184490000000,
        "online_cpus": 2,
    },
}
V2: dict[str, Any] = {
    "read": "2026-11-25T10:00:02.5Z",
    "preread": "2026-11-25T10:00:01.5Z",
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"major": 259, "minor": 0, "op": "read", "value": 7},
            {"major": 259, "minor": 0, "op": "write", "value": 9},
        ]
    },
    "cpu_stats": {"cpu_usage": {"total_usage": 900}, "system_cpu_usage": 8000, "online_cpus": 8},
    "precpu_stats": {"cpu_usage": {"total_usage": 400}, "system_cpu_usage": 4000, "online_cpus": 8},
    "memory_stats": {"usage": 100, "limit": 1000, "stats": {"inactive_file": 40, "anon": 30}},
}
"""Docker 24, cgroup v2, two samples of its own; no network of its own."""
OLD: dict[str, Any] = {
    **V2,
    "cpu_stats": {"cpu_usage": {"total_usage": 900, "percpu_usage": [1, 2, 3, 4]}, "system_cpu_usage": 8000},
}
"""An engine that does not count its CPUs."""
ODD = {**V2, "memory_stats": {"usage": 100, "limit": 1000, "stats": {"total_inactive_file": 300, "inactive_file": 40}}}


def cli(answer: dict[str, Any]) -> tuple[float, ...]:
    """CPU, memory, network and disk as the Docker CLI computes them: docker/cli v28.5,
    cli/command/container/stats_helpers.go, line by line."""
    cpu, before, memory = answer["cpu_stats"], answer["precpu_stats"], answer["memory_stats"]
    cpu_delta = float(cpu["cpu_usage"]["total_usage"]) - float(before["cpu_usage"]["total_usage"])
    system_delta = float(cpu["system_cpu_usage"]) - float(before["system_cpu_usage"])
    online = float(cpu.get("online_cpus") or 0.0)
    if online == 0.0:
        online = float(len(cpu["cpu_usage"].get("percpu_usage", [])))
    percent = cpu_delta / system_delta * online * 100.0 if system_delta > 0.0 and cpu_delta > 0.0 else 0.0
    used = memory["usage"]
    if memory["stats"].get("total_inactive_file", used) < used:
        used -= memory["stats"]["total_inactive_file"]
    elif memory["stats"].get("inactive_file", 0) < used:
        used -= memory["stats"]["inactive_file"]
    received = sum(card["rx_bytes"] for card in answer.get("networks", {}).values())
    sent = sum(card["tx_bytes"] for card in answer.get("networks", {}).values())
    read = written = 0
    for entry in answer["blkio_stats"]["io_service_bytes_recursive"] or ():
        read += entry["value"] if entry["op"][0] in "rR" else 0
        written += entry["value"] if entry["op"][0] in "wW" else 0
    return percent, used, memory["limit"], received, sent, read, written


def ours(usage: Usage) -> tuple[float, ...]:
    """The same figures of ours, with 0 for what is unknown."""
    network = (usage.network_received_bytes or 0, usage.network_sent_bytes or 0)
    disk = (usage.disk_read_bytes or 0, usage.disk_written_bytes or 0)
    return usage.cpu_percent or 0.0, usage.memory_bytes or 0, usage.memory_limit_bytes or 0, *network, *disk


@pytest.mark.parametrize(
    ("now", "earlier"),
    [(V1_LATER, V1), (V2, None), (OLD, None), (ODD, None)],
    ids=["one-shot", "own samples", "old", "a child's idle pages beyond its own usage"],
)
def test_the_numbers_are_those_of_the_docker_cli(now: dict[str, Any], earlier: dict[str, Any] | None) -> None:
    usage = usage_of(now, earlier)
    assert usage is not None
    theirs = cli({**now, "precpu_stats": earlier["cpu_stats"]} if earlier else now)
    assert ours(usage) == pytest.approx(theirs)
    assert theirs[0] > 0


def test_what_nobody_counted_is_unknown_and_not_zero() -> None:
    usage = usage_of(answer(blkio_stats={"io_service_bytes_recursive": None}))
    assert usage is not None
    assert (usage.network_received_bytes, usage.disk_read_bytes, usage.processes) == (None, None, None)


def test_podman_counts_the_machines_time_from_the_start_of_the_container() -> None:
    burning = {"cpu_usage": {"total_usage": 721954495}, "system_cpu_usage": 1009163748, "online_cpus": 2}
    begun = {"cpu_usage": {"total_usage": 6213186}, "system_cpu_usage": 287358457, "online_cpus": 2}
    now = answer(read="2026-11-25T13:26:25.730927Z", cpu_stats=burning)
    usage = usage_of(now, {"read": "2026-11-25T13:26:24.723606Z", "cpu_stats": begun}, by_clock=True)
    assert usage is not None
    assert usage.cpu_percent == pytest.approx(71.06, abs=0.01)


def test_a_container_that_was_started_anew_between_two_samples_tells_no_cpu() -> None:
    usage = usage_of(V1, {**V1_LATER, "read": "2026-11-25T13:22:13Z"})
    assert usage is not None
    assert usage.cpu_percent is None
