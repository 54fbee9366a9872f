"""The verbs that tasks and scripts share: those that change something; those that only look are in `looking`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.core.actions import astray
from llmstack.core.interrupt import untorn
from llmstack.core.observe import Observed, places_of
from llmstack.core.plan import plan_down, plan_pull, plan_restart, plan_rm, plan_up, plan_update
from llmstack.core.policy import Policy
from llmstack.core.run import Run, not_noted, note
from llmstack.core.select import Picked, pick
from llmstack.core.twins import distinct
from llmstack.domain.host import Host
from llmstack.domain.instance import State
from llmstack.domain.outcome import RunResult, Status
from llmstack.domain.plan import Plan
from llmstack.domain.selection import AS_USUAL, EVERYTHING, RunOptions, Selection
from llmstack.domain.target import Target
from llmstack.engines.book import KINDS, same
from llmstack.errors import NoInventoryError, StoreError, UsageError
from llmstack.looking import Looking

if TYPE_CHECKING:
    from llmstack.core.boot import Unit
    from llmstack.core.context import Context
    from llmstack.core.uninstall import Uninstall
    from llmstack.domain.leftover import Leftover, Remains
    from llmstack.domain.measured import Peak
    from llmstack.domain.stock import Stock
    from llmstack.domain.stored import StoredModel
    from llmstack.store import Store

Planner = Callable[[Sequence[Picked], Observed, Policy], Plan]


class App(Looking):
    """One inventory and what serves it. Verbs return values; what happens on the way is told to `sink`."""

    def up(self, selection: Selection, options: RunOptions = AS_USUAL) -> RunResult:
        """Make what is picked true, with all it depends on, and prove that it answers."""
        return self._run("up", plan_up, selection, options, dependencies=True)

    def pull(self, selection: Selection, options: RunOptions = AS_USUAL) -> RunResult:
        """Fetch models, weights and images; start nothing."""
        return self._run("pull", plan_pull, selection, options)

    def down(self, selection: Selection, options: RunOptions = AS_USUAL) -> RunResult:
        """Stop and remove what is picked; with `orphans` also what the inventory knows no more."""
        return self._run("down", plan_down, selection, options)

    def restart(self, selection: Selection, options: RunOptions = AS_USUAL) -> RunResult:
        """Stop what is picked and start it again, or unload and load a model of a shared service."""
        return self._run("restart", plan_restart, selection, options)

    def update(self, selection: Selection, options: RunOptions = AS_USUAL) -> RunResult:
        """As `up`, and take newer images and models of the same name, and newer defaults."""
        return self._run("update", plan_update, selection, options, dependencies=True)

    def rollback(self, selection: Selection, options: RunOptions = AS_USUAL) -> RunResult:
        """Give what is picked the image back that was proved ready before, as the store remembers it; models that are
        picked by name the version that they had before their update."""
        from llmstack.core.versions import plan_rollback

        targets = ((item.target, *map(item.target_of, item.placement.models)) for item in self.wanted)
        known = {target: self.store.versions(target) for target in chain.from_iterable(targets)}
        return self._run("rollback", partial(plan_rollback, known=known), selection, options)

    def rm(self, selection: Selection, options: RunOptions = AS_USUAL) -> RunResult:
        """Delete the picked models from their servers."""
        return self._run("rm", plan_rm, selection, options)

    def backup(self, selection: Selection, options: RunOptions) -> RunResult:
        """Save the volumes of the one service that is picked to `options.file`, over what is there. Raises
        PreflightError."""
        from llmstack.core import archive
        from llmstack.core.backup import plan_backup

        archive.check_place(options.file)
        return self._run("backup", plan_backup, selection, options)

    def restore(self, selection: Selection, options: RunOptions) -> RunResult:
        """Replace the one service that is picked by one with the data of `options.file`. Raises PreflightError."""
        from llmstack.core import archive
        from llmstack.core.backup import plan_restore

        planner = partial(plan_restore, file=str(options.file), found=archive.inspect(options.file))
        return self._run("restore", planner, selection, options)

    def prune_weights(self, found: Stock) -> RunResult:
        """Delete the model files that `weights` found and that nobody uses even now."""
        job = self._weights("weights.prune")
        return job.context.result(untorn(partial(job.prune, found), job.context))

    def leftovers(self, selection: Selection = EVERYTHING, *, everything: bool = False) -> Remains:
        """What is left of the stack on the hosts that are picked; with `everything` of all stacks on those of the
        inventory (here without one), and where no host was picked in this machine's own files. Raises NoMatchError."""
        return self._uninstall(selection, everything=everything).look()

    def uninstall(self, found: Remains, selection: Selection = EVERYTHING, *, everything: bool = False) -> RunResult:
        """Take away what `leftovers` found; of everything, there is nowhere left to note it."""
        job = self._uninstall(selection, everything=everything)
        outcomes = untorn(partial(job.remove, found), job.context)
        result = job.context.result(outcomes)
        try:
            if not (everything and selection.everything):
                result = replace(result, run_id=self.store.begin_run("uninstall", self.settings.command))
                for outcome in outcomes:
                    if outcome.status is Status.CHANGED:
                        self.store.gone(outcome.target, outcome.target.name, on_purpose=True)
                note(result, (), job.context, self.store)
        except StoreError as error:
            not_noted(error, job.context)
        return result

    def _uninstall(self, selection: Selection, *, everything: bool) -> Uninstall:
        from llmstack.core.uninstall import Uninstall

        here = Host(name="localhost")
        try:
            hosts, stack = self.inventory.hosts, self.inventory.stack
        except NoInventoryError:
            if not everything:
                raise
            hosts, stack = {here.name: here}, ""
        context = self.context("uninstall")
        required = places_of(context.wanted.values())
        kinds = [(host, kind) for host in hosts.values() for kind in KINDS if kind == "docker" or host.local]
        # Processes here live in this machine's own files.
        places = {(here.name, "process"): here} if everything else {}
        places |= {(host.name, kind): host for host, kind in kinds}
        return Uninstall(
            context=context,
            places=distinct(self._on_hosts(places, selection), required, same),
            required=frozenset(required),
            stack=None if everything else stack,
            files=tuple(self._files()) if everything and selection.everything else (),
            lock_wait_s=self.settings.lock_wait_s,
        )

    def _files(self) -> Iterator[Leftover]:
        """What llmstack wrote on this machine beside its instances."""
        import platformdirs

        from llmstack.core.uninstall import on_disk
        from llmstack.domain.leftover import LeftoverKind
        from llmstack.store.place import files_of, store_path

        for path in files_of(store_path(self.settings.store, os.environ)):
            yield from on_disk(LeftoverKind.FILE, path, "store")
        yield from on_disk(LeftoverKind.FOLDER, platformdirs.user_data_path("llmstack"), "data of llmstack")
        yield from on_disk(LeftoverKind.FOLDER, platformdirs.user_state_path("llmstack"), "state and bug reports")

    def boot(self, *, system: bool) -> Unit:
        """The systemd unit that makes this inventory true at boot, not yet written. Raises UsageError."""
        from llmstack.core.boot import place, text

        if sys.platform != "linux":
            raise UsageError("there is no systemd on this machine", "let its own service manager run `llmstack up`")
        if self.settings.extra:
            raise UsageError("--extra is not kept at boot", "put it into the inventory, or into .env beside it")
        inventory, store = Path(str(self.inventory.path)).absolute(), self.settings.store
        more = ("--store", str(Path(store).absolute())) if store else ()
        command = (sys.executable, "-m", "llmstack", "up", "--inventory", str(inventory), *more, "--lock-wait", "10m")
        stack = self.inventory.stack
        made = text(stack, command, str(inventory.parent), os.environ, system=system)
        return replace(place(stack, os.environ, system=system), text=made)

    def _run(
        self, task: str, planner: Planner, selection: Selection, options: RunOptions, *, dependencies: bool = False
    ) -> RunResult:
        selection = self._with_hosts(selection)
        picked = pick(self.wanted, selection, dependencies=dependencies)
        context = replace(self.context(task, wait=options.wait), file=options.file, only_looks=options.check)

        def look() -> Plan:
            observed = self._observe(picked, context, everywhere=options.orphans)
            orphans = self._orphans(observed, selection.hosts) if options.orphans else ()
            if task in ("up", "update") and selection.everything and not options.orphans:
                self._warn_of_orphans(observed, context)
            if options.orphans and not options.check:
                self._forget(observed)
            anew = frozenset(item.wanted.target for item in picked if options.re_decide)
            policy, again = Policy(orphans=orphans, re_decide=anew), partial(planner, picked, observed)
            plan = again(policy)
            if not anew and not any(action.spec and action.spec.resources.autos for action in plan.changes):
                return plan
            from llmstack.core.deciding import with_limits

            return with_limits(plan, again, policy, context, self._peak)

        run = Run(
            context=context,
            look=look,
            ledger=lambda: self.store,
            called=self.settings.task,
            command=self.settings.command,
            lock_wait_s=self.settings.lock_wait_s,
        )
        return run.check() if options.check else run.carry_out()

    def _warn_of_orphans(self, observed: Observed, context: Context) -> None:
        """Once in a run, though it looks more often; also of what is remembered where nobody looked."""
        lost = [(row.target, f"is {astray(row, self.wanted)}") for row in self._orphans(observed)]
        lost += [(_service_of(row), "was left there, and is not in the inventory") for row in self._unseen(observed)]
        for target, why in lost:
            message = f"{target} {why}: llmstack up --orphans removes it"
            context.once(partial(context.warn, message, target), "orphan", str(target))

    def _unseen(self, observed: Observed) -> Iterator[StoredModel]:
        """What is remembered of the stack on engines of its hosts where nothing is wanted now, less what was seen."""
        places = {(host.name, host.engine) for host in self.inventory.hosts.values()} - places_of(self.wanted).keys()
        there = {(one.host, one.container_name) for one in observed.rows()}
        for row in (self._told(lambda store: store.models()) or ()) if places else ():
            mine = row.stack == self.inventory.stack and (row.host, row.engine) in places
            if mine and row.state is not State.ABSENT and (row.host, row.container_name) not in there:
                yield row

    def _forget(self, observed: Observed) -> None:
        """What was looked for everywhere, and is not there."""
        for row in self._unseen(observed):
            if (row.host, row.engine) not in observed.errors:
                self._told(partial(_gone, row))

    def _peak(self, image: str, model: str, context: int, gpu_kind: str) -> Peak | None:
        return self._told(lambda store: store.peak(image, model, context, gpu_kind))


def _service_of(row: StoredModel) -> Target:
    return Target(row.service or row.name, row.host)


def _gone(row: StoredModel, store: Store) -> None:
    store.gone(_service_of(row), row.container_name)
