"""Who is at work, and on which machine."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Who:
    """`user@controller`; `user` is None where the system has no name for them. `process` tells the process from every
    other, where that is known."""

    user: str | None
    controller: str
    process: str | None = None

    def __str__(self) -> str:
        return f"{self.user or '-'}@{self.controller}"


def who() -> Who:
    """Who runs this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user that stands in no passwd
        user = None
    return Who(user, socket.gethostname())
