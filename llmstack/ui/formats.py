"""Answers for programs: one JSON document, or one name per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from llmstack.domain.target import Target
from llmstack.errors import LlmstackError
from llmstack.ui.clean import clean
from llmstack.ui.console import Console


def write_json(out: Console, document: Mapping[str, object]) -> None:
    """The one JSON document of a task."""
    out.file.write(json.dumps(document, indent=2, default=str) + "\n")


def write_names(out: Console, targets: Iterable[Target]) -> None:
    """One `name@host` per line, each once, in order."""
    for name in dict.fromkeys(clean(str(target)) for target in targets):
        out.file.write(f"{name}\n")


def error_document(kind: str, task: str, error: LlmstackError) -> dict[str, object]:
    """The document of a task that ended before there was anything to report."""
    return {"v": 1, "kind": kind, "task": task or None, "rc": error.exit_code, "items": [], "errors": [error.as_json()]}
