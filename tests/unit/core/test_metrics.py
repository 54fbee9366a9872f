"""Which samples are asked for."""

from __future__ import annotations

import pytest

from llmstack.core.history import metrics
from llmstack.domain.selection import Selection
from llmstack.domain.stored import StoredModel
from llmstack.domain.usage import StatsRow, Usage
from llmstack.errors import NoMatchError
from llmstack.store import open_store
from llmstack.store.store import Store


@pytest.fixture
def measured() -> Store:
    """Ollama, which serves llama3, on two hosts, and a page on one: three minutes each."""
    now = [0.0]
    store = open_store(":memory:", {}, now=lambda: now[0])
    for minute in range(3):
        now[0] = 60.0 * minute
        places = [("ollama", "h1"), ("ollama", "h2"), ("page", "h1")]
        store.keep_samples(
            StatsRow(service=name, host=host, engine="docker", container_name=name, usage=Usage(cpu_percent=minute))
            for name, host in places
        )
    store.upsert_model(StoredModel(name="llama3", host="h2", container_name="ollama", service="ollama"))
    return store


@pytest.mark.parametrize(
    ("picked", "found"),
    [
        (Selection(), ["ollama@h1", "page@h1", "ollama@h2"]),
        (Selection(models=("llama3",)), ["ollama@h2"]),
        (Selection(models=("ollama",)), ["ollama@h1", "ollama@h2"]),
        (Selection(models=("ollama@h1",)), ["ollama@h1"]),
        (Selection(models=("ollama",), hosts=("h2",)), ["ollama@h2"]),
    ],
)
def test_a_name_is_a_model_or_a_service(measured: Store, picked: Selection, found: list[str]) -> None:
    assert [f"{each.service}@{each.host}" for each in metrics(measured, picked, last=60)] == found


def test_the_last_samples_are_told_oldest_first(measured: Store) -> None:
    (only,) = metrics(measured, Selection(models=("page",)), last=2)
    assert [sample.usage.cpu_percent for sample in only.samples] == [1.0, 2.0]


def test_a_name_of_which_nothing_was_measured_is_a_mistake_and_an_empty_store_is_none(measured: Store) -> None:
    with pytest.raises(NoMatchError, match="nothing was measured of nope"):
        metrics(measured, Selection(models=("nope",)), last=60)
    assert metrics(open_store(":memory:", {}), Selection(), last=60) == ()
