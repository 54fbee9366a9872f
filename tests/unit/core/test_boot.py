"""The unit that runs `up` at boot: what stands in it, where it lies, and that systemd takes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llmstack.core.boot import Unit, place, quoted, text
from llmstack.errors import LlmstackError, UsageError

ODD = '/srv/it\'s 100% "odd" $HOME \\ größer'
ENVIRON = {"PATH": "/usr/bin:/opt/100%", "DOCKER_HOST": "unix:///run/d.sock", "HF_TOKEN": "hush", "HOME": "/home/ann"}
PLACES = {"LLMSTACK_WEIGHTS": "/srv/w", "XDG_DATA_HOME": "/srv/data", "DOCKER_CERT_PATH": "/srv/certs"}


def made(tmp_path: Path, *, system: bool) -> Unit:
    folder = tmp_path / "odd % folder"
    folder.mkdir()
    command = (sys.executable, "-m", "llmstack", "up", "--inventory", ODD)
    unit = place("lab", {"XDG_CONFIG_HOME": str(tmp_path)}, system=False)
    return Unit(path=unit.path, link=unit.link, text=text("lab", command, str(folder), ENVIRON | PLACES, system=system))


@pytest.mark.parametrize("system", [False, True])
def test_systemd_takes_it_without_a_word(tmp_path: Path, system: bool) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze")
    unit = made(tmp_path, system=system)
    unit.install()
    whose = "--system" if system else "--user"
    env = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    ran = subprocess.run(
        [program, whose, "verify", "--man=no", str(unit.path)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    ours = [line for line in ran.stderr.splitlines() if unit.path.name in line]
    assert (ran.returncode, ours) == (0, []), ran.stderr


def test_it_lies_where_its_manager_looks_and_is_linked_for_boot() -> None:
    own = place("lab", ENVIRON, system=False)
    assert str(own.path) == "/home/ann/.config/systemd/user/llmstack-lab.service"
    assert str(own.link) == "/home/ann/.config/systemd/user/default.target.wants/llmstack-lab.service"
    ours = place("lab", ENVIRON, system=True)
    assert str(ours.link) == "/etc/systemd/system/multi-user.target.wants/llmstack-lab.service"


def test_only_what_is_needed_to_find_things_stands_in_it(tmp_path: Path) -> None:
    written = made(tmp_path, system=False).text
    assert "hush" not in written
    assert [name for name, place in PLACES.items() if f'Environment="{name}={place}"\n' not in written] == []
    assert 'Environment="PATH=/usr/bin:/opt/100%%"\nEnvironment="DOCKER_HOST=unix:///run/d.sock"\n' in written
    assert "network-online" not in written
    assert "After=network-online.target docker.service" in text("lab", ("x",), "/", {}, system=True)


def test_it_is_written_over_one_of_before_and_taken_away_whole(tmp_path: Path) -> None:
    unit = made(tmp_path, system=False)
    for _ in range(2):
        unit.install()
        assert unit.link.read_text() == unit.text
    assert unit.remove()
    assert [path for path in tmp_path.rglob("*") if path.name == unit.path.name] == []
    assert not unit.remove()


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "systemd").write_text("a file")
    with pytest.raises(LlmstackError, match="cannot write") as caught:
        made(tmp_path, system=False).install()
    assert "sudo" in str(caught.value.hint)


def test_words_are_quoted_for_systemd() -> None:
    assert quoted('a "b" \\ %h') == '"a \\"b\\" \\\\ %%h"'
    with pytest.raises(UsageError, match="cannot stand"):
        quoted("two\nlines")
