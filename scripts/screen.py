"""Write the picture of a real screen: `invoke up --model demo` in a terminal, as SVG.

python scripts/screen.py docs/screen.svg
"""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
WIDTH = 104
COMMANDS = ["up --model demo", "status --model demo", 'ask --model demo --prompt "Say hello in five words."']


def main(out: Path) -> None:
    """Run the commands with a store and state of their own, and draw what they printed."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with tempfile.TemporaryDirectory(prefix="llmstack-screen-") as room:
        try:
            for command in COMMANDS:
                console.print(Text.assemble(("$ ", "dim"), (f"invoke {command}", "bold")))
                console.print(Text.from_ansi(_run(command, room)))
        finally:
            _run("down --model demo", room)
    console.save_svg(str(out), title="llmstack")


def _run(command: str, room: str) -> str:
    """What `invoke COMMAND` printed, both streams in their order, with colours."""
    env = os.environ | {
        "LLMSTACK_STORE": f"{room}/store.db",
        "LLMSTACK_PROCESS_ROOT": f"{room}/processes",
        "FORCE_COLOR": "1",
        "COLUMNS": str(WIDTH),
    }
    invoke = str(Path(sys.executable).parent / "invoke")
    run = subprocess.run(
        [invoke, *shlex.split(command)],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return run.stdout.rstrip() + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
