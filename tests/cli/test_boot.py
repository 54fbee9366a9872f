"""`boot.install` and `boot.remove`, through both doors."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from tests.desk import Desk


def test_a_unit_is_shown_written_and_taken_away(desk: Desk, door: str) -> None:
    (item,) = desk.good("boot.install", "--check", "-o", "json", door=door).json["items"]
    path = Path(item["path"])
    assert path.is_relative_to(desk.env["XDG_CONFIG_HOME"])
    assert not path.exists()
    ran = desk.good("boot.install", door=door)
    assert "systemctl --user daemon-reload" in ran.err
    assert path.read_text() == item["text"] == desk.good("boot.install", "--check", door=door).out
    assert desk.good("boot.remove", door=door).out == f"removed {path}\n"
    assert not path.exists()


def test_what_it_runs_at_boot_makes_the_inventory_true(desk: Desk) -> None:
    written = desk.good("boot.install", "--check").out
    (command,) = (line.removeprefix("ExecStart=") for line in written.splitlines() if line.startswith("ExecStart="))
    ran = subprocess.run(shlex.split(command), cwd="/", env=desk.env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "failed=0" in ran.stderr
    assert "changed=0" in desk.good("up").recap


def test_what_would_not_be_there_at_boot_is_refused(desk: Desk) -> None:
    ran = desk.run("boot.install", "-e", "token=hush")
    assert (ran.code, "--extra is not kept at boot" in ran.err) == (2, True)
