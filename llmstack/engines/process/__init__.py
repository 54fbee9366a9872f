"""The embedded engine: instances are plain processes of this machine, each kept by a small shim.

`ProcessEngine` is loaded on first use, because the shim imports this package and must stay small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmstack.engines.process.engine import ProcessEngine

__all__ = ["ProcessEngine"]


def __getattr__(name: str) -> Any:
    if name != "ProcessEngine":
        raise AttributeError(name)
    from llmstack.engines.process.engine import ProcessEngine

    return ProcessEngine
