"""How long `llmstack sync --watch` takes to tell of a container that died, on a stack of twenty."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from threading import Thread

from benchmarks.engine import COMMAND, STACK, Bench, bench
from benchmarks.measure import Benchmark, Figure, private_env, timed

COUNT, KILLED, MOST_MS, DEADLINE_S = 20, 15, 200, 30.0
NOTE = (
    "{count} containers on {engine}, {killed} of which are killed one after another. A plain listener hears of the end "
    "from the engine at the same time as `sync --watch -o ndjson`: what counts is from then until its line is read "
    "here, and until the row in its store is `inactive`. An end is looked at 100 ms later on purpose: a removal or a "
    "restart may belong to it."
)
Heard = dict[str, float]
"""When something was heard of a service."""


def measure() -> tuple[Benchmark]:
    """Medians, and the worst of each."""
    with bench() as there, tempfile.TemporaryDirectory(prefix="llmstack-bench-") as folder:
        room = Path(folder)
        env = {**private_env(room), "DOCKER_HOST": there.host.address}
        (room / "inventory.yaml").write_text(_inventory(there), encoding="utf-8")
        llmstack = str(Path(sys.executable).parent / "llmstack")
        timed([llmstack, "up", "--no-wait"], env=env, cwd=room)
        engine, screen, store = _times(there, [llmstack, "sync", "--watch", "-o", "ndjson"], env, room)
        about = NOTE.format(count=COUNT, killed=KILLED, engine=there.about)
    lags = {
        "on the screen": [screen[name] - heard for name, heard in engine.items()],
        "in the store": [store[name] - heard for name, heard in engine.items()],
    }
    figures = tuple(
        Figure(what=f"{what}, {word}", value=of(seconds) * 1e3, unit="ms", most=MOST_MS)
        for what, seconds in lags.items()
        for word, of in (("median", median), ("longest", max))
    )
    return (Benchmark(name="watching", title="A container that died", note=about, figures=figures),)


def _times(there: Bench, argv: list[str], env: Mapping[str, str], room: Path) -> tuple[Heard, Heard, Heard]:
    """When the engine, the screen and the store told of each that was killed."""
    engine, screen, store = Heard(), Heard(), Heard()
    with _watching(argv, env, room, screen), closing(_rows(Path(env["LLMSTACK_STORE"]))) as rows:
        Thread(target=_listen, args=(there, engine), daemon=True).start()
        time.sleep(DEADLINE_S / 6)
        for number in range(KILLED):
            name = f"c{number:02}"
            there.host.api.kill(f"llmstack-{STACK}-{name}")
            _until(partial(_is_told, name, rows, (engine, screen, store)))
            time.sleep(1)
    return engine, screen, store


def _until(true: Callable[[], bool]) -> None:
    """Looked at so often that it does not count. Raises SystemExit when it never comes true."""
    end = time.perf_counter() + DEADLINE_S
    while not true():
        if time.perf_counter() > end:
            raise SystemExit("a container was killed, and nothing was told of it")
        time.sleep(0.001)


@contextmanager
def _watching(argv: list[str], env: Mapping[str, str], room: Path, screen: Heard) -> Iterator[None]:
    def read() -> None:
        assert process.stdout
        for line in process.stdout:
            screen.setdefault(json.loads(line).get("name", ""), time.perf_counter())

    with subprocess.Popen(argv, env=env, cwd=room, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        reader = Thread(target=read, daemon=True)
        reader.start()
        try:
            yield
        finally:
            process.terminate()
            reader.join()


def _listen(there: Bench, engine: Heard) -> None:
    with suppress(Exception):  # the engine is gone in the end
        for event in there.host.api.events(decode=True, filters={"event": "die"}):
            name = event["Actor"]["Attributes"]["name"].removeprefix(f"llmstack-{STACK}-")
            engine.setdefault(name, time.perf_counter())


def _rows(store: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{store}?mode=ro", uri=True, isolation_level=None)


def _is_told(name: str, rows: sqlite3.Connection, heard: tuple[Heard, Heard, Heard]) -> bool:
    """Whether all three have told of it; the store, which tells nobody, is asked."""
    (status,) = rows.execute("select status from models where name = ?", (name,)).fetchone()
    if status == "inactive":
        heard[2].setdefault(name, time.perf_counter())
    return all(name in each for each in heard)


def _inventory(there: Bench) -> str:
    options = {"container_port": 80}
    service = {"type": "container", "image": there.image, "args": COMMAND, "restart": "no", "options": options}
    return json.dumps({"llmstack": 1, "stack": STACK, "services": {f"c{n:02}": service for n in range(COUNT)}})
