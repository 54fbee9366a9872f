"""What a newer llmstack made is not ours to touch: it may mean what we do not know."""

from __future__ import annotations

from llmstack.domain.instance import SPEC_SCHEMA, Instance
from llmstack.errors import LlmstackError, PluginError


def newer(there: Instance) -> LlmstackError | None:
    """The error for an instance of a newer llmstack."""
    if there.schema is None or there.schema <= SPEC_SCHEMA:
        return None
    message = f"{there.container_name} was written by a newer llmstack (spec {there.schema}, known {SPEC_SCHEMA})"
    return PluginError(message, "upgrade llmstack on this machine")


def check(there: Instance) -> None:
    """Raises PluginError for an instance of a newer llmstack."""
    if error := newer(there):
        raise error
