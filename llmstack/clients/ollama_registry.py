"""What the registry of an Ollama model has under its name, asked from here: the server does not tell before a pull."""

from __future__ import annotations

import json
from hashlib import sha256

from llmstack.clients.origin import Origin, opened
from llmstack.clients.speed import number
from llmstack.errors import FetchError

DEFAULT_HOST, DEFAULT_SPACE, DEFAULT_TAG = "registry.ollama.ai", "library", "latest"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LIMIT_BYTES = 1 << 20


def newest(model: str) -> str | None:
    """The digest that a pull of `model` would bring: that of its manifest's bytes. None where it cannot be told."""
    body = _manifest(model)
    return None if body is None else sha256(body).hexdigest()


def size_bytes(model: str) -> int | None:
    """How much a whole pull of `model` brings; None where it cannot be told."""
    try:
        manifest = json.loads(_manifest(model) or b"")
        parts = (*manifest["layers"], manifest["config"])
        sizes = [number(part["size"]) for part in parts]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return None if None in sizes else sum(filter(None, sizes))


def _manifest(model: str) -> bytes | None:
    body = b""
    try:
        with opened(Origin(item=model, url=manifest_url(model)), {"Accept": MANIFEST}) as answer:
            for piece in answer.stream.pieces:
                body += piece
                if len(body) > LIMIT_BYTES:
                    return None
    except FetchError:
        return None
    return body


def manifest_url(model: str) -> str:
    """`llama3` -> `https://registry.ollama.ai/v2/library/llama3/manifests/latest`."""
    scheme, mark, rest = model.strip().rpartition("://")
    path, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        path, tag = rest, DEFAULT_TAG
    *before, name = path.split("/")
    host, space = ([DEFAULT_HOST, DEFAULT_SPACE][: 2 - len(before)] + before)[-2:]
    return f"{scheme if mark else 'https'}://{host}/v2/{space}/{name}/manifests/{tag}"
