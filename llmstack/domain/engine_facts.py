"""What an engine says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """None is unknown, or does not apply to this kind. `name` is kind and version, `origin` where its address was
    written, `now` its clock in seconds since the epoch; `local` tells whether it works on this machine's files, `gpu`
    whether it can give NVIDIA's GPUs to an instance; `free_bytes` is the room where images and volumes lie (`folder`),
    `proxy` what it pulls through (empty without one)."""

    name: str
    origin: str | None = None
    api_version: str | None = None
    now: float | None = None
    local: bool = True
    rootless: bool | None = None
    gpu: bool | None = None
    folder: str | None = None
    free_bytes: int | None = None
    proxy: str | None = None
    warnings: tuple[str, ...] = ()
