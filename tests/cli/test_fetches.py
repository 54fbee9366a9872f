"""Model files that a command fetches: Ctrl-C, choices, and tokens that stay out of everything."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.desk import DOORS, Desk, until
from tests.gguf_files import gguf
from tests.servers.files import FileServer, serving
from tests.servers.hub import hub

BODY = gguf(6_000_000)
REPO = "lab/Tiny-GGUF"
INVENTORY = """\
llmstack: 1
stack: fetches
models:
  demo: {{type: llamacpp, engine: process, source: "{source}", port: auto}}
"""


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def hub_url() -> Iterator[str]:
    with hub(BODY, REPO, ["Tiny-Q4_K_M.gguf", "Tiny-Q8_0.gguf"]) as (front, _):
        yield front.url


def parts(desk: Desk) -> list[int]:
    return [path.stat().st_size for path in Path(desk.env["XDG_DATA_HOME"]).rglob("*.part")]


def listed(desk: Desk, door: str) -> list[dict[str, Any]]:
    """What lies in the desk's own folder, whatever a Docker engine of this machine holds beside."""
    items = desk.good("weights.list", "-o", "json", door=door).json["items"]
    return [item for item in items if item["where"] == "folder"]


def test_ctrl_c_keeps_what_came_and_the_next_run_goes_on(tmp_path: Path, door: str) -> None:
    with serving(FileServer(BODY, faults=["stall"], after=3_000_000)) as server:
        desk = Desk(tmp_path, INVENTORY.format(source=f"{server.url}/m.gguf"))
        process = desk.start("pull", door=door)
        until(lambda: sum(parts(desk)) >= 2_900_000)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        (kept,) = parts(desk)
        assert [item["source"] for item in listed(desk, door)] == ["unfinished"]
        server.asked.clear()
        desk.good("pull", door=door)
        assert server.ranges_asked == [f"bytes={kept}-"]
        (item,) = listed(desk, door)
        assert (item["name"], item["size_bytes"]) == ("m.gguf", len(BODY))
        desk.close()


def test_a_token_stands_in_no_file_and_no_word_of_a_run(tmp_path: Path, hub_url: str) -> None:
    token = "hf_s3cretTokenOfMine"
    source = f"hf:{REPO}:Q8_0"
    desk = Desk(tmp_path, INVENTORY.format(source=source), HF_ENDPOINT=hub_url, HF_TOKEN=token)
    ran = desk.run("pull", "-vvv")
    assert ran.code == 0, ran.err
    assert token not in ran.out + ran.err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".gguf" for path in written)
    assert [path for path in written if token.encode() in path.read_bytes()] == []
    assert token not in desk.good("inventory.explain", "-o", "json").out
    desk.close()


def test_what_must_be_chosen_is_listed_and_nothing_is_fetched(tmp_path: Path, hub_url: str) -> None:
    desk = Desk(tmp_path, INVENTORY.format(source=f"hf:{REPO}"), HF_ENDPOINT=hub_url)
    ran = desk.run("pull", "-o", "json")
    error = ran.item("demo")["error"]
    assert (ran.code, error["kind"], error["hint"]) == (
        10,
        "ambiguous",
        f"write hf:{REPO}: and one of: Q4_K_M (6 MB), Q8_0 (6 MB)",
    )
    desk.close()
