"""How to plan, beside what is wanted and what is there."""

from __future__ import annotations

from dataclasses import dataclass

from llmstack.domain.instance import Instance
from llmstack.domain.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`orphans` go too; what was once decided for `auto` is open again for those in `re_decide`; with `defaults` what
    newer defaults would launch otherwise is launched anew."""

    orphans: tuple[Instance, ...] = ()
    re_decide: frozenset[Target] = frozenset()
    defaults: bool = False


AS_IT_IS = Policy()
