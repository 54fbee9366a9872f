"""What an engine or the way to it refused, as an error that a person can act on. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmstack.domain.engine_facts import ROOM_HINT
from llmstack.errors import FetchError, LlmstackError, NoMatchError, PreflightError, UnreachableError

LONGEST = 400
START_HINT = "start it: sudo systemctl start docker   (Docker Desktop: open the application), or set DOCKER_HOST"
AGAIN_HINT = "it was stopped or started anew: once it runs, run this again"
LISTEN_HINT = "let its engine listen there, or correct the address: DOCKER_HOST, Docker context, `docker_host:`"
NAME_HINT = "correct the address: DOCKER_HOST, Docker context, `docker_host:`"
GROUP_HINT = "sudo usermod -aG docker $USER and log in again, or use rootless Docker"
GPU_HINT = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
CDI_HINT = "`llmstack gpus` and `nvidia-ctk cdi list` tell the names; sudo nvidia-ctk cdi generate lists them anew"
DRIVER_HINT = "nvidia-smi and `llmstack doctor` tell why; after an update of the driver, reboot"
TLS_HINT = "check DOCKER_TLS_VERIFY and ca.pem, cert.pem, key.pem in DOCKER_CERT_PATH"
REGISTRY_HINT = "look at network, DNS and proxy of the engine's machine, or bring the image by hand: docker load"
LOGIN_HINT = "correct `image:`, or log in to its registry: docker login"
PLAIN_HINT = "give it a certificate, or name it under insecure-registries in the engine's daemon.json"
BROKEN_HINT = "run it again; if it happens again, the registry or a proxy in between is broken"


@dataclass(frozen=True, slots=True)
class Refusal:
    """`status` is None when no answer came; `text` is the engine's or the operating system's own; `otherwise` is the
    class of the error where the cause alone does not decide it."""

    doing: str
    host: str
    where: str
    status: int | None
    text: str
    otherwise: type[LlmstackError] = LlmstackError

    @property
    def short(self) -> str:
        """The text on one line of sane length."""
        line = " ".join(self.text.split())
        return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


Build = Callable[[Refusal], LlmstackError]


@dataclass(frozen=True, slots=True)
class Rule:
    """Applies when one of `words` is in the lowered text and `status` (None: any; 0: no answer came) fits."""

    words: tuple[str, ...]
    build: Build
    status: int | None = None

    def fits(self, refusal: Refusal) -> bool:
        """Whether this rule explains `refusal`."""
        if self.status is not None and self.status != (refusal.status or 0):
            return False
        return any(word in refusal.text.lower() for word in self.words)


def explain(refusal: Refusal) -> LlmstackError:
    """The error for `refusal`."""
    pull = refusal.status is not None and refusal.doing.startswith("pull ")
    for rule in (*(PULL_RULES if pull else ()), *RULES):
        if rule.fits(refusal):
            return rule.build(refusal)
    if refusal.status is None:
        return UnreachableError(f"the Docker engine of {refusal.host} broke off: {refusal.short}", START_HINT)
    return refusal.otherwise(
        f"cannot {refusal.doing} on {refusal.host}: {refusal.short}", "see `docker info` and the engine's own log"
    )


def _unreachable(what: str, hint: str) -> Build:
    return lambda r: UnreachableError(f"the Docker engine of {r.host} ({r.where}) {what}", hint, cause=r.short)


def _refused(r: Refusal) -> LlmstackError:
    return _unreachable("does not run", LISTEN_HINT if "tcp://" in r.where else START_HINT)(r)


def _preflight(what: str, hint: str, **data: object) -> Build:
    return lambda r: PreflightError(f"cannot {r.doing} on {r.host}: {what}", hint, cause=r.short, **data)


def _no_gpu(what: str, hint: str) -> Build:
    start, tool = "the engine cannot give it a GPU, " + what, "nvidia-container-cli: "
    return lambda r: _preflight(f"{start} ({r.short.rpartition(tool)[2]})", hint)(r)


def _image(r: Refusal) -> LlmstackError:
    return FetchError(f"cannot {r.doing} on {r.host}: its image is not there ({r.short})", "invoke pull fetches it")


def _pull(what: str, hint: str, kind: str, *, again: bool = False) -> Build:
    return lambda r: FetchError(f"cannot {r.doing} on {r.host}: {what} ({r.short})", hint, kind=kind, again=again)


def _gone(r: Refusal) -> LlmstackError:
    return NoMatchError(f"cannot {r.doing} on {r.host}: it is not there", "invoke status shows what is")


def _full(r: Refusal) -> LlmstackError:
    kind = r.otherwise if r.otherwise is not LlmstackError else PreflightError
    return kind(f"cannot {r.doing} on {r.host}: the disk of the engine is full", ROOM_HINT, cause=r.short)


def _conflict(r: Refusal) -> LlmstackError:
    return LlmstackError(
        f"cannot {r.doing} on {r.host}: the name is taken", "someone else acted meanwhile; run it again", conflict=True
    )


PULL_RULES: tuple[Rule, ...] = (
    Rule(
        (
            "unexpected eof",
            "connection reset",
            "i/o timeout",
            "handshake timeout",
            "deadline exceeded",
            "http status: 5",
        ),
        _pull("its registry broke off or is slow", REGISTRY_HINT, "interrupted", again=True),
    ),
    Rule(("http response to https",), _pull("its registry speaks plain http", PLAIN_HINT, "insecure")),
    Rule(("no such host", "dial tcp", "lookup "), _pull("its registry cannot be reached", REGISTRY_HINT, "offline")),
    Rule(("manifest unknown", "not found", "name unknown"), _pull("no such image or tag", LOGIN_HINT, "not_found")),
    Rule(("denied", "unauthorized", "no basic auth"), _pull("its registry refuses", LOGIN_HINT, "denied")),
    Rule(
        ("filesystem layer verification failed",),
        _pull("what arrived is not what was announced", BROKEN_HINT, "digest"),
    ),
)
"""For what an engine says of a registry, in a refusal of a pull alone."""

RULES: tuple[Rule, ...] = (
    Rule(("timed out", "timeout"), _unreachable("did not answer in time", "is the machine busy, asleep or away?"), 0),
    Rule(("permission denied",), _unreachable("refuses us: permission denied", GROUP_HINT), 0),
    Rule(("no such file",), _unreachable("does not run", START_HINT), 0),
    Rule(("connection refused",), _refused, 0),
    Rule(("reset by peer", "connection aborted", "broken pipe"), _unreachable("broke off", AGAIN_HINT), 0),
    Rule(("certificate", "ssl", "tls"), _unreachable("and we do not agree on TLS", TLS_HINT), 0),
    Rule(("name or service not known", "no route", "name resolution"), _unreachable("is not found", NAME_HINT), 0),
    Rule(("request to an https server",), _unreachable("wants TLS", "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH")),
    Rule(("client version",), _unreachable("speaks another API version", "llmstack needs Docker 20.10 or newer"), 400),
    Rule(("/_ping",), _unreachable("is none: something else answers there", NAME_HINT)),
    Rule(("no such container", "no container with name"), _gone, 404),
    Rule(("network",), _preflight("its network is gone", "llmstack up makes it anew", network_gone=True), 404),
    Rule(("no such image", "image not known", "unable to find"), _image, 404),
    Rule(("is already in use", "already exists"), _conflict, 409),
    Rule(("already in use by", "name is in use", "unique constraint failed: containerconfig.name"), _conflict, 500),
    Rule(
        ("port is already allocated", "address already in use", "ports are not available", "failed to bind"),
        _preflight("its port is taken", "choose another port, or stop what holds it", port_taken=True),
    ),
    Rule(("could not select device driver", "cdi spec not found"), _no_gpu("it has no NVIDIA runtime", GPU_HINT)),
    Rule(("unresolvable cdi devices", "nvidia-container-cli: device error"), _no_gpu("it knows no such GPU", CDI_HINT)),
    Rule(
        ("unsatisfied condition: cuda",), _no_gpu("the image wants a newer driver", "an older image, or a new driver")
    ),
    Rule(("nvidia-container-cli",), _no_gpu("the NVIDIA driver refuses", DRIVER_HINT)),
    Rule(("no space left on device",), _full),
    Rule(
        ("executable file not found", "exec format error", "exec:"),
        _preflight("its program cannot run", "check `args` and `image`"),
    ),
    Rule(("bind source path does not exist",), _preflight("a mount's source is not there", "check `mounts`")),
    Rule(("minimum memory limit", "range of cpus"), _preflight("its limits cannot be", "check `resources`")),
)
