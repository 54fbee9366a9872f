"""Builds `nvml.c`: the library of a GPU driver, for whole commands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("nvml.c")


def build(folder: Path) -> dict[str, str]:
    """Put the library into `folder`; returns what makes a command find it. Skips the test without a compiler."""
    made = folder / "libnvidia-ml.so.1"
    try:
        line = ["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(made), str(SOURCE)]
        subprocess.run(line, check=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs a C compiler: apt-get install gcc libc6-dev")
    return {"LD_LIBRARY_PATH": str(folder)}
