"""`plugins.trust`."""

from __future__ import annotations

from pathlib import Path

from llmstack.cli.flags import OUTPUT_JSON, Flag, name
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import UsageError
from llmstack.pluginfiles import trust

FILE = Flag[str | None]("file", "FILE with the plugin.", None, name)


@verb(
    *(FILE, OUTPUT_JSON),
    kind="plugins",
    examples=("plugins.trust --file plugins/speed.py", "plugins.trust --file plugins/speed.py -o json"),
)
def plugins_trust(session: Session) -> int:
    """Let a plugin that an inventory lists be run, as it is now.

    Look at it first: it can do whatever you can. A change of the file takes the trust away.
    """
    from llmstack.ui.clean import line

    if not session[FILE]:
        raise UsageError("which plugin?", "name its file with --file")
    path = Path(str(session[FILE])).absolute()
    items = [{"target": path.name, "path": str(path), "sha256": trust(path)}]
    return session.answer(session.document(items), [line(("trusted ", "green"), str(path))])
