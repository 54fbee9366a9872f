"""What an image pull says of itself, line by line, as progress that never goes back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmstack.domain.progress import Progress
from llmstack.errors import FetchError

DONE = ("Download complete", "Pull complete", "Already exists")
HINT = "check the image's name and tag; for a private registry: docker login"


def progress(image: str, lines: Iterable[Mapping[str, Any]]) -> Iterator[Progress]:
    """Progress of a pull. Raises FetchError for an error in the stream, which the engine sends with status 200."""
    layers: dict[str, tuple[int, int]] = {}
    high = 0
    for line in lines:
        _check(image, line)
        layer, status = str(line.get("id") or ""), str(line.get("status", ""))
        before = current, total = layers.get(layer, (0, 0))
        detail = line.get("progressDetail") or {}
        if status == "Downloading":
            current, total = _bytes(detail, "current", current), _bytes(detail, "total", total)
        elif status in DONE:
            current = total
        if not layer or (current, total) == before:
            continue
        layers[layer] = (current, total)
        high = max(high, sum(done for done, _ in layers.values()))
        yield Progress(image, "pulling", high, sum(size for _, size in layers.values()) or None)
    yield Progress(image, "pulled", high, high or None, done=True)


def _check(image: str, line: Mapping[str, Any]) -> None:
    detail = line.get("errorDetail") or {}
    error = detail.get("message") or line.get("error")
    if error:
        full = "no space left" in str(error)
        raise FetchError(
            f"image {image} could not be pulled: {error}",
            "free some: docker system df   docker image prune" if full else HINT,
        )


def _bytes(detail: Mapping[str, Any], key: str, known: int) -> int:
    value = detail.get(key)
    return value if isinstance(value, int) and value > 0 else known
