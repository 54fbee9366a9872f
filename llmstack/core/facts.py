"""What the planner is told beside the instances: models in servers, what is missing, what cannot start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from llmstack.core import claims
from llmstack.core.actions import astray
from llmstack.core.context import Context, client_of
from llmstack.core.desired import Wanted, plugin_guard
from llmstack.core.diff import by_hand, changes, defaults_changed
from llmstack.core.generations import settled, stateful
from llmstack.core.observe import Facts, Observed, in_parallel
from llmstack.core.select import Picked
from llmstack.core.versions import as_it_runs, is_other, proved_file, renewed_file, sticky_file
from llmstack.domain.instance import Instance, InstanceSpec, Need, State, Weights
from llmstack.domain.server import Life, ServedModel
from llmstack.domain.service import ModelSpec
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError, PreflightError, ServerError
from llmstack.protocols import Engine, LazyClient


def with_facts(picked: Sequence[Picked], observed: Observed, context: Context) -> Observed:
    """`observed` with the facts of every picked placement, asked in parallel; changes nothing.

    What goes wrong with one placement is a fact about it (`broken`), so that the others go on.
    """
    items = [item.wanted for item in picked if (item.wanted.target.host, item.wanted.engine) not in observed.errors]
    found = in_parallel(lambda wanted: _facts(wanted, observed, context), items, context.forks)
    facts = {
        wanted.target: replace(each, settled=_settled(wanted, observed.find(wanted), context))
        for wanted, each in zip(items, found, strict=True)
    }
    more = {target: each for placed in found for target, each in placed.models.items()}
    return replace(observed, facts=facts | more)


def _facts(wanted: Wanted, observed: Observed, context: Context) -> Facts:
    if wanted.error or wanted.off:
        return Facts()
    try:
        return _external(wanted, context) if wanted.external else _ours(wanted, observed, context)
    except LlmstackError as error:
        return Facts(broken=error)


def _ours(wanted: Wanted, observed: Observed, context: Context) -> Facts:
    there = observed.find(wanted)
    running = there is not None and there.running
    served = served_by(wanted, there, context)
    models = _absent(wanted, there, served, context)
    if wanted.adopted or context.task in ("down", "rm", "restart", "backup"):
        return Facts(served=served, models=models)
    engine, made = context.engine(wanted), there.spec if there else None
    spec = _to_run(wanted, made, context)
    file = _file(wanted, spec, there, context)
    models |= {wanted.target_of(model): file for model in wanted.placement.models[:1] if file}
    if error := claims.unfit(wanted, engine, context):
        return Facts(served=served, broken=error)
    copies = claims.left_behind(wanted, made, engine) if made else ()
    pins, newest = _images(spec, there, engine, context.task)
    wanted = replace(wanted, spec=spec)
    if newest and is_other(newest, pins):
        wanted = replace(wanted, spec=spec.with_decided(image=newest))
    if context.task == "update" and file:
        wanted = replace(wanted, spec=renewed_file(wanted.needed_spec, file.served))
    as_wanted = there and made and there.state is not State.CRASHED and not _changes(spec, made, context)
    stays = as_wanted and wanted.spec is spec and context.task != "rollback"
    if made and (context.task == "restore" or (stateful(wanted) and not stays)):
        claims.check_alone(wanted, engine.sharers(made))
    weights = wanted.needed_spec.decided.get("weights")
    volumes = "" if as_wanted or context.task == "pull" else claims.volumes(wanted, made, observed, context)
    known = Facts(
        served=served, models=models, copies=copies, pins=pins, newest=newest, weights=weights, volumes=volumes
    )
    if running and as_wanted and wanted.spec is spec:
        # An inspect each: only where somebody just looks.
        looked = engine.inspect(there.container_name) if there and context.only_looks else None
        return replace(known, by_hand=by_hand(looked))
    if volumes:
        wanted = replace(wanted, spec=wanted.needed_spec.with_decided(volumes=volumes))
    found = _before_start(wanted, observed, context)
    return replace(known, needs=found.needs, broken=found.broken)


def _to_run(wanted: Wanted, made: InstanceSpec | None, context: Context) -> InstanceSpec:
    """What this run would start; other data are given to what is there, as it is."""
    if made is None:
        return remembered(wanted, context).needed_spec
    return as_it_runs(wanted, made) if context.task == "restore" else sticky_file(wanted.needed_spec, made)


def remembered(wanted: Wanted, context: Context) -> Wanted:
    """With the model file that was proved ready last, where its source is fetched and nobody pinned that."""
    spec, models = wanted.spec, wanted.placement.models
    if spec is None or spec.weights is None or not (spec.weights.remote and models):
        return wanted
    with context.turn("store"):
        return replace(wanted, spec=proved_file(spec, context.proved(wanted.target_of(models[0]))))


def _file(wanted: Wanted, spec: InstanceSpec, there: Instance | None, context: Context) -> Facts | None:
    """Of the model file of `spec`: its digest beside that of what its source has now, or before a rollback all that lie
    there, by their fingerprints. Of a volume that no container mounts only what is pinned is told."""
    source, kept = wanted.needed_spec.weights, spec.weights
    if not (source and kept and source.remote) or context.task not in ("pull", "update", "rollback"):
        return None
    shelf = context.engine(wanted).shelf(spec.stack)
    blind = shelf is not None and not (there and there.spec and there.spec.weights)
    if blind and context.task != "update":
        return None
    from llmstack.modeltype.folder import Folder, newest_of

    found = () if blind else (shelf or Folder()).files()
    files = {each.fingerprint: each.sha256 for each in found if not each.broken}
    if context.task == "rollback":
        return Facts(served=tuple(ServedModel(name=name, digest=digest) for name, digest in files.items()))
    digest = files.get(kept.fingerprint) or kept.source.lower().partition("#sha256=")[2]
    return Facts(served=(ServedModel(name=source.source, digest=digest, newest=newest_of(source)),))


def _images(
    spec: InstanceSpec, there: Instance | None, engine: Engine, task: str
) -> tuple[tuple[str, ...], str | None]:
    """What means just the image of an instance, and the one that there is of it now: at its registry, or else here if
    that is another one."""
    if task not in ("update", "rollback") or there is None or not there.image_id or not spec.image:
        return (), None
    pins = engine.pins(there.image_id)
    if task == "rollback":
        return pins, None
    here = (pin for pin in engine.pins(spec.image) if is_other(pin, pins))
    return pins, engine.newest(spec.image) or next(here, None)


def _changes(spec: InstanceSpec, there: InstanceSpec, context: Context) -> bool:
    """Whether this run would make it anew."""
    return bool(changes(spec, there) or (context.task == "update" and defaults_changed(spec, there)))


def _settled(wanted: Wanted, there: Instance | None, context: Context) -> bool:
    return there is not None and stateful(wanted) and settled(there, context.clock.now())


def _before_start(wanted: Wanted, observed: Observed, context: Context) -> Facts:
    engine, spec = context.engine(wanted), wanted.needed_spec
    try:
        with plugin_guard(wanted.kind.name):
            wanted.kind.preflight(spec)
        needs = tuple(_sized(need, wanted, context) for need in engine.missing(spec))
        lacks = _no_gpu(wanted, engine, context) or _no_place(wanted, observed, context)
        return Facts(needs=needs, broken=None if context.task == "pull" else lacks)
    except LlmstackError as error:
        return Facts(broken=error)


def _sized(need: Need, wanted: Wanted, context: Context) -> Need:
    """With the size of a model file that has room. What the host may have all the same, or a server may tell another
    time, is no reason to do nothing: the run itself will see."""
    weights = wanted.needed_spec.weights
    if need.kind != "weights" or weights is None:
        return need
    try:
        need = replace(need, size_bytes=need.size_bytes or _size(weights, context))
        _check_room(need, weights, wanted, context)
    except LlmstackError as error:
        if not (need.perhaps or error.data.get("again")):
            raise
        if context.only_looks:
            context.warn("; ".join(filter(None, (error.message, error.hint))), wanted.target)
    return need


def _size(weights: Weights, context: Context) -> int | None:
    from llmstack.modeltype.folder import size_of

    if weights.source not in context.sizes:
        context.once(lambda: context.sizes.update({weights.source: size_of(weights)}), "size", weights.source)
    return context.sizes[weights.source]


def _check_room(need: Need, weights: Weights, wanted: Wanted, context: Context) -> None:
    """On this machine, where it comes first, and on the host."""
    from llmstack.modeltype.folder import check_room

    if weights.remote:
        check_room(weights, need.size_bytes)
    if context.engine(wanted).shelf(wanted.needed_spec.stack):
        check_host_room(need, wanted, context)


def check_host_room(need: Need, wanted: Wanted, context: Context) -> None:
    """Raises PreflightError for what cannot fit where the host keeps it, as far as that is known."""
    if need.size_bytes and not wanted.external:
        context.engine(wanted).facts().check_room(f"{need.name} on {wanted.target.host}", need.size_bytes)


def _no_gpu(wanted: Wanted, engine: Engine, context: Context) -> LlmstackError | None:
    """What `doctor` tells once for all, of those that ask for a GPU; a process may have one of another maker."""
    if not wanted.needed_spec.limits.gpus or engine.kind != "docker" or context.task == "doctor":
        return None
    from llmstack.core.findings import no_gpu

    facts = engine.facts()
    return no_gpu(str(wanted.target), facts, context.gpus.gpus() if facts.here else None)


def _no_place(wanted: Wanted, observed: Observed, context: Context) -> LlmstackError | None:
    """Who is in the way. A port or a volume that a wanted instance of the stack holds may be free once its turn comes:
    that is the planner's to see."""
    engine, spec = context.engine(wanted), wanted.needed_spec
    try:
        engine.check_place(spec)
        if stateful(wanted) and observed.find(wanted) is None:
            claims.check_alone(wanted, claims.shared(spec, observed))
    except PreflightError as error:
        port, name = error.data.get("port", ""), error.data.get("holder", "")
        rows = [row for row in observed.rows() if row.running and row.host == spec.host]
        holder = next((row for row in rows if row.port == port or row.container_name == name), None)
        if holder and holder.target in context.wanted:
            if holder.target == spec.target or context.task not in ("up", "update"):
                return None
            error.hint = f"{holder.target} has it now: pick it too, or llmstack down --service {holder.service} first"
        elif holder:
            lost = astray(holder, context.wanted.values())
            error.hint = f"{holder.target} is {lost}: llmstack up --orphans removes it"
        return error
    return None


def _external(wanted: Wanted, context: Context) -> Facts:
    life = client_of(wanted, wanted.placement.service.url or "").liveness()
    served = served_by(wanted, None, context) if life.life is Life.READY else None
    return Facts(life=life, served=served, models=_absent(wanted, None, served, context))


def served_by(wanted: Wanted, there: Instance | None, context: Context) -> tuple[ServedModel, ...] | None:
    """The models of a lazy server; None when it does not run or answer."""
    if not wanted.lazy or not (wanted.external or (there and there.running)):
        return None
    client = cast("LazyClient | None", context.client(wanted, there))
    try:
        served = client.models() if client else None
    except ServerError:
        return None
    if served is None or client is None or context.task not in ("pull", "update"):
        return served
    names = {found.name: name for name, found in _found(wanted, served)}
    return tuple(replace(one, newest=client.newest(names[one.name])) if one.name in names else one for one in served)


def _found(wanted: Wanted, served: Sequence[ServedModel]) -> Iterator[tuple[str, ServedModel]]:
    """The models of the inventory that a server has, by the names under which they are pulled."""
    for model in wanted.enabled_models():
        if there := wanted.find(model, served):
            yield wanted.kind.served_name(model), there


def _absent(
    wanted: Wanted, there: Instance | None, served: Sequence[ServedModel] | None, context: Context
) -> dict[Target, Facts]:
    """How large the models are that a server is to pull, and which of them have no room."""
    if served is None or context.task not in ("up", "pull", "update"):
        return {}
    client = cast("LazyClient", context.client(wanted, there))
    absent = (model for model in wanted.enabled_models() if wanted.find(model, served) is None)
    return {wanted.target_of(model): _of_absent(model, client, wanted, context) for model in absent}


def _of_absent(model: ModelSpec, client: LazyClient, wanted: Wanted, context: Context) -> Facts:
    name = wanted.kind.served_name(model)
    need = Need(kind="model", name=name, size_bytes=client.size_bytes(name))
    try:
        check_host_room(need, wanted, context)
    except PreflightError as error:
        return Facts(needs=(need,), broken=error)
    return Facts(needs=(need,))
