"""The most memory that was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llmstack.domain.measured import Peak
from llmstack.domain.usage import StatsRow, Usage
from llmstack.store import open_store

PEAK = Peak(image="i@1", model="f", context=8, gpu_kind="T4", host="h", container_name="c", memory_bytes=5, gpu_bytes=7)


def test_the_higher_one_stays_and_samples_raise_what_ran_last(tmp_path: Path) -> None:
    times = iter(range(1, 99))
    with open_store(str(tmp_path / "s.db"), {}, now=lambda: float(next(times))) as store:
        store.keep_peak(PEAK)
        store.keep_peak(replace(PEAK, memory_bytes=4, gpu_bytes=None))
        assert store.peak("i@1", "f", 8, "T4") == PEAK
        store.keep_peak(replace(PEAK, context=16, memory_bytes=1))
        usage = Usage(memory_bytes=9, gpu_memory_bytes=3)
        store.keep_samples([StatsRow(service="s", host="h", engine="docker", container_name="c", usage=usage)])
        assert store.peak("i@1", "f", 16, "T4") == replace(PEAK, context=16, memory_bytes=9)
        assert store.peak("i@1", "f", 8, "T4") == PEAK
        assert store.peak("i@2", "f", 8, "T4") is None


def test_what_the_driver_did_not_tell_at_first_is_taken_from_a_sample(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "s.db"), {}) as store:
        store.keep_peak(replace(PEAK, gpu_bytes=None))
        for held in (None, 3):
            usage = Usage(gpu_memory_bytes=held)
            store.keep_samples([StatsRow(service="s", host="h", engine="docker", container_name="c", usage=usage)])
        assert store.peak("i@1", "f", 8, "T4") == replace(PEAK, gpu_bytes=3)
