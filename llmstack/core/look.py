"""One cheap look at a running server: its state, its models, its version; wakes and loads nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from llmstack.core.actions import describe
from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.device import ON_DEMAND, by_server
from llmstack.domain.instance import NO_NETWORK, Instance, State
from llmstack.domain.server import Life, Liveness, ServedModel
from llmstack.domain.service import ModelSpec
from llmstack.domain.tabular import Tabular
from llmstack.errors import LlmstackError, ServerError
from llmstack.modeltype import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Tabular):
    """What a service, or one model of it, looked like; `served` is None where its models cannot be asked, and `device`
    where a look does not tell it."""

    columns = ("state", "version", "detail", "url")

    state: State
    detail: str = ""
    url: str | None = None
    version: str | None = None
    device: str | None = None
    served: tuple[ServedModel, ...] | None = None


def look(context: Context, wanted: Wanted, there: Instance | None) -> Look:
    """Engine first, network second. Server errors become a state; engine errors are raised."""
    wrong = wanted.error.message if wanted.error else "enabled: false" if wanted.off else ""
    if not wanted.external and (there is None or not there.running):
        return Look(state=there.state if there else State.ABSENT, detail=describe(there) if there else wrong)
    if wanted.type is None or (there and there.error == NO_NETWORK):
        return Look(state=State.DEGRADED, detail=wrong or NO_NETWORK)
    url = context.url(wanted, there)
    client = context.client(wanted, there)
    if client is None:
        return Look(state=State.READY, detail=survived(there))
    seen = client.liveness()
    state = state_of(seen, _age_s(context, there), wanted.type.ready_timeout_s, external=wanted.external)
    detail = seen.detail if state is not State.READY else survived(there)
    if state is not State.READY or wanted.type.family is Family.COMPANION:
        return Look(state=state, detail=detail, url=url)
    try:
        served = client.models() if wanted.lazy else None
        return Look(state=state, detail=detail, url=url, version=client.version(), served=served)
    except ServerError as error:
        return Look(state=State.DEGRADED, detail=error.message, url=url)


def state_of(seen: Liveness, age_s: float | None, patience_s: float, *, external: bool = False) -> State:
    """PURE: the state of a running instance by one look; silence is a start at first, later it is a fault."""
    if seen.life is Life.READY:
        return State.READY
    if seen.life is Life.LOADING:
        return State.LOADING
    if seen.life is Life.FAILING:
        return State.DEGRADED
    if external:
        return State.UNREACHABLE
    return State.STARTING if age_s is None or age_s < patience_s else State.DEGRADED


def look_at_model(wanted: Wanted, model: ModelSpec, service: Look) -> Look:
    """PURE: a model's part of a look at its service."""
    if service.state is not State.READY or service.served is None or wanted.type is None:
        return service
    there = wanted.find(model, service.served)
    if there is None:
        return replace(
            service, state=State.ABSENT, detail=f"not pulled: llmstack pull --model {model.name}", version=None
        )
    version = f"{there.name} {there.digest[:6]}" if there.digest else there.name
    return replace(service, device=by_server(there) if there.loaded else ON_DEMAND, version=version)


def _age_s(context: Context, there: Instance | None) -> float | None:
    since = there and (there.started_at or there.created_at)
    return context.clock.now() - since if since else None


def survived(there: Instance | None) -> str:
    """The restarts that a running instance has behind it, in words; empty without any."""
    return describe(there).removeprefix("running").lstrip(", ") if there and there.restarts else ""


def try_look(context: Context, wanted: Wanted, there: Instance | None) -> Look:
    """As `look`; an engine that fails in between is a state too."""
    try:
        return look(context, wanted, there)
    except LlmstackError as error:
        return Look(state=State.UNREACHABLE, detail=error.message)
