"""What is done with one model of a server that holds many: fetch, load, unload, delete."""

from __future__ import annotations

from functools import partial
from typing import cast

from llmstack.core.context import Context, urls
from llmstack.core.desired import Wanted
from llmstack.core.fetching import fetched
from llmstack.core.ladder import Climb
from llmstack.core.starting import announce, judge
from llmstack.domain.instance import Instance
from llmstack.domain.ladder import Rung
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.service import ModelSpec
from llmstack.errors import UnhealthyError
from llmstack.protocols import LazyClient


def fetch(action: Action, model: ModelSpec, context: Context) -> Outcome:
    """Have the server pull it, unless it is there by now, and in an `up` prove that it answers; what is to be loaded is
    loaded anew, so whatever held it is freed first."""
    wanted = context.wanted_of(action)
    there = _running(action, context, wanted)
    client = _lazy_client(context, wanted, there)
    announce(action, context, None)
    climb = Climb(context=context, wanted=wanted, target=action.target, there=there, model=model)
    ready = climb.climb(Rung.API)
    if not ready.ok:
        return judge(action, ready, Status.OK, ())
    found, name = wanted.find(model, client.models()), wanted.kind.served_name(model)
    if pulled := found is None:
        _pull(name, action, client, context)
    elif action.kind is ActionKind.LOAD:
        client.unload(name)
    status = Status.CHANGED if pulled or (action.kind is ActionKind.LOAD and context.wait) else Status.OK
    if context.task == "pull" or not context.wait:
        return _done(action, "pulled" if pulled else "there", status)
    return judge(action, climb.climb(), status, urls(context, wanted, there))


def _pull(name: str, action: Action, client: LazyClient, context: Context) -> None:
    patience_s = context.wanted_of(action).placement.service.stall_timeout_s
    fetched(name, partial(client.pull, name), partial(context.report, action.target), context.clock, patience_s)


def unload(action: Action, context: Context) -> Outcome:
    """Free a model's memory; the server and its file stay."""
    wanted = context.wanted_of(action)
    assert action.model is not None
    _lazy_client(context, wanted, action.observed).unload(wanted.kind.served_name(action.model))
    return _done(action, "unloaded")


def remove(action: Action, model: ModelSpec, context: Context) -> Outcome:
    """Delete it from its server."""
    wanted = context.wanted_of(action)
    _lazy_client(context, wanted, action.observed).remove(wanted.kind.served_name(model))
    return _done(action, "deleted")


def _done(action: Action, reason: str, status: Status = Status.CHANGED) -> Outcome:
    return Outcome(target=action.target, status=status, reason=reason, action=action)


def _running(action: Action, context: Context, wanted: Wanted) -> Instance | None:
    """The server as it is now: it may have been created earlier in this run."""
    if wanted.external:
        return None
    there = context.inspect(wanted)
    if there is None or not there.running:
        raise UnhealthyError(f"{wanted.target} does not run, so {action.target} cannot be fetched", "llmstack up")
    return there


def _lazy_client(context: Context, wanted: Wanted, there: Instance | None) -> LazyClient:
    client = context.client(wanted, there)
    if client is None:
        raise UnhealthyError(f"{wanted.target} publishes no port", "give it a `port:`")
    return cast("LazyClient", client)
