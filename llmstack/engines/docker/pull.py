"""A pull as the engine tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import Any

from llmstack.domain.progress import Progress
from llmstack.domain.ticking import Leaving, ticking
from llmstack.engines.docker.refusal import Refusal, explain
from llmstack.engines.docker.wire import Wire
from llmstack.errors import FetchError
from llmstack.protocols import Report

DONE = ("Download complete", "Pull complete", "Already exists")
TICK_S = 1.0

Line = Mapping[str, Any]


def pull(wire: Wire, image: str, report: Report, tick_s: float = TICK_S) -> None:
    """Have the engine pull `image`; it is told to stop when `report` raises. Raises FetchError."""

    def lines(leaving: Leaving) -> Iterator[Line]:
        with wire.doing(f"pull {image}", otherwise=FetchError) as api, api.pulling(image) as response:
            leaving(partial(_hang_up, response))
            for line in api.values(response):
                _check(wire, image, line)
                yield line

    with closing(ticking(lines, tick_s)) as told:
        for step in progress(image, told):
            report(step)


def _hang_up(response: Any) -> None:
    """End the reading from another thread; no error when it is over."""
    with suppress(ValueError, RuntimeError, OSError):
        response.raw.shutdown()


def progress(image: str, lines: Iterable[Line | None]) -> Iterator[Progress]:
    """PURE: where a pull stands after each line that tells bytes, and whenever a line is None."""
    layers: dict[str, tuple[int, int]] = {}
    step = Progress(image, "starting")
    for line in lines:
        if line is not None:
            layer, status = str(line.get("id") or ""), str(line.get("status", ""))
            before = layers.get(layer, (0, 0))
            after = _figures(status, line.get("progressDetail") or {}, before)
            if not layer or (after == before and status != "Extracting"):
                continue
            layers[layer] = after
            done, total = (sum(figures) for figures in zip(*layers.values(), strict=True))
            step = Progress(image, "extracting" if done == total else "pulling", done, total or None)
        yield step
    yield Progress(image, "pulled", step.total_bytes or 0, step.total_bytes, done=True)


def _figures(status: str, detail: Mapping[str, Any], before: tuple[int, int]) -> tuple[int, int]:
    """Bytes of a layer that are there, and all of them.

    A download that breaks off ends with a full bar, and one that goes on counts from there: its total is the rest.
    """
    known, total = before
    if status != "Downloading":
        return (total, total) if status in DONE else before
    current, rest = _bytes(detail, "current", 0), _bytes(detail, "total", total)
    if current == rest:
        return known, max(total, rest)
    return current + max(0, total - rest), max(total, rest)


def _bytes(detail: Mapping[str, Any], key: str, known: int) -> int:
    value = detail.get(key)
    return value if isinstance(value, int) and value > 0 else known


def _check(wire: Wire, image: str, line: Line) -> None:
    """Raise what an error in the stream means: the engine sends it with status 200."""
    error = (line.get("errorDetail") or {}).get("message") or line.get("error")
    if error:
        raise explain(Refusal(f"pull {image}", wire.host, wire.address.origin, 200, str(error), FetchError))
