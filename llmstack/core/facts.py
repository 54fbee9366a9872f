"""What the planner is told beside the instances: models in servers, what is missing, what cannot start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmstack.core.context import Context, client_of
from llmstack.core.desired import Wanted, plugin_guard
from llmstack.core.diff import changes
from llmstack.core.generations import settled, stateful
from llmstack.core.observe import Observed, in_parallel
from llmstack.core.select import Picked
from llmstack.core.volumes import left_behind, unfit
from llmstack.domain.instance import Instance, Need, State
from llmstack.domain.server import Life, Liveness, ServedModel
from llmstack.errors import LlmstackError, ServerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found out about one placement."""

    served: tuple[ServedModel, ...] | None = None
    life: Liveness | None = None
    needs: tuple[Need, ...] = ()
    broken: LlmstackError | None = None
    copies: tuple[str, ...] = ()


def with_facts(picked: Sequence[Picked], observed: Observed, context: Context) -> Observed:
    """`observed` with the facts of every picked placement, asked in parallel; changes nothing.

    What goes wrong with one placement is a fact about it (`broken`), so that the others go on.
    """
    items = [item.wanted for item in picked if (item.wanted.target.host, item.wanted.engine) not in observed.errors]
    found = in_parallel(lambda wanted: _facts(wanted, observed.find(wanted), context), items, context.forks)
    by_target = {wanted.target: facts for wanted, facts in zip(items, found, strict=True)}
    return replace(
        observed,
        served={target: facts.served for target, facts in by_target.items()},
        lives={target: facts.life for target, facts in by_target.items() if facts.life},
        needs={target: facts.needs for target, facts in by_target.items()},
        broken={target: facts.broken for target, facts in by_target.items() if facts.broken},
        copies={target: facts.copies for target, facts in by_target.items() if facts.copies},
        settled=frozenset(wanted.target for wanted in items if _settled(wanted, observed.find(wanted), context)),
    )


def _facts(wanted: Wanted, there: Instance | None, context: Context) -> Facts:
    if wanted.error or wanted.off:
        return Facts()
    try:
        return _external(wanted, context) if wanted.external else _ours(wanted, there, context)
    except LlmstackError as error:
        return Facts(broken=error)


def _ours(wanted: Wanted, there: Instance | None, context: Context) -> Facts:
    running = there is not None and there.running
    served = _served(wanted, there, context) if running else None
    if wanted.adopted or context.task in ("down", "rm", "restart", "backup"):
        return Facts(served=served)
    spec, engine = wanted.needed_spec, context.engine(wanted)
    if error := unfit(wanted, engine, context):
        return Facts(served=served, broken=error)
    copies = left_behind(wanted, there.spec, engine) if there and there.spec else ()
    as_wanted = there and there.spec and there.state is not State.CRASHED and not changes(spec, there.spec)
    if running and as_wanted:
        return Facts(served=served, copies=copies)
    return replace(_before_start(wanted, context), served=served, copies=copies)


def _settled(wanted: Wanted, there: Instance | None, context: Context) -> bool:
    return there is not None and stateful(wanted) and settled(there, context.clock.now())


def _before_start(wanted: Wanted, context: Context) -> Facts:
    try:
        with plugin_guard(wanted.kind.name):
            wanted.kind.preflight(wanted.needed_spec)
        return Facts(needs=context.engine(wanted).missing(wanted.needed_spec))
    except LlmstackError as error:
        return Facts(broken=error)


def _external(wanted: Wanted, context: Context) -> Facts:
    life = client_of(wanted, wanted.placement.service.url or "").liveness()
    return Facts(life=life, served=_served(wanted, None, context) if life.life is Life.READY else None)


def _served(wanted: Wanted, there: Instance | None, context: Context) -> tuple[ServedModel, ...] | None:
    """The models of a lazy server; None when it does not answer."""
    if not wanted.lazy:
        return None
    client = context.client(wanted, there)
    try:
        return client.models() if client else None
    except ServerError:
        return None
