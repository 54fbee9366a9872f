"""What only a process of its own shows: signals, closed pipes, and what is loaded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import room
from tests.unit.cli import front

FRONT = Path(front.__file__)


@pytest.fixture
def record(tmp_path, monkeypatch):
    """The file in which the fake app notes its calls."""
    path = tmp_path / "calls"
    monkeypatch.setenv("FAKE_APP_CALLS", str(path))
    return path


def start(door, *words, stdout=subprocess.PIPE):
    return subprocess.Popen(
        [sys.executable, str(FRONT), door, *words],
        env=room.unmeasured(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def closed_pipe():
    """The write end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def end(process, writing=None):
    if writing is not None:
        os.close(writing)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_with_its_code_and_the_app_is_closed(door, record, number, code):
    process = start(door, "up", "-m", "stuck", "down", "-m", "a")
    with process:
        while "stuck" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        ended, err = end(process)
        assert ended == code
        assert err.endswith("error: interrupted\n       run it again to go on\n")
    assert record.read_text().split() == ["open", "up", "close"]


def test_a_task_that_reads_stops_quietly_when_nobody_listens(door, record):
    writing = closed_pipe()
    with start(door, "status", "-m", "a", stdout=writing) as process:
        assert end(process, writing) == (141, "")


def test_a_task_that_changes_something_finishes_and_keeps_its_code(door, record):
    writing = closed_pipe()
    with start(door, "up", "-m", "broken", "-o", "json", stdout=writing) as process:
        code, err = end(process, writing)
    assert code == 6
    assert "unhealthy=1" in err
    assert record.read_text().split() == ["open", "up", "close"]


@pytest.mark.parametrize(("task", "code"), [("up", 6), ("health", 141)])
def test_lines_that_nobody_reads_end_only_what_reads(door, record, task, code):
    writing = closed_pipe()
    with start(door, task, "-m", "broken", "-m", "a", "-o", "ndjson", stdout=writing) as process:
        assert end(process, writing)[0] == code
    assert record.read_text().split() == ["open", task, "close"]


def test_an_error_keeps_its_code_when_nobody_reads_its_document():
    writing = closed_pipe()
    with start("llmstack", "status", "-m", "unknown", "-o", "json", stdout=writing) as process:
        code, err = end(process, writing)
    assert code == 5
    assert err.startswith("error: no model or service 'unknown'")


def test_talk_that_nobody_reads_is_no_failure():
    writing = closed_pipe()
    process = subprocess.run(
        [sys.executable, str(FRONT), "llmstack", "up", "a", "-o", "json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=writing,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert process.returncode == 0
    assert json.loads(process.stdout)["rc"] == 0


def test_our_own_list_of_tasks_may_be_cut_off():
    writing = closed_pipe()
    with start("llmstack", "--list", stdout=writing) as process:
        assert end(process, writing) == (141, "")


def test_a_stream_that_knows_only_ascii_is_no_failure():
    run = subprocess.run(
        [sys.executable, str(FRONT), "llmstack", "health"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "  ? answered 0.4 s  first token 38 ms ? 118 tokens/s\n" in run.stdout


def redirected(door, words, to):
    """Run a line with its streams where a shell sends them."""
    line = [sys.executable, str(FRONT), door, *words]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {to}', "sh", *line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("output", ["text", "json", "ndjson", "names"])
@pytest.mark.parametrize(("to", "why"), [(">&-", "it is closed"), (">/dev/full", "No space left on device")])
def test_an_answer_that_cannot_be_written_is_told(door, output, to, why):
    ran = redirected(door, ["status", "-m", "a", "-o", output], to)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"error: cannot write to the output: {why}\n       send it elsewhere: > FILE\n")


@pytest.mark.parametrize(("model", "code"), [("a", 1), ("broken", 6)])
def test_a_task_that_changes_something_finishes_though_its_lines_are_lost(door, record, model, code):
    ran = redirected(door, ["up", "-m", model, "-o", "ndjson"], ">/dev/full")
    assert (ran.returncode, ran.stderr.count("cannot write to the output")) == (code, 1)
    assert " : ok=" in ran.stderr
    assert record.read_text().split() == ["open", "up", "close"]


def test_a_task_that_answers_nothing_needs_no_stdout(door):
    assert redirected(door, ["up", "-m", "a"], ">&-").returncode == 0


@pytest.mark.parametrize("to", ["2>&-", "2>/dev/full"])
def test_talk_that_is_lost_is_no_failure(door, to):
    ran = redirected(door, ["status", "-m", "a", "-o", "names"], to)
    assert (ran.returncode, ran.stdout) == (0, "a@localhost\n")
    assert redirected(door, ["status", "-m", "unknown"], to).returncode == 5


def test_what_only_tells_says_that_it_could_not():
    assert redirected("llmstack", ["--version"], ">/dev/full").returncode == 1


PRESSED = """
import signal, sys
class Press:
    def find_spec(self, name, *_):
        if name == "llmstack.cli.collection":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Press())
"""


@pytest.mark.parametrize(
    "door",
    [
        "from llmstack.cli.start import start; start()",
        f"from invoke.program import Program; Program().run(['invoke', '--search-root', {str(front.ROOT)!r}, 'up'])",
    ],
)
def test_ctrl_c_while_all_is_loaded_ends_it_without_a_traceback(door):
    line = [sys.executable, "-c", PRESSED + door, "up"]
    ran = subprocess.run(line, cwd=front.ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


PROBE = "import sys, atexit; atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr)); "


def loaded(code, *argv):
    run = subprocess.run(
        [sys.executable, "-c", PROBE + code, *argv],
        cwd=front.ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(run.stderr.split())


@pytest.fixture(scope="module")
def bare():
    """What Invoke loads by itself."""
    return loaded("import invoke.main")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from invoke.main import program; program.run()", ["--list"]),
        ("from llmstack.cli.program import main; main()", ["--version"]),
        ("from llmstack.cli.program import main; main()", ["up", "--help"]),
    ],
)
def test_what_only_tells_loads_nothing_but_invoke_and_the_command_line(bare, code, words):
    ours = loaded(code, *words) - bare
    foreign = {name.partition(".")[0] for name in ours} - set(sys.stdlib_module_names) - {"llmstack", "tasks"}
    assert foreign <= {"__main__", "invoke"}
    parts = {".".join(name.split(".")[:2]) for name in ours if name.startswith("llmstack.")}
    assert parts <= {"llmstack.cli", "llmstack.domain", "llmstack.errors", "llmstack.pluginfiles"}


@pytest.mark.parametrize("words", [["--version"], ["up", "--help"]])
def test_the_installed_door_goes_without_invoke(words):
    assert "invoke" not in loaded("from llmstack.cli.program import main; main()", *words)
