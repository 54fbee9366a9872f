"""The installed door: `llmstack`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invoke.config import Config
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.program import Program

from llmstack import __version__
from llmstack.cli.argv import rewrite, wants_json
from llmstack.cli.collection import VERBS, namespace
from llmstack.cli.guard import Door, guarded
from llmstack.errors import UsageError, exit_codes

NAME = "llmstack"

_KEPT = {"complete", "help", "list", "list-depth", "list-format", "print-completion-script", "version"}
_READ_BY_INVOKE = {"debug", "write-pyc"}
_AS_GIVEN = ("--complete", "--print-completion-script")


class LlmstackProgram(Program):
    """Invoke's program with our exit codes, fewer flags of its own, and the comforts of `argv.rewrite`."""

    def core_args(self) -> list[Argument]:
        """Those of Invoke's flags that mean something to our tasks."""
        kept = [argument for argument in super().core_args() if argument.names[0] in _KEPT | _READ_BY_INVOKE]
        for argument in kept:
            if argument.names[0] == "write-pyc":
                argument.default = True  # else plugins would be compiled anew in every run
        return kept

    def create_config(self) -> None:
        """Tasks learn through which door they were called; no file can change what they do."""
        self.config = Config(overrides={"llmstack": {"door": NAME}, "tasks": {"dedupe": False}}, lazy=True)

    def update_config(self, merge: bool = True) -> None:
        """Nothing is left to take over: the flags that Invoke would read here are gone."""

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:  # noqa: A002 - Invoke's name
        """Run the line and end the process with its exit code (unless not `exit`)."""
        words = list(sys.argv if argv is None else argv)
        code = guarded(lambda: self._run(words), Door(NAME, kind="run" if wants_json(words) else None))
        if exit:
            sys.exit(code)

    def _run(self, argv: Sequence[str]) -> int:
        try:
            if argv[1:2] == ["help"]:
                return self._help(argv)
            words = list(argv[1:])
            if not any(word in _AS_GIVEN for word in words):
                words = rewrite(words, {task.name: task.flags for task in VERBS})
            self._parse([argv[0], *words])
            self.execute()
        except Exit as stop:
            if stop.message:
                sys.stderr.write(f"{stop.message}\n")
            return stop.code
        except ParseError as error:
            raise UsageError(str(error), f"see `{NAME} --help`") from error
        finally:
            sys.stdout.flush()
        return 0

    def _parse(self, argv: list[str]) -> None:
        self.create_config()
        self.parse_core(argv)
        self.parse_collection()
        self.parse_tasks()
        self.parse_cleanup()
        for context in self.tasks:  # a wrong value anywhere in the line, and nothing of it runs
            self.collection[context.name].options(context.as_kwargs)

    def _help(self, argv: Sequence[str]) -> int:
        topic = argv[2] if len(argv) > 2 else None
        if topic == "exit-codes":
            for code, name in sorted(exit_codes().items()):
                print(f"{code:>4}  {name}")  # noqa: T201 - the answer
            return 0
        return self._run([argv[0], "--help", *([topic] if topic else [])])

    def no_tasks_given(self) -> None:
        """Alone, the program shows its tasks."""
        self.print_help()
        raise Exit

    def print_version(self) -> None:
        """`llmstack 1.2.3`."""
        print(f"{NAME} {self.version}")  # noqa: T201 - the answer

    def print_help(self) -> None:
        """Usage and the tasks."""
        print(f"Usage: {NAME} TASK [NAME ...] [--flags] [TASK ...]\n")  # noqa: T201 - the answer
        self.list_tasks()
        print(f"{NAME} TASK --help tells a task's flags; {NAME} help exit-codes what a run can end with.")  # noqa: T201


def main(argv: list[str] | None = None) -> None:
    """Entry point; ends the process."""
    LlmstackProgram(version=__version__, namespace=namespace(), name=NAME, binary=NAME).run(argv)
