"""ansible-core in an environment of its own, made once per machine and kept in the tests' cache folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import room
from tests.rig.images import cache, only_one

WANTED = "ansible-core>=2.18,<2.20"
SIDE = Path(__file__).with_name("side.py")


def environment() -> Path:
    """The folder with its programs; a test that cannot get it is skipped."""
    name = f"{WANTED}-{sys.version_info.major}.{sys.version_info.minor}".replace(",", "-").translate({60: "-", 62: "-"})
    folder = cache() / name
    with only_one(name):
        if not (folder / "done").exists():
            try:
                _run(sys.executable, "-m", "venv", "--clear", str(folder))
                _run(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", WANTED)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"{WANTED} cannot be installed: {error.stderr.strip()[-200:]}")
            (folder / "done").touch()
    return folder / "bin"


def ask(cases: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What ansible-core makes of all cases, in one process."""
    given, answer = folder / "cases.json", folder / "answers.json"
    given.write_text(json.dumps(cases), encoding="utf-8")
    _run(str(environment() / "python"), str(SIDE), str(given), str(answer), str(folder / "work"))
    found: list[dict[str, Any]] = json.loads(answer.read_text(encoding="utf-8"))
    return found


def _run(*argv: str) -> None:
    """With the machine's own settings for pip, which the clean room hides."""
    env = {**room.ORIGINAL, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_INVENTORY_ENABLED": "yaml,script"}
    for name in ("PYTHONPATH", "VIRTUAL_ENV", *(name for name in env if name.startswith("COV"))):
        env.pop(name, None)
    subprocess.run(argv, check=True, capture_output=True, text=True, timeout=600, env=env)
