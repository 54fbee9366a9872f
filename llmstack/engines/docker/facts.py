"""What `/info` of an engine says. Podman's has the same fields, as far as it has them."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from llmstack.domain.engine_facts import EngineFacts
from llmstack.engines.docker.address import Address
from llmstack.engines.docker.rows import seconds

HOOK = "nvidia-container-runtime-hook"
"""The program by which an engine before CDI gives GPUs to containers; it looks for it on its own PATH."""

CDI_FOLDERS = ("/etc/cdi", "/var/run/cdi")


def facts_of(name: str, api_version: str | None, info: Mapping[str, Any], address: Address) -> EngineFacts:
    """The facts; those of the disk only where the engine's folder is this machine's."""
    folder, here = info.get("DockerRootDir") or None, address.local and info.get("Name") == socket.gethostname()
    options = [str(option) for option in info.get("SecurityOptions") or ()]
    return EngineFacts(
        name=name,
        origin=address.origin,
        api_version=api_version,
        now=seconds(info.get("SystemTime")),
        local=address.local,
        rootless=any("rootless" in option for option in options),
        here=here,  # a socket may lead into a virtual machine or a container
        gpu=_gives_gpus(info, here=here),
        tool=not address.local or shutil.which("nvidia-ctk") is not None,
        folder=folder,
        free_bytes=_free_bytes(folder) if folder and here else None,
        memory_bytes=info.get("MemTotal") or None,
        free_memory_bytes=_free_memory_bytes() if here else None,
        cpus=info.get("NCPU") or None,
        proxy=str(info.get("HttpsProxy") or info.get("HttpProxy") or ""),
        warnings=tuple(str(text) for text in info.get("Warnings") or ()),
    )


def _gives_gpus(info: Mapping[str, Any], *, here: bool) -> bool | None:
    """A runtime of NVIDIA's, or one of its devices by CDI, or the hook; that there is none can be seen `here` alone,
    and not of one that has descriptions of devices, and does not list these."""
    devices = [str(device.get("ID")) for device in info.get("DiscoveredDevices") or ()]
    if "nvidia" in (info.get("Runtimes") or {}) or any(device.startswith("nvidia.com/gpu") for device in devices):
        return True
    if not here:
        return None
    described = any(any(Path(folder).glob("*")) for folder in info.get("CDISpecDirs") or CDI_FOLDERS)
    return shutil.which(HOOK) is not None or (None if described else False)


def _free_bytes(folder: str) -> int | None:
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return None


def _free_memory_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)
