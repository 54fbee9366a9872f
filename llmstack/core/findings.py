"""What the facts of a checkup mean. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from llmstack.domain.checkup import Finding, Verdict, trouble
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.gpu import Gpu
from llmstack.domain.instance import Need
from llmstack.errors import LlmstackError, UnreachableError

MOST_SKEW_S = 5.0
HUB = "registry-1.docker.io"
GPU_FIX = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
ROOM_FIX = "free some: docker system df   docker image prune"
CLOCK_FIX = "sudo timedatectl set-ntp true"
DNS_FIX = "look at /etc/resolv.conf and at the network, or set `HTTPS_PROXY` for the engine"
PROXY_FIX = "sudo systemctl edit docker   and add: [Service] Environment=HTTPS_PROXY="


def python(version: str) -> Finding:
    """Our version, and what runs it."""
    about = f"llmstack {version}, Python {sys.version.partition(' ')[0]}"
    return Finding(check="python", target="llmstack", verdict=Verdict.OK, summary=about)


def engine(target: str, answer: EngineFacts | LlmstackError, *, needed: bool, now: float) -> Iterator[Finding]:
    """Whether it answers, and its clock. One that nothing is wanted on is no failure; `now` is the time at which it
    answered, seconds since the epoch by this machine's clock."""
    if isinstance(answer, LlmstackError):
        lacking = Verdict.FAILED if needed else Verdict.WARNING
        yield trouble("engine", target, answer, verdict=lacking)
        if isinstance(answer, UnreachableError):
            summary = "it could not be asked of GPUs, disk, clock and ports"
            yield Finding(check="engine", target=target, verdict=Verdict.SKIPPED, summary=summary)
        return
    parts = [answer.name, answer.api_version and f"API {answer.api_version}", answer.origin]
    rootless = "rootless" if answer.rootless else None
    summary = ", ".join(filter(None, (*parts, rootless)))
    yield Finding(check="engine", target=target, verdict=Verdict.OK, summary=summary)
    for text in answer.warnings:
        yield Finding(check="engine", target=target, verdict=Verdict.WARNING, summary=text, fix="see `docker info`")
    if answer.now is not None:
        yield clock(target, answer.now - now)


def clock(target: str, skew_s: float) -> Finding:
    """Whether an engine's clock and ours agree: leases and times of events are told by it."""
    if abs(skew_s) <= MOST_SKEW_S:
        return Finding(check="clock", target=target, verdict=Verdict.OK, summary="agrees with this machine's")
    way = "ahead of" if skew_s > 0 else "behind"
    summary = f"{abs(skew_s):.0f} s {way} this machine's"
    return Finding(check="clock", target=target, verdict=Verdict.WARNING, summary=summary, fix=CLOCK_FIX)


def gpus(found: Sequence[Gpu] | None, reason: str | None, wanting: Sequence[str]) -> Finding:
    """The GPUs here, beside the services on it that want one."""
    if found is None:
        summary = reason or "the NVIDIA driver cannot be asked"
        return Finding(check="gpu", target="localhost", verdict=Verdict.FAILED, summary=summary, fix="nvidia-smi")
    if found:
        verdict = Verdict.FAILED if any(gpu.trouble for gpu in found) else Verdict.OK
        fix = None if verdict is Verdict.OK else "nvidia-smi"
        return Finding(check="gpu", target="localhost", verdict=verdict, summary=", ".join(map(str, found)), fix=fix)
    if wanting:
        summary = f"no NVIDIA GPU or driver, but wanted by {', '.join(wanting)}"
        fix = "install the NVIDIA driver, or take `gpus:` out of its `resources:`"
        return Finding(check="gpu", target="localhost", verdict=Verdict.FAILED, summary=summary, fix=fix)
    return Finding(check="gpu", target="localhost", verdict=Verdict.OK, summary="no NVIDIA GPU, and none is wanted")


def runtime(target: str, facts: EngineFacts, *, wanted: bool, there: bool) -> Iterator[Finding]:
    """Whether an engine gives GPUs to containers, where some are `there` or `wanted`."""
    if not (wanted or there):
        return
    if facts.gpu:
        summary = "the engine gives NVIDIA's GPUs to containers"
        yield Finding(check="toolkit", target=target, verdict=Verdict.OK, summary=summary)
    else:
        lacking = "the engine has no NVIDIA runtime and no CDI device"
        summary = f"{'the driver sees a GPU, but ' if there else ''}{lacking}"
        verdict = Verdict.FAILED if wanted and facts.gpu is False else Verdict.WARNING
        yield Finding(check="toolkit", target=target, verdict=verdict, summary=summary, fix=GPU_FIX)


def disk(target: str, facts: EngineFacts, needs: Sequence[Need]) -> Finding:
    """The room where images and volumes lie, beside what is still to be fetched."""
    known = sum(need.size_bytes or 0 for need in needs)
    unknown = sum(need.size_bytes is None for need in needs)
    parts = (f"{known / 1e9:.1f} GB" if known else "", f"{unknown} of unknown size" if unknown else "")
    asked = f"{' and '.join(filter(None, parts)) or 'nothing'} to fetch"
    if facts.free_bytes is None:
        summary = f"free space unknown, {asked}"
        return Finding(check="disk", target=target, verdict=Verdict.SKIPPED, summary=summary)
    summary = f"{facts.folder} {facts.free_bytes / 1e9:.0f} GB free, {asked}"
    if known > facts.free_bytes:
        return Finding(check="disk", target=target, verdict=Verdict.FAILED, summary=summary, fix=ROOM_FIX)
    return Finding(check="disk", target=target, verdict=Verdict.OK, summary=summary)


def registries(needs: Sequence[Need]) -> tuple[str, ...]:
    """The machines that images to be fetched come from."""
    firsts = (need.name.partition("/") for need in needs if need.kind == "image")
    hosts = (first if slash and ({".", ":"} & {*first} or first == "localhost") else HUB for first, slash, _ in firsts)
    return tuple(dict.fromkeys(host.partition(":")[0] for host in hosts))


def names(target: str, resolved: Mapping[str, bool], facts: EngineFacts, proxy: str | None) -> Iterator[Finding]:
    """Whether registries are found; `proxy` is this machine's own. An engine with a proxy asks that one."""
    for name in (name for name, found in resolved.items() if not found and not facts.proxy):
        summary = f"{name} is not found: what is there goes on, nothing new can be fetched"
        yield Finding(check="dns", target=target, verdict=Verdict.WARNING, summary=summary, fix=DNS_FIX)
    if proxy and facts.proxy == "" and resolved:
        summary = "this machine uses a proxy, the engine does not"
        yield Finding(check="proxy", target=target, verdict=Verdict.WARNING, summary=summary, fix=f"{PROXY_FIX}{proxy}")


def ports(free: Sequence[int]) -> Finding:
    """Those that are still to be opened, and can be."""
    summary = f"{', '.join(map(str, sorted(free)))} free"
    return Finding(check="ports", target="localhost", verdict=Verdict.OK, summary=summary)
