"""PURE: which GPU an instance gets, by the memory that is free now, whoever uses the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from llmstack.domain.gpu import HeldGpu
from llmstack.domain.resources import GIB, gib

RESERVE_BYTES = GIB
"""Left free on each GPU, for a desktop and what grows."""
MIG_HINT = "name a part of it: `nvidia-smi -L` lists them, as in gpus: [MIG-...]"
UNTOLD = " does not tell how much memory it has left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The ids of the GPUs it gets, and why, in words; `share` is how much of what it needs fits there, `lacks` says
    what holds the memory where not all of it does, `hint` what would free enough."""

    ids: tuple[str, ...] = ()
    why: str
    share: float = 1.0
    lacks: str | None = None
    hint: str | None = None


def free_on(
    cards: Sequence[HeldGpu], container_name: str, promised: Mapping[str, int], host_free_bytes: int | None
) -> dict[str, int]:
    """What each GPU has room for beside the reserve, by its id: what `container_name` itself holds comes back to it,
    what was promised in this plan is gone. One that is lost, cut up by MIG or does not tell is left out."""
    found = {}
    for card in cards:
        gpu = card.gpu
        free = host_free_bytes if gpu.unified else None
        if gpu.memory_total_bytes is not None and gpu.memory_used_bytes is not None:
            free = gpu.memory_total_bytes - gpu.memory_used_bytes
        if gpu.uuid and free is not None and not gpu.mig:
            own = held_by(container_name, card)
            found[gpu.uuid] = max(0, free + own - promised.get(gpu.uuid, 0) - RESERVE_BYTES)
    return found


def held_by(container_name: str, card: HeldGpu) -> int:
    """What it has of a GPU now."""
    return sum(each.memory_bytes or 0 for each in card.holders or () if each.container_name == container_name)


def beside(cards: Sequence[HeldGpu], container_name: str) -> list[HeldGpu]:
    """The cards with what the others hold."""
    return [
        replace(card, holders=tuple(each for each in card.holders or () if each.container_name != container_name))
        for card in cards
    ]


def place(
    need_bytes: int | None, cards: Sequence[HeldGpu], free: Mapping[str, int], ours: Collection[str | None] = ()
) -> Placed:
    """The smallest GPU that has room for it, else the fewest that have it together, else the one with the most; that
    one too when nobody knows the need. `ours` are the containers that a `down` may free it of."""
    names = {card.gpu.uuid or "": str(card.gpu) for card in cards}
    if not free:
        told = "; ".join(_told(card, None) for card in cards)
        hint = MIG_HINT if any(card.gpu.mig for card in cards) else "llmstack gpus"
        return Placed(why="no GPU tells its memory", share=0.0, lacks=f"no GPU can be picked: {told}", hint=hint)
    largest = sorted(free, key=lambda one: -free[one])
    if need_bytes is None:
        return Placed(ids=(largest[0],), why=f"{names[largest[0]]}, the most free ({gib(free[largest[0]])})")
    fitting = [one for one in largest if free[one] >= need_bytes]
    if fitting:
        best = fitting[-1]
        return Placed(ids=(best,), why=f"{names[best]}, {gib(need_bytes)} of {gib(free[best])} free")
    for count in range(2, len(largest) + 1):
        if sum(free[one] for one in largest[:count]) >= need_bytes:
            chosen = sorted(largest[:count], key=list(free).index)
            named = " + ".join(names[one] for one in chosen)
            return Placed(ids=tuple(chosen), why=f"{named}, {gib(need_bytes)} together")
    best, share = largest[0], free[largest[0]] / need_bytes
    told = "; ".join(_told(card, free.get(card.gpu.uuid or "")) for card in cards)
    return Placed(
        ids=(best,) if share else (),
        why=f"{names[best]}, {share:.0%} of {gib(need_bytes)} fits".replace("%", " %"),
        share=share,
        lacks=f"no GPU has room for {gib(need_bytes)}: {told}",
        hint=_freeing(need_bytes, cards, free, ours),
    )


def _told(card: HeldGpu, free_bytes: int | None) -> str:
    if free_bytes is None:
        return f"{card.gpu}{' is cut up by MIG' if card.gpu.mig else '' if card.gpu.trouble else UNTOLD}"
    who = ", ".join(f"{each.name} {gib(each.memory_bytes or 0)}" for each in card.holders or ())
    return f"{card.gpu} has {gib(free_bytes)} to give" + (f", held by {who}" if who else "")


def _freeing(
    need_bytes: int, cards: Sequence[HeldGpu], free: Mapping[str, int], ours: Collection[str | None]
) -> str | None:
    """The instances of `ours` that would have to go from one GPU, the fewest of all GPUs, and of those the smallest."""
    known = [(card, free[one]) for card in cards if (one := card.gpu.uuid or "") in free]
    ways = [way for card, has in known for way in _ways(need_bytes - has, card, ours)]
    if not ways:
        return None
    freed, names = min(ways, key=lambda way: (len(way[1]), way[0]))
    return f"{'   '.join(map(_down, names))}   frees {gib(freed)}"


def _ways(lacking_bytes: int, card: HeldGpu, ours: Collection[str | None]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each single instance that is enough, else the largest together."""
    sizes: dict[str, int] = {}
    for holder in card.holders or ():
        if holder.container_name in ours:
            sizes[holder.name] = sizes.get(holder.name, 0) + (holder.memory_bytes or 0)
    yield from ((held, (name,)) for name, held in sizes.items() if held >= lacking_bytes)
    total, names = 0, list[str]()
    for name, held in sorted(sizes.items(), key=lambda item: -item[1]):
        total, names = total + held, [*names, name]
        if total >= lacking_bytes:
            yield total, tuple(names)
            return


def _down(name: str) -> str:
    service, _, host = name.partition("@")
    return f"llmstack down --service {service}" + ("" if host == "localhost" else f" --host {host}")
