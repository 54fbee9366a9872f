"""What a checkup finds, over engines, GPUs and clocks that say what they like."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from llmstack.core import findings
from llmstack.domain.checkup import Checkup, Finding, Verdict
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.gpu import Gpu
from llmstack.domain.instance import Need
from llmstack.errors import PluginError, PreflightError, UnreachableError
from tests.unit.core.stack import Bench

TEXT = """
llmstack: 1
stack: lab
all: {hosts: {localhost: {}, far: {docker_host: "tcp://far:2375"}}}
services:
  page: {type: page, port: 3000, hosts: all}
models:
  demo: {type: loader, port: 8000, resources: {gpus: all}}
"""
CARD = Gpu(0, "GPU-1", "NVIDIA RTX 4090")
DOCKER = EngineFacts(name="docker 28.5.2", api_version="1.51", origin="the default socket", folder="/d", proxy="")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    made = Bench(tmp_path)
    made.write(TEXT)
    return made


def checked(bench: Bench) -> Checkup:
    app = bench.app()
    try:
        return app.checkup()
    finally:
        app.close()


def told(checkup: Checkup, check: str, target: str = "localhost") -> list[tuple[Verdict, str]]:
    return [(one.verdict, one.summary) for one in checkup.findings if (one.check, one.target) == (check, target)]


def test_a_machine_on_which_all_is_well(bench: Bench) -> None:
    bench.world.gpus.found = (CARD,)
    for host in ("localhost", "far"):
        now = bench.world.clock.now()
        bench.world.engine(host).told = EngineFacts(name="docker 28.5.2", now=now, gpu=True, folder="/d", free_bytes=9)
    checkup = checked(bench)
    assert {one.verdict for one in checkup.findings} == {Verdict.OK}
    assert told(checkup, "gpu") == [(Verdict.OK, "GPU 0 NVIDIA RTX 4090")]
    assert told(checkup, "ports") == [(Verdict.OK, "3000, 3000, 8000 free")]
    assert told(checkup, "inventory", "llmstack") == [(Verdict.OK, f"{bench.inventory}, instances wanted: 3")]
    assert (checkup.exit_code, bench.writes()) == (0, [])


def test_every_failure_has_its_step_and_the_rest_is_looked_at_all_the_same(bench: Bench) -> None:
    bench.world.gpus.found, bench.world.gpus.reason = None, "the GPU is lost"
    bench.world.engine("far").refuse("facts", UnreachableError("far is away", "wake it"))
    bench.world.engine("far").refuse("observe", UnreachableError("far is away", "wake it"))
    here = bench.world.engine()
    here.told = EngineFacts(name="docker 28.5.2", now=bench.world.clock.now() - 90, gpu=False)
    here.occupied[3000] = "nginx"
    checkup = checked(bench)
    assert told(checkup, "engine", "far")[0] == (Verdict.FAILED, "far is away")
    assert told(checkup, "clock") == [(Verdict.WARNING, "90 s behind this machine's")]
    assert told(checkup, "gpu") == [(Verdict.FAILED, "the GPU is lost")]
    assert told(checkup, "toolkit")[0][0] is Verdict.FAILED
    assert "nginx" in told(checkup, "start", "page@localhost")[0][1]
    assert told(checkup, "ports") == [(Verdict.OK, "8000 free")]
    assert all(one.fix for one in checkup.findings if one.verdict in (Verdict.FAILED, Verdict.WARNING))
    assert checkup.exit_code == 1


def test_without_an_inventory_this_machine_is_looked_at(bench: Bench) -> None:
    Path(bench.inventory).unlink()
    app = bench.app(inventory=None)
    checkup = app.checkup()
    app.close()
    assert told(checkup, "engine") == [(Verdict.OK, "fake docker")]
    assert told(checkup, "engine", "localhost process") == [(Verdict.OK, "fake process")]


def test_a_wrong_inventory_and_a_broken_plugin_are_findings(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("llmstack: 1\nservices: {page: {tpye: page}}\n")
    app = bench.app()

    def broken(_: str) -> None:
        raise PluginError("plugin x.py cannot be loaded", "repair x.py")

    monkeypatch.setattr(app.registry, "get", broken)
    checkup = app.checkup()
    app.close()
    found = {one.check: one for one in checkup.findings if one.verdict is Verdict.FAILED}
    assert (found["inventory"].code, found["inventory"].fix) == (3, "llmstack inventory")
    assert (found["plugins"].code, found["plugins"].fix) == (13, "repair x.py")


def test_an_engine_that_nothing_needs_is_no_failure() -> None:
    error = UnreachableError("docker does not run", "start it")
    verdicts = [one.verdict for one in findings.engine("localhost", error, needed=False, now=0)]
    assert verdicts == [Verdict.WARNING, Verdict.SKIPPED]


def test_what_an_engine_complains_of_is_told() -> None:
    facts = EngineFacts(name="docker 28.5.2", warnings=("No swap limit support",), rootless=True)
    found = list(findings.engine("gpu01", facts, needed=True, now=0))
    assert [one.summary for one in found] == ["docker 28.5.2, rootless", "No swap limit support"]


def test_a_toolkit_that_is_not_installed_is_installed_first() -> None:
    (found,) = findings.runtime(
        "localhost", EngineFacts(name="docker", gpu=False, tool=False), wanted=True, there=False
    )
    assert found.summary.endswith("no toolkit is installed")
    assert str(found.fix).startswith("sudo apt-get install nvidia-container-toolkit && sudo nvidia-ctk")


@pytest.mark.parametrize(
    ("facts", "wanted", "there", "expected"),
    [
        (EngineFacts(name="docker", gpu=True), True, True, Verdict.OK),
        (EngineFacts(name="docker", gpu=False), True, False, Verdict.FAILED),
        (EngineFacts(name="docker", gpu=False), False, True, Verdict.WARNING),
        (EngineFacts(name="docker", gpu=None, local=False), True, False, Verdict.WARNING),
        (EngineFacts(name="docker", gpu=False), False, False, None),
    ],
)
def test_the_runtime_matters_where_there_is_a_gpu_or_one_is_wanted(
    facts: EngineFacts, wanted: bool, there: bool, expected: Verdict | None
) -> None:
    found = [one.verdict for one in findings.runtime("localhost", facts, wanted=wanted, there=there)]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("free_bytes", "sizes", "expected"),
    [
        (10_000_000_000, [4_000_000_000, None], (Verdict.OK, "/d 10 GB free, 4.0 GB and 1 of unknown size to fetch")),
        (3_000_000_000, [4_000_000_000], (Verdict.FAILED, "/d 3 GB free, 4.0 GB to fetch")),
        (None, [], (Verdict.SKIPPED, "free space unknown, nothing to fetch")),
        (1, [], (Verdict.OK, "/d 0 GB free, nothing to fetch")),
        (1, [None], (Verdict.OK, "/d 0 GB free, 1 of unknown size to fetch")),
    ],
)
def test_the_disk_is_held_against_what_is_to_be_fetched(
    free_bytes: int | None, sizes: list[int | None], expected: tuple[Verdict, str]
) -> None:
    facts = EngineFacts(name="docker", folder="/d", free_bytes=free_bytes)
    found = findings.disk("localhost", facts, [Need(kind="weights", name="w", size_bytes=size) for size in sizes])
    assert (found.verdict, found.summary) == expected


def test_registries_are_told_by_the_names_of_images() -> None:
    images = ("nginx", "ollama/ollama:1", "quay.io/a/b:1", "localhost/x:1", "reg:5000/x:1", "ghcr.io/a/b")
    needs = [*(Need(kind="image", name=name) for name in images), Need(kind="model", name="hf.co/x")]
    assert findings.registries(needs) == ("registry-1.docker.io", "quay.io", "localhost", "reg", "ghcr.io")


def test_a_registry_that_is_not_found_and_a_proxy_that_only_one_side_has() -> None:
    found = list(findings.names("localhost", {"quay.io": False, "ghcr.io": True}, DOCKER, "http://proxy:3128"))
    assert [(one.check, one.verdict) for one in found] == [("dns", Verdict.WARNING), ("proxy", Verdict.WARNING)]
    assert "quay.io" in found[0].summary
    through = EngineFacts(name="docker", proxy="http://proxy:3128")
    assert list(findings.names("localhost", {"quay.io": False}, through, "http://proxy:3128")) == []


def test_a_registry_is_looked_up_only_for_an_image_that_is_missing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def lookup(name: str, port: int) -> list[object]:
        asked.append(name)
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    checked(bench)
    assert asked == []
    bench.world.engine().lack("page", Need(kind="image", name="quay.io/page:1"))
    assert [verdict for verdict, _ in told(checked(bench), "dns")] == [Verdict.WARNING]
    assert asked == ["quay.io"]


def test_a_program_or_file_that_is_not_there_keeps_from_starting(bench: Bench) -> None:
    bench.world.engine().refuse("missing", PreflightError("page@localhost: no program", "install it"))
    found = [one for one in checked(bench).findings if one.check == "start"]
    assert {(one.target, one.summary, one.fix, one.code) for one in found} >= {
        ("page@localhost", "no program", "install it", 9)
    }


def test_what_has_no_room_is_no_disk_that_is_well(bench: Bench) -> None:
    here = bench.world.engine()
    here.told = EngineFacts(name="docker 28.5.2", folder="/d", free_bytes=4 * 10**9)
    here.refuse("missing", PreflightError("no room", "free some", needed_bytes=5 * 10**9), times=None)
    assert told(checked(bench), "disk") == [(Verdict.FAILED, "/d 4 GB free, 10.0 GB to fetch")]


def test_a_model_file_that_is_not_there_and_is_wanted_keeps_from_starting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(*_: object) -> None:
        raise PreflightError("model file a.gguf is not there", "correct `source:`")

    monkeypatch.setattr(type(bench.world.types["loader"]), "launch", launch)
    assert told(checked(bench), "start", "demo@localhost") == [(Verdict.FAILED, "model file a.gguf is not there")]
    bench.write(TEXT.replace("port: 8000", "enabled: false"))
    assert told(checked(bench), "start", "demo@localhost") == []


def test_a_checkup_is_a_table_and_a_document() -> None:
    one = Finding(check="disk", target="a", verdict=Verdict.FAILED, summary="full", fix="free some", code=9)
    checkup = Checkup(findings=(one,))
    assert checkup.as_json()["rc"] == 9
    assert "free some" in checkup._repr_html_()
