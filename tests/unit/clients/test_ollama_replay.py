"""The replay server behaves like the recordings: the same requests get the same answers."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.servers import replay
from tests.servers.ollama_replay import PULLS, Replay, address
from tests.servers.ollama_state import seconds, shown

SAME = {
    "before any pull": [
        "root", "root-head", "version", "tags-empty", "ps-empty", "v1-models-empty", "unknown-path", "health-path",
        "wrong-method", "wrong-method-get-pull", "delete-post", "delete-no-body", "generate-no-body", "pull-no-body",
        "pull-empty-name", "pull-invalid-name", "pull-invalid-name-2", "pull-invalid-json", "pull-wrong-type",
        "pull-empty-object", "v1-chat-bad-json", "generate-missing-model", "generate-no-model", "chat-missing-model",
        "embed-missing-model", "v1-embeddings-missing-model", "v1-chat-missing-model", "v1-models-unknown",
        "show-unknown", "show-no-name", "delete-unknown", "delete-empty-name", "pull-http-name-no-insecure",
    ],
    "after a pull": [
        "tags-one", "show", "generate-load", "generate-stream", "generate", "chat-stream", "chat", "chat-empty-load",
        "v1-chat", "v1-chat-stream", "v1-chat-stream-usage", "v1-models-one", "embed", "v1-embeddings",
        "generate-keep-alive-2s", "generate-bad-keep-alive", "generate-unload", "generate-unload-not-loaded",
    ],
}  # fmt: skip


def exchange(name: str) -> dict:
    return json.loads((replay.OLLAMA / f"{name}.json").read_text())


def ask(url: str, request: dict, **more) -> requests.Response:
    body = request.get("body") or (json.dumps(request["json"]) if "json" in request else None)
    return requests.request(request["method"], url + request["path"], data=body, timeout=60, **more)


def post(server: Replay, path: str, **body: object) -> requests.Response:
    return requests.post(server.url + path, json=body, timeout=60)


def pull(server: Replay, model: str) -> list[str]:
    return post(server, "/api/pull", model=model).text.splitlines()


def names(server: Replay, path: str = "/api/tags") -> list[str]:
    return [item["name"] for item in requests.get(server.url + path, timeout=60).json()["models"]]


@pytest.fixture
def server():
    with replay.ollama() as running:
        yield running


@pytest.fixture(scope="module")
def fresh():
    with replay.ollama() as running:
        yield running


@pytest.fixture(scope="module")
def stocked():
    with replay.ollama() as running:
        pull(running, "smollm2")
        yield running


def same(url: str, name: str) -> None:
    wanted, got = exchange(name)["response"], ask(url, exchange(name)["request"])
    moving = ("modified_at", "digest", "size", "created")
    text = "".join(chunk["text"] for chunk in wanted["chunks"])
    assert (got.status_code, got.reason) == (wanted["status"], wanted["reason"])
    assert got.headers.get("Content-Type") == wanted["headers"].get("Content-Type")
    assert got.headers.get("Allow") == wanted["headers"].get("Allow")
    assert got.headers.get("Transfer-Encoding") == wanted["headers"].get("Transfer-Encoding")
    if name == "tags-one":
        both = [json.loads(body)["models"][0] for body in (got.text, text)]
        kept = {key: value for key, value in both[0].items() if key not in moving}
        assert kept.items() <= both[1].items()
    else:
        assert timeless(got.text) == timeless(text)


def timeless(text: str) -> str:
    return re.sub(r'"created_at":"[^"]*"', "", text)


@pytest.mark.parametrize("name", SAME["before any pull"])
def test_without_models_it_answers_as_recorded(fresh, name):
    same(fresh.url, name)


@pytest.mark.parametrize("name", SAME["after a pull"])
def test_with_a_model_it_answers_as_recorded(stocked, name):
    same(stocked.url, name)


def test_only_what_was_pulled_is_listed(server):
    assert names(server) == []
    assert json.loads(pull(server, "demo:1b")[-1]) == {"status": "success"}
    pull(server, "llama3")
    assert names(server) == ["llama3:latest", "demo:1b"]
    assert [item["id"] for item in requests.get(server.url + "/v1/models", timeout=60).json()["data"]] == names(server)


@pytest.mark.parametrize("word", sorted(set(PULLS) - {"silent", "hang", "slow", "cut"}))
def test_each_script_pulls_as_recorded(server, word):
    text = [chunk["text"].rstrip("\n") for chunk in exchange(PULLS[word][0])["response"]["chunks"]]
    assert pull(server, word) == text
    assert bool(names(server)) == ('"success"' in text[-1])


@pytest.mark.parametrize(("word", "status"), [("nosuch", 500), ("offline", 500), ("demo", 200)])
def test_without_a_stream_a_failed_pull_is_a_500(server, word, status):
    answer = post(server, "/api/pull", model=word, stream=False)
    assert answer.status_code == status
    assert answer.json().keys() == ({"error"} if status == 500 else {"status"})


def test_a_cut_pull_ends_without_its_last_chunk(server):
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        pull(server, "cut")
    assert names(server) == []


def test_each_line_is_one_chunk(server):
    head, _, body = raw(server, "POST", "/api/pull", '{"model":"nosuch"}').partition("\r\n\r\n")
    first = '{"status":"pulling manifest"}\n'
    assert body.startswith(f"{len(first):x}\r\n{first}\r\n")
    assert body.endswith("\r\n0\r\n\r\n")
    assert "Content-Length" not in head


def raw(server: Replay, method: str, path: str, body: str) -> str:
    host, port = server.server_address[:2]
    with socket.create_connection((str(host), port), timeout=60) as connection:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall((head + body).encode())
        data = b""
        while piece := connection.recv(65536):
            data += piece
    return data.decode()


@pytest.mark.parametrize("name", ["version-before-listening", "health-before-listening"])
def test_a_recorded_reset_is_a_real_reset(name):
    folder = replay.OLLAMA if name.startswith("version") else replay.LLAMA_SERVER
    with replay.only(folder / f"{name}.json") as server, pytest.raises((ConnectionResetError, BrokenPipeError)):
        raw(server, "GET", "/", "")


def test_unloading_while_an_answer_runs_lists_it_as_expired(server):
    pull(server, "endless")
    with requests.post(
        server.url + "/api/chat", json={"model": "endless", "messages": [1]}, stream=True, timeout=60
    ) as answer:
        lines = answer.iter_lines()  # kept: a dropped iterator closes the connection
        next(lines)
        assert post(server, "/api/generate", model="endless", keep_alive=0).json()["done_reason"] == "unload"
        assert names(server, "/api/ps") == ["endless:latest"]
    wait_until(lambda: names(server, "/api/ps") == [])


def wait_until(condition) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_client_that_gives_up_stops_the_load(server):
    lines: list[str] = []
    server.log = lines.append
    pull(server, "slow-load")
    with pytest.raises(requests.ReadTimeout):
        requests.post(server.url + "/api/generate", json={"model": "slow-load"}, timeout=(60, 0.1))
    wait_until(lambda: any("aborting load" in line for line in lines))
    assert names(server, "/api/ps") == []


def test_what_was_pulled_survives_a_restart(tmp_path: Path):
    with replay.ollama(models_dir=tmp_path / "models") as first:
        pull(first, "demo:1b")
    with replay.ollama(models_dir=tmp_path / "models") as second:
        assert names(second) == ["demo:1b"]
        assert requests.delete(second.url + "/api/delete", json={"model": "demo:1b"}, timeout=60).status_code == 200
    with replay.ollama(models_dir=tmp_path / "models") as third:
        assert names(third) == []


def test_it_runs_as_a_process_and_ends_at_once_on_sigterm():
    with replay.process() as (server, url):
        assert requests.get(url + "/api/version", timeout=60).json() == {"version": "0.0.0"}
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def test_a_port_that_is_taken_ends_it_with_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = replay.start("--port", str(taken.getsockname()[1]))
        assert "bind: address already in use" in (server.communicate(timeout=60)[1])
        assert server.returncode == 1


@pytest.mark.parametrize(
    ("env", "flags", "wanted"),
    [
        ("", (None, None), ("127.0.0.1", 11434)),
        ("0.0.0.0:9", (None, None), ("0.0.0.0", 9)),
        ("http://10.0.0.1/", (None, None), ("10.0.0.1", 11434)),
        (":7", ("0.0.0.0", None), ("0.0.0.0", 7)),
        ("0.0.0.0:9", ("127.0.0.1", 0), ("127.0.0.1", 0)),
    ],
)
def test_where_it_listens(monkeypatch, env, flags, wanted):
    monkeypatch.setenv("OLLAMA_HOST", env)
    assert address(*flags) == wanted


def test_the_recorded_pace_can_be_kept():
    with replay.only(replay.OLLAMA / "pull-unreachable-registry.json", speed=0.001) as server:
        assert len(post(server, "/api/pull", model="x").text.splitlines()) == 2


def test_a_server_that_stops_lets_its_clients_go(server):
    caught: list[Exception] = []

    def wait() -> None:
        try:
            pull(server, "silent")
        except requests.RequestException as error:
            caught.append(error)

    client = threading.Thread(target=wait)
    client.start()
    wait_until(lambda: server.requests)
    server.stopping.set()
    client.join(60)
    assert caught


@pytest.mark.parametrize(
    ("text", "wanted"), [("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), (10, 10), (0, 0), ("250ms", 0.25)]
)
def test_durations(text, wanted):
    assert seconds(text) == wanted


def test_names_as_lists_show_them():
    assert [shown(name) for name in ("a", "library/a:1", "http://r:5/n/a")] == ["a:latest", "a:1", "r:5/n/a:latest"]
