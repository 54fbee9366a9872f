"""Which Docker engine is meant: an address given, DOCKER_HOST, DOCKER_CONTEXT, the current context, the local socket.

Resolved here and not by docker-py, which falls back to the local socket in silence for a context it does not know, and
does not see contexts at all without a config.json.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from llmstack.engines.addresses import LOOPBACK
from llmstack.errors import ConfigError

DEFAULT = "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of a mutual TLS connection."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Address:
    """An engine's URL (`unix://` or `tcp://`); `origin` says in words where it was written."""

    url: str
    origin: str
    tls: TlsFiles | None = None

    @property
    def local(self) -> bool:
        """Whether ports it publishes on loopback lie on this machine's loopback."""
        return self.url.startswith("unix://") or self.host in LOOPBACK

    @property
    def socket(self) -> str | None:
        """The path of a Unix socket."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else None

    @property
    def host(self) -> str | None:
        """The machine's name or IP address; None for a socket."""
        return None if self.url.startswith("unix://") else urlsplit(self.url).hostname


def resolve(docker_host: str | None, environ: Mapping[str, str]) -> Address:
    """The engine to speak to. Raises ConfigError for an unknown context or an address that cannot be used."""
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or "~").expanduser() / ".docker")
    given = ((docker_host, "docker_host"), (environ.get("DOCKER_HOST"), "DOCKER_HOST"))
    for url, origin in given:
        if url:
            return _checked(Address(url, f"{origin} {url}", _tls_of_environ(url, environ, folder)))
    for name, origin in ((environ.get("DOCKER_CONTEXT"), "DOCKER_CONTEXT"), (_current(folder), "current context")):
        if name and name != "default":
            return _checked(_of_context(name, f"{origin} {name}", folder))
    return Address(DEFAULT, "the default socket")


def _current(folder: Path) -> str | None:
    config = _json(folder / "config.json")
    name = config.get("currentContext")
    return name if isinstance(name, str) else None


def _of_context(name: str, origin: str, folder: Path) -> Address:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = _json(folder / "contexts" / "meta" / key / "meta.json")
    endpoints = meta.get("Endpoints")
    endpoint = endpoints.get("docker") if isinstance(endpoints, dict) else None
    url = endpoint.get("Host") if isinstance(endpoint, dict) else None
    if not isinstance(url, str):
        known = ", ".join(sorted(_known(folder))) or "none"
        raise ConfigError(
            f"there is no Docker context {name!r} ({origin})",
            hint=f"known contexts: {known}, default; choose one with `docker context use NAME`, or set DOCKER_HOST",
        )
    tls = folder / "contexts" / "tls" / key / "docker"
    return Address(url, f"{origin} ({url})", _pem(tls) if tls.is_dir() else None)


def _known(folder: Path) -> list[str]:
    metas = (folder / "contexts" / "meta").glob("*/meta.json")
    return [str(meta["Name"]) for meta in (_json(path) for path in metas) if meta.get("Name")]


def _json(path: Path) -> dict[str, object]:
    """The object in `path`; an empty one when there is no such file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="mend the file, or set DOCKER_HOST") from error
    return value if isinstance(value, dict) else {}


def _tls_of_environ(url: str, environ: Mapping[str, str], folder: Path) -> TlsFiles | None:
    asked = environ.get("DOCKER_TLS_VERIFY") or environ.get("DOCKER_CERT_PATH")
    if not (asked and url.startswith("tcp://")):
        return None
    return _pem(Path(environ.get("DOCKER_CERT_PATH") or folder))


def _pem(folder: Path) -> TlsFiles:
    return TlsFiles(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")


def _checked(address: Address) -> Address:
    parts = urlsplit(address.url)
    if parts.scheme == "ssh":
        raise _tunnel_instead(parts.netloc)
    if not (parts.path if parts.scheme == "unix" else parts.scheme == "tcp" and _port(parts)):
        raise ConfigError(
            f"cannot speak to a Docker engine at {address.url!r} (from {address.origin.split()[0]})",
            hint="use unix:///path/to/docker.sock or tcp://host:port",
        )
    for path in (address.tls.ca, address.tls.cert, address.tls.key) if address.tls else ():
        if not path.is_file():
            raise ConfigError(f"no TLS file {path} for {address.origin}", hint="it belongs beside ca, cert and key.pem")
    return address


def _port(parts: SplitResult) -> int | None:
    """The port of a URL with a host; None for what is no number below 65536 either."""
    with suppress(ValueError):
        return parts.port if parts.hostname else None
    return None


def _tunnel_instead(netloc: str) -> ConfigError:
    return ConfigError(
        f"ssh://{netloc} is not supported yet",
        hint=f"use a tunnel: ssh -N -L /tmp/docker-{netloc}.sock:/var/run/docker.sock {netloc}   "
        f"and docker_host: unix:///tmp/docker-{netloc}.sock",
    )
