"""The network of a stack: one a host, in which a service is reached by its name."""

from __future__ import annotations

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.docker.body import COMPOSE, project
from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.engines.labels import STACK
from llmstack.errors import LlmstackError


def ensure(wire: Wire, spec: InstanceSpec) -> bool:
    """Create the network of a spec's stack once; True. Engines before 25 allow two networks of one name and then call
    it ambiguous, hence the looks."""
    name = project(spec.stack)
    if _ids(wire, name):
        return True
    labels = {STACK: spec.stack}
    if spec.compose_labels:
        labels |= {COMPOSE + "project": name, COMPOSE + "network": "default"}
    try:
        with wire.doing(f"create network {name}", timeout_s=WRITE_S) as api:
            mine = str(api.create_network(name, driver="bridge", check_duplicate=True, labels=labels)["Id"])
    except LlmstackError as error:
        if error.data.get("conflict"):
            return True
        raise
    if mine != min(_ids(wire, name), default=mine):
        _remove(wire, mine)
    return True


def remove(wire: Wire, stack: str) -> None:
    """Remove it unless something is in it."""
    for network in _ids(wire, project(stack)):
        _remove(wire, network)


def _ids(wire: Wire, name: str) -> list[str]:
    with wire.doing(f"look for network {name}") as api:
        found = api.networks(names=[name])  # the engine matches parts of names too
    return [str(one["Id"]) for one in found if one.get("Name") == name]


def _remove(wire: Wire, network: str) -> None:
    with wire.doing(f"remove network {network[:12]}", timeout_s=WRITE_S) as api:
        try:
            api.remove_network(network)
        except api.refused as error:
            if error.status_code not in (403, 404, 409):  # in use, or gone
                raise
