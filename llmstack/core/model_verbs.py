"""What is done with one model of a server that holds many: fetch, load, unload, delete."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from llmstack.core.context import Context, urls
from llmstack.core.desired import Wanted
from llmstack.core.facts import check_host_room
from llmstack.core.fetching import fetched
from llmstack.core.ladder import Climb
from llmstack.core.starting import announce, judge, rolled_back
from llmstack.core.versions import kept_name
from llmstack.domain.instance import Instance, Need
from llmstack.domain.ladder import Rung
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.service import ModelSpec
from llmstack.errors import FetchError, LlmstackError, UnhealthyError
from llmstack.protocols import LazyClient, Report

BACK = "the version before is back"


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
    if found and action.changes:
        return _changed_version(action, name, client, climb)
    if pulled := found is None:
        _pull(name, action, client, context)
    elif action.kind is ActionKind.LOAD:
        client.unload(name)
    status = Status.CHANGED if pulled or (action.kind is ActionKind.LOAD and context.wait) else Status.OK
    if context.task == "pull" or not context.wait:
        return _done(action, "pulled" if pulled else "there", status)
    return judge(action, climb.climb(), status, urls(context, wanted, there))


def _changed_version(action: Action, name: str, client: LazyClient, climb: Climb) -> Outcome:
    """A newer version, with the one before kept under another name; or that one back. What does not get ready, or is
    cut short, is undone."""
    context, before = climb.context, kept_name(name)
    if action.kind is ActionKind.LOAD:
        _put_back(client, name)
        return judge(action, climb.climb(), Status.CHANGED, urls(context, climb.wanted, climb.there))
    client.copy(name, before)
    try:
        _pull(name, action, client, context)
        client.unload(name)
        ladder = climb.climb()
    except BaseException as error:
        _put_back(client, name)
        if isinstance(error, LlmstackError):
            error.data |= {"rolled_back": True, "state": BACK}
            error.message += f"; {BACK}"
        raise
    outcome = judge(action, ladder, Status.CHANGED, urls(context, climb.wanted, climb.there))
    if ladder.ok:
        return outcome
    _put_back(client, name)
    return rolled_back(outcome, BACK)


def _put_back(client: LazyClient, name: str) -> None:
    """The version before an update takes its name again."""
    client.unload(name)
    client.copy(kept_name(name), name)
    client.remove(kept_name(name))


def _pull(name: str, action: Action, client: LazyClient, context: Context) -> None:
    wanted = context.wanted_of(action)
    check_host_room(Need(kind="model", name=name, size_bytes=client.size_bytes(name)), wanted, context)
    patience_s = wanted.placement.service.stall_timeout_s
    step = _cured(partial(client.pull, name), action, context)
    fetched(name, step, partial(context.report, action.target), context.clock, patience_s)


def _cured(pull: Callable[[Report], None], action: Action, context: Context) -> Callable[[Report], None]:
    """`pull`, once more where its type knows a cure for what went wrong."""
    wanted = context.wanted_of(action)

    def step(report: Report) -> None:
        try:
            pull(report)
        except FetchError as error:
            cure = wanted.kind.cures.get(str(error.data.get("kind")))
            if cure is None or wanted.external:
                raise
            context.warn(f"{error.message}: it is removed")
            context.engine(wanted).execute(wanted.container_name or "", cure)
            pull(report)

    return step


def unload(action: Action, context: Context) -> Outcome:
    """Free a model's memory; the server and its file stay."""
    wanted = context.wanted_of(action)
    assert action.model is not None
    _lazy_client(context, wanted, action.observed).unload(wanted.kind.served_name(action.model))
    return _done(action, "unloaded")


def remove(action: Action, model: ModelSpec, context: Context) -> Outcome:
    """Delete it from its server."""
    wanted = context.wanted_of(action)
    client, name = _lazy_client(context, wanted, action.observed), wanted.kind.served_name(model)
    client.remove(name)
    for kept in [one.name for one in client.models() if wanted.kind.same_model(kept_name(name), one.name)]:
        client.remove(kept)
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
