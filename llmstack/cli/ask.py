"""`ask`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmstack.cli.flags import COMMON, MAX_TOKENS, PROMPT, SELECT, TIMEOUT, output
from llmstack.cli.options import STDIN
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import UsageError

if TYPE_CHECKING:
    from llmstack.domain.ladder import Answer
    from llmstack.domain.server import ChatChunk


@verb(*SELECT, PROMPT, MAX_TOKENS, output("json"), TIMEOUT, *COMMON, kind="answer", reads_only=True)
def ask(session: Session) -> int:
    """Ask one model: the answer to stdout as it comes, its figures to stderr."""
    from llmstack.ui.rungs import figure_lines

    options, picked = session.options, session.selection
    if len(picked.models) > 1:
        raise UsageError(f"one question goes to one model, not to {', '.join(picked.models)}", "pick one with --model")
    prompt = _prompt(options.prompt, names_piped=STDIN in options.models)
    with session.app() as app:
        answer = _stream(session, app.ask(picked, prompt, max_tokens=options.max_tokens))
    if options.output == "json":
        item = {name: getattr(answer, name) for name in answer.__slots__}
        return session.document({"v": 1, "kind": "answer", "rc": 0, "items": [item], "errors": []})
    session.talk(figure_lines(answer))
    return 0


def _prompt(given: str | None, *, names_piped: bool) -> str:
    if given is None and (names_piped or sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("there is nothing to ask", 'give --prompt "...", or pipe the question in')
    prompt = sys.stdin.read() if given is None else given
    if not prompt.strip():
        raise UsageError("the question is empty", 'give --prompt "...", or pipe the question in')
    return prompt


def _stream(session: Session, chunks: Iterator[ChatChunk]) -> Answer:
    """Write what comes (as text) and end the line, however it ends; returns the whole answer with its figures."""
    from llmstack.domain.ladder import Answer
    from llmstack.domain.server import ChatChunk
    from llmstack.ui.clean import block

    out = session.streams.out.file if session.options.output == "text" else None
    start, first_ms, parts = time.monotonic(), None, []
    last = ChatChunk()
    try:
        for last in chunks:
            if last.text and first_ms is None:
                first_ms = 1000 * (time.monotonic() - start)
            parts.append(last.text)
            if out:
                out.write(block(last.text))
                out.flush()
    finally:
        if out and parts and not parts[-1].endswith("\n"):
            out.write("\n")
            out.flush()
    return Answer(
        text="".join(parts),
        first_token_ms=first_ms,
        tokens=last.tokens,
        tokens_per_s=last.tokens_per_s,
        clock=last.clock,
    )
