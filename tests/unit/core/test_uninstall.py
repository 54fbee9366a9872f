"""What is left, and its removal: by stack, under locks, and of everything."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest

from llmstack.app import App
from llmstack.domain.event import EventType
from llmstack.domain.instance import Instance, State
from llmstack.domain.leftover import Leftover
from llmstack.domain.outcome import RunResult
from llmstack.domain.selection import Selection
from llmstack.errors import LlmstackError, NoInventoryError, NoMatchError, UnreachableError
from tests.unit.core.stack import ALL, Bench

TEXT = """
llmstack: 1
stack: lab
all: {hosts: {localhost: {}, far: {docker_host: "tcp://far:2375"}}}
services:
  page: {type: page, port: 3000, hosts: all, stateful: true, mounts: ["data:/data"]}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A stack on two hosts, and an instance of another one on the first."""
    made = Bench(tmp_path)
    made.write(TEXT)
    app = made.app()
    assert app.up(ALL).exit_code == 0
    app.close()
    made.world.engine().add(stranger("other"))
    made.forget()
    return made


def stranger(stack: str) -> Instance:
    name = f"llmstack-{stack}-page"
    return Instance(
        id="1", container_name=name, service="page", host="localhost", engine="docker", state=State.STOPPED, stack=stack
    )


def names(app: App, *, everything: bool = False) -> list[str]:
    return [str(item.target) for item in app.leftovers(everything=everything).items]


def uninstall(app: App, *, everything: bool = False) -> RunResult:
    return app.uninstall(app.leftovers(everything=everything), everything=everything)


def test_a_stack_is_listed_with_its_data_on_every_host_and_nothing_is_changed(bench: Bench) -> None:
    found = names(bench.app())
    assert found == ["llmstack-lab-page@localhost", "data@localhost", "llmstack-lab-page@far", "data@far"]
    assert bench.writes() == []


def test_a_stack_goes_with_its_data_and_others_stay(bench: Bench) -> None:
    result = uninstall(bench.app())
    assert (result.exit_code, len(result.outcomes)) == (0, 4)
    assert list(bench.world.engine().instances) == ["llmstack-other-page"]
    assert bench.world.engine("far").instances == bench.world.engine("far").data == {}
    assert names(bench.app()) == []
    assert Path(bench.folder / "store.db").exists()


def test_the_store_remembers_who_took_a_stack_away(bench: Bench) -> None:
    app = bench.app(command="llmstack uninstall --yes")
    result = uninstall(app)
    (last, _) = app.history()
    assert (last.id, last.task, last.command, len(last.items)) == (
        *(result.run_id, "uninstall", "llmstack uninstall --yes", 4),
    )
    assert {row.status for row in app.store.models()} == {"inactive"}


def test_it_works_under_the_lock_of_the_stack_and_respects_that_of_another(bench: Bench) -> None:
    app = bench.app()
    with bench.world.engine().lock("lab", "anna@here", 60):
        result = uninstall(app)
    assert {outcome.exit_code for outcome in result.outcomes if outcome.target.host == "localhost"} == {7}
    assert "llmstack-lab-page" in bench.world.engine().instances
    assert bench.world.engine("far").instances == {}
    assert uninstall(app).exit_code == 0
    assert bench.world.engine().writes[-3:] == [("lock", "lab"), ("discard", "llmstack-lab-page"), ("discard", "data")]


def test_a_host_that_is_away_is_told_and_the_others_go_on(bench: Bench) -> None:
    bench.world.engine("far").refuse("leftovers", UnreachableError("far: no route to host"), times=None)
    app = bench.app()
    found = app.leftovers()
    assert ([error.exit_code for error in found.lost.values()], len(found.items)) == ([4], 2)
    assert (found.asked, found.unknown) == (("localhost",), ("far",))
    result = app.uninstall(found)
    assert (result.exit_code, str(result.outcomes[-1].target)) == (4, "docker@far")
    assert "llmstack-lab-page" not in bench.world.engine().instances


@pytest.mark.parametrize("picked", [Selection(hosts=("localhost",)), Selection(exclude=("far",))])
@pytest.mark.parametrize("everything", [False, True])
def test_one_host_is_cleaned_while_another_is_left_alone(bench: Bench, picked: Selection, everything: bool) -> None:
    app = bench.app()
    found = app.leftovers(picked, everything=everything)
    assert app.uninstall(found, picked, everything=everything).exit_code == 0
    assert list(bench.world.engine().instances) == ([] if everything else ["llmstack-other-page"])
    assert (bench.world.engine("far").calls, app.history()[0].task) == ([], "uninstall")


def test_hosts_that_are_none_or_leave_nothing_are_told(bench: Bench) -> None:
    for picked in Selection(hosts=("fra",)), Selection(exclude=("page",)), Selection(hosts=("far",), exclude=("all",)):
        with pytest.raises(NoMatchError):
            bench.app().leftovers(picked)


def test_ctrl_c_ends_it_after_what_was_begun(bench: Bench) -> None:
    engine, app = bench.world.engine(), bench.app(forks=1)
    discard = engine.discard

    def pressed(leftover: Leftover) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        while not bench.world.ears.of(EventType.WARNING):
            threading.Event().wait(0.001)
        discard(leftover)

    engine.discard = pressed  # type: ignore[method-assign]
    result = uninstall(app)
    assert (result.exit_code, [outcome.exit_code for outcome in result.outcomes]) == (130, [0, 130, 130, 130])
    assert list(engine.instances) == ["llmstack-other-page"]
    assert list(bench.world.engine("far").instances) == ["llmstack-lab-page"]


def test_what_cannot_be_removed_is_told_and_the_rest_goes(bench: Bench) -> None:
    bench.world.engine().refuse("discard", LlmstackError("it is in use"))
    result = uninstall(bench.app())
    failed = [outcome for outcome in result.outcomes if outcome.error]
    assert [(str(one.target), one.reason) for one in failed] == [
        ("llmstack-lab-page@localhost", "it is in use"),
        ("data@localhost", "volume data is in use by llmstack-lab-page"),
    ]
    assert bench.world.engine("far").instances == {}


def test_everything_is_of_every_stack_with_store_and_state(bench: Bench) -> None:
    for folder in (platformdirs.user_data_path("llmstack"), platformdirs.user_state_path("llmstack")):
        (folder / "x").mkdir(parents=True)
        (folder / "x" / "bug.txt").write_text("12345")
    (bench.folder / "store.db.schema1").write_text("a copy")
    app = bench.app()
    found = {item.leftover.name: item.leftover for item in app.leftovers(everything=True).items}
    assert {"llmstack-other-page", "llmstack-lab-page", str(bench.folder / "store.db")} <= set(found)
    assert found[str(platformdirs.user_state_path("llmstack"))].size_bytes == 5
    assert uninstall(app, everything=True).exit_code == 0
    assert bench.world.engine().instances == {}
    assert sorted(path.name for path in bench.folder.iterdir()) == ["inventory.yaml"]
    assert not platformdirs.user_data_path("llmstack").exists()
    assert not platformdirs.user_state_path("llmstack").exists()
    assert names(app, everything=True) == []


def test_everything_leaves_the_engine_of_a_machine_alone_that_is_no_host_of_the_inventory(bench: Bench) -> None:
    """Its processes lie in its own files, and go with them."""
    bench.write(TEXT.replace("localhost: {}, ", ""))
    here, process = bench.world.engine(), bench.world.engine("localhost", "process")
    process.add(replace(stranger("other"), engine="process"))
    there = dict(here.instances)
    app = bench.app()
    assert {item.host for item in app.leftovers(everything=True).items if item.engine == "docker"} == {"far"}
    assert uninstall(app, everything=True).exit_code == 0
    assert (here.instances, here.calls) == (there, [])
    assert (process.instances, bench.world.engine("far").instances) == ({}, {})


def test_files_stay_as_long_as_anything_else_does(bench: Bench) -> None:
    with bench.world.engine().lock("other", "anna@here", 60):
        assert uninstall(bench.app(), everything=True).exit_code == 7
    assert Path(bench.folder / "store.db").exists()


@pytest.mark.parametrize("content", [b"notes of mine", b"SQLite format 3\0" + bytes(100), b""])
def test_a_file_that_is_no_store_of_ours_is_not_deleted(bench: Bench, content: bytes) -> None:
    path = bench.folder / "notes.txt"
    path.write_bytes(content)
    uninstall(bench.app(store=str(path)), everything=True)
    assert path.read_bytes() == content


def test_neither_inventory_nor_a_healthy_store_is_needed_for_everything(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    (bench.folder / "inventory.yaml").unlink()
    (bench.folder / "store.db").write_bytes((bench.folder / "store.db").read_bytes()[:200])
    bench.world.engine("localhost", "process").refuse("leftovers", UnreachableError("no disk"), times=None)
    app = bench.app(inventory=None)
    with pytest.raises(NoInventoryError):
        app.leftovers()
    assert uninstall(app, everything=True).exit_code == 0
    assert bench.world.engine().instances == {}
    assert [event.message for event in bench.world.ears.of(EventType.WARNING)] == [
        "process on localhost was not asked: no disk"
    ]
    assert app.leftovers(everything=True).unknown == ("localhost",)
    assert list(bench.folder.glob("store.db*")) == []
    assert bench.world.engine("far").instances != {}
