"""The models inside an Ollama: python examples/ollama_client.py MODEL [URL | CONTAINER].

The model is removed in the end unless it was there before.
"""

from __future__ import annotations

import sys

from llmstack import OllamaClient
from llmstack.domain.progress import Progress
from llmstack.errors import LlmstackError


def tell(progress: Progress) -> None:
    """Bytes, where the server tells them."""
    print(f"  {progress.phase} {progress.completed_bytes} of {progress.total_bytes} bytes")


def main(model: str, where: str = "http://127.0.0.1:11434") -> None:
    """Pull it, ask it, tell its version."""
    url, container = (where, None) if "://" in where else (None, where)
    with OllamaClient(url=url) as client:
        before = client.get_model_version(model, container)
        client.pull_model(model, container, tell)
        for one in client.list_models(container):
            print(f"{one.name} {one.digest} {one.size_bytes} bytes, loaded: {one.loaded}")
        answer = client.test_model(model, container)
        print(f"{answer.text!r}: first token after {answer.first_token_ms} ms, {answer.tokens_per_s} tokens/s")
        print(f"version {client.get_model_version(model, container)}")
        if before is None:
            client.remove_model(model, container)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except LlmstackError as error:
        sys.exit(f"{error.message}\n{error.hint or ''}")
