"""Work on many engines at once, outside of a plan: a question to all of them, and steps whose failure is an outcome."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from llmstack.core.context import Context
from llmstack.core.observe import Place, asked
from llmstack.domain.event import EventType
from llmstack.domain.host import Host
from llmstack.domain.outcome import Outcome, failed
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError
from llmstack.protocols import Engine

T = TypeVar("T")
Lost = Mapping[Place, LlmstackError]
"""Why a place could not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Of `places`, each engine once. One that is not `required` may be out of reach: perhaps it never was."""

    context: Context
    places: Mapping[Place, Host]
    required: Collection[Place] = ()
    lock_wait_s: float = 0.0

    def engine(self, place: Place) -> Engine:
        """The one of a place."""
        return self.context.engine_of(self.places[place], place[1])

    def asked(self, ask: Callable[[Place], Iterable[T]]) -> tuple[dict[Place, tuple[T, ...]], Lost]:
        """What each place answers, and the required ones that could not be asked; of others a warning tells."""
        answers, lost = asked(lambda place: tuple(ask(place)), self.places, self.context.forks)
        for host, engine in lost.keys() - set(self.required):
            self.context.warn(f"{engine} on {host} was not asked: {lost.pop((host, engine)).message}")
        return answers, lost

    def tried(self, target: Target, step: Callable[[], Outcome]) -> Outcome:
        """What a step came to, told to the listeners."""
        try:
            self.context.check()
            outcome = step()
        except LlmstackError as error:
            outcome = failed(target, error)
        self.context.emit(EventType.RESULT, target, outcome.reason, outcome=outcome)
        return outcome


def all_lost(lost: Lost) -> tuple[Outcome, ...]:
    """The outcomes of what could not be asked."""
    return tuple(failed(Target(engine, host), error) for (host, engine), error in lost.items())
