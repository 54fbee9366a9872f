"""Tasks about what outlives instances, through both front doors."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from llmstack.domain.selection import RunOptions, Selection
from tests.unit.cli.test_both_doors import called


def test_a_backup_names_one_service_and_one_file_and_overwrites_nothing_unasked(both, door, tmp_path):
    words = ["-s", "page", "--file", str(tmp_path / "page.tar")]
    assert both("backup", *words).code == 0
    (tmp_path / "page.tar").touch()
    ran = both("backup", *words)
    assert (ran.code, f"Overwrite {words[-1]}?" in ran.err) == (12, True)
    assert ran.err.endswith(f"{door} backup --service page --yes --file {words[-1]}\n")
    assert both("backup", *words, "--check").code == both("backup", *words, "--yes").code == 0
    assert called("backup")[-1] == (Selection(services=("page",)), asdict(RunOptions(file=words[-1])))
    assert len(called("backup")) == 3


def test_a_restore_asks_first_since_it_loses_what_is_there(both):
    words = ["-s", "page", "--file", "page.tar"]
    assert both("restore", *words).code == 12
    assert called("restore") == []
    assert both("restore", *words, "--yes").code == 0
    assert called("restore") == [(Selection(services=("page",)), asdict(RunOptions(file="page.tar")))]


@pytest.mark.parametrize("task", ["backup", "restore"])
def test_without_a_service_or_a_file_nothing_is_saved_or_restored(both, task):
    assert both(task, "-s", "page", "--yes").code == both(task, "--file", "page.tar", "--yes").code == 2
    assert called(task) == []
