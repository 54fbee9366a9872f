"""Curves of what was used."""

from __future__ import annotations

import pytest

from llmstack.domain.measured import Metrics, StoredSample
from llmstack.domain.usage import Usage
from llmstack.ui.stats import metrics_lines, sparkline
from tests.unit.ui.conftest import plain


@pytest.mark.parametrize(
    ("values", "bars"),
    [([], ""), ([0.0], "▁"), ([0.0, 50.0, 100.0], "▁▅█"), ([5.0, None, 5.0], "█ █"), ([None], " "), ([0.0, 0.0], "▁▁")],
)
def test_a_curve_goes_from_nothing_to_the_highest(values: list[float | None], bars: str) -> None:
    assert sparkline([values], 80) == bars


@pytest.mark.parametrize(("room", "bars"), [(80, "▁▂▃▄·▅▆▇█"), (8, "▂▃▄·▅▆▇█"), (5, "▂▄·▆█"), (2, "·█"), (1, "█")])
def test_where_there_is_no_room_for_all_a_bar_is_the_highest_of_some(room: int, bars: str) -> None:
    assert sparkline([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]], room) == bars


def sample(minute: int, **usage: float) -> StoredSample:
    return StoredSample(at=60.0 * minute, host="h", service="a", container_name="a", usage=Usage(**usage))  # type: ignore[arg-type]


def test_each_figure_that_is_known_has_its_curve() -> None:
    samples = (
        sample(0, cpu_percent=0, memory_bytes=1 << 30, network_received_bytes=0, network_sent_bytes=0),
        sample(1, cpu_percent=100, memory_bytes=1 << 30, network_received_bytes=6_000, network_sent_bytes=6_000),
        sample(2, memory_bytes=2 << 30, network_received_bytes=12_000, network_sent_bytes=12_000),
    )
    told = plain(metrics_lines([Metrics(service="a", host="h", samples=samples)], 80)).splitlines()
    assert told[1:] == [
        "  CPU     ▁█   0 % to 100 %, last -",
        "  MEMORY  ▅▅█  1 GiB to 2 GiB, last 2 GiB",
        "  NET      ██  200 B/s to 200 B/s, last 200 B/s",
    ]


def test_a_rate_is_unknown_after_a_gap_and_where_the_count_began_anew() -> None:
    samples = [sample(minute, disk_read_bytes=count) for minute, count in ((0, 0), (1, 600), (5, 9000), (6, 10))]
    told = plain(metrics_lines([Metrics(service="a", host="h", samples=tuple(samples))], 80)).splitlines()
    assert told[1:] == ["  DISK   █·    10 B/s to 10 B/s, last -"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_time_that_was_not_measured_is_a_dot_at_any_width(width: int) -> None:
    minutes = [*range(30), *range(57, 87)]
    samples = tuple(sample(minute, cpu_percent=minute % 7, memory_bytes=1 << 30) for minute in minutes)
    told = plain(metrics_lines([Metrics(service="a", host="h", samples=samples)], width)).splitlines()[1:]
    assert [(line.count("·"), len(line) <= width) for line in told] == [(1, True)] * 2
    assert ("last" in told[0], len(told[0]) > 70) == (width > 40, width == 200)
