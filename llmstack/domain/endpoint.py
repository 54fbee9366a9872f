"""Where an instance's API is reached from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Base URLs of one instance, each as seen from somewhere; None where it cannot be reached.

    `controller`: from the machine that runs llmstack; `inside`: from containers in the stack's network;
    `network`: from other machines.
    """

    controller: str | None
    inside: str | None = None
    network: str | None = None
