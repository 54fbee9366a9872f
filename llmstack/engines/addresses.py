"""Addresses that mean this machine, and URLs made of them."""

from __future__ import annotations

import socket

LOOPBACK = ("127.0.0.1", "::1", "localhost")
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Listening on all addresses -> where this machine reaches it."""


def reached(bind: str, host: str) -> tuple[str, str | None]:
    """Where this machine reaches what listens on its `bind`, and where others do; `host` is its name for them."""
    if bind in ANYWHERE:
        return ANYWHERE[bind], socket.gethostname() if host == "localhost" else host
    return bind, None if bind in LOOPBACK else bind


def url_of(address: str, port: int) -> str:
    """`http://address:port`, with brackets around IPv6."""
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
