from __future__ import annotations

import json
from functools import partial

import pytest

from llmstack.clients.ollama import Ollama
from llmstack.clients.ollama_pull import Layers, pull_error
from llmstack.core.fetching import fetched
from llmstack.domain.fetching import Watch
from llmstack.domain.progress import Progress
from llmstack.errors import FetchError, ServerError
from llmstack.testing import FakeClock
from tests.servers import replay
from tests.unit.clients.conftest import asked, chunks

FAILURES = {
    "nosuch": ("not_found", "check the name and the tag"),
    "offline": ("offline", "network and DNS"),
    "nodns": ("offline", "network and DNS"),
    "refused": ("refused", "its port in the model's name"),
    "unreachable": ("unreachable", "firewall"),
    "no-redirect": ("registry", "set the registry to redirect"),
    "disk-full": ("disk_full", "make room"),
    "digest-mismatch": ("digest", "the file was removed"),
    "poisoned": ("poisoned", "remove blobs/*-partial*"),
    "blob-dies": ("interrupted", "pull again"),
    "resets": ("interrupted", "pull again"),
    "cut": ("cut", "invoke logs"),
    "http://registry:5000/library/smollm2": ("insecure", "give it a certificate"),
    "smollm2:a b": ("invalid_name", "[registry/][namespace/]model[:tag]"),
    "a/b/c/d/e": ("invalid_name", "[registry/][namespace/]model[:tag]"),
    "": ("invalid_name", "[registry/][namespace/]model[:tag]"),
}


def failure(client: Ollama, model: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        client.pull(model, lambda progress: None)
    return caught.value


def progress(client: Ollama, model: str) -> list[Progress]:
    seen: list[Progress] = []
    client.pull(model, seen.append)
    return seen


def told(name: str, step_s: float = 0.06) -> list[Progress]:
    """What is told after each recorded line."""
    layers, watch, now_s, seen = Layers("m"), Watch("m", 300), 0.0, []
    for line in chunks(name):
        now_s += step_s
        parsed = json.loads(line)
        if "error" not in parsed:
            layers.take(parsed)
            seen.append(watch.take(layers.progress(), now_s))
    return seen


@pytest.mark.parametrize("model", FAILURES)
def test_each_failure_has_its_own_kind_and_advice(client, model):
    error = failure(client, model)
    kind, advice = FAILURES[model]
    assert (error.data["kind"], advice in (error.hint or "")) == (kind, True), error.hint
    assert error.exit_code == 10
    assert client.models() == ()


def test_the_servers_words_are_kept(client):
    assert "no space left on device" in failure(client, "disk-full").message


def test_success_alone_ends_a_pull(client):
    seen = progress(client, "demo:1b")
    assert seen[-1] == Progress("demo:1b", "success", 98362432, 98362432, done=True)
    assert [step.done for step in seen[:-1]] == [False] * (len(seen) - 1)
    assert seen[-4].completed_bytes < 98362432
    assert [model.name for model in client.models()] == ["demo:1b"]


def test_a_second_pull_of_the_same_model_succeeds_at_once(client):
    first, again = progress(client, "demo:1b"), progress(client, "demo:1b")
    phases = dict.fromkeys(step.phase for step in again)
    phases.pop("starting", None)  # told only in a slow moment, as is a report once more
    assert list(phases) == ["pulling manifest", "pulling", "verifying sha256 digest", "writing manifest", "success"]
    assert again[-1].done
    assert len({step.completed_bytes for step in again}) < len({step.completed_bytes for step in first})


def test_the_answer_is_always_streamed(client, ollama):
    progress(client, "demo:1b")
    assert asked(ollama) == [("/api/pull", {"model": "demo:1b", "stream": True})]


@pytest.mark.parametrize("model", ["cut", "digest-mismatch", "blob-dies"])
def test_after_a_failure_the_next_pull_can_succeed(client, model):
    failure(client, model)
    assert progress(client, model)[-1].done


@pytest.mark.parametrize("model", ["disk-full", "poisoned"])
def test_what_stays_broken_fails_again_with_the_same_advice(client, model):
    assert failure(client, model).hint == failure(client, model).hint


@pytest.mark.parametrize(
    "name",
    [
        "pull-ok",
        "pull-stall-then-recover",
        "pull-blob-host-resets",
        "pull-cut-by-client-2",
        "pull-two-at-once-2",
        "pull-server-killed-2",
    ],
)
def test_progress_never_goes_back(name):
    marks = [step.completed_bytes for step in told(f"ollama/{name}")]
    assert marks == sorted(marks)
    assert all(step.completed_bytes <= (step.total_bytes or 0) for step in told(f"ollama/{name}") if step.total_bytes)


def test_a_download_that_starts_anew_is_shown_as_resuming():
    phases = {step.phase for step in told("ollama/pull-stall-then-recover")}
    assert phases >= {"pulling manifest", "pulling", "resuming", "verifying sha256 digest", "success"}


def test_a_pull_that_goes_on_starts_where_it_was():
    assert told("ollama/pull-cut-by-client-2")[1].completed_bytes == 40697856


def test_a_line_without_completed_stands_for_zero():
    layers = Layers("m")
    layers.take({"status": "pulling x", "digest": "x", "total": 10})
    assert layers.progress() == Progress("m", "pulling", 0, 10)


@pytest.mark.parametrize(
    "line",
    [{"status": 7, "digest": 8}, {"digest": "d", "total": "9", "completed": None}, {}, {"status": "new\x1b word"}],
)
def test_unknown_lines_do_no_harm(line):
    layers = Layers("m")
    layers.take(line)
    assert "\x1b" not in layers.progress().phase
    assert layers.progress().completed_bytes == 0


def test_six_resets_do_not_end_it():
    assert told("ollama/pull-blob-host-resets")[-1].completed_bytes > 0


def patiently(url: str, model: str, step_s: float, give_up_s: float) -> tuple[FetchError, list[Progress]]:
    """How a pull fails whose clock runs ahead with all that is told since the server spoke, and what was told of it."""
    seen, clock = list[Progress](), FakeClock()

    def tell(step: Progress) -> None:
        seen.append(step)
        clock.advance(step_s if step.phase != "starting" else 0)

    with pytest.raises(FetchError) as caught:
        fetched(model, partial(Ollama(url, tick_s=0.005).pull, model), tell, clock, give_up_s)
    return caught.value, seen


def test_a_registry_that_never_answers_is_given_up(ollama):
    error, seen = patiently(ollama.url, "silent", 10, 120)
    assert error.data["kind"] == "stalled"
    assert "pulling manifest" in error.message
    assert max(step.stalled_s or 0 for step in seen) >= 60


def test_a_blob_host_that_stops_sending_is_given_up_though_lines_come(ollama):
    assert patiently(ollama.url, "hang", 5, 100)[0].data["kind"] == "stalled"


@pytest.mark.parametrize("model", ["cut", "blob-dies"])
def test_what_breaks_off_goes_on_by_itself(client, model):
    seen: list[Progress] = []
    fetched(model, partial(client.pull, model), seen.append, FakeClock())
    assert seen[-1].done


def test_leaving_a_pull_closes_the_connection(saying):
    line = b'{"status":"pulling manifest"}\n'
    server = saying(b"HTTP/1.1 200 OK\r\n\r\n" + line * 2, then_close=False)

    def leave(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Ollama(server.url).pull("demo", leave)
    assert server.left.wait(60)


def test_a_stream_that_ends_in_good_order_without_success_is_cut(saying):
    server = saying(b'HTTP/1.1 200 OK\r\n\r\n{"status":"writing manifest"}\n')
    assert failure(Ollama(server.url), "demo").data["kind"] == "cut"


def test_a_server_that_is_not_there_is_a_fetch_error_too():
    error = failure(Ollama(replay.closed_port()), "demo")
    assert (error.data["kind"], "connection refused" in error.message) == ("refused", True)


def test_an_unknown_text_keeps_the_servers_words_and_the_general_advice():
    error = pull_error("m", ServerError("x failed: odd", "look", kind="server", text="odd"))
    assert (error.message, error.hint, error.data["kind"]) == ("m: x failed: odd", "look", "server")


def test_a_reset_before_the_first_line_is_a_cut():
    with replay.resetting() as url:
        assert failure(Ollama(url), "demo").data["kind"] == "cut"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("pull model manifest: 412: requires a newer version of Ollama", "outdated"),
        ("pull model manifest: 401: unauthorized", "denied"),
        ("tls: failed to verify certificate: x509: unknown authority", "tls"),
        ("max retries exceeded: write: no space left on device", "disk_full"),
        ("max retries exceeded: unexpected EOF", "interrupted"),
    ],
)
def test_further_texts_that_servers_are_known_to_say(said, kind):
    assert pull_error("m", ServerError(said, kind="server", text=said)).data["kind"] == kind
