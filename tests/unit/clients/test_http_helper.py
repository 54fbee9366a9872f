from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from llmstack.clients import http as http_module
from llmstack.clients.http import Http, is_near
from llmstack.errors import ServerError, UsageError
from tests.servers import replay
from tests.unit.clients.conftest import Hurrying


def kind_of(url: str, path: str = "/x", key: str | None = None, timeout_s: float = 5.0) -> str:
    with pytest.raises(ServerError) as caught:
        Http(url, key).get(path, timeout_s).json()
    return caught.value.kind


def test_a_closed_port_is_refused():
    assert kind_of(replay.closed_port()) == "refused"


def test_a_name_that_does_not_resolve_is_told():
    with pytest.raises(ServerError, match="name does not resolve") as caught:
        Http("http://nosuch.invalid").get("/")
    assert caught.value.kind == "refused"


def test_an_address_that_drops_every_packet_counts_as_refused(monkeypatch):
    monkeypatch.setattr(http_module, "CONNECT_TIMEOUT_S", 0.1)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with ExitStack() as stack:
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            assert kind_of(f"http://127.0.0.1:{full.getsockname()[1]}") == "refused"


def test_a_reset_before_the_answer_is_no_refusal():
    with replay.resetting() as url:
        assert kind_of(url) == "reset"


def test_a_connection_closed_without_an_answer_is_a_reset(saying):
    assert kind_of(saying(b"\n").url) == "reset"


def test_silence_is_a_timeout(saying):
    assert kind_of(saying(b" ", then_close=False).url, timeout_s=0.05) == "timeout"


def test_silence_after_the_headers_is_a_timeout(saying):
    assert (
        kind_of(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", then_close=False).url, timeout_s=0.05)
        == "timeout"
    )


def test_an_answer_that_only_drips_ends_at_its_deadline(saying):
    server = saying(body={"a": 1})
    with pytest.raises(ServerError, match="had not sent its whole answer") as caught:
        Http(server.url, clock=Hurrying(100)).get("/")
    assert caught.value.kind == "timeout"


def test_a_body_shorter_than_promised_is_cut(saying):
    assert kind_of(saying(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"a":').url) == "cut"


def test_a_chunked_body_without_its_last_chunk_is_cut(saying):
    assert kind_of(saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n").url) == "cut"


@pytest.mark.parametrize("body", ["no json", "[1]", '"text"', "null", ""])
def test_anything_but_a_json_object_breaks_the_protocol(saying, body):
    assert kind_of(saying(body=body).url) == "protocol"


def test_a_body_above_one_mebibyte_is_not_read(saying):
    with pytest.raises(ServerError, match="more than 1 MiB") as caught:
        Http(saying(body="x" * (1 << 20) + "yy").url).get("/")
    assert caught.value.kind == "protocol"


def test_plain_text_instead_of_http_breaks_off():
    with replay.saying(b"SSH-2.0-OpenSSH_9.2\r\n") as server:
        assert kind_of(server.url) == "reset"


def test_tls_towards_a_plain_server_breaks_the_protocol(saying):
    assert kind_of(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").url.replace("http:", "https:")) == "protocol"


def test_a_redirect_is_not_followed(saying):
    elsewhere = saying(body={})
    server = saying(f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode())
    with pytest.raises(ServerError, match="redirects") as caught:
        Http(server.url).get("/")
    assert (caught.value.kind, caught.value.status) == ("protocol", 302)
    assert elsewhere.heard == []


def test_nothing_is_tried_twice(saying):
    server = saying(status="503 Service Unavailable", body={"error": "busy"})
    kind_of(server.url)
    assert len(server.heard) == 1


def test_the_key_goes_as_bearer_and_never_comes_back_in_an_error(saying):
    server = saying(status="401 Unauthorized", body={"error": "bad key sesame"})
    with pytest.raises(ServerError) as caught:
        Http(server.url, "sesame").get("/")
    assert "Authorization: Bearer sesame" in server.heard[0]
    assert "sesame" not in json.dumps(caught.value.as_json())


def test_no_credentials_of_the_home_directory_are_sent(saying, monkeypatch, tmp_path: Path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setattr(http_module, "is_near", lambda host: False)
    server = saying(body={})
    Http(server.url).get("/")
    assert "Authorization" not in server.heard[0]


def test_proxies_of_the_environment_are_for_far_addresses_only(saying, monkeypatch):
    proxy, server = saying(body={"by": "proxy"}), saying(body={"by": "server"})
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert Http(server.url).get("/").json() == {"by": "server"}
    assert Http("http://models.example.org").get("/").json() == {"by": "proxy"}


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "172.18.0.2", "169.254.1.1", "ollama", "gpu.local"],
)
def test_loopback_private_and_short_names_are_near(host):
    assert is_near(host)


@pytest.mark.parametrize("host", ["models.example.org", "8.8.8.8", "2600::1"])
def test_public_addresses_are_far(host):
    assert not is_near(host)


@pytest.mark.parametrize("url", ["ftp://host", "http://", "", "http:///v1"])
def test_an_address_that_is_none_is_a_usage_error(url):
    with pytest.raises(UsageError):
        Http(url)


def test_an_address_without_a_scheme_is_http():
    assert Http("127.0.0.1:11434/").base_url == "http://127.0.0.1:11434"


def test_an_error_whose_body_is_cut_keeps_its_status(saying):
    server = saying(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 99\r\n\r\nboo")
    with pytest.raises(ServerError, match="answered 500") as caught:
        Http(server.url).get("/")
    assert (caught.value.kind, caught.value.status) == ("server", 500)


def test_only_the_start_of_a_huge_error_is_read(saying):
    with pytest.raises(ServerError) as caught:
        Http(saying(status="500 Oh", body="e" * 300_000).url).get("/")
    assert len(caught.value.data["text"]) == 500
