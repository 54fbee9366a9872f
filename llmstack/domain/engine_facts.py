"""What an engine says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from llmstack.errors import PreflightError

ROOM_HINT = "free some: llmstack weights.prune   docker system df   docker image prune"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """None is unknown, or does not apply to this kind. `name` is kind and version, `origin` where its address was
    written, `now` its clock in seconds since the epoch; `local` tells whether it works on this machine's files, `here`
    whether its machine surely is this one, `gpu` whether it can give NVIDIA's GPUs to an instance, `tool` whether their
    toolkit is installed there, as far as that can be seen; `free_bytes` is the room where images and volumes lie
    (`folder`), `memory_bytes` and `cpus` are its machine's, `free_memory_bytes` what of it nobody uses now; `proxy`
    what it pulls through (empty without one)."""

    name: str
    origin: str | None = None
    api_version: str | None = None
    now: float | None = None
    local: bool = True
    here: bool = False
    rootless: bool | None = None
    gpu: bool | None = None
    tool: bool = True
    folder: str | None = None
    free_bytes: int | None = None
    memory_bytes: int | None = None
    free_memory_bytes: int | None = None
    cpus: int | None = None
    proxy: str | None = None
    warnings: tuple[str, ...] = ()

    def check_room(self, what: str, size_bytes: int | None) -> None:
        """Raises PreflightError for what does not fit where models lie, as far as both are known."""
        if size_bytes is None or self.free_bytes is None or size_bytes <= self.free_bytes:
            return
        message = (
            f"{what} needs {size_bytes / 1e6:.1f} MB, {self.folder or 'its disk'} has {self.free_bytes / 1e6:.1f} MB"
        )
        raise PreflightError(message, ROOM_HINT, needed_bytes=size_bytes, free_bytes=self.free_bytes)
