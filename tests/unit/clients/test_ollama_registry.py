"""What a registry has now, without a pull."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from llmstack.clients.ollama_registry import LIMIT_BYTES, manifest_url, newest, size_bytes

BODIES = {
    "/v2/library/small/manifests/1b": b'{"layers": []}',
    "/v2/me/big/manifests/latest": bytes(LIMIT_BYTES + 1),
    "/v2/me/sized/manifests/latest": b'{"config": {"size": 5}, "layers": [{"size": 100}, {"size": 20}]}',
    "/v2/me/odd/manifests/latest": b'{"config": {"size": "5"}, "layers": [{"size": 100}]}',
    "/v2/me/text/manifests/latest": b"<html>",
}


class Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = BODIES.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("llama3", "https://registry.ollama.ai/v2/library/llama3/manifests/latest"),
        ("me/llama3:8b", "https://registry.ollama.ai/v2/me/llama3/manifests/8b"),
        ("hf.co/org/repo:Q4_K_M", "https://hf.co/v2/org/repo/manifests/Q4_K_M"),
        ("http://reg:5000/a/b", "http://reg:5000/v2/a/b/manifests/latest"),
    ],
)
def test_where_a_name_is_to_be_asked(model: str, url: str) -> None:
    assert manifest_url(model) == url


def test_the_digest_is_that_of_the_manifests_bytes(host: str) -> None:
    assert newest(f"{host}/library/small:1b") == sha256(b'{"layers": []}').hexdigest()


@pytest.mark.parametrize("name", ["library/none:1b", "me/big"])
def test_what_cannot_be_told_is_unknown(host: str, name: str) -> None:
    assert newest(f"{host}/{name}") is None


def test_a_registry_that_is_not_there_is_unknown() -> None:
    assert newest("http://127.0.0.1:9/library/small:1b") is None


def test_the_size_of_a_download_is_that_of_all_its_parts(host: str) -> None:
    assert size_bytes(f"{host}/me/sized") == 125


@pytest.mark.parametrize("name", ["library/none:1b", "library/small:1b", "me/big", "me/odd", "me/text"])
def test_a_size_that_is_not_told_is_unknown(host: str, name: str) -> None:
    assert size_bytes(f"{host}/{name}") is None
