"""A real request to a model, measured, and whether its answer is as it should be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from random import randrange
from typing import Any

from llmstack.domain.check import Check
from llmstack.domain.ladder import Answer
from llmstack.domain.server import ChatChunk
from llmstack.errors import ConfigError, ServerError
from llmstack.protocols import Client

ANSWER_TOKENS = 16
SEED = 1
SHOWN = 80


def ask(
    client: Client,
    model: str,
    monotonic: Callable[[], float],
    check: Check | None = None,
    patience_s: float | None = None,
) -> Answer:
    """One real request, that of `check` or a short one; what a model thinks before it answers is a sign of life too.
    `patience_s` is the longest silence, the client's own when None.

    Raises ServerError.
    """
    began = monotonic()
    first_ms: float | None = None
    text = thinking = ""
    for chunk in _chat(client, model, check, patience_s):
        if (chunk.text or chunk.thinking) and first_ms is None:
            first_ms = (monotonic() - began) * 1000
        text, thinking = text + chunk.text, thinking + chunk.thinking
        if chunk.done:
            return chunk.as_answer(text if check else thinking + text, first_ms)
    raise ServerError("the answer ended early", kind="cut")


def _chat(client: Client, model: str, check: Check | None, patience_s: float | None) -> Iterator[ChatChunk]:
    """The question varies where nothing is checked, so that no cached prompt flatters the figures."""
    if check:
        return client.chat(model, check.prompt, max_tokens=check.max_tokens, seed=SEED, patience_s=patience_s)
    question = f"What is {randrange(100)} + {randrange(100)}?"  # noqa: S311 - no secret
    return client.chat(model, question, max_tokens=ANSWER_TOKENS, patience_s=patience_s)


def unfit(check: Check, answer: Answer, device: str) -> str | None:
    """PURE: what is not as `check` wants it, None when everything is; what nobody can tell is not as it should be.

    Raises ConfigError where a JSON Schema is wrong, or cannot be looked at.
    """
    return next(_unfit(check, answer, device), None)


def _unfit(check: Check, answer: Answer, device: str) -> Iterator[str]:
    said = " ".join(answer.text.split())
    shown = f"it answered '{said if len(said) <= SHOWN else said[:SHOWN] + '…'}'"
    if not said:
        yield "it answered with nothing"
    if check.text is not None and check.text.casefold() not in answer.text.casefold():
        yield f"'{check.text}' is not in the answer: {shown}"
    if check.pattern is not None and not re.search(check.pattern, answer.text):
        yield f"/{check.pattern}/ is not in the answer: {shown}"
    if check.json_schema is not None and (wrong := _misfit(check.json_schema, answer.text)):
        yield f"{wrong}: {shown}"
    yield from _too_slow(check, answer)
    if check.device not in (None, device):
        yield f"it runs on {device}, not on {check.device}"


def _too_slow(check: Check, answer: Answer) -> Iterator[str]:
    first_ms, rate = answer.first_token_ms, answer.tokens_per_s
    if check.first_token_s is not None and (first_ms is None or first_ms > check.first_token_s * 1000):
        took = "unknown" if first_ms is None else f"{first_ms / 1000:.2f} s"
        yield f"its first token took {took}, longer than {check.first_token_s:g} s"
    if check.tokens_per_s is not None and (rate is None or rate < check.tokens_per_s):
        yield f"its rate is {'unknown' if rate is None else f'{rate:.1f}'}, below {check.tokens_per_s:g} tokens/s"


def _misfit(schema: Any, text: str) -> str | None:
    """Why a text is not JSON of that schema."""
    try:
        import jsonschema
    except ImportError as error:
        raise ConfigError("`json_schema` of a check needs the extra", "pip install 'llmstack[checks]'") from error
    try:
        jsonschema.validate(json.loads(text), schema)
    except ValueError:
        return "the answer is no JSON"
    except jsonschema.ValidationError as error:
        return f"the answer does not fit its schema: {error.message[:SHOWN]}"
    except jsonschema.SchemaError as error:
        raise ConfigError(f"`json_schema` of a check is no schema: {error.message}", "correct it") from error
    return None
