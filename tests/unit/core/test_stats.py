"""What runs uses, on all hosts at once."""

from __future__ import annotations

from llmstack.core.select import Picked
from llmstack.core.stats import stats_report, with_usage
from llmstack.domain.instance import State
from llmstack.domain.report import StatusReport, StatusRow
from llmstack.domain.usage import StatsReport, StatsRow, Usage
from llmstack.errors import UnreachableError
from tests.unit.core.world import World


def test_each_running_instance_has_a_row_in_the_order_of_the_inventory() -> None:
    world = World()
    wanted = [world.want("a", host="h1"), world.want("b", host="h2"), world.want("c", host="h1", port=8081)]
    for item in wanted:
        world.run(item)
    world.engine("h2").measured["llmstack-lab-b"] = Usage(cpu_percent=7.0)
    report = stats_report([Picked(item) for item in wanted], world.context())
    assert [str(row.target) for row in report.rows] == ["a@h1", "b@h2", "c@h1"]
    assert report.rows[1].usage.cpu_percent == 7.0
    assert report.rows[0].models == ("a",)
    assert world.engine("h1").calls == [("usages", "llmstack-lab-a llmstack-lab-c")]


def test_a_model_that_waits_and_a_companion_without_a_gpu_hold_nothing_of_one() -> None:
    def gpu(model: str | None, device: str | None, held: int) -> int | None:
        row = StatusRow(
            model=model, service="a", host="h", state=State.READY, engine="docker", device=device, container_name="c"
        )
        used = StatsRow(service="a", host="h", engine="docker", container_name="c", usage=Usage(gpu_memory_bytes=held))
        (found,) = with_usage(StatusReport(rows=(row,)), StatsReport(rows=(used,))).rows
        return found.gpu_memory_bytes

    assert [gpu("m", "gpu", 5), gpu("m", "cpu!", 0), gpu("m", "on demand", 5)] == [5, 0, None]
    assert [gpu(None, None, 5), gpu(None, None, 0)] == [5, None]


def test_what_does_not_run_has_no_row_and_what_others_run_is_not_asked_for() -> None:
    world = World()
    wanted = [world.want("a"), world.want("far", url="http://gpu09:1")]
    world.engine().create(world.spec(wanted[0].placement, "docker", None))
    report = stats_report([Picked(item) for item in wanted], world.context())
    assert (report.rows, report.errors) == ((), ())


def test_a_host_that_does_not_answer_takes_nothing_from_the_others() -> None:
    world = World()
    wanted = [world.want("a", host="h1"), world.want("b", host="h2")]
    for item in wanted:
        world.run(item)
    world.engine("h1").refuse("usages", UnreachableError("h1: no route"))
    report = stats_report([Picked(item) for item in wanted], world.context())
    assert [row.service for row in report.rows] == ["b"]
    assert [error.message for error in report.errors] == ["h1: no route"]
