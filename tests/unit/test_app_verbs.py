"""Verbs beside up and down, end to end in memory: what is restarted, updated, deleted and adopted, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.domain.event import EventType
from llmstack.domain.instance import Instance, State
from llmstack.domain.report import Fate
from llmstack.domain.selection import AS_USUAL, RunOptions, Selection
from llmstack.domain.server import ServedModel
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import NoMatchError, UnreachableError
from tests.unit.core.stack import ALL, Bench, recap
from tests.unit.core.world import LOADING, READY, refuse, statuses

TWO_HOSTS = """
llmstack: 1
stack: lab
all: {hosts: {"gpu[1:3]": {docker_host: "tcp://${inventory_hostname}:2375"}}}
services: {box: {type: page, port: 3000, hosts: all}}
"""
ADOPTING = """
llmstack: 1
stack: lab
services: {ollama: {type: lazy, adopt: {container: my-ollama}}}
models: {llama3: {service: ollama}}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for app in bench.apps:
        app.close()


def test_restart_stops_and_starts_and_proves(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.forget()
    result = bench.app().restart(Selection(models=("demo",)))
    assert (recap(result), result.exit_code) == ({"changed": 1}, 0)
    assert [verb for verb, _ in bench.world.engine().writes] == ["lock", "stop", "start"]
    assert result.outcomes[0].ladder is not None
    assert result.outcomes[0].ladder.ok


def test_restart_of_a_model_frees_it_and_loads_it(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.world.server(11434).calls.clear()
    assert bench.app().restart(Selection(models=("llama3",))).exit_code == 0
    done = [call for call in bench.world.server(11434).calls if call.startswith(("unload", "load", "chat"))]
    assert done == ["unload llama3", "load llama3", "chat llama3"]
    assert bench.world.server(11434).models["llama3"].loaded


DEMO = Selection(models=("demo",))
FIRST, SECOND = "image@sha256:aaaa", "image@sha256:bbbb"


def image_of_demo(bench: Bench) -> str | None:
    return bench.world.engine().instances["llmstack-lab-demo"].image_id


def test_update_takes_a_newer_image_and_rollback_the_one_before(bench: Bench) -> None:
    engine = bench.world.engine()
    engine.tags["image:1"] = FIRST
    bench.app().up(DEMO)
    assert bench.app().rollback(DEMO).exit_code == 9
    engine.registry["image:1"] = SECOND
    assert recap(bench.app().up(DEMO)) == {"ok": 1}
    assert image_of_demo(bench) == FIRST
    assert bench.app().update(DEMO).outcomes[0].reason == "a newer image"
    assert image_of_demo(bench) == SECOND
    (outcome,) = bench.app().rollback(DEMO).outcomes
    assert (outcome.exit_code, outcome.reason) == (
        0,
        "back to the image that was proved ready before; known are bbbb, aaaa",
    )
    assert image_of_demo(bench) == FIRST
    assert recap(bench.app().up(DEMO)) == {"ok": 1}
    bench.app().down(DEMO)
    bench.app().up(DEMO)
    assert image_of_demo(bench) == FIRST
    (outcome,) = bench.app().rollback(DEMO).outcomes
    assert (outcome.exit_code, image_of_demo(bench)) == (9, FIRST)


def test_rollback_twice_goes_back_twice(bench: Bench) -> None:
    engine = bench.world.engine()
    engine.tags["image:1"] = FIRST
    bench.app().up(DEMO)
    for newer in (SECOND, "image@sha256:cccc"):
        engine.registry["image:1"] = newer
        bench.app().update(DEMO)
    for before in (SECOND, FIRST):
        assert bench.app().rollback(DEMO).exit_code == 0
        assert image_of_demo(bench) == before
    (outcome,) = bench.app().rollback(DEMO).outcomes
    assert outcome.reason.endswith(
        "no older image that it was proved ready with is remembered; known: cccc, bbbb, aaaa"
    )


def test_a_process_has_no_image_to_go_back_to_and_is_not_told_to_set_one(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nmodels: {demo: {type: loader, engine: process, port: 8080}}\n")
    bench.app().up(ALL)
    (outcome,) = bench.app().rollback(DEMO).outcomes
    assert outcome.error is not None
    assert outcome.exit_code == 9
    assert outcome.error.hint == "change models.demo back in the inventory, then `llmstack up`"


def test_an_image_that_does_not_get_ready_is_rolled_back_and_no_version_to_go_back_to(bench: Bench) -> None:
    engine = bench.world.engine()
    engine.tags["image:1"], engine.registry["image:1"] = FIRST, SECOND
    bench.app().up(DEMO)
    bench.world.servers["http://127.0.0.1:8080"].lives = [LOADING] * 3000 + [READY]
    assert bench.app().update(DEMO).exit_code == 6
    assert image_of_demo(bench) == FIRST
    assert bench.app().status(DEMO).rows[0].device == "cpu"
    (outcome,) = bench.app().rollback(DEMO).outcomes
    assert outcome.reason == "demo@localhost: no older image that it was proved ready with is remembered; known: aaaa"


LLAMA3 = Selection(models=("llama3",))


def digests(bench: Bench) -> dict[str, str | None]:
    return {name: model.digest for name, model in bench.world.server(11434).models.items()}


def test_update_takes_a_newer_model_and_rollback_the_one_before(bench: Bench) -> None:
    server = bench.world.server(11434)
    server.registry["llama3"] = "aaaa"
    bench.app().up(LLAMA3)
    assert bench.app().rollback(LLAMA3).exit_code == 9
    assert recap(bench.app().update(LLAMA3)) == {"ok": 2}
    server.registry["llama3"] = "bbbb"
    assert recap(bench.app().up(LLAMA3)) == {"ok": 2}
    assert bench.app().update(LLAMA3).outcomes[-1].reason == "a newer version"
    assert digests(bench) == {"llama3": "bbbb", "llama3:latest.prev": "aaaa"}
    assert "not in the inventory" not in bench.app().up(LLAMA3).outcomes[0].reason
    (outcome,) = bench.app().rollback(LLAMA3).outcomes
    assert (outcome.exit_code, outcome.reason) == (0, "back to the version before its update")
    assert digests(bench) == {"llama3": "aaaa"}
    known = bench.app().store.versions(Target("llama3", "localhost", TargetKind.MODEL))
    assert [version.digest for version in known] == ["aaaa", "bbbb"]


@pytest.mark.parametrize("what", ["pull", "chat"])
def test_a_newer_model_that_fails_leaves_the_one_before(bench: Bench, what: str) -> None:
    server = bench.world.server(11434)
    server.registry["llama3"] = "aaaa"
    bench.app().up(LLAMA3)
    server.registry["llama3"] = "bbbb"
    server.errors[what] = refuse("server", "no")
    outcome = bench.app().update(LLAMA3).outcomes[-1]
    assert outcome.error is not None
    assert outcome.reason.endswith("; the version before is back")
    assert outcome.error.data["rolled_back"] is True
    assert digests(bench) == {"llama3": "aaaa"}


def test_rm_deletes_from_the_server_and_the_next_up_fetches_again(bench: Bench) -> None:
    bench.app().up(ALL)
    result = bench.app().rm(Selection(models=("llama3",)))
    assert statuses(result.outcomes) == {"llama3@localhost": "changed"}
    assert bench.world.server(11434).models == {}
    assert bench.world.engine().instances["llmstack-lab-ollama"].running
    assert statuses(bench.app().up(ALL).outcomes)["llama3@localhost"] == "changed"


def test_update_replaces_what_up_keeps_when_a_default_changed(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.world.engine().instances["llmstack-lab-page"] = _older(bench.world.engine().instances["llmstack-lab-page"])
    assert recap(bench.app().up(ALL)) == {"ok": 4}
    assert statuses(bench.app().update(ALL).outcomes)["page@localhost"] == "changed"
    assert recap(bench.app().update(ALL)) == {"ok": 4}


def _older(there: Instance) -> Instance:
    assert there.spec is not None
    return replace(there, spec=replace(there.spec, command=("--as-last-year",)))


def test_an_adopted_container_is_used_started_and_stopped_but_stays(bench: Bench) -> None:
    bench.write(ADOPTING)
    engine = bench.world.engine()
    engine.add(
        Instance(
            id="x", container_name="my-ollama", service="my-ollama", host="localhost", engine="docker",
            state=State.STOPPED, port=11434,
        )
    )  # fmt: skip
    assert statuses(bench.app().up(ALL).outcomes) == {"ollama@localhost": "changed", "llama3@localhost": "changed"}
    assert recap(bench.app().up(ALL)) == {"ok": 2}
    assert [row.container_name for row in bench.app().store.active_models()] == ["my-ollama"]
    assert [row.state for row in bench.app().status(ALL).rows] == [State.READY]
    assert bench.app().sync().differences == ()
    assert recap(bench.app().down(ALL)) == {"changed": 1}
    assert not engine.instances["my-ollama"].running
    assert {verb for verb, _ in engine.writes} == {"lock", "start", "stop"}


def test_what_is_to_be_adopted_and_is_not_there_is_refused(bench: Bench) -> None:
    bench.write(ADOPTING)
    result = bench.app().up(ALL)
    assert result.exit_code == 9
    assert bench.world.engine().instances == {}


def test_a_pattern_picks_hosts(bench: Bench) -> None:
    bench.write(TWO_HOSTS)
    result = bench.app().up(Selection(hosts=("gpu*:!gpu2",)))
    assert statuses(result.outcomes) == {"box@gpu1": "changed", "box@gpu3": "changed"}
    with pytest.raises(NoMatchError, match="gpuu"):
        bench.app().up(Selection(hosts=("gpuu",)))


def test_orphans_of_other_hosts_stay_when_hosts_are_named(bench: Bench) -> None:
    bench.write(TWO_HOSTS)
    bench.app().up(ALL)
    bench.write(TWO_HOSTS.replace("box", "other"))
    result = bench.app().down(Selection(hosts=("gpu1",)), RunOptions(orphans=True))
    assert statuses(result.outcomes) == {"other@gpu1": "ok", "box@gpu1": "changed"}
    assert list(bench.world.engine("gpu2").instances) == ["llmstack-lab-box"]


def test_up_takes_orphans_along_when_asked(bench: Bench) -> None:
    bench.write(TWO_HOSTS)
    bench.app().up(ALL)
    bench.write(TWO_HOSTS.replace("box", "other"))
    assert len(bench.app().up(ALL, RunOptions(orphans=True)).outcomes) == 6
    assert {name for host in ("gpu1", "gpu2", "gpu3") for name in bench.world.engine(host).instances} == {
        "llmstack-lab-other"
    }


def test_what_the_inventory_does_not_have_any_more_is_told_once_beside_the_port_that_it_holds(bench: Bench) -> None:
    bench.write(TWO_HOSTS)
    bench.app().up(ALL)
    bench.write(TWO_HOSTS.replace("box", "other"))
    result = bench.app().up(ALL)
    lost = [f"box@gpu{n} is not in the inventory: llmstack up --orphans removes it" for n in (1, 2, 3)]
    assert [event.message for event in bench.world.ears.of(EventType.WARNING)] == lost
    assert [outcome.error and outcome.error.hint for outcome in result.outcomes] == lost


def test_what_stays_on_the_host_that_a_service_left_is_told_until_it_is_gone(bench: Bench) -> None:
    """Nothing is wanted there any more, so that no plain `up` looks there."""
    hosts = "llmstack: 1\nstack: lab\nall: {hosts: {localhost: {}, far: {}, off: {}}}\n"
    text = (
        hosts
        + "services: {box: {type: page, hosts: %s}, ext: {type: lazy, url: 'http://127.0.0.1:11434', hosts: %s}}\n"
    )
    bench.write(text % ("far", "far"))
    bench.app().up(ALL)
    bench.write(text % ("localhost", "localhost"))
    told = "box@far was left there, and is not in the inventory: llmstack up --orphans removes it"

    def warned(options: RunOptions = AS_USUAL) -> list[str]:
        bench.world.ears.heard.clear()
        bench.app().up(ALL, options)
        return [event.message for event in bench.world.ears.of(EventType.WARNING)]

    assert [warned(), warned(RunOptions(check=True))] == [[told], [told]]
    bench.world.engine("far").refuse("observe", UnreachableError("no route"))
    warned(RunOptions(orphans=True))
    assert warned() == [told]
    warned(RunOptions(orphans=True))
    assert bench.world.engine("far").instances == {}
    assert warned() == []


def test_what_somebody_else_took_away_from_such_a_host_is_told_no_more_after_orphans(bench: Bench) -> None:
    bench.write(TWO_HOSTS)
    bench.app().up(ALL)
    bench.write(TWO_HOSTS.replace("hosts: all", "hosts: gpu1"))
    bench.world.engine("gpu2").instances.clear()
    bench.app().up(ALL, RunOptions(check=True, orphans=True))
    lost = [f"box@gpu{n} was left there, and is not in the inventory: llmstack up --orphans removes it" for n in (2, 3)]
    bench.app().up(ALL)
    assert [event.message for event in bench.world.ears.of(EventType.WARNING)] == lost
    bench.app().up(ALL, RunOptions(orphans=True))
    bench.world.ears.heard.clear()
    bench.app().up(ALL)
    assert bench.world.ears.of(EventType.WARNING) == []


def test_a_server_answers_to_the_end_before_it_is_stopped(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.world.server(8080).busy = [2, 2, 1, 0]  # the plan's price asks too
    began = bench.world.clock.monotonic()
    assert bench.app().restart(Selection(models=("demo",))).exit_code == 0
    assert 0.5 <= bench.world.clock.monotonic() - began < 5


def test_requests_that_never_end_are_cut_off_in_the_end_and_that_is_told(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.world.server(8080).busy = [1]
    began = bench.world.clock.monotonic()
    assert bench.app().restart(Selection(models=("demo",))).exit_code == 0
    assert 30 <= bench.world.clock.monotonic() - began < 35
    assert "demo@localhost still answers 1 request; they are cut off" in [
        event.message for event in bench.world.ears.heard
    ]


def test_served_models_that_nobody_wants_are_told(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.world.server(11434).models["phi3"] = ServedModel(name="phi3")
    reasons = {str(outcome.target): outcome.reason for outcome in bench.app().up(ALL).outcomes}
    assert reasons["ollama@localhost"] == "as wanted; also holds phi3, not in the inventory"


def test_the_gpus_of_other_machines_are_told_to_be_unknown(bench: Bench) -> None:
    bench.write(TWO_HOSTS)
    assert bench.app().gpus_now() == ()
    (warned,) = bench.world.ears.of(EventType.WARNING)
    assert warned.message.endswith("unknown are those of gpu1, gpu2, gpu3")


def test_rm_of_one_model_leaves_the_others_of_its_server_active_in_the_store(bench: Bench) -> None:
    bench.write(
        """
        llmstack: 1
        stack: lab
        services: {ollama: {type: lazy, port: 11434}}
        models: {llama3: {service: ollama}, qwen: {service: ollama}}
        """
    )
    bench.app().up(ALL)
    assert bench.app().rm(LLAMA3).exit_code == 0
    assert {row.name: row.status for row in bench.app().store.models()} == {"llama3": "inactive", "qwen": "active"}


def test_what_is_not_there_tells_why_its_last_start_failed_or_by_which_run_it_was_taken_down(bench: Bench) -> None:
    page, engine = Selection(services=("page",)), bench.world.engine()

    def told() -> tuple[State, Fate | None, str]:
        (row,) = bench.app().status(page).rows
        return row.state, row.reason, row.detail

    assert told() == (State.ABSENT, None, "")
    engine.occupied[3000] = "nginx"
    assert bench.app().up(page).exit_code
    failed = told()
    assert failed[:2] == (State.ABSENT, Fate.FAILED)
    assert failed[2].startswith("its last up failed: port 3000")
    assert "nginx" in failed[2]
    bench.app().health(page)
    assert told() == failed
    engine.occupied.clear()
    bench.app().up(page)
    bench.app(task="down").down(page)
    assert told()[1] is Fate.STOPPED
    why = bench.app().why(page).inquiries[0].ladder.why  # type: ignore[union-attr]
    assert why is not None
    assert why.summary.startswith("taken down on purpose, by run 4 (down) of ")
    assert why.do == "llmstack up --service page"
    engine.occupied[3000] = "nginx"
    bench.app().up(page)
    assert told() == failed
