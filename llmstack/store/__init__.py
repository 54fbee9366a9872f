"""The memory: SQLite through Peewee. It remembers and explains, and is never needed for a correct plan.

Importing this package costs what Peewee costs (about 0.1 s), so only a command that uses the store imports it.
"""

from __future__ import annotations

from llmstack.store.store import Store, open_store

__all__ = ["Store", "open_store"]
