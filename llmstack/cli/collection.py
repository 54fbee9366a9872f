"""All tasks, for both front doors."""

from __future__ import annotations

from invoke.collection import Collection

from llmstack.cli.ask import ask
from llmstack.cli.down import down
from llmstack.cli.health import health
from llmstack.cli.logs import logs
from llmstack.cli.pull import pull
from llmstack.cli.status import status
from llmstack.cli.sync import sync
from llmstack.cli.task import Verb
from llmstack.cli.up import up

VERBS: tuple[Verb, ...] = (up, down, pull, health, sync, status, logs, ask)


def namespace() -> Collection:
    """A fresh collection of all tasks."""
    collection = Collection("llmstack")
    for task in VERBS:
        collection.add_task(task)
    return collection
