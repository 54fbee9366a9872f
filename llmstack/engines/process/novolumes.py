"""Volumes and images, for an engine that has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmstack.domain.instance import InstanceSpec
from llmstack.errors import PreflightError


class NoVolumes:
    """A process writes where it likes; nothing of that can be copied or kept for it."""

    def pins(self, image: str) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's name
        """None at all."""
        return ()

    def newest(self, image: str) -> str | None:  # noqa: ARG002 - the protocol's name
        """Nobody knows."""
        return None

    def tag(self, pin: str, image: str) -> None:
        """Nothing to do."""

    def volumes(self, stack: str) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's name
        """None at all."""
        return {}

    def sharers(self, spec: InstanceSpec) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's name
        """Nobody."""
        return {}

    def copy_volumes(self, name: str, *_: object) -> Any:
        """Raises PreflightError."""
        raise PreflightError(f"{name} is a process and has no volumes", "set `engine: docker` for it")

    read_volumes = write_volumes = copy_volumes

    def shelf(self, stack: str) -> None:
        """None of its own."""
