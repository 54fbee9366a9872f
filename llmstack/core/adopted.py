"""A placement made of what an instance says of itself: for callers that have no inventory."""

from __future__ import annotations

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.look import Look, try_look
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance
from llmstack.domain.service import ModelSpec, Placement, ServiceSpec
from llmstack.errors import PluginError
from llmstack.modeltype.options import parse_options
from llmstack.modeltype.registry import Registry


def wanted_of(there: Instance, registry: Registry) -> Wanted | None:
    """The placement that an instance's label describes; None for one that is not ours.

    Secrets of the label are sealed, so a server that demands a key cannot be asked.
    """
    spec = there.spec
    if spec is None:
        return None
    service = ServiceSpec(
        name=spec.service,
        type=spec.type,
        port=spec.host_port,
        env={key: value for key, value in spec.env.items() if key not in spec.secrets},
        restart=spec.restart,
        resources=spec.resources,
        options={key.removeprefix("options."): value for key, value in spec.wish.items() if key.startswith("options.")},
    )
    models = tuple(ModelSpec(name=name, service=spec.service, source=source) for name, source in spec.models.items())
    placement = Placement(service=service, host=Host(name=there.host), models=models)
    try:
        kind = registry.get(spec.type)
    except PluginError as error:
        return Wanted(placement=placement, engine=there.engine, spec=spec, error=error)
    options = parse_options(kind.Options, service.options)[0] if kind else None
    return Wanted(placement=placement, engine=there.engine, type=kind, options=options, spec=spec)


def look_by_label(context: Context, there: Instance, registry: Registry) -> Look:
    """How an instance looks, by what its label says of it."""
    wanted = wanted_of(there, registry)
    return try_look(context, wanted, there) if wanted else Look(state=there.state)
