"""One page on why a target is as it is, and the change that helps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from llmstack.core.desired import Wanted
from llmstack.core.remedy import remedy
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.footprint import Footprint
from llmstack.domain.inquiry import Inquest, Inquiry, Remedy
from llmstack.domain.instance import State
from llmstack.domain.ladder import Rung
from llmstack.domain.resources import Resources
from llmstack.errors import ConfigError, FetchError, PreflightError
from llmstack.inventory.fixes import fix
from llmstack.modeltype import Launch
from llmstack.modeltype.source import gguf_weights
from llmstack.ui.why import why_lines
from tests.gguf_files import gguf
from tests.unit.core.stack import ALL, Bench
from tests.unit.core.world import World

TEXT = """
llmstack: 1
stack: lab
models:
  demo:
    type: loader
    port: 8000
    resources: {memory: 100MiB}
"""


@dataclass(frozen=True)
class Context:
    ctx_size: int = 4096


MEMORY = Remedy(entry="demo", key="resources.memory", value="256MiB")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.write(TEXT)
    return made


def asked(bench: Bench) -> Inquiry:
    app = bench.app()
    try:
        (found,) = app.why(ALL).inquiries
    finally:
        app.close()
    return found


def change(wanted: Wanted, key: str, **told: Any) -> tuple[str, Any] | None:
    found = remedy(wanted, key, (), {}, **told)
    return (found.key, found.value) if found else None


def up(bench: Bench) -> None:
    app = bench.app()
    app.up(ALL)
    app.close()


def test_what_is_well_is_said_to_be(bench: Bench) -> None:
    up(bench)
    found = asked(bench)
    assert (found.ok, found.remedy, found.row.state) == (True, None, State.READY)
    assert found.ladder is not None
    assert found.ladder.find(Rung.ANSWERED)


def test_the_first_error_stands_in_its_place_with_the_line_to_change(bench: Bench) -> None:
    log = ("one", "two", "error: invalid argument: --nosuch", "four", "five", "six", "seven")
    bench.world.engine().script("demo", *log, exit_code=1)
    up(bench)
    found = asked(bench)
    assert found.ladder is not None
    assert found.ladder.why is not None
    assert found.ladder.why.meaning == "The server does not accept one of its arguments."
    assert found.excerpt == tuple(enumerate(log[:6], 1))
    assert found.remedy is not None
    assert (found.remedy.key, found.remedy.written, found.remedy.value) == ("args", False, None)
    assert str(found.remedy.at).endswith("inventory.yaml:5:3")
    assert found.as_json()["remedy"] == {
        "key": "demo.args", "value": None, "written": False, "file": str(found.remedy.at).split(":")[0], "line": 5,
        "column": 3,
    }  # fmt: skip


def test_out_of_memory_has_a_limit_to_set_and_the_place_of_the_one_that_is(bench: Bench) -> None:
    bench.world.engine().script("demo", exit_code=137, out_of_memory=True)
    app = bench.app()
    (error,) = app.up(ALL).errors
    app.close()
    do = "raise resources.memory to 256MiB (llmstack why --model demo --fix), or use a smaller context or model"
    assert (error.exit_code, error.hint) == (6, do)
    remedy = asked(bench).remedy
    assert remedy is not None
    assert (remedy.entry, remedy.key, remedy.value, remedy.written) == ("demo", "resources.memory", "256MiB", True)
    assert str(remedy.at).endswith("inventory.yaml:8:25")


def test_a_limit_that_was_decided_is_raised_from_what_it_was(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Footprint(weights_bytes=256 << 20, kv_bytes=0, context=8)
    monkeypatch.setattr(type(bench.world.types["loader"]), "footprint", lambda *_: small)
    bench.write(TEXT.replace("100MiB", "auto"))
    bench.world.engine().script("demo", exit_code=137, out_of_memory=True)
    up(bench)
    remedy = asked(bench).remedy
    assert remedy is not None
    assert (remedy.key, remedy.value, remedy.written) == ("resources.memory", "2560MiB", True)


def test_a_huge_context_without_a_limit_is_to_be_made_smaller_and_nothing_contradicts_that(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(gguf(4096, context=8192))
    monkeypatch.setattr(type(bench.world.types["loader"]), "Options", Context)
    monkeypatch.setattr(
        type(bench.world.types["loader"]),
        "launch",
        lambda *_: Launch(image="image:1", weights=gguf_weights(f"file:{file}", str(tmp_path))),
    )
    bench.write(TEXT.replace("resources: {memory: 100MiB}", "options: {ctx_size: 2000000}"))
    bench.world.engine().script("demo", "terminate called: 'std::bad_alloc'", exit_code=1)
    up(bench)
    found = asked(bench)
    assert found.remedy is not None
    assert (found.remedy.key, found.remedy.value) == ("options.ctx_size", 8192)
    told = "".join(text.plain for text in why_lines(Inquest(inquiries=(found,)), 80))
    assert "exit code 1" in told
    assert "not out of memory" not in told
    assert "raise `memory:`" not in told
    assert "use a smaller context" in told


def test_what_keeps_it_from_starting_now_goes_before_what_once_did(bench: Bench) -> None:
    bench.world.engine().script("demo", "error: invalid argument: --nosuch", exit_code=1)
    up(bench)
    bench.world.engine().instances.clear()
    bench.world.engine().occupied[8000] = "nginx"
    found = asked(bench)
    assert found.error is not None
    assert "nginx" in found.error.message
    assert found.remedy is not None
    assert (found.remedy.key, found.remedy.value, found.ladder) == ("port", "auto", None)


def test_what_is_gone_has_the_climb_that_is_remembered(bench: Bench) -> None:
    bench.world.engine().script("demo", "error: invalid argument: --nosuch", exit_code=1)
    up(bench)
    bench.world.engine().instances.clear()
    found = asked(bench)
    assert found.climbed_at is not None
    assert found.ladder is not None
    assert found.ladder.why is not None
    assert found.ladder.why.meaning == "The server does not accept one of its arguments."
    assert found.excerpt == ()


def test_a_model_file_that_is_not_there_has_its_place(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def launch(*_: object) -> None:
        raise PreflightError("model file a.gguf is not there", "correct `source:`", path="a.gguf")

    monkeypatch.setattr(type(bench.world.types["loader"]), "launch", launch)
    bench.write(f"{TEXT}    source: file:a.gguf\n")
    remedy = asked(bench).remedy
    assert remedy is not None
    assert (remedy.key, str(remedy.at).endswith("inventory.yaml:9:13")) == ("source", True)


def test_what_is_off_is_said_to_be_with_the_line_that_says_so(bench: Bench) -> None:
    bench.write(f"{TEXT}    enabled: false\n")
    found = asked(bench)
    assert (found.ok, found.row.enabled, found.ladder) == (True, False, None)
    assert found.remedy is not None
    assert (found.remedy.key, found.remedy.value) == ("enabled", None)
    assert str(found.remedy.at).endswith("inventory.yaml:9:14")
    told = "".join(text.plain for text in why_lines(Inquest(inquiries=(found,)), 80))
    assert "it is off" in told
    assert "nothing is wrong" not in told


def test_what_is_wrong_on_one_host_is_mended_in_one_file(bench: Bench) -> None:
    bench.write(f"{TEXT}  other: {{type: loader, port: 8001, resources: {{memory: 100MiB}}}}\n")
    for name in ("demo", "other"):
        bench.world.engine().script(name, exit_code=137, out_of_memory=True)
    up(bench)
    app = bench.app()
    ((path, _, new),) = app.fix(app.why(ALL))
    app.close()
    assert path == bench.folder / "host_vars" / "localhost" / "llmstack-fixes.yaml"
    limit = {"resources": {"memory": "256MiB"}}
    assert yaml.safe_load(new) == {"overrides": {"demo": limit, "other": limit}}


def test_what_was_never_made_says_what_its_last_start_failed_of(bench: Bench) -> None:
    bench.world.engine().refuse("create", FetchError("no such image", "bring it"))
    up(bench)
    app = bench.app()
    app.health(ALL)
    app.close()
    found = asked(bench).ladder
    assert found is not None
    assert found.why is not None
    assert (found.why.summary, found.why.do) == ("its last start failed: no such image", "bring it")
    up(bench)
    bench.world.engine().instances.clear()
    assert asked(bench).climbed_at is not None


def test_what_runs_as_before_tells_of_the_replace_that_was_undone(bench: Bench) -> None:
    engine = bench.world.engine()
    up(bench)
    bench.write(TEXT.replace("100MiB", "90MiB"))
    engine.script("demo", exit_code=137, out_of_memory=True)
    up(bench)
    engine.script("demo")
    engine.start("llmstack-lab-demo")
    app = bench.app()
    app.health(ALL)
    found = app.why(ALL).inquiries[0]
    assert found.ladder is not None
    assert found.ladder.why is not None
    assert (found.ok, found.row.state, found.ladder.fallen) == (True, State.READY, Rung.PORT)
    assert (found.ladder.why.exit_code, found.ladder.why.out_of_memory) == (137, True)
    assert "at the limit of its container, 90 MiB. The old one is back" in str(found.ladder.why.meaning)
    assert (found.climbed_at is not None, found.excerpt) == (True, ())
    assert found.remedy is not None
    assert (found.remedy.key, found.remedy.value, found.remedy.written) == ("resources.memory", "256MiB", True)
    bench.write(TEXT.replace("100MiB", "80MiB"))
    assert asked(bench).climbed_at is None


def test_as_json_an_end_is_that_of_the_climb_with_its_stack_and_time(bench: Bench) -> None:
    bench.world.engine().script("demo", exit_code=137, out_of_memory=True)
    up(bench)
    there = bench.world.engine().instances["llmstack-lab-demo"]
    bench.world.engine().add(replace(there, exit_code=143, state=State.STOPPED))
    told: Any = asked(bench).as_json()
    assert (told["stack"], told["exit_code"], told["why"]["exit_code"]) == ("lab", 137, 137)
    assert datetime.fromisoformat(told["climbed_at"]).tzinfo is not None


def test_a_replace_that_the_engine_refused_to_start_is_told_and_where_it_is_wished(bench: Bench) -> None:
    engine = bench.world.engine()
    up(bench)
    bench.write(TEXT.replace("100MiB", "100MiB, gpus: all"))
    engine.refuse("start", PreflightError("could not select device driver", "configure it"))
    up(bench)
    found = asked(bench)
    assert found.ladder is not None
    assert found.ladder.why is not None
    assert found.ladder.why.summary.startswith("its last start failed: could not select device driver; the old one is")
    assert (found.ladder.why.do, found.climbed_at) == ("configure it", None)
    assert found.remedy is not None
    assert (found.remedy.key, found.remedy.written) == ("resources.gpus", True)


def test_what_keeps_the_wish_from_being_is_told_of_what_runs_otherwise(bench: Bench) -> None:
    up(bench)
    bench.write(TEXT.replace("100MiB", "100MiB, gpus: all"))
    bench.world.engine().told = EngineFacts(name="docker", gpu=False)
    gpu = asked(bench)
    assert gpu.error is not None
    assert gpu.remedy is not None
    assert (gpu.error.exit_code, gpu.remedy.key, gpu.remedy.written) == (9, "resources.gpus", True)
    bench.write(TEXT.replace("8000", "8001"))
    bench.world.engine().occupied[8001] = "nginx"
    found = asked(bench)
    assert (found.row.state, found.ladder) == (State.READY, None)
    assert found.error is not None
    assert "nginx" in found.error.message


@pytest.mark.parametrize(
    ("facts", "told", "key"),
    [
        ({"restarts": 1}, "It is well again", None),
        ({"out_of_memory": True}, "killed a process in it at the limit of its container, 100 MiB", "resources.memory"),
    ],
)
def test_what_happened_meanwhile_to_one_that_is_well_is_told(
    bench: Bench, facts: dict[str, Any], told: str, key: str | None
) -> None:
    up(bench)
    there = bench.world.engine().instances["llmstack-lab-demo"]
    bench.world.engine().add(replace(there, started_at=bench.world.clock.now() + 1, **facts))
    found = asked(bench)
    assert found.ok
    assert found.ladder is not None
    assert found.ladder.why is not None
    assert told in str(found.ladder.why.meaning)
    assert (found.remedy.key if found.remedy else None) == key
    assert ("restarted by the engine since" in found.row.detail) == ("restarts" in facts)


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        ({"ctx_size": 4096}, "options.ctx_size", 2048),
        ({"context_length": 8192}, "options.context_length", 4096),
        ({"context_length": None}, "options.context_length", None),
        ({"ctx_size": 512}, "options.ctx_size", None),
        ({}, "args", None),
    ],
)
def test_the_context_is_changed_where_its_type_has_it(options: dict[str, Any], key: str, value: int | None) -> None:
    wanted = replace(World().want(), options=SimpleNamespace(**options))
    assert change(wanted, "options.ctx_size") == (key, value)
    assert change(wanted, "resources.memory") == ((key, value) if options else ("resources.memory", None))


@pytest.mark.parametrize(("size", "value"), [(2_000_000, 8192), (8192, 4096), (512, None)])
def test_a_context_goes_no_further_than_what_the_model_was_trained_for(size: int, value: int | None) -> None:
    wanted = replace(World().want(), options=SimpleNamespace(ctx_size=size))
    assert change(wanted, "options.ctx_size", trained=8192) == ("options.ctx_size", value)


@pytest.mark.parametrize(
    ("args", "key"),
    [
        (("--lora", "/no.gguf"), "args"),
        (("--lora=/no.gguf",), "args"),
        (("--lora", "/other"), "source"),
        ((), "source"),
    ],
)
def test_a_file_that_an_argument_names_is_corrected_there(args: tuple[str, ...], key: str) -> None:
    told = "failed to open GGUF file '/no.gguf' (No such file or directory)"
    assert change(World().want(args=args), "source", told=told) == (key, None)


def test_a_process_has_no_image_to_change() -> None:
    assert change(World().want(), "image") == ("image", None)
    assert change(World().want(engine="process"), "image") is None


@pytest.mark.parametrize(("shm", "value"), [(None, "1GiB"), (64 << 20, "1GiB"), (1 << 30, "2GiB"), (3 << 30, "6GiB")])
def test_shared_memory_is_raised_beyond_what_it_is(shm: int | None, value: str) -> None:
    wanted = World().want()
    assert wanted.spec
    wanted = replace(wanted, spec=replace(wanted.spec, resources=Resources(shm_bytes=shm)))
    assert change(wanted, "resources.shm") == ("resources.shm", value)


def test_a_fix_is_laid_over_what_the_file_holds(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yaml"
    path, old, new = fix(inventory, "a", [MEMORY])
    assert (path, old) == (tmp_path / "host_vars" / "a" / "llmstack-fixes.yaml", "")
    path.parent.mkdir(parents=True)
    path.write_text(new)
    others = [Remedy(entry="demo", key="options.ctx_size", value=2048), Remedy(entry="b", key="port", value="auto")]
    _, old, newer = fix(inventory, "a", others)
    assert old == new
    assert yaml.safe_load(newer) == {
        "overrides": {"demo": {"resources": {"memory": "256MiB"}, "options": {"ctx_size": 2048}}, "b": {"port": "auto"}}
    }


@pytest.mark.parametrize("name", ["a", "a.yml", "a.yaml", "a.json"])
def test_a_file_of_somebody_s_is_left_alone_and_the_text_to_add_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / name).write_text("x: 1\n")
    with pytest.raises(ConfigError) as raised:
        fix(tmp_path / "inventory.yaml", "a", [Remedy(entry="demo", key="port", value="auto")])
    assert raised.value.hint == "add: overrides: {demo: {port: auto}}"


@pytest.mark.parametrize("text", ["[", "- a\n"])
def test_a_file_of_fixes_that_was_changed_beyond_reading_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "host_vars" / "a" / "llmstack-fixes.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ConfigError, match="not as `why --fix` wrote it"):
        fix(tmp_path / "inventory.yaml", "a", [MEMORY])
    assert path.read_text() == text
