"""Builds `nvml.c`: the library of a GPU driver, for whole commands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.servers.fake_nvml import FakeGpu

SOURCE = Path(__file__).with_name("nvml.c")


def build(folder: Path, *cards: FakeGpu) -> dict[str, str]:
    """Put the library into `folder`; returns what makes a command find it and these cards. Skips the test without a
    compiler."""
    made = folder / "libnvidia-ml.so.1"
    try:
        line = ["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(made), str(SOURCE)]
        subprocess.run(line, check=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs a C compiler: apt-get install gcc libc6-dev")
    return {"LD_LIBRARY_PATH": str(folder), **told(*cards)}


def told(*cards: FakeGpu) -> dict[str, str]:
    """What lets the library tell of these cards."""
    return {"FAKE_NVML": "\n".join(map(_line, cards))}


def _line(card: FakeGpu) -> str:
    """Name, UUID, errors, memory, MIG, temperature, power and its limit, and `pid,bytes,percent` of each process."""
    errors = "".join(f",{name.removeprefix('nvml')}={code}" for name, code in card.errors.items()) or ",none"
    memory = (card.total_bytes or 0, card.used_bytes)
    numbers = (-1 if number is None else int(number) for number in (card.mig, card.temperature_c))
    power = (-1 if number is None else number for number in (card.power_mw, card.power_limit_mw))
    held = (f"{pid},{size or 0},{card.busy.get(pid, 0)}" for pid, size in card.processes.items())
    return "|".join(map(str, (card.name, card.uuid, errors, *memory, *numbers, *power, *held))) + "|"
