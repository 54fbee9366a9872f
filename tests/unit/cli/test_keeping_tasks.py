"""Tasks about what outlives instances, through both front doors."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from llmstack.cli.schemas import schema_of
from llmstack.domain.selection import RunOptions, Selection
from tests.unit.cli.test_both_doors import called
from tests.unit.cli.test_formats import closed, wrong


def test_a_backup_names_one_service_and_one_file_and_overwrites_nothing_unasked(both, door, tmp_path):
    words = ["-s", "page", "--file", str(tmp_path / "page.tar")]
    assert both("backup", *words).code == 0
    (tmp_path / "page.tar").touch()
    ran = both("backup", *words)
    assert (ran.code, f"Overwrite {words[-1]}?" in ran.err) == (12, True)
    assert ran.err.endswith(f"{door} backup --service page --yes --file {words[-1]}\n")
    assert both("backup", *words, "--check").code == both("backup", *words, "--yes").code == 0
    assert called("backup")[-1] == (Selection(services=("page",)), asdict(RunOptions(file=words[-1])))
    assert [options["check"] for _, options in called("backup")] == [False, True, True, False]


def test_a_restore_asks_first_since_it_loses_what_is_there(both):
    words = ["-s", "page", "--file", "page.tar"]
    assert both("restore", *words).code == 12
    assert called("restore") == [(Selection(services=("page",)), asdict(RunOptions(file="page.tar", check=True)))]
    assert both("restore", *words, "--yes").code == 0
    assert called("restore")[1:] == [(Selection(services=("page",)), asdict(RunOptions(file="page.tar")))]


@pytest.mark.parametrize("task", ["backup", "restore"])
def test_without_a_service_or_a_file_nothing_is_saved_or_restored(both, task):
    assert both(task, "-s", "page", "--yes").code == both(task, "--file", "page.tar", "--yes").code == 2
    assert called(task) == []


def test_what_is_left_is_shown_before_anything_is_removed(both, door):
    ran = both("uninstall")
    assert ran.code == 12
    assert "localhost  volume  data  3.2 MB  data of page" in ran.err
    assert ran.err.endswith(f"to do it without being asked: {door} uninstall --yes\n")
    assert called("uninstall") == []


def test_all_is_more_and_yes_does_it(both):
    ran = both("uninstall", "--all", "--yes")
    how = {"selection": Selection(), "everything": True}
    assert (ran.code, called("uninstall")) == (0, [(["data", "llmstack/empty:1"], how)])
    assert "localhost : ok=0 changed=2" in ran.err


def test_what_is_left_on_some_hosts_may_be_meant_alone(both, door):
    ran = both("uninstall", "-l", "gpu", "--exclude", "gpu02,gpu03")
    picked = Selection(hosts=("gpu",), exclude=("gpu02", "gpu03"))
    assert ran.err.endswith(f"{door} uninstall --host gpu --exclude gpu02,gpu03 --yes\n")
    assert both("uninstall", "-l", "gpu", "--exclude", "gpu02,gpu03", "--yes").code == 0
    assert called("leftovers") == [(picked, {"everything": False})] * 2
    assert called("uninstall") == [(["data"], {"selection": picked, "everything": False})]


def test_check_only_lists(both):
    ran = both("uninstall", "--check", "-o", "json")
    assert (ran.code, ran.json["kind"], [item["name"] for item in ran.json["items"]]) == (0, "leftovers", ["data"])
    assert wrong(ran.json, closed(schema_of("leftovers"))) == []
    assert both("uninstall", "--check").out.splitlines()[-1] == "1 left, 3.2 MB as far as is known"
    assert called("uninstall") == []


def test_only_what_is_named_goes_back(both):
    assert both("rollback").code == 2
    assert both("rollback", "-m", "a").code == 0
    assert called("rollback") == [(Selection(models=("a",)), asdict(RunOptions()))]
