"""The clean room itself."""

from __future__ import annotations

import os
from pathlib import Path

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
