"""Pure decisions: devices, differences, causes, selections, states."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.core.actions import describe
from llmstack.core.device import by_log, by_processes, by_server, verdict
from llmstack.core.diff import changes, defaults_changed
from llmstack.core.logview import LogView, last_line
from llmstack.core.look import state_of
from llmstack.core.patience import Patience
from llmstack.core.why import explain
from llmstack.domain import codec
from llmstack.domain.gpu import Gpu
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance, InstanceSpec, Mount, State
from llmstack.domain.plan import FieldChange
from llmstack.domain.resources import Resources
from llmstack.domain.secret import Secret
from llmstack.domain.server import Life, Liveness, ServedModel
from llmstack.errors import UnreachableError
from llmstack.testing import FakeClock, FakeEngine

SPEC = InstanceSpec(stack="lab", service="demo", host="localhost", type="t", engine="docker", port=8080, image="i:1")
THERE = Instance(id="1", container_name="c", service="demo", host="localhost", engine="docker", state=State.CRASHED)


LOST = Gpu(1, None, None, process_bytes=None, trouble="the GPU is lost")


def gpu(processes: dict[int, int | None] | None) -> Gpu:
    return Gpu(0, "GPU-1", "RTX", process_bytes=processes)


@pytest.mark.parametrize(
    ("gpus", "pids", "device"),
    [
        (None, (1,), "unknown"),
        ((gpu(None),), (1,), "unknown"),
        ((), None, "cpu"),
        ((gpu({}),), None, "unknown"),
        ((gpu({}),), (1,), "cpu"),
        ((gpu({}), gpu({1: None})), (7, 1), "gpu"),
        ((gpu({}), LOST), (1,), "gpu-lost"),
        ((gpu({1: 5}), LOST), (1,), "gpu"),
    ],
)
def test_the_driver_tells_whether_a_process_is_on_a_gpu(
    gpus: tuple[Gpu, ...] | None, pids: tuple[int, ...] | None, device: str
) -> None:
    assert by_processes(gpus, pids) == device


@pytest.mark.parametrize(
    ("lines", "device"),
    [
        ([], "unknown"),
        (["load_tensors: offloaded 33/33 layers to GPU"], "gpu"),
        (
            ["load_tensors: offloaded 33/33 layers to GPU", "load_tensors: offloaded 20/33 layers to GPU"],
            "partial 61 %",
        ),
        (["load_tensors: offloaded 0/33 layers to GPU"], "cpu"),
    ],
)
def test_the_log_tells_how_many_layers_are_on_the_gpu(lines: list[str], device: str) -> None:
    assert by_log(lines) == device


def test_a_lost_gpu_is_as_bad_as_none() -> None:
    assert verdict("gpu-lost", gpu_wanted=True) == (False, "gpu-lost")
    assert verdict("gpu-lost", gpu_wanted=False) == (None, "unknown")


@pytest.mark.parametrize(
    "model", [None, ServedModel(name="m"), ServedModel(name="m", vram_bytes=0), ServedModel(name="m", memory_bytes=9)]
)
def test_a_server_without_figures_tells_nothing(model: ServedModel | None) -> None:
    assert by_server(model) == "unknown"
    assert verdict("unknown", gpu_wanted=True) == (None, "unknown")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        (Host("localhost"), True),
        (Host("gpu01"), False),
        (Host("gpu01", vars={"ansible_connection": "local"}), True),
        (Host("localhost", docker_host="unix:///run/docker.sock"), True),
        (Host("localhost", docker_host="ssh://gpu01"), False),
    ],
)
def test_a_host_is_this_machine_by_name_and_by_its_engine(host: Host, *, local: bool) -> None:
    assert host.local is local


def test_a_label_that_came_back_is_no_difference() -> None:
    wanted = replace(SPEC, wish={"args": ["a"]}, secrets={"KEY": Secret("env:KEY", lambda: "x")})
    assert changes(wanted, codec.loads(codec.dumps(wanted))) == ()


def test_a_secret_that_went_away_is_a_difference() -> None:
    there = codec.loads(codec.dumps(replace(SPEC, secrets={"KEY": Secret("env:KEY", lambda: "x")})))
    (change,) = changes(SPEC, there)
    assert (change.field, change.before, change.after) == ("env.KEY", "(secret)", "")


def test_a_launch_that_changed_by_itself_is_outdated_but_no_difference() -> None:
    assert defaults_changed(replace(SPEC, image="i:2"), SPEC) == (FieldChange("image", "i:1", "i:2"),)
    assert changes(replace(SPEC, image="i:2"), SPEC) == ()
    assert defaults_changed(SPEC, SPEC) == ()


def test_what_newer_defaults_launch_is_told_as_a_person_would_write_it() -> None:
    mount = Mount(source="data", target="/data", read_only=True, volume=True)
    new = replace(SPEC, command=("a", "b"), env={"B": "2"}, mounts=(mount,), resources=Resources(cpus=2.0))
    told = {change.field: change.after for change in defaults_changed(new, SPEC)}
    assert told == {"command": "a b", "env": "B=2", "mounts": "data:/data:ro", "resources": "cpus=2.0"}


def test_a_wish_that_changes_nothing_in_force_is_no_difference() -> None:
    assert changes(replace(SPEC, wish={"image": "i:1"}), SPEC) == ()


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (replace(THERE, state=State.STARTING, running=True), "running"),
        (replace(THERE, state=State.STARTING, running=True, restarts=1, exit_code=1), "running, 1 restart"),
        (replace(THERE, exit_code=0), "crashed, exit 0"),
        (replace(THERE, exit_code=137, out_of_memory=True, restarts=3), "crashed, exit 137, out of memory, 3 restarts"),
        (replace(THERE, state=State.STOPPED), "stopped"),
    ],
)
def test_an_instance_is_described_in_few_words(there: Instance, words: str) -> None:
    assert describe(there) == words


@pytest.mark.parametrize(
    ("exit_code", "meaning"),
    [
        (132, "The program used a CPU instruction that this machine lacks."),
        (127, "The program is not there."),
        (126, "The program may not be run."),
        (137, "It was killed from outside (SIGKILL), not by itself."),
        (-9, "It was killed from outside (SIGKILL), not by itself."),
        (1, None),
        (None, None),
    ],
)
def test_an_exit_code_means_something_where_the_log_is_silent(exit_code: int | None, meaning: str | None) -> None:
    why = explain(replace(THERE, exit_code=exit_code), ["all is well"], (), "it ended")
    assert (why.summary, why.meaning, why.exit_code) == ("it ended", meaning, exit_code)


def test_without_an_instance_the_log_alone_speaks() -> None:
    why = explain(None, ["x", "permission denied: /data"], (), "?", first=11)
    assert (why.summary, why.log_line, why.restarts) == ("permission denied: /data", 12, None)


def test_a_line_that_only_sounds_like_an_error_is_told_without_a_meaning() -> None:
    why = explain(replace(THERE, exit_code=1), ["fine", "Fatal: flux capacitor", "error: later"], (), "?")
    assert (why.summary, why.meaning, why.do, why.log_line) == ("Fatal: flux capacitor", None, None, 2)


@pytest.mark.parametrize(
    ("life", "age_s", "external", "state"),
    [
        (Life.READY, None, False, State.READY),
        (Life.LOADING, 9999, False, State.LOADING),
        (Life.FAILING, 1, False, State.DEGRADED),
        (Life.SILENT, 1, False, State.STARTING),
        (Life.SILENT, None, False, State.STARTING),
        (Life.SILENT, 61, False, State.DEGRADED),
        (Life.SILENT, 1, True, State.UNREACHABLE),
    ],
)
def test_silence_is_a_start_at_first_and_a_fault_later(
    life: Life, age_s: float | None, state: State, *, external: bool
) -> None:
    assert state_of(Liveness(life), age_s, 60.0, external=external) is state


def log(*lines: str) -> FakeEngine:
    engine = FakeEngine()
    engine.create(SPEC)
    engine.say(SPEC.name, *lines)
    return engine


def test_a_log_is_read_from_its_mark_on_with_its_own_line_numbers() -> None:
    engine, view = log("a", "b"), LogView()
    assert view.tail(engine, SPEC.name) == (1, ["a", "b"])
    view.skip(engine, SPEC.name)
    assert view.tail(engine, SPEC.name) == (3, [])
    engine.say(SPEC.name, "c")
    assert view.tail(engine, SPEC.name) == (3, ["c"])


def test_only_the_end_of_a_long_log_is_kept() -> None:
    engine, view = log(*map(str, range(1000))), LogView()
    first, lines = view.tail(engine, SPEC.name)
    assert (first, len(lines), lines[-1]) == (601, 400, "999")


def test_a_log_that_was_rotated_is_read_whole() -> None:
    engine, view = log("a", "b", "c"), LogView()
    view.skip(engine, SPEC.name)
    engine.remove(SPEC.name)
    engine.create(SPEC)
    engine.say(SPEC.name, "new")
    assert view.tail(engine, SPEC.name) == (1, ["new"])


def test_a_log_that_cannot_be_read_is_empty() -> None:
    engine, view = log("a"), LogView()
    engine.refuse("logs", UnreachableError("no route"), times=2)
    assert view.tail(engine, SPEC.name) == (1, [])
    assert last_line(engine, SPEC.name) == ""
    assert last_line(engine, SPEC.name) == "a"


def test_patience_ends_without_progress_and_lasts_with_it() -> None:
    clock = FakeClock()
    patience = Patience(clock, 10.0)
    marks = iter(range(1000))
    for _ in range(20):
        clock.advance(3)
        assert patience.spent_s(lambda: next(marks)) is None
    clock.advance(10.5)
    assert patience.spent_s(lambda: 19) == 70.5


def test_patience_asks_for_progress_once_a_second_at_most() -> None:
    clock, asked = FakeClock(), []
    patience = Patience(clock, 10.0)
    for _ in range(100):
        clock.advance(0.1)
        patience.spent_s(lambda: asked.append(1))  # type: ignore[func-returns-value]
    assert len(asked) >= 10


def test_patience_is_finite_whatever_the_progress() -> None:
    clock, marks = FakeClock(), iter(range(10_000))
    patience, spent = Patience(clock, 1.0), None
    while spent is None:
        clock.advance(0.9)
        spent = patience.spent_s(lambda: next(marks))
    assert 10 < spent < 12
