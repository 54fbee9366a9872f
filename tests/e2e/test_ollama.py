"""Ollama in a container, several models in it, companions beside it.

It answers like the recorded one; LLMSTACK_TEST_OLLAMA_IMAGE names a real image to be used instead, with the model of
LLMSTACK_TEST_OLLAMA_MODEL, which it pulls from its registry.
"""

from __future__ import annotations

import contextlib
import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.desk import Desk, Ran, free_port, get, listens, post
from tests.rig.host import RigHost, outer

REAL = os.environ.get("LLMSTACK_TEST_OLLAMA_IMAGE")
MODEL = os.environ.get("LLMSTACK_TEST_OLLAMA_MODEL", "smollm2:135m")
pytestmark = [pytest.mark.docker, pytest.mark.timeout(600 if REAL else 120)]
INVENTORY = """\
llmstack: 1
stack: talk
services:
  ollama: {{type: ollama, image: "{ollama}", port: PORT, env: {{OLLAMA_MODELS: /root/.ollama/models}}}}
  webui: {{type: open-webui, image: "test/webui:1", port: {web}, depends_on: [ollama]}}
  clock: {{type: container, image: "test/busybox:1", args: [sleep, "3600"], depends_on: [webui]}}
models:
  small: {{service: ollama, source: "{model}"}}
  twin: {{service: ollama, source: "{twin}"}}
"""
FAILING = """\
  crash: {service: ollama, source: "crash:1b"}
  nosuch: {service: ollama, source: "nosuch"}
  poisoned: {service: ollama, source: "poisoned"}
"""
PAGE = "#!/bin/sh\nmkdir -p /w && env > /w/env && echo ok > /w/health && exec httpd -f -p 8080 -h /w\n"


def recorded_only(test: Callable[..., None]) -> Callable[..., None]:
    """No test where a real Ollama is used: only the recorded one fails on demand."""
    test.__test__ = not REAL  # type: ignore[attr-defined]
    return test


class Talk:
    """A stack of an Ollama, a stand-in for its web page, and a container that only runs."""

    def __init__(self, desk: Desk, rig: RigHost, web: int, models: tuple[str, ...]) -> None:
        self.desk, self.rig, self.web, self.models = desk, rig, web, models

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.desk.port}"

    def complete(self) -> bool:
        """Whether everything runs and both models are there."""
        with contextlib.suppress(OSError):
            there = {one["name"] for one in json.loads(get(f"{self.url}/api/tags"))["models"]}
            return len(self.rig.api.containers()) == 3 and set(self.models) <= there
        return False

    def up(self) -> Ran:
        return self.desk.good("up", "-m", "small", "-m", "twin", "-s", "webui", "-s", "clock")

    def loaded(self) -> dict[str, str]:
        """Name -> when it will be unloaded, of the models in memory."""
        return {one["name"]: one["expires_at"] for one in json.loads(get(f"{self.url}/api/ps"))["models"]}

    def unload(self) -> None:
        for name in self.loaded():
            post(f"{self.url}/api/generate", {"model": name, "keep_alive": 0, "stream": False})

    def there(self, name: str) -> dict[str, Any]:
        return dict(self.rig.api.inspect_container(f"llmstack-talk-{name}"))

    def inside(self, name: str, *command: str) -> str:
        """What a command prints inside a container."""
        job = self.rig.api.exec_create(f"llmstack-talk-{name}", list(command))
        said = self.rig.api.exec_start(job["Id"]).decode()
        assert self.rig.api.exec_inspect(job["Id"])["ExitCode"] == 0, said
        return str(said)


def ollama_image(rig: RigHost) -> str:
    """The recorded Ollama, or a real one brought into the host."""
    if not REAL:
        return rig.ollama_replay()
    with contextlib.closing(outer()) as api:
        rig.api.load_image(api.get_image(REAL))
    return REAL


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, rig_host: RigHost) -> Iterator[Talk]:
    folder = tmp_path_factory.mktemp("talk")
    (folder / "page").write_text(PAGE, encoding="utf-8")
    (folder / "page").chmod(0o755)
    with rig_host.inside():
        conf = {"Entrypoint": ["/bin/page"], "Env": ["PATH=/bin"]}
        rig_host.image_with("test/webui:1", rig_host.busybox(), {"/bin/page": folder / "page"}, conf)
        twin, web = (MODEL if REAL else "tinyllama:1b"), free_port()
        text = INVENTORY.format(ollama=ollama_image(rig_host), web=web, model=MODEL, twin=twin)
        desk = Desk(folder, text + ("" if REAL else FAILING), DOCKER_HOST=rig_host.address)
        yield Talk(desk, rig_host, web, (MODEL, twin))
        rig_host.clean()


@pytest.fixture
def talk(stack: Talk) -> Talk:
    """The stack, with everything up."""
    if not stack.complete():
        stack.up()
    return stack


def test_several_models_live_in_one_server(talk: Talk) -> None:
    rows = talk.desk.good("status", "-o", "json").json["items"]
    served = {row["model"]: row for row in rows if row["model"] in ("small", "twin")}
    assert {row["service"] for row in served.values()} == {"ollama"}
    assert {row["state"] for row in served.values()} == {"ready"}
    assert {row["url"] for row in served.values()} == {talk.url}
    assert len(talk.rig.api.containers()) == 3


def test_a_second_up_pulls_nothing_and_keeps_everything(talk: Talk) -> None:
    before = [talk.there(name)["Id"] for name in ("ollama", "webui", "clock")]
    pulls = talk.rig.api.logs("llmstack-talk-ollama").count(b"/api/pull")
    assert talk.up().recap == "localhost : ok=5 changed=0 unreachable=0 failed=0 unhealthy=0 skipped=0"
    assert [talk.there(name)["Id"] for name in ("ollama", "webui", "clock")] == before
    assert talk.rig.api.logs("llmstack-talk-ollama").count(b"/api/pull") == pulls


def test_pull_fetches_what_is_not_there_and_starts_nothing(talk: Talk) -> None:
    talk.desk.good("down", "-m", "small")
    post_delete(f"{talk.url}/api/delete", {"model": MODEL})
    ran = talk.desk.good("pull", "-m", "small")
    assert ran.recap == "localhost : ok=0 changed=1 unreachable=0 failed=0 unhealthy=0 skipped=0"
    assert ran.err.count("✓ small@localhost  pulled") == 1
    assert MODEL not in talk.loaded()
    again = talk.desk.good("pull", "-m", "small")
    assert "already there" in again.err
    assert "ok=1" in again.recap


def post_delete(url: str, body: dict[str, Any]) -> None:
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), method="DELETE"), timeout=60).close()


@recorded_only
def test_an_unknown_model_is_told_with_advice_and_takes_nothing_down(talk: Talk) -> None:
    ran = talk.desk.run("up", "-m", "nosuch", "-m", "small", "-o", "json")
    assert ran.code == 10
    assert ran.item("nosuch")["error"]["class"] == "fetch"
    assert "file does not exist" in ran.item("nosuch")["error"]["message"]
    assert ran.item("nosuch")["error"]["hint"]
    assert ran.item("small")["error"] is None
    assert talk.desk.run("pull", "-m", "nosuch").code == 10


@pytest.mark.skipif(bool(REAL), reason="needs the recorded answer to a broken part")
def test_a_broken_part_of_a_download_is_removed_and_the_pull_goes_well(talk: Talk) -> None:
    blobs = "/root/.ollama/models/blobs"
    made = f"mkdir -p {blobs}; cd {blobs}; : > sha256-a-partial-0; touch sha256-a-partial; echo 1 > sha256-b-partial-0"
    talk.inside("ollama", "sh", "-c", made)
    ran = talk.desk.good("pull", "-m", "poisoned")
    assert "a stop in mid-download left a broken part behind" in ran.err
    assert talk.inside("ollama", "ls", blobs).split() == ["sha256-b-partial-0"]


def test_down_of_a_model_unloads_it_and_the_server_stays(talk: Talk) -> None:
    talk.desk.good("health", "-m", "small", "--deep")
    assert MODEL in talk.loaded()
    ran = talk.desk.good("down", "-m", "small")
    assert ran.recap == "localhost : ok=0 changed=1 unreachable=0 failed=0 unhealthy=0 skipped=0"
    assert MODEL not in talk.loaded()
    row = talk.desk.good("status", "-m", "small", "-o", "json").item("small")
    assert (row["state"], row["device"]) == ("ready", "on demand")


def test_health_loads_nothing_unless_it_is_told_to(talk: Talk) -> None:
    talk.unload()
    ran = talk.desk.good("health", "-m", "small", "-o", "json")
    loaded = ran.rungs("small")["loaded"]
    assert (loaded["ok"], loaded["detail"]) == (None, "on demand")
    assert "answered" not in ran.rungs("small")
    assert talk.loaded() == {}
    deep = talk.desk.good("health", "-m", "small", "--deep", "-o", "json").rungs("small")
    assert deep["answered"]["tokens_per_s"] > 0
    assert deep["device"]["ok"] is not False


def test_a_probe_keeps_the_time_that_a_model_has_left(talk: Talk) -> None:
    post(f"{talk.url}/api/generate", {"model": MODEL, "keep_alive": "30m", "stream": False})
    before = talk.loaded()[MODEL]
    assert talk.desk.good("health", "-m", "small", "-o", "json").rungs("small")["answered"]["ok"]
    assert abs(seconds(talk.loaded()[MODEL]) - seconds(before)) < 10


def seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


@recorded_only
def test_a_server_that_fails_in_mid_answer_is_told_and_what_came_is_kept(talk: Talk) -> None:
    talk.desk.good("pull", "-m", "crash")
    ran = talk.desk.run("ask", "-m", "crash", "--prompt", "hello")
    assert ran.code == 6
    assert ran.out.strip()
    assert ran.err.startswith("error: ")
    assert len(ran.err.splitlines()) > 1


def test_a_companion_reaches_the_server_by_name_inside_the_network(talk: Talk) -> None:
    assert "models" in json.loads(talk.inside("clock", "wget", "-qO-", "http://ollama:11434/api/tags"))
    assert talk.inside("webui", "wget", "-qO-", "http://ollama:11434").startswith("Ollama is running")


def test_from_outside_only_loopback_is_open(talk: Talk) -> None:
    assert listens(talk.desk.port)
    assert not listens(talk.desk.port, talk.rig.ip)
    published = talk.there("ollama")["NetworkSettings"]["Ports"]["11434/tcp"]
    assert [one["HostIp"] for one in published] == ["127.0.0.1"]


def test_the_web_page_is_told_where_its_server_is(talk: Talk) -> None:
    env = dict(line.partition("=")[::2] for line in get(f"http://127.0.0.1:{talk.web}/env").splitlines())
    assert env["OLLAMA_BASE_URLS"] == "http://ollama:11434"
    assert env["ENABLE_OLLAMA_API"] == "True"
    assert talk.desk.good("health", "-s", "webui", "-o", "json").rungs("webui")["api"]["ok"]


def test_what_others_depend_on_comes_first_and_goes_last(talk: Talk) -> None:
    talk.desk.good("down", "-q")
    up = [item["name"] for item in talk.desk.good("up", "-s", "clock", "-o", "json").json["items"]]
    assert up == ["ollama", "webui", "clock"]
    started = [talk.there(name)["State"]["StartedAt"] for name in up]
    assert started == sorted(started)
    assert MODEL in [one["name"] for one in json.loads(get(f"{talk.url}/api/tags"))["models"]]  # kept in a volume
    down = [item["name"] for item in talk.desk.good("down", "-o", "json").json["items"]]
    assert [name for name in down if name in up] == ["clock", "webui", "ollama"]


@recorded_only
def test_without_an_inventory_status_shows_ours_and_strangers(talk: Talk, tmp_path: Path) -> None:
    api, port = talk.rig.api, free_port()
    api.tag(talk.rig.ollama_replay(), "ollama/ollama", "0.0")
    bound = api.create_host_config(port_bindings={11434: ("127.0.0.1", port)})
    other = api.create_container("ollama/ollama:0.0", ["serve"], ports=[11434], host_config=bound, name="chat")["Id"]
    api.start(other)
    try:
        ran = Desk(tmp_path / "bare", DOCKER_HOST=talk.rig.address).good("status", "-o", "json")
    finally:
        api.remove_container(other, force=True)
    rows = {row["container_name"]: row for row in ran.json["items"]}
    assert (rows["chat"]["ours"], rows["chat"]["url"]) == (False, f"http://127.0.0.1:{port}")
    ours = rows["llmstack-talk-ollama"]
    assert (ours["ours"], ours["state"], ours["url"]) == (True, "ready", talk.url)
    assert "no inventory found" in ran.err
