"""Variables of the environment that are called like ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from llmstack.cli import flags
from llmstack.cli.known import inventory_file

OURS, TESTS = "LLMSTACK_", "TEST_"
OTHERS = frozenset({"INSTANCE", "PROCESS_ROOT", "WEIGHTS"})
"""Those that no flag is for."""

_TOLD: set[str] = set()


def known() -> frozenset[str]:
    """What something reads, without the beginning that all have."""
    named = (flag.env for flag in vars(flags).values() if isinstance(flag, flags.Flag) and flag.env)
    return OTHERS.union(name.removeprefix(OURS) for name in named)


def unread(inventory: str | None) -> Iterator[str]:
    """What to say of those that nothing reads, not even the inventory that is named, or found; each once."""
    words = [name.removeprefix(OURS) for name in sorted(os.environ) if name.startswith(OURS)]
    strange = [word for word in words if word not in known() | _TOLD and not word.startswith(TESTS)]
    if strange:
        from llmstack.domain.names import nearest

        _TOLD.update(strange)
        text = _text(inventory)
        for word in strange:
            found = nearest(word, known())
            fix = f"did you mean '{OURS}{found}'?" if found else f"known: {' '.join(sorted(known()))}"
            if OURS + word not in text:
                yield f"nothing reads the variable {OURS}{word}; {fix}"


def _text(inventory: str | None) -> str:
    with suppress(OSError, ValueError):
        file = inventory_file(inventory)
        return file.read_text(encoding="utf-8") if file and file.is_file() else ""
    return ""
