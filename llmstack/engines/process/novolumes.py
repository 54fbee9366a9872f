"""Volumes, for an engine that has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmstack.domain.instance import InstanceSpec
from llmstack.errors import PreflightError
from llmstack.protocols import Report


class NoVolumes:
    """A process writes where it likes; nothing of that can be copied or kept for it."""

    def volumes(self, spec: InstanceSpec) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's name
        """None at all."""
        return ()

    def copy_volumes(self, name: str, spec: InstanceSpec, report: Report) -> None:  # noqa: ARG002
        """Raises PreflightError."""
        raise _none(name)

    def read_volumes(self, name: str) -> Iterator[bytes]:
        """Raises PreflightError."""
        raise _none(name)

    def write_volumes(self, name: str, chunks: Iterable[bytes]) -> None:  # noqa: ARG002
        """Raises PreflightError."""
        raise _none(name)


def _none(name: str) -> PreflightError:
    return PreflightError(f"{name} is a process and has no volumes", "set `engine: docker` for it")
