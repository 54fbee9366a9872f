"""`up`, `down`, `restart`, `update`, `rollback`, `pull` and `rm`."""

from __future__ import annotations

from dataclasses import replace

from llmstack.cli.flags import CHANGE, CHECK, ORPHANS, RE_DECIDE, WAIT, YES
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.domain.outcome import Status
from llmstack.errors import UsageError


@verb(*CHANGE, WAIT, ORPHANS, RE_DECIDE, examples=("up --model demo", "up --check --diff"))
def up(session: Session) -> int:
    """Start what the inventory wants, and prove that each model answers.

    Without names everything is meant; what a picked service depends on comes along. A second run changes nothing.
    """
    return session.carry_out(lambda app: app.up)


@verb(*CHANGE, ORPHANS, examples=("down --model demo", "down --orphans --check"))
def down(session: Session) -> int:
    """Stop and remove; weights and caches stay.

    Returns when it is verified to be gone, and its port free. Nothing to remove is no failure.
    """
    return session.carry_out(lambda app: app.down)


@verb(*CHANGE, WAIT, examples=("restart --model demo", "restart --service ollama --limit gpu01"))
def restart(session: Session) -> int:
    """Stop what is picked, start it again, and prove that it answers.

    A model of a shared service is unloaded and loaded; what is not there is not made.
    """
    return session.carry_out(lambda app: app.restart)


@verb(*CHANGE, WAIT, RE_DECIDE, examples=("update --check --diff", "update --service ollama"))
def update(session: Session) -> int:
    """As `up`, and take newer images and models of the same name, and newer defaults.

    `up` never replaces anything because a tag or a default of llmstack or a plugin changed; this does. What does not
    get ready is rolled back at once, and `rollback` does so later.
    """
    return session.carry_out(lambda app: app.update)


@verb(*CHANGE, WAIT, examples=("rollback --service webui --check --diff", "rollback --model qwen"))
def rollback(session: Session) -> int:
    """Go back to the image, or the version of a model, that was proved ready before.

    A service is replaced as by `up`, and stays so until `update` takes what is newer. Its configuration and data stay.
    A model has the version, or the model file, back that it had before its update.
    """
    if session.selection.everything:
        raise UsageError("rollback is of what it is told, never of everything", "name it with --service or --model")
    return session.carry_out(lambda app: app.rollback)


@verb(*CHANGE, examples=("pull --model llama3 --limit gpu", "pull --check"))
def pull(session: Session) -> int:
    """Fetch images and models, so that a later `up` need not wait.

    What broke off goes on where it was. With --check it says what is missing, and which models have a newer version.
    """
    return session.carry_out(lambda app: app.pull)


@verb(*CHANGE, examples=("rm --model llama3", "rm --model llama3 --limit gpu01 --yes"))
def rm(session: Session) -> int:
    """Delete models from the servers that keep them; asks before it does, where there is something to delete.

    What is deleted has to be pulled again. `down` stops a service and keeps its models.
    """
    picked = session.selection
    if picked.everything:
        raise UsageError("rm deletes what it is told to, never everything", "name models with --model")
    if not (session[CHECK] or session[YES]):
        with session.app() as app:
            planned = app.rm(picked, replace(session.options, check=True))
        if doomed := [str(outcome.target) for outcome in planned.outcomes if outcome.status is Status.WOULD_CHANGE]:
            session.confirm(f"Delete {', '.join(doomed)} from disk?")
    return session.carry_out(lambda app: app.rm)
