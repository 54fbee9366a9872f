"""One of the two front doors as a program of its own, over the fake app: `python front.py invoke up --model demo`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def enter(door: str, words: list[str]) -> None:
    """Run the line through a door; ends in SystemExit."""
    if door == "llmstack":
        from llmstack.cli.program import main

        main([door, *words])
    else:
        from invoke.program import Program

        Program().run(["invoke", "--search-root", str(ROOT), *words])


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from tests.unit.cli import fake_app

    sys.modules["llmstack.app"] = fake_app
    enter(sys.argv[1], sys.argv[2:])
