"""The other version of Invoke that is supported: both doors behave the same with it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import room
from tests.desk import ROOT

OTHER = "2.2.1" if version("invoke").startswith("3.") else "3.0.3"
SUITE = ROOT / "tests" / "unit" / "cli"


@pytest.fixture(scope="module")
def other() -> Path:
    """A folder with that version, kept between runs."""
    place = room.cache_dir() / f"invoke-{OTHER}"
    if not (place / "invoke").is_dir():
        install = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            place,
            f"invoke=={OTHER}",
        ]
        run = subprocess.run(install, env=dict(room.ORIGINAL), capture_output=True, text=True, check=False, timeout=100)
        if run.returncode:
            pytest.skip(f"invoke {OTHER} cannot be installed: {run.stderr[-300:]}")
    return place


def python(other: Path, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Run Python with that version before the one that is installed."""
    env = {name: value for name, value in room.unmeasured(os.environ).items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**env, "PYTHONPATH": str(other)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_it_is_the_other_one(other: Path) -> None:
    assert python(other, "-c", "import invoke; print(invoke.__version__)").stdout == f"{OTHER}\n"


def test_the_tests_of_both_doors_pass_with_it(other: Path) -> None:
    run = python(other, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", str(SUITE))
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
