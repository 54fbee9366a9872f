"""What the facts of a checkup mean. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from llmstack.domain.checkup import Finding, Verdict, trouble
from llmstack.domain.engine_facts import ROOM_HINT, EngineFacts
from llmstack.domain.gpu import Gpu
from llmstack.domain.instance import Need
from llmstack.errors import LlmstackError, PreflightError, UnreachableError

MOST_SKEW_S = 5.0
HUB = "registry-1.docker.io"
GPU_FIX = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
TOOL_FIX = "sudo apt-get install nvidia-container-toolkit"
DRIVER_FIX = "install the NVIDIA driver, or take `gpus:` out of its `resources:`"
CLOCK_FIX = "sudo timedatectl set-ntp true"
DNS_FIX = "look at /etc/resolv.conf and at the network, or set `HTTPS_PROXY` for the engine"
PROXY_FIX = "sudo systemctl edit docker   and add: [Service] Environment=HTTPS_PROXY="


def python(version: str) -> Finding:
    """Our version, and what runs it."""
    return Finding("python", "llmstack", Verdict.OK, f"llmstack {version}, Python {sys.version.partition(' ')[0]}")


def engine(target: str, answer: EngineFacts | LlmstackError, *, needed: bool, now: float) -> Iterator[Finding]:
    """Whether it answers, and its clock. One that nothing is wanted on is no failure; `now` is the time at which it
    answered, seconds since the epoch by this machine's clock."""
    if isinstance(answer, LlmstackError):
        lacking = Verdict.FAILED if needed else Verdict.WARNING
        yield trouble("engine", target, answer, verdict=lacking)
        if isinstance(answer, UnreachableError):
            yield Finding("engine", target, Verdict.SKIPPED, "it could not be asked of GPUs, disk, clock and ports")
        return
    api, rootless = answer.api_version and f"API {answer.api_version}", "rootless" if answer.rootless else ""
    yield Finding("engine", target, Verdict.OK, ", ".join(filter(None, (answer.name, api, answer.origin, rootless))))
    for text in answer.warnings:
        yield Finding("engine", target, Verdict.WARNING, text, "see `docker info`")
    if answer.now is not None:
        yield clock(target, answer.now - now)


def clock(target: str, skew_s: float) -> Finding:
    """Whether an engine's clock and ours agree: leases and times of events are told by it."""
    if abs(skew_s) <= MOST_SKEW_S:
        return Finding("clock", target, Verdict.OK, "agrees with this machine's")
    way = "ahead of" if skew_s > 0 else "behind"
    return Finding("clock", target, Verdict.WARNING, f"{abs(skew_s):.0f} s {way} this machine's", CLOCK_FIX)


def gpus(found: Sequence[Gpu] | None, reason: str | None, wanting: Sequence[str]) -> Finding:
    """The GPUs here, beside the services on it that want one."""
    if found is None:
        told = reason or "the NVIDIA driver cannot be asked"
        return Finding("gpu", "localhost", Verdict.FAILED, told, "nvidia-smi")
    if found:
        lost = any(gpu.trouble for gpu in found)
        told, verdict = ", ".join(map(str, found)), Verdict.FAILED if lost else Verdict.OK
        return Finding("gpu", "localhost", verdict, told, "nvidia-smi" if lost else None)
    if wanting:
        told = f"no NVIDIA GPU or driver, but wanted by {', '.join(wanting)}"
        return Finding("gpu", "localhost", Verdict.FAILED, told, DRIVER_FIX)
    return Finding("gpu", "localhost", Verdict.OK, "no NVIDIA GPU, and none is wanted")


def runtime(target: str, facts: EngineFacts, *, wanted: bool, there: bool) -> Iterator[Finding]:
    """Whether an engine gives GPUs to containers, where some are `there` or `wanted`."""
    if not (wanted or there):
        return
    if facts.gpu:
        yield Finding("toolkit", target, Verdict.OK, "the engine gives NVIDIA's GPUs to containers")
    else:
        seen = "the driver sees a GPU, but " if there else ""
        verdict = Verdict.FAILED if wanted and facts.gpu is False else Verdict.WARNING
        lacks, fix = ("", GPU_FIX) if facts.tool else (", and no toolkit is installed", f"{TOOL_FIX} && {GPU_FIX}")
        told = f"{seen}the engine has no NVIDIA runtime and no CDI device{lacks}"
        yield Finding("toolkit", target, verdict, told, fix)


def no_gpu(target: str, facts: EngineFacts, cards: Sequence[Gpu] | None) -> LlmstackError | None:
    """What is sure to keep an engine from giving `target` a GPU; `cards` are this machine's, None where unknown."""
    found = [gpus((), None, ["it"])] if facts.here and cards == () else []
    found += runtime(target, facts, wanted=True, there=facts.here and bool(cards))
    bad = next((one for one in found if one.verdict is Verdict.FAILED), None)
    return PreflightError(f"{target}: {bad.summary}", bad.fix, gpu=facts.gpu) if bad else None


def disk(target: str, facts: EngineFacts, needs: Sequence[Need]) -> Finding:
    """The room where images and volumes lie, beside what is still to be fetched."""
    known = sum(need.size_bytes or 0 for need in needs)
    unknown = sum(need.size_bytes is None for need in needs)
    parts = (f"{known / 1e9:.1f} GB" if known else "", f"{unknown} of unknown size" if unknown else "")
    asked = f"{' and '.join(filter(None, parts)) or 'nothing'} to fetch"
    if facts.free_bytes is None:
        return Finding("disk", target, Verdict.SKIPPED, f"free space unknown, {asked}")
    told = f"{facts.folder} {facts.free_bytes / 1e9:.0f} GB free, {asked}"
    if known > facts.free_bytes:
        return Finding("disk", target, Verdict.FAILED, told, ROOM_HINT)
    return Finding("disk", target, Verdict.OK, told)


def registries(needs: Sequence[Need]) -> tuple[str, ...]:
    """The machines that images to be fetched come from."""
    firsts = (need.name.partition("/") for need in needs if need.kind == "image")
    hosts = (first if slash and ({".", ":"} & {*first} or first == "localhost") else HUB for first, slash, _ in firsts)
    return tuple(dict.fromkeys(host.partition(":")[0] for host in hosts))


def names(target: str, resolved: Mapping[str, bool], facts: EngineFacts, proxy: str | None) -> Iterator[Finding]:
    """Whether registries are found; `proxy` is this machine's own. An engine with a proxy asks that one."""
    for name in (name for name, found in resolved.items() if not found and not facts.proxy):
        told = f"{name} is not found: what is there goes on, nothing new can be fetched"
        yield Finding("dns", target, Verdict.WARNING, told, DNS_FIX)
    if proxy and facts.proxy == "" and resolved:
        told = "this machine uses a proxy, the engine does not"
        yield Finding("proxy", target, Verdict.WARNING, told, f"{PROXY_FIX}{proxy}")


def ports(free: Sequence[int]) -> Finding:
    """Those that are still to be opened, and can be."""
    return Finding("ports", "localhost", Verdict.OK, f"{', '.join(map(str, sorted(free)))} free")
