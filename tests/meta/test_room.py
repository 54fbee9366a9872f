"""The clean room itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import room


def test_a_test_sees_only_private_places(clean_room: dict[str, str]) -> None:
    assert {name: os.environ[name] for name in clean_room} == clean_room
    assert Path.home() == Path(clean_room["HOME"])
    assert os.environ["HOME"] != room.ORIGINAL["HOME"]
    assert all(Path(path).stat().st_mode & 0o077 == 0 for path in clean_room.values() if Path(path).is_dir())


def test_nothing_of_the_user_s_settings_is_left(clean_room: dict[str, str]) -> None:
    assert [name for name in os.environ if room.foreign(name) and name not in clean_room] == []


def test_variables_for_the_tests_themselves_stay() -> None:
    assert os.environ["LLMSTACK_TEST_CACHE"] == str(room.cache_dir())
    assert room.foreign("LLMSTACK_STORE")
    assert room.foreign("DOCKER_HOST")
    assert not room.foreign("PATH")


@pytest.mark.parametrize(("ci", "told"), [("", "1 skipped"), ("true", "which CI does not accept: needs zsh")])
def test_what_could_not_run_is_a_failure_in_ci(tmp_path: Path, ci: str, told: str) -> None:
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "tests/unit/cli/test_completion.py"]
    env = {**os.environ, "CI": ci, "PATH": str(tmp_path)}
    ran = subprocess.run([*command, "-k", "zsh"], env=env, capture_output=True, text=True, check=False, timeout=100)
    assert (ran.returncode, told in ran.stdout) == (int(bool(ci)), True), ran.stdout
