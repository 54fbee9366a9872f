"""What instances used, minute by minute."""

from __future__ import annotations

from llmstack.domain.measured import StoredSample
from llmstack.domain.usage import StatsRow, Usage
from llmstack.store import open_store
from llmstack.store.samples import KEPT_MINUTES

USED = Usage(cpu_percent=3.5, memory_bytes=7 << 30, network_sent_bytes=1, gpu_percent=None)


def row(service="a", usage=USED, host="gpu01"):
    return StatsRow(service=service, host=host, engine="docker", container_name=f"c-{service}", usage=usage)


def test_a_sample_comes_back_as_it_was_with_unknown_as_unknown(store, clock):
    clock.now = 6007.0
    store.keep_samples([row()])
    assert store.samples() == (StoredSample(at=6000.0, host="gpu01", service="a", container_name="c-a", usage=USED),)


def test_of_a_minute_one_sample_is_kept_of_each_instance(store, clock):
    for moment in (6000.0, 6059.0, 6060.0):
        clock.now = moment
        store.keep_samples([row(usage=Usage(cpu_percent=moment)), row("b")])
    found = [(sample.service, sample.at, sample.usage.cpu_percent) for sample in store.samples()]
    assert found == [("a", 6000.0, 6000.0), ("a", 6060.0, 6060.0), ("b", 6000.0, 3.5), ("b", 6060.0, 3.5)]


def test_what_is_older_than_a_week_goes(store, clock):
    store.keep_samples([row()])
    clock.now += (KEPT_MINUTES + 1) * 60
    store.keep_samples([])
    assert store.samples() == ()


def test_two_programs_may_measure_at_once(store, path, clock):
    with open_store(str(path), {}, now=clock) as other:
        other.keep_samples([row()])
        store.keep_samples([row(), row("b")])
    assert [sample.service for sample in store.samples()] == ["a", "b"]
