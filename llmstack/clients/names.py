"""Names of Ollama models; pure."""

from __future__ import annotations

DEFAULT_PREFIXES = ("registry.ollama.ai/library/", "registry.ollama.ai/", "library/")


def canonical(name: str) -> str:
    """The name as Ollama's lists show it: with its tag, without scheme, default registry and default namespace, in
    lower case (Ollama compares without case). `llama3` -> `llama3:latest`.

    A colon is a tag's only after the last slash: `registry:5000/library/smollm2` has a port and no tag.
    """
    bare = name.strip().lower()
    bare = bare.partition("://")[2] or bare
    tagged = bare if ":" in bare.rpartition("/")[2] else f"{bare}:latest"
    for prefix in DEFAULT_PREFIXES:
        tagged = tagged.removeprefix(prefix)
    return tagged


def same_name(left: str, right: str) -> bool:
    """Both mean one model: `llama3` and `llama3:latest`, but not a name of another registry."""
    return canonical(left) == canonical(right)
