"""Which file of a repository is meant, asked of a hub on this machine that answers as the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmstack.clients.hub import HubFile, hub_origin, pick
from llmstack.domain.weights import whole
from llmstack.errors import ConfigError, FetchError, LlmstackError, PreflightError
from llmstack.modeltype.folder import obtain
from llmstack.modeltype.source import gguf_weights
from tests.gguf_files import gguf
from tests.servers.files import FileServer
from tests.servers.hub import COMMIT, MISSING, hub

REPO = "lab/Tiny-GGUF"
PATHS = ("Tiny-Q4_K_M.gguf", "Tiny-Q8_0.gguf", "mmproj-Tiny-f16.gguf", "tiny.imatrix.gguf")
BODY = gguf(40_000)


@dataclass
class Hub:
    front: FileServer
    back: FileServer


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Hub]]:
    with ExitStack() as stack:

        def serve(*paths: str, gated: bool = False) -> Hub:
            servers = stack.enter_context(hub(BODY, REPO, paths or PATHS, gated=gated))
            monkeypatch.setenv("HF_ENDPOINT", servers[0].url)
            return Hub(*servers)

        yield serve


def origin_error(wanted: str = "Q4_K_M", repo: str = REPO) -> LlmstackError:
    with pytest.raises(LlmstackError) as caught:
        hub_origin("m", repo, wanted, None)
    assert caught.value.hint
    return caught.value


def test_a_quantisation_is_fetched_with_the_digest_that_the_hub_tells(
    served: Callable[..., Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = served()
    monkeypatch.setenv("LLMSTACK_WEIGHTS", str(tmp_path))
    weights = gguf_weights(f"hf:{REPO}:q8_0", ".")
    there.back.faults = ["wrong"]
    with pytest.raises(FetchError, match="the sha256 of what arrived"):
        obtain(weights, lambda _: None)
    there.back.faults = []
    obtain(weights, lambda _: None)
    assert whole(weights)
    assert Path(weights.path).name == "Tiny-GGUF-q8_0.gguf"
    assert f"/{REPO}/resolve/{COMMIT}/Tiny-Q8_0.gguf" in {path for path, _ in there.front.asked}


def test_the_token_goes_to_the_hub_alone(served: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    there = served()
    monkeypatch.setenv("HF_TOKEN", "hf_s3cret")
    origin = hub_origin("m", REPO, "Q8_0", None)
    from llmstack.clients.download import look

    look(origin)
    assert {headers.get("authorization") for _, headers in there.front.asked} == {"Bearer hf_s3cret"}
    assert [headers.get("authorization") for _, headers in there.back.asked] == [None]
    assert "s3cret" not in repr(origin)


def test_a_gated_repository_says_where_to_ask(served: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    there = served(gated=True)
    error = origin_error()
    assert error.message == f"{REPO} is gated: its authors decide who may read it"
    assert error.hint == (
        f"ask for access at {there.front.url}/{REPO}, then set HF_TOKEN (huggingface.co/settings/tokens), "
        "or `hf auth login`"
    )
    monkeypatch.setenv("HF_TOKEN", "hf_s3cret")
    assert origin_error().hint == f"ask for access at {there.front.url}/{REPO}"


def test_a_missing_repository_may_be_private(served: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    there = served()
    there.front.pages["/api/models/lab/Typo"] = MISSING
    error = origin_error(repo="lab/Typo")
    assert error.message.endswith("knows no repository lab/Typo")
    assert "if it is private, set HF_TOKEN" in str(error.hint)
    monkeypatch.setenv("HF_TOKEN", "hf_s3cret")
    assert origin_error(repo="lab/Typo").hint == "correct its name; your token may not see it"


@pytest.mark.parametrize(("status", "again"), [(429, True), (503, True), (400, False)])
def test_other_answers_are_told(served: Callable[..., Hub], status: int, again: bool) -> None:
    there = served()
    there.front.pages[f"/api/models/{REPO}"] = (status, {}, b"{}")
    error = origin_error()
    assert (error.data["kind"], error.data["again"]) == ("status", again)
    assert f"answered {status} for {REPO}" in error.message


def test_a_hub_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    error = origin_error()
    assert (error.data["kind"], error.data["again"]) == ("unreachable", True)
    assert error.message.startswith("127.0.0.1:9 does not answer: ")


def test_a_hub_that_talks_nonsense_is_told(served: Callable[..., Hub]) -> None:
    served().front.pages[f"/api/models/{REPO}"] = (200, {}, b"<html>")
    assert "does not answer" in origin_error().message


@pytest.mark.parametrize("endpoint", ["http://hub.lab", "ftp://127.0.0.1"])
def test_plain_http_gets_no_token(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    error = origin_error()
    assert isinstance(error, ConfigError)
    assert "is not https" in error.message


def test_offline_is_respected(served: Callable[..., Hub], tmp_path: Path) -> None:
    there = served()
    script = f"""
from llmstack.clients.hub import hub_origin
from llmstack.errors import FetchError
try:
    hub_origin("m", "{REPO}", "Q8_0", None)
except FetchError as error:
    print(error.message, "|", error.hint, "|", error.data["kind"])
"""
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert ran.stdout == (f"{REPO} is not here, and HF_HUB_OFFLINE forbids to ask | unset it, or use file: | offline\n")
    assert there.front.asked == []


def test_without_the_package_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    error = origin_error()
    assert isinstance(error, PreflightError)
    assert error.hint == "python -m pip install 'llmstack[hf]'"


def test_a_pinned_digest_must_be_that_of_the_hub(served: Callable[..., Hub]) -> None:
    served()
    with pytest.raises(FetchError, match=r"has sha256 .*, not 0000"):
        hub_origin("m", REPO, "Q8_0", "0" * 64)


def files(*paths: str) -> list[HubFile]:
    return [HubFile(path, number * 10**9, None) for number, path in enumerate(paths, 1)]


@pytest.mark.parametrize(
    ("paths", "wanted", "found"),
    [
        (["m-Q4_K_M.gguf", "m-Q8_0.gguf"], "Q4_K_M", "m-Q4_K_M.gguf"),
        (["m-Q4_K_M.gguf", "m-Q4_K_S.gguf"], "q4_k_m", "m-Q4_K_M.gguf"),
        (["m.Q4_K_M.gguf", "m.Q4_K.gguf"], "Q4_K", "m.Q4_K.gguf"),
        (["m-Q8_0.gguf", "m-UD-Q4_K_XL.gguf"], "UD-Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        (["m.gguf", "mmproj-m.gguf", "config.json"], "", "m.gguf"),
        (["a/m-Q8_0.gguf", "b/m-Q8_0.gguf"], "b/m-Q8_0.gguf", "b/m-Q8_0.gguf"),
        (["a/m-Q4_0.gguf", "b/m-Q8_0.gguf"], "m-Q8_0.gguf", "b/m-Q8_0.gguf"),
        (["m-q8_0.gguf", "m-Q8_0-00001-of-00002.gguf", "x.gguf"], "m-q8_0.gguf", "m-q8_0.gguf"),
    ],
)
def test_one_file_is_picked(paths: list[str], wanted: str, found: str) -> None:
    assert pick(files(*paths), "o/r", wanted).path == found


@pytest.mark.parametrize(
    ("paths", "wanted", "kind", "message", "hint"),
    [
        (["config.json"], "Q4_0", "no_gguf", "o/r has no GGUF files", "look for a repository that ends in -GGUF"),
        (
            *(["m-Q4_0.gguf", "m-Q8_0.gguf"], "Q5_0", "no_quant"),
            *("o/r has no Q5_0", "it has: Q4_0 (1 GB), Q8_0 (2 GB)"),
        ),
        (
            *(["m-Q4_0.gguf", "m-Q8_0.gguf"], "", "ambiguous", "o/r has 2 files, and none of them is chosen"),
            "write hf:o/r: and one of: Q4_0 (1 GB), Q8_0 (2 GB)",
        ),
        (
            *(["a-Q4_0.gguf", "b-Q4_0.gguf"], "Q4_0", "ambiguous", "o/r has 2 files of Q4_0"),
            "write hf:o/r: and one of: a-Q4_0.gguf (1 GB), b-Q4_0.gguf (2 GB)",
        ),
        (
            *(["m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf", "m-Q4_0.gguf"], "Q8_0", "split"),
            *("Q8_0 of o/r is split into 2 files, which cannot be fetched yet",),
            "choose one in a single file: Q4_0 (3 GB)",
        ),
    ],
)
def test_what_is_not_one_file_is_told_with_the_choices(
    paths: list[str], wanted: str, kind: str, message: str, hint: str
) -> None:
    with pytest.raises(FetchError) as caught:
        pick(files(*paths), "o/r", wanted)
    assert (caught.value.data["kind"], caught.value.message, caught.value.hint) == (kind, message, hint)


def test_an_unknown_size_is_no_size() -> None:
    with pytest.raises(FetchError) as caught:
        pick(
            [HubFile("m-Q4_0.gguf", None, None), HubFile("m-Q2_K.gguf", 94_000_000, None), *files("\x1b[2J.gguf")],
            "o/r",
            "",
        )
    assert caught.value.hint == "write hf:o/r: and one of: Q4_0 (size unknown), Q2_K (94 MB), [2J.gguf (1 GB)"
