"""Where each value was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from llmstack.domain.service import Placement
from llmstack.inventory.loader import Reading
from llmstack.inventory.nodes import Node, Problems, Spot, plain
from llmstack.inventory.secrets import is_hidden, secret_of

if TYPE_CHECKING:
    from llmstack.domain.setting import Setting

HIDDEN: Final = "(hidden)"


class Explainer(Reading):
    """A reading that tells the places of all values."""

    def placement(self, placement: Placement) -> tuple[Setting, ...]:
        """What is written for a service and its models, as it is in force on the host."""
        name, models = placement.service.name, {model.name for model in placement.models}
        found: dict[str, Setting] = {}
        for draft in self.drafts:
            if draft.name == name or draft.name in models:
                node = self.resolved(draft, placement.host.name).node
                found |= {each.key: each for each in _settings(".".join(map(str, draft.path)), node)}
        return tuple(found.values())

    def host(self, name: str) -> tuple[Setting, ...]:
        """The variables of a host."""
        return tuple(setting for key, node in self.variables(name).items() for setting in _settings(key, node))


def _settings(key: str, node: Node) -> Iterator[Setting]:
    from llmstack.domain.setting import Setting

    secret = secret_of(Spot(node, key, Problems("", ""))) if "from" in node.table else None
    if secret:
        yield Setting(key=key, value=f"secret {secret.reference}", at=node.at)
    elif isinstance(node.value, dict):
        for name, inner in node.table.items():
            yield from _settings(f"{key}.{name}", inner)
    elif node.value is not None:
        via = tuple(dict.fromkeys((*node.via, *(each for item in node.items for each in item.via))))
        value = HIDDEN if is_hidden(key.rpartition(".")[2], via) else plain(node)
        yield Setting(key=key, value=value, at=node.at, via=via)
