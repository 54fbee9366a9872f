"""One engine per host and kind, made when first asked for."""

from __future__ import annotations

import os
import threading
from urllib.parse import urlsplit

from llmstack.domain.host import Host
from llmstack.engines.traced import traced
from llmstack.errors import ConfigError
from llmstack.protocols import Engine

KINDS = ("docker", "process")


class EngineBook:
    """Engines by (host, kind); any thread may ask."""

    def __init__(self) -> None:
        self._engines: dict[tuple[str, str], Engine] = {}
        self._guard = threading.Lock()

    def get(self, host: Host, kind: str) -> Engine:
        """The engine. Raises ConfigError for a host or kind that cannot be."""
        with self._guard:
            key = (host.name, kind)
            if key not in self._engines:
                self._engines[key] = traced(_make(host, kind), f"{kind}@{host.name}")
            return self._engines[key]

    def close(self) -> None:
        """Let go of every connection."""
        with self._guard:
            for engine in self._engines.values():
                engine.close()
            self._engines.clear()


def same(host: Host, kind: str) -> str:
    """A text that is equal for two hosts whose engine of this kind is one."""
    if kind != "docker":
        return "this machine" if _here(host) else host.name
    from llmstack.engines.docker.address import resolve

    try:
        url = urlsplit(resolve(host.docker_host, os.environ).url)
    except ConfigError:
        url = urlsplit(host.docker_host or "")
    if url.scheme == "unix":
        return os.path.realpath(url.path)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2].lower().removesuffix(':22')}"


def _here(host: Host) -> bool:
    return host.name in ("localhost", "127.0.0.1") or host.vars.get("ansible_connection") == "local"


def _make(host: Host, kind: str) -> Engine:
    if kind == "docker":
        from llmstack.engines.docker import DockerEngine

        return DockerEngine(host.name, host.docker_host)
    if kind != "process":
        raise ConfigError(f"no engine '{kind}'", f"engines: {', '.join(KINDS)}")
    if not _here(host):
        raise ConfigError(f"the process engine runs on this machine only, not on {host.name}", "engine: docker")
    from llmstack.engines.process.engine import ProcessEngine

    return ProcessEngine(host.name)
