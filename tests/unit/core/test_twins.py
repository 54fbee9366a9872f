"""One engine under two names: refused where services are on both, asked once where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmstack.core.twins import distinct, refuse_twins
from llmstack.domain.host import Host
from llmstack.domain.selection import RunOptions
from llmstack.domain.service import Inventory
from llmstack.engines.book import same
from llmstack.errors import InventoryError
from llmstack.inventory import load
from tests.unit.core.stack import ALL, Bench

LOCAL = "{ansible_connection: local}"
ON_ALL = "services: {web: {type: c, hosts: all}}"


def written(folder: Path, first: str, second: str, services: str = ON_ALL) -> Inventory:
    text = f"llmstack: 1\nall:\n  hosts:\n    localhost: {first}\n    box: {second}\n{services}\n"
    (folder / "inventory.yaml").write_text(text, encoding="utf-8")
    return load(None, environ={}, cwd=str(folder))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", LOCAL),
        ("", "{docker_host: 'unix:///var/run/docker.sock'}"),
        ("{docker_host: 'unix:///tmp/a.sock'}", "{docker_host: 'unix:////tmp/../tmp/a.sock'}"),
        ("{docker_host: 'tcp://gpu.lab:2375'}", "{docker_host: 'tcp://GPU.lab:2375/'}"),
        ("{docker_host: 'ssh://gpu.lab'}", "{ansible_host: gpu.lab, ansible_user: ops, ansible_port: 22}"),
        ("{engine: process}", "{engine: process, ansible_connection: local}"),
    ],
)
def test_services_on_both_names_are_refused_with_the_lines_of_both(tmp_path: Path, first: str, second: str) -> None:
    with pytest.raises(InventoryError) as caught:
        refuse_twins(written(tmp_path, first, second), same)
    (problem,) = caught.value.problems
    assert (str(problem.position), problem.code) == ("inventory.yaml:5:5", "E023")
    assert problem.message.startswith("'box' and 'localhost' (line 4) are one ")
    assert (problem.source_line, problem.suggestion) == (f"    box: {second}", "place them on one: hosts: localhost")


@pytest.mark.parametrize(
    ("first", "second", "services"),
    [
        ("", LOCAL, "services: {web: {type: c, hosts: box}}"),
        ("", LOCAL, "services: {web: {type: c, hosts: box}, far: {type: c, hosts: localhost, url: 'http://x'}}"),
        ("", LOCAL, "services: {web: {type: c, hosts: box}, far: {type: c, hosts: localhost, engine: process}}"),
        ("", "{docker_host: 'tcp://gpu.lab:2375'}", ON_ALL),
        ("{docker_host: 'tcp://a:2375'}", "{docker_host: 'tcp://a:2376'}", ON_ALL),
        ("{docker_host: 'ssh://a'}", "{docker_host: 'ssh://a:2222'}", ON_ALL),
        ("{docker_host: 'ssh://a'}", "", ON_ALL),
    ],
)
def test_what_is_no_fight_is_let_be(tmp_path: Path, first: str, second: str, services: str) -> None:
    refuse_twins(written(tmp_path, first, second, services), same)


def test_what_the_environment_names_is_the_default_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = written(tmp_path, "", "{docker_host: 'tcp://gpu.lab:2375'}")
    refuse_twins(inventory, same)
    monkeypatch.setenv("DOCKER_HOST", "tcp://gpu.lab:2375")
    with pytest.raises(InventoryError):
        refuse_twins(inventory, same)
    monkeypatch.setenv("DOCKER_HOST", "nonsense")
    refuse_twins(inventory, same)


def test_of_two_names_that_one_is_asked_where_something_is_wanted() -> None:
    hosts = [Host("localhost"), Host("box", vars={"ansible_connection": "local"}), Host("far", docker_host="ssh://far")]
    places = {(host.name, "docker"): host for host in hosts}
    assert [name for name, _ in distinct(places, [], same)] == ["localhost", "far"]
    assert [name for name, _ in distinct(places, [("box", "docker")], same)] == ["box", "far"]


def test_every_command_refuses_them_and_what_is_no_orphan_is_not_looked_for_under_the_other_name(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    text = f"llmstack: 1\nstack: lab\nall: {{hosts: {{alias: {LOCAL}, box: {LOCAL}}}}}\n"
    bench.write(text + "services: {page: {type: page, port: 3000, hosts: box}}\n")
    assert bench.app().up(ALL, RunOptions(orphans=True)).exit_code == 0
    bench.app().leftovers()
    assert {host for host, _ in bench.world.engines} == {"box"}
    bench.write(text + "services: {page: {type: page, port: 3000, hosts: all}}\n")
    with pytest.raises(InventoryError):
        bench.app().up(ALL)
    for app in bench.apps:
        app.close()
