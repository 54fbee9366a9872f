"""One inventory from a script: python examples/stack.py [INVENTORY] [MODEL] [watch].

What was down before is down again after it.
"""

from __future__ import annotations

import sys

from llmstack import Stack
from llmstack.domain.event import Event, EventType
from llmstack.errors import LlmstackError


def tell(event: Event) -> None:
    """What happens, as it happens."""
    if event.type is EventType.RUNG:
        rung = event.data["rung"]
        print(f"  {event.target} {rung.rung.value} {rung.ms:.0f} ms")


def main(inventory: str = "inventory.yaml", model: str = "demo", watch: str = "") -> int:
    """Bring a model up, prove it, look at it, take it down, or watch it until Ctrl-C; returns the run's exit code."""
    with Stack(inventory, on_event=tell) as stack:
        for action in stack.plan(model).actions:
            print(f"{action.kind.value} {action.target}: {action.reason}")
        stack.pull(model)
        result = stack.up(model)
        for outcome in result.outcomes:
            print(f"{outcome.target} {outcome.status.value} in {outcome.ms:.0f} ms {' '.join(outcome.urls)}")
        for outcome in stack.health(model).outcomes:
            print(f"{outcome.target} healthy: {outcome.ladder.ok if outcome.ladder else None}")
        for row in stack.status(model).rows:
            print(f"{row.target} {row.state.value} {row.url}")
        print(f"{len(stack.sync().differences)} differences between store and engine")
        for run in stack.history(model, limit=3):
            print(f"run {run.id}: {run.task} by {run.user}, exit code {run.exit_code}")
        if not watch and any(outcome.action and outcome.action.kind.changes for outcome in result.outcomes):
            stack.down(model)
        for event in stack.events(model) if watch else ():
            print(f"{event.target} {event.message}")
    return result.exit_code


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except LlmstackError as error:
        sys.exit(f"{error.message}\n{error.hint or ''}")
