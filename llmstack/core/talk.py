"""Read logs and ask models."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.interrupt import POLL_S
from llmstack.core.observe import Observed
from llmstack.core.select import Picked
from llmstack.domain.server import ChatChunk
from llmstack.domain.service import ModelSpec
from llmstack.domain.target import Target
from llmstack.domain.ticking import ticking
from llmstack.errors import LlmstackError, UnhealthyError, UsageError

Line = tuple[Target, str]


def logs(
    picked: Sequence[Picked], observed: Observed, context: Context, *, tail: int | None, follow: bool
) -> Iterator[Line]:
    """Lines of every picked instance; followed ones as they come, else one instance after the other.

    Raises UnhealthyError when none of them is there.
    """
    sources = [
        (item.wanted, there.container_name) for item in picked if (there := observed.find(item.wanted)) is not None
    ]
    if not sources:
        names = ", ".join(str(item.wanted.target) for item in picked)
        missing = UnhealthyError(f"there is no log of {names}: nothing of it was started", "see llmstack status")
        raise next(iter(observed.errors.values()), missing)

    readers = [partial(_read, context, *source, tail=tail, follow=follow) for source in sources]
    if follow and len(readers) > 1:
        yield from _merged(readers)
        return
    for read in readers:
        yield from read()


def _read(context: Context, wanted: Wanted, name: str, *, tail: int | None, follow: bool) -> Iterator[Line]:
    return ((wanted.target, line) for line in context.engine(wanted).logs(name, tail=tail, follow=follow))


def _merged(readers: Sequence[Callable[[], Iterator[Line]]]) -> Iterator[Line]:
    """Lines of all readers as they come; ends with the last one."""
    lines: queue.Queue[Line | None] = queue.Queue(maxsize=1000)

    def pump(reader: Callable[[], Iterator[Line]]) -> None:
        try:
            for line in reader():
                lines.put(line)
        except LlmstackError as error:
            lines.put((Target("llmstack", "localhost"), error.message))
        finally:
            lines.put(None)

    for reader in readers:
        threading.Thread(target=pump, args=(reader,), daemon=True).start()
    open_readers = len(readers)
    while open_readers:
        line = lines.get()
        if line is None:
            open_readers -= 1
        else:
            yield line


def ask(
    picked: Sequence[Picked], observed: Observed, context: Context, prompt: str, *, max_tokens: int | None
) -> Iterator[ChatChunk]:
    """The streamed answer of the one picked model. Raises UsageError when it is not one, UnhealthyError when its
    server does not run, ServerError, DeadlineError."""
    models = [(item, model) for item in picked for model in item.models if model.enabled]
    if len(models) != 1:
        raise UsageError("ask needs one model", _which(models))
    item, model = models[0]
    wanted, there = item.wanted, observed.find(item.wanted)
    error = observed.errors.get((wanted.target.host, wanted.engine))
    if error:
        raise error
    if not wanted.external and (there is None or not there.running):
        raise UnhealthyError(f"{model.name} does not run on {wanted.target.host}", f"llmstack up --model {model.name}")
    client = context.client(wanted, there)
    if client is None:
        raise UnhealthyError(f"{wanted.target} publishes no port", "give it a `port:`")
    name = wanted.kind.served_name(model)
    with closing(ticking(lambda _: client.chat(name, prompt, max_tokens=max_tokens), POLL_S)) as chunks:
        for chunk in chunks:
            context.check()
            if chunk:
                yield chunk


def _which(models: Sequence[tuple[Picked, ModelSpec]]) -> str:
    names = dict.fromkeys(model.name for _, model in models)
    if len(names) == 1:
        return f"--host NAME; it is on: {' '.join(item.wanted.target.host for item, _ in models)}"
    return f"--model NAME; models: {' '.join(names) or 'none'}"
