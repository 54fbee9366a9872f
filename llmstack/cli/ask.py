"""`ask`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

from llmstack.cli.flags import MAX_TOKENS, MODEL, OUTPUT, OUTPUT_JSON, PROMPT, SELECT, TIMEOUT
from llmstack.cli.picked import STDIN, piped_text
from llmstack.cli.session import Session
from llmstack.cli.task import look
from llmstack.errors import OK, UsageError

if TYPE_CHECKING:
    from llmstack.domain.ladder import Answer
    from llmstack.domain.server import ChatChunk


@look(
    *(*SELECT, PROMPT, MAX_TOKENS, OUTPUT_JSON, TIMEOUT),
    kind="answer",
    examples=('ask --model demo --prompt "Why is the sky blue?"', "ask --model demo --max-tokens 50 --prompt Hello"),
)
def ask(session: Session) -> int:
    """Ask one model; its answer is shown as it comes."""
    from dataclasses import asdict

    from llmstack.ui.clean import line
    from llmstack.ui.rungs import figures

    picked = session.selection
    if len(picked.models) > 1:
        raise UsageError(f"one question goes to one model, not to {', '.join(picked.models)}", "pick one with --model")
    given = session[PROMPT]
    prompt = _piped(session) if given is None else given
    if not prompt.strip():
        raise UsageError("the question is empty", 'give --prompt "...", or pipe the question in')
    with session.app() as app:
        answer = _stream(session, _begun(session, app.ask(picked, prompt, max_tokens=session[MAX_TOKENS])))
    if session[OUTPUT] != "text":
        return session.answer(session.document([asdict(answer)]))
    session.talk(line((text, "dim")) for text in [figures(answer)] if text)
    return OK


def _piped(session: Session) -> str:
    if STDIN in session[MODEL] or sys.stdin is None or sys.stdin.isatty():
        raise UsageError("there is nothing to ask", 'give --prompt "...", or pipe the question in')
    return piped_text()


def _begun(session: Session, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
    """What comes; until then the time that passes, since a model may have to be loaded."""
    with session.screen(keep=False):
        first = list(islice(chunks, 1))
    yield from chain(first, chunks)


def _stream(session: Session, chunks: Iterator[ChatChunk]) -> Answer:
    """Write what comes (as text) and end the line, however it ends; returns the whole answer with its figures."""
    from llmstack.domain.clean import block
    from llmstack.domain.server import ChatChunk

    shows = session[OUTPUT] == "text"
    start, first_ms, parts, last = time.monotonic(), None, [], ChatChunk()
    try:
        for last in chunks:
            if last.text and first_ms is None:
                first_ms = 1000 * (time.monotonic() - start)
            parts.append(last.text)
            if shows:
                session.write(block(last.text))
            elif last.text and session[OUTPUT] == "ndjson":
                session.lines.put("progress", {"text": last.text})
    finally:
        if shows and parts and not parts[-1].endswith("\n"):
            session.write("\n")
    return last.as_answer("".join(parts), first_ms)
