"""What `up` proves: whatever was begun and never waited for, and the models that were asked for by name; and by which
text of the inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.domain.event import Event, EventType
from llmstack.domain.ladder import Rung
from llmstack.domain.outcome import RunResult
from llmstack.domain.selection import RunOptions, Selection
from llmstack.errors import ConfigError
from tests.unit.core.stack import ALL, TEXT, Bench, recap
from tests.unit.core.world import Ears

NO_WAIT = RunOptions(wait=False)
LLAMA3 = Selection(models=("llama3",))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for app in bench.apps:
        app.close()


def answered(result: RunResult) -> list[str]:
    """Targets that answered in a run."""
    ladders = ((outcome.target.name, outcome.ladder) for outcome in result.outcomes)
    return sorted(name for name, ladder in ladders if ladder and ladder.find(Rung.ANSWERED))


def test_an_up_without_waiting_is_proved_by_the_next_one_and_once(bench: Bench) -> None:
    assert answered(bench.app().up(ALL, NO_WAIT)) == []
    assert answered(bench.app().up(ALL, NO_WAIT)) == []
    result = bench.app().up(ALL)
    assert (answered(result), recap(result)) == (["demo", "llama3"], {"ok": 4})
    assert answered(bench.app().up(ALL)) == []


def test_one_model_that_answers_proves_no_other(bench: Bench) -> None:
    bench.write(TEXT + "  mistral: {service: ollama}\n")
    bench.app().up(ALL, NO_WAIT)
    assert answered(bench.app().up(LLAMA3)) == ["llama3"]
    assert answered(bench.app().up(ALL)) == ["demo", "mistral"]


def test_what_was_not_waited_for_is_no_drift(bench: Bench) -> None:
    bench.app().up(ALL, NO_WAIT)
    assert bench.app().sync().differences == ()
    assert answered(bench.app().up(ALL)) == ["demo", "llama3"]


def test_what_another_store_knows_nothing_of_is_not_proved_anew(bench: Bench) -> None:
    bench.app().up(ALL, NO_WAIT)
    assert answered(bench.app(store=str(bench.folder / "empty.db")).up(ALL)) == []


def test_one_that_was_made_anew_and_not_noted_is_proved(bench: Bench) -> None:
    bench.app().up(ALL)
    engine = bench.world.engine()
    name = "llmstack-lab-demo"
    engine.instances[name] = replace(engine.instances[name], id="made-by-a-run-that-was-killed")
    assert answered(bench.app().up(ALL)) == ["demo"]
    assert answered(bench.app().up(ALL)) == []


def test_a_model_that_was_pulled_and_never_asked_is_proved(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.app().rm(LLAMA3)
    assert answered(bench.app().pull(ALL)) == []
    assert answered(bench.app().up(ALL)) == ["llama3"]


def test_a_model_that_is_asked_for_by_name_is_loaded_and_any_other_comes_when_it_is_asked(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.app().down(LLAMA3)
    assert recap(bench.app().up(ALL)) == {"ok": 4}
    assert not bench.world.server(11434).models["llama3"].loaded
    assert recap(bench.app().up(LLAMA3)) == {"ok": 1, "changed": 1}
    assert bench.world.server(11434).models["llama3"].loaded
    assert recap(bench.app().up(LLAMA3)) == {"ok": 2}


EDITED = """
llmstack: 1
stack: lab
services:
  ollama: {type: lazy, port: 11434}
  page: {type: page, port: 3001, depends_on: [ollama]}
models:
  llama3: {service: ollama}
"""


class Editor(Ears):
    """Saves another text once the first look is over: the second one, and the work, are still to come."""

    def __init__(self, save: Callable[[], None]) -> None:
        super().__init__()
        self.save = save

    def emit(self, event: Event) -> None:
        super().emit(event)
        if event.type is EventType.PLAN:
            self.save()


@pytest.mark.parametrize("text", [EDITED, "services: {ollama: {", ""])
def test_a_run_ends_by_the_inventory_that_it_began_with_and_the_next_one_takes_the_new_text(
    bench: Bench, text: str
) -> None:
    """Edited in the midst, also where it is saved half written."""
    engine, ears = bench.world.engine(), bench.world.ears
    bench.world.ears = Editor(lambda: bench.write(text))
    assert recap(bench.app().up(ALL)) == {"changed": 4}
    assert (bench.folder / "inventory.yaml").read_text() == text
    assert bench.world.ears.of(EventType.WARNING) == []
    assert {name: there.port for name, there in engine.instances.items() if there.running} == {
        "llmstack-lab-ollama": 11434,
        "llmstack-lab-page": 3000,
        "llmstack-lab-demo": 8080,
    }
    bench.world.ears = ears
    bench.forget()
    if text != EDITED:
        with pytest.raises(ConfigError):
            bench.app().up(ALL)
        assert bench.writes() == []
        bench.write(TEXT)
        assert recap(bench.app().up(ALL)) == {"ok": 4}
        return
    assert recap(bench.app().up(ALL)) == {"ok": 2, "changed": 1}
    assert engine.instances["llmstack-lab-page"].port == 3001
    assert [event.target and event.target.name for event in bench.world.ears.of(EventType.WARNING)] == ["demo"]
