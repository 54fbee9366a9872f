"""`init`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.flags import OUTPUT_JSON, YES
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.cli.written import agreed, writable, write
from llmstack.errors import OK

if TYPE_CHECKING:
    from llmstack.domain.machine import Machine, Wishes
    from llmstack.ui.text import Text


@verb(OUTPUT_JSON, YES, kind="init", examples=("init", "init --yes"))
def init(session: Session) -> int:
    """Look at this machine and write an inventory for it, with tasks.py, invoke.yaml and llmstack.mk beside.

    Asks three questions at most, none with --yes. A file that is there is overwritten only after a look at the changes,
    and kept as a copy beside.
    """
    from llmstack.domain.names import as_name
    from llmstack.ui.clean import line
    from llmstack.ui.scaffold import files_of, found, usual

    with session.app() as app:
        machine = app.survey()
    session.talk(line((text, "dim")) for text in found(machine))
    wishes = usual(machine, as_name(Path.cwd().name) or "lab")
    if session.terminal and not session[YES]:
        wishes = _asked(session, machine, wishes)
    files = files_of(machine, wishes)
    written = [name for name, content in files.items() if _write(session, Path(name), content)]
    session.talk(_next(written, session.door))
    items = [{"target": name, "written": name in written} for name in files]
    return session.answer(session.document(items)) if session[OUTPUT_JSON] != "text" else OK


def _asked(session: Session, machine: Machine, wishes: Wishes) -> Wishes:
    from dataclasses import replace

    from llmstack.domain.names import as_name

    wishes = replace(wishes, stack=as_name(session.ask("Name of the stack?", wishes.stack)) or wishes.stack)
    if machine.docker:
        wishes = replace(wishes, engine=session.ask("Run models with docker, or as plain processes?", "docker"))
    if wishes.ollama_url and session.ask(f"Use the Ollama at {wishes.ollama_url}?", "yes")[:1].lower() == "n":
        wishes = replace(wishes, ollama_url=None)
    return replace(wishes, engine="process" if wishes.engine.startswith("p") else "docker")


def _write(session: Session, path: Path, content: str) -> bool:
    """Whether the file was written; one that is there is only overwritten after its changes were shown and agreed to,
    and a copy of it was made. Raises LlmstackError when it cannot be."""
    from llmstack.ui.clean import line

    with writable(path):
        old = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
        if old == content:
            return False
        if old is not None:
            agreed(session, path.name, old, content, f"Overwrite {path.name}?")
            session.talk([line(("kept ", "green"), f"what was there as {_copy(path)}")])
    write(path, content)
    return True


def _copy(path: Path) -> str:
    """The name of a copy, which takes the place of no other. Raises OSError."""
    names = (f"{path.name}.bak{number or ''}" for number in count())
    copy = next(free for free in map(path.with_name, names) if not os.path.lexists(free))
    shutil.copy2(path, copy)
    return copy.name


def _next(written: list[str], door: str) -> Iterator[Text]:
    from llmstack.ui.clean import line

    if not written:
        yield line(("everything is there already; nothing was written", "dim"))
        return
    yield line(("wrote ", "green"), ", ".join(written))
    yield line(("Next:", "bold"), f"  {door} up --check     shows what would be started; then {door} up")
