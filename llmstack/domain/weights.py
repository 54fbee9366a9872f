"""What is known of a model file in a weights volume, or in this machine's folder of fetched ones."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

from llmstack.domain.gguf import read_header
from llmstack.domain.instance import Weights

MANIFESTS = "manifests"
"""The folder of all manifests, beside those of the files: it is read as a whole."""
PART = ".part"
"""What the name of a file ends in that is not whole yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A manifest: None is unknown, `fetched_at` seconds since the epoch, `size_bytes` 0 a file that was deleted. In no
    manifest stands `found_bytes`: how much of a broken file there is, None where it has the size that it must have."""

    fingerprint: str
    name: str
    source: str
    size_bytes: int
    sha256: str | None = None
    fetched_at: float | None = None
    architecture: str | None = None
    parameters: int | None = None
    context: int | None = None
    quantization: str | None = None
    found_bytes: int | None = None

    @property
    def broken(self) -> bool:
        """Whether it was cut since it came, or is gone."""
        return self.found_bytes is not None

    @property
    def disk_bytes(self) -> int:
        """What it takes."""
        return self.size_bytes if self.found_bytes is None else self.found_bytes

    @property
    def path(self) -> str:
        """Where it lies in the volume or folder."""
        return f"{self.fingerprint}/{self.name}"

    @property
    def manifest_path(self) -> str:
        """Where this manifest lies there."""
        return f"{MANIFESTS}/{self.fingerprint}.json"

    def dumps(self) -> bytes:
        """As it is written."""
        known = asdict(self)
        del known["found_bytes"]
        return json.dumps(known, indent=1).encode()

    def seen(self, found_bytes: int | None) -> ModelFile:
        """As it lies there."""
        return replace(self, found_bytes=None if found_bytes == self.size_bytes else found_bytes or 0)


class Shelf(Protocol):
    """Where the model files of a host lie."""

    def files(self) -> tuple[ModelFile, ...]:
        """By their manifests, whoever brought them; those that are broken too."""

    def read(self, file: ModelFile) -> Iterator[bytes]:
        """The bytes of one of them. Raises FetchError."""

    def drop(self, file: ModelFile) -> None:
        """Free its room. Raises LlmstackError."""


def loads(text: bytes) -> ModelFile | None:
    """The manifest that was written so; None for anything else, and of a file that was deleted."""
    try:
        raw = json.loads(text)
        known = {each.name: raw[each.name] for each in fields(ModelFile) if each.name in raw}
        found = ModelFile(**{**known, "found_bytes": None})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if _sane(found) and found.size_bytes else None


def _sane(found: ModelFile) -> bool:
    """Names stay in their folder, and nothing in it can drive a terminal or break a sum."""
    texts = (found.fingerprint, found.name, found.source, found.sha256, found.architecture, found.quantization)
    numbers = (found.size_bytes, found.parameters, found.context)
    return (
        all(text is None or (isinstance(text, str) and text.isprintable()) for text in texts)
        and all(number is None or type(number) is int for number in numbers)
        and isinstance(found.fetched_at, int | float | None)
        and not any(part in ("", ".", "..") or "/" in part for part in (found.fingerprint, found.name))
    )


def manifest_of(weights: Weights) -> ModelFile | None:
    """The manifest of a file that was fetched to this machine, None without one."""
    return read_manifest(Path(weights.path).parent.parent / MANIFESTS / f"{weights.fingerprint}.json")


def whole(weights: Weights) -> bool:
    """Whether it was fetched to this machine, and nothing cut it since."""
    manifest = manifest_of(weights)
    return manifest is not None and size_on_disk(Path(weights.path)) == manifest.size_bytes


def read_manifest(path: Path) -> ModelFile | None:
    """As `loads`, of a file."""
    try:
        return loads(path.read_bytes())
    except OSError:
        return None


def size_on_disk(path: Path) -> int | None:
    """Its bytes, None where nothing can be seen."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def described(weights: Weights, file: Path, sha256: str | None) -> ModelFile:
    """The manifest of a model file that lies at `file`; figures of its header where it is a GGUF. Raises OSError."""
    about: dict[str, Any] = {}
    try:
        header = read_header(file)
        names = ("architecture", "parameters", "context", "quantization")
        about = {name: getattr(header, name) for name in names}
    except (ValueError, struct.error):
        pass
    return ModelFile(
        fingerprint=weights.fingerprint,
        name=weights.path.rsplit("/", 1)[-1],
        source=weights.source,
        size_bytes=file.stat().st_size,
        sha256=sha256,
        fetched_at=time.time(),
        **about,
    )
