"""The verbs about machines: what they have, what is used of it, and what lies on their disks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmstack.core.context import Context
from llmstack.core.interrupt import within
from llmstack.core.observe import Observed, Place, places_of
from llmstack.core.run import not_noted
from llmstack.core.twins import distinct
from llmstack.domain.host import Host
from llmstack.domain.outcome import RunResult
from llmstack.domain.selection import EVERYTHING, Selection
from llmstack.engines.book import KINDS, same
from llmstack.errors import ConfigError, NoMatchError, StoreError
from llmstack.root import Root

if TYPE_CHECKING:
    from llmstack.core.weights import Weights
    from llmstack.domain.checkup import Checkup, Finding
    from llmstack.domain.gpu import HeldGpu
    from llmstack.domain.machine import Machine
    from llmstack.domain.measured import Metrics
    from llmstack.domain.stock import DiskUse, Stock
    from llmstack.domain.usage import StatsReport


class Machines(Root):
    """The machines of one inventory, or this one alone."""

    _kept_minute: int | None = None
    """The last minute of which samples were kept."""

    def stats(self, selection: Selection, *, keep: bool = False) -> StatsReport:
        """What everything uses that runs of what is picked; the next call tells the CPU of the time since this one.

        With `keep` the store remembers one sample a minute.
        """
        from llmstack.core.stats import stats_report

        picked, context = self._pick(selection), self.context("stats")
        report = within(lambda: stats_report(picked, context), context)
        minute = int(context.clock.now() // 60)
        if keep and minute != self._kept_minute:
            self._kept_minute = minute
            try:
                self.store.keep_samples(report.rows)
            except StoreError as error:
                not_noted(error, context)
        return report

    def metrics(self, selection: Selection = EVERYTHING, *, last: int = 60) -> tuple[Metrics, ...]:
        """The last samples of what is picked, as `stats` kept them. Asks the store alone."""
        from llmstack.core.history import metrics

        return metrics(self.store, selection, last=last)

    def gpus_now(self) -> tuple[HeldGpu, ...]:
        """The GPUs of this machine and whoever holds their memory; needs no inventory. Raises UnreachableError."""
        from llmstack.core.gpus import held_gpus

        context = self.context("gpus")
        if far := ", ".join(name for name, host in context.hosts.items() if not host.local):
            context.warn(f"a driver tells of its own machine alone: unknown are those of {far}")
        return held_gpus(context)

    def weights(self, hosts: tuple[str, ...] = ()) -> Stock:
        """The model files that lie on hosts, with who uses them."""
        return self._weights("weights.list", hosts).look()

    def verify_weights(self, hosts: tuple[str, ...] = ()) -> RunResult:
        """Read every model file, and compare it with the digest that it came with; changes nothing."""
        job = self._weights("weights.verify", hosts)
        return job.context.result(job.verify())

    def disk_use(self, hosts: tuple[str, ...] = ()) -> tuple[tuple[DiskUse, ...], Stock]:
        """What models take on the disks of hosts, and what could not be asked."""
        from llmstack.core.du import disk_use

        job, picked = self._weights("du", hosts), self._pick(Selection(hosts=hosts))
        observed, stock = self._observe(picked, job.context, facts=False), job.look()
        return disk_use([item.wanted for item in picked], observed, stock, job.context), stock

    def _weights(self, task: str, hosts: tuple[str, ...] = ()) -> Weights:
        """Of all hosts, also those on which nothing is wanted any more; this machine has its folder in any case."""
        from llmstack.core.weights import Weights

        context, known = self.context(task), self.inventory.hosts
        required = places_of(context.wanted.values())
        places = {(host.name, host.engine): host for host in known.values()} | required
        places |= {("localhost", "process"): known.get("localhost") or Host(name="localhost")}
        chosen = self._on_hosts(distinct(places, required, same), Selection(hosts=hosts))
        wait_s = self.settings.lock_wait_s
        return Weights(context=context, places=chosen, same=same, required=frozenset(required), lock_wait_s=wait_s)

    def _on_hosts(self, places: Mapping[Place, Host], selection: Selection) -> dict[Place, Host]:
        """Those on hosts that are picked, all without any, and not excluded. Raises NoMatchError."""
        picked, left_out = (
            self._with_hosts(Selection(hosts=each)).hosts for each in (selection.hosts, selection.exclude)
        )
        names = {name for name, _ in places if name in picked or not selection.hosts}.difference(left_out)
        if not names and places:
            raise NoMatchError("these hosts leave nothing", "llmstack inventory lists all of them")
        return {place: host for place, host in places.items() if place[0] in names}

    def survey(self) -> Machine:
        """What this machine has; needs no inventory, and minds no broken one."""
        from llmstack.core.survey import USUAL_PORTS, survey
        from llmstack.engines.ports import bind_error, memory_bytes

        taken = frozenset(port for port in USUAL_PORTS if bind_error("127.0.0.1", port))
        return survey(self._bare_context("init"), self.registry, memory_bytes=memory_bytes(), taken=taken)

    def checkup(self) -> Checkup:
        """Everything that a start needs; what is wrong is a finding, not an error. Changes nothing."""
        import llmstack
        from llmstack.core import doctor, findings
        from llmstack.domain.checkup import Checkup

        try:
            picked, context = self._pick(EVERYTHING), self.context("doctor")
        except ConfigError:  # a finding of its own
            picked, context = (), self._bare_context("doctor")
        wanted = [item.wanted for item in picked]
        here = {("localhost", kind): Host(name="localhost") for kind in KINDS}
        proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
        places = places_of(wanted) or here

        def look() -> tuple[Finding, ...]:
            observed = self._observe(picked, context) if picked else Observed()
            stand = doctor.Doctor(context=context, places=places, wanted=wanted, observed=observed, proxy=proxy)
            return tuple(stand.findings())

        ours = (
            findings.python(llmstack.__version__),
            doctor.told("store", lambda: self.store.path),
            doctor.told("inventory", lambda: f"{self.inventory.path}, instances wanted: {len(self.wanted)}"),
            *doctor.plugins(self.registry),
        )
        return Checkup(findings=(*ours, *within(look, context)))

    def _bare_context(self, task: str) -> Context:
        """For a look at this machine, whatever the inventory says."""
        return Context(task=task, engine_of=self.engines.get, clock=self.clock, sink=self.sink, gpus=self.gpus)
