from __future__ import annotations

import pytest

from llmstack.clients.web import Web
from llmstack.domain.server import Life
from llmstack.errors import ServerError
from tests.servers import replay


@pytest.mark.parametrize(
    ("status", "life"),
    [
        ("200 OK", Life.READY),
        ("302 Found\r\nLocation: /auth", Life.READY),
        ("401 Unauthorized", Life.READY),
        ("404 Not Found", Life.READY),
        ("500 Oh", Life.FAILING),
        ("503 Service Unavailable", Life.LOADING),
    ],
)
def test_any_answer_below_500_is_ready(saying, status, life):
    assert Web(saying(status=status, body="page").url).liveness().life is life


def test_the_page_can_be_another_one(saying):
    server = saying(body="true")
    Web(server.url, "/health").liveness()
    assert server.heard[0].startswith("GET /health HTTP/1.1")


def test_nobody_there_is_silent():
    look = Web(replay.closed_port()).liveness()
    assert (look.life, look.port) == (Life.SILENT, False)


def test_it_has_no_models_and_cannot_be_asked(saying):
    client = Web(saying(body={}).url)
    assert client.version() is None
    assert client.models() == ()
    with pytest.raises(ServerError) as caught:
        client.chat("m", "hi")
    assert caught.value.kind == "unsupported"
