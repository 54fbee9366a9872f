"""`doctor`."""

from __future__ import annotations

from llmstack.cli.flags import OUTPUT_JSON, TIMEOUT
from llmstack.cli.session import Session
from llmstack.cli.task import look


@look(*(OUTPUT_JSON, TIMEOUT), kind="doctor", examples=("doctor", "doctor -o json"))
def doctor(session: Session) -> int:
    """Examine what a start needs, and name the command that repairs what is wrong; changes nothing.

    Python, store, inventory, plugins; each engine with its clock, GPUs, NVIDIA runtime and disk; names of registries,
    ports. Works without an inventory too.
    """
    from llmstack.ui.doctor import doctor_lines, doctor_note

    checkup = session.look(lambda app: app.checkup())
    code = session.answer(checkup.as_json(), doctor_lines(checkup))
    session.talk(doctor_note(checkup))
    return code
