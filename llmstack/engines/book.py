"""One engine per host and kind, made when first asked for."""

from __future__ import annotations

import threading

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


def _make(host: Host, kind: str) -> Engine:
    if kind == "docker":
        from llmstack.engines.docker import DockerEngine

        return DockerEngine(host.name, host.docker_host)
    if kind != "process":
        raise ConfigError(f"no engine '{kind}'", f"engines: {', '.join(KINDS)}")
    if host.name not in ("localhost", "127.0.0.1") and host.vars.get("ansible_connection") != "local":
        raise ConfigError(f"the process engine runs on this machine only, not on {host.name}", "engine: docker")
    from llmstack.engines.process.engine import ProcessEngine

    return ProcessEngine(host.name)
