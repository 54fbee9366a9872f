"""What the registry of an Ollama model has under its name, asked from here: the server does not tell before a pull."""

from __future__ import annotations

from hashlib import sha256

from llmstack.clients.origin import Origin, opened
from llmstack.errors import FetchError

DEFAULT_HOST, DEFAULT_SPACE, DEFAULT_TAG = "registry.ollama.ai", "library", "latest"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LIMIT_BYTES = 1 << 20


def newest(model: str) -> str | None:
    """The digest that a pull of `model` would bring: that of its manifest's bytes. None where it cannot be told."""
    body = b""
    try:
        with opened(Origin(item=model, url=manifest_url(model)), {"Accept": MANIFEST}) as answer:
            for piece in answer.pieces:
                body += piece
                if len(body) > LIMIT_BYTES:
                    return None
    except FetchError:
        return None
    return sha256(body).hexdigest()


def manifest_url(model: str) -> str:
    """`llama3` -> `https://registry.ollama.ai/v2/library/llama3/manifests/latest`."""
    scheme, mark, rest = model.strip().rpartition("://")
    path, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        path, tag = rest, DEFAULT_TAG
    *before, name = path.split("/")
    host, space = ([DEFAULT_HOST, DEFAULT_SPACE][: 2 - len(before)] + before)[-2:]
    return f"{scheme if mark else 'https'}://{host}/v2/{space}/{name}/manifests/{tag}"
