"""What an engine tells of its instances while it happens, the same on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from llmstack.domain.happening import Happening, What
from tests.contract.benches import Bench, seen, started
from tests.desk import DEADLINE_S, until


@contextmanager
def listening(bench: Bench) -> Iterator[list[Happening | None]]:
    """What is heard meanwhile; the engine is closed in the end, which must end the listening too."""
    heard: list[Happening | None] = []

    listener = Thread(target=lambda: heard.extend(bench.engine.events()), daemon=True)
    listener.start()
    until(lambda: heard)
    yield heard
    bench.engine.close()
    listener.join(DEADLINE_S)
    assert not listener.is_alive()


def whats(heard: list[Happening | None], name: str) -> set[What]:
    return {one.what for one in heard if one and one.container_name == name}


def test_what_happens_is_told_and_closing_the_engine_ends_it(bench: Bench) -> None:
    spec = bench.spec("heard", restart="no")  # a name of its own: what was in the same second is told once more
    with listening(bench) as heard:
        assert heard[0] is None
        assert not whats(heard, spec.name)
        bench.engine.create(spec)
        until(lambda: What.CREATED in whats(heard, spec.name))
        told = len(heard)
        bench.engine.start(spec.name)
        until(lambda: len(heard) > told)
        told = len(heard)
        bench.die(seen(bench, spec.name))
        until(lambda: len(heard) > told)
        until(lambda: not seen(bench, spec.name).running)
        bench.engine.rename(spec.name, f"{spec.name}.prev")
        until(lambda: whats(heard, f"{spec.name}.prev"))
        bench.engine.remove(f"{spec.name}.prev")
        until(lambda: What.REMOVED in whats(heard, f"{spec.name}.prev"))
        assert None not in heard[1:]


def test_what_was_asked_to_end_is_told_from_what_died_or_can_be_seen(bench: Bench) -> None:
    with listening(bench) as heard:
        instance = started(bench, bench.spec("dies", restart="no"))
        bench.die(instance)
        until(lambda: not seen(bench, instance.container_name).running)
        stopped = started(bench, bench.spec("stops", restart="no", port=instance.port))
        bench.engine.stop(stopped.container_name, 5)
        if bench.engine.kind == "process" or bench.engine.describe().startswith("podman"):
            return  # the one writes down why it ended, the other does not always tell
        until(lambda: What.STOPPED in whats(heard, stopped.container_name))
        until(lambda: What.DIED in whats(heard, stopped.container_name))
        assert What.DIED in whats(heard, instance.container_name)
        assert What.STOPPED not in whats(heard, instance.container_name)


def test_an_engine_can_be_listened_to_again_after_it_was_closed(bench: Bench) -> None:
    with listening(bench):
        pass
    spec = bench.spec("again")
    with listening(bench) as heard:
        bench.engine.create(spec)
        until(lambda: What.CREATED in whats(heard, spec.name))
