"""The containers of llmstack on this machine's Docker: python examples/docker_manager.py CONTAINER.

The container is stopped and started again.
"""

from __future__ import annotations

import sys

from llmstack import DockerManager
from llmstack.errors import LlmstackError


def main(name: str) -> None:
    """Look at all of them; stop, start, measure and ask one."""
    with DockerManager(host="localhost") as manager:
        for container, look in manager.get_stack_status().items():
            print(f"{container} {look.state.value} {look.version} {look.url}")
        there = manager.get_container_status(name)
        print(f"{there.container_name} of {there.image} on port {there.port}, restarts {there.restarts}")
        manager.stop_container(name, timeout_s=10)
        there = manager.get_container_status(name)
        print(f"{name} is {manager.look(there).state.value}, its port is free")
        for rung in manager.start_container(name).rungs:
            print(f"  {rung.rung.value} {rung.ms:.0f} ms {rung.detail}")
        usage = manager.get_container_stats(name)
        if usage:
            print(
                f"{usage.memory_bytes} bytes of memory, {usage.cpu_percent} % of a core, GPU {usage.gpu_memory_bytes}"
            )
        print(f"healthy: {manager.validate_container_health(name).ok}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2] or ["ollama"])
    except LlmstackError as error:
        sys.exit(f"{error.message}\n{error.hint or ''}")
