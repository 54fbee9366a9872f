"""What a file in `plugins/` needs to add tasks of its own; docs/plugins.md shows one."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from llmstack.cli.flags import CHANGE, CHECK, OUTPUT, SELECT, TIMEOUT, Flag, choice, count, names, switch
from llmstack.cli.session import Session
from llmstack.cli.task import Run, Verb, verb
from llmstack.errors import LlmstackError, PluginError, UsageError
from llmstack.pluginfiles import MODULE, task_name
from llmstack.ui.clean import line
from llmstack.ui.table import table

__all__ = ["CHANGE", "CHECK", "OUTPUT", "SELECT", "TIMEOUT", "Flag", "LlmstackError", "Session", "UsageError"]
__all__ += ["choice", "count", "line", "names", "switch", "table", "task"]


def task(*flags: Flag[Any], reads_only: bool = False, examples: tuple[str, ...] = ()) -> Callable[[Run], Verb]:
    """Make a function a task of its file: `bench.py` has `bench.latency`, and `bench` for a function of that name.

    The function gets a session and returns the exit code; its `flags` come beside those that every task has. A task
    that `reads_only` may be cut off. `examples` are lines that work, beginning with the task's name.
    """

    def made(run: Run) -> Verb:
        stem = run.__module__.removeprefix(MODULE)
        name = task_name(stem, run.__name__)

        @wraps(run)
        def fenced(session: Session) -> int:
            try:
                return run(session)
            except (LlmstackError, BrokenPipeError):
                raise
            except Exception as error:
                what = f"plugin {stem}.py raised {type(error).__name__} in its task {name}: {error}"
                raise PluginError(what, "report it to its author") from error

        return verb(*flags, name=name, kind=name, reads_only=reads_only, examples=examples)(fenced)

    return made
