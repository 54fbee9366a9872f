"""Addresses that mean this machine, and URLs made of them."""

from __future__ import annotations

LOOPBACK = ("127.0.0.1", "::1", "localhost")
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Listening on all addresses -> where this machine reaches it."""


def url_of(address: str, port: int) -> str:
    """`http://address:port`, with brackets around IPv6."""
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
