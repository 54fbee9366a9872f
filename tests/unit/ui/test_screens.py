"""Each screen as it reads, 80 columns wide and without colour."""

from __future__ import annotations

import io

import pytest
from rich.text import Text

from llmstack.domain.host import Host
from llmstack.domain.instance import Need, State
from llmstack.domain.ladder import Answer, Ladder, Rung, RungResult, Why
from llmstack.domain.outcome import Outcome, RunResult, Status
from llmstack.domain.plan import Action, ActionKind, FieldChange, Plan
from llmstack.domain.position import Position, Problem
from llmstack.domain.report import Difference, StatusReport, StatusRow, SyncReport
from llmstack.domain.service import ModelSpec, Placement, ServiceSpec
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import InventoryError, NoMatchError, PreflightError, UnhealthyError, UnreachableError
from llmstack.ui.blocks import Block, draw_fetch, draw_start, report_lines
from llmstack.ui.console import open_streams
from llmstack.ui.formats import error_document, write_json, write_names
from llmstack.ui.plan import plan_lines
from llmstack.ui.problems import error_lines, problem_lines, trouble_lines, warning_line
from llmstack.ui.recap import next_step, recap_lines
from llmstack.ui.rungs import figure_lines, flags, rung_lines
from llmstack.ui.status import status_lines, status_notes
from llmstack.ui.sync import sync_lines
from llmstack.ui.table import table_lines
from tests.unit.ui.conftest import plain

DEMO = Target("demo", "localhost")
QWEN = Target("qwen", "gpu02.lab", TargetKind.MODEL)
OLLAMA = Placement(
    service=ServiceSpec(name="ollama", type="ollama"),
    host=Host(name="gpu01.lab"),
    models=(ModelSpec(name="llama3", service="ollama"), ModelSpec(name="mistral", service="ollama")),
)


def rung(name, ok=True, ms=0.0, detail="", answer=None):
    return RungResult(rung=Rung(name), ok=ok, ms=ms, detail=detail, answer=answer)


ANSWER = Answer(text="Hello", first_token_ms=38, tokens=16, tokens_per_s=118)
CLIMBED = (
    rung("created", ms=20),
    rung("running", ms=100),
    rung("port", ms=300),
    rung("weights", detail="94 MB"),
    rung("loaded", ms=600),
    rung("answered", ms=400, answer=ANSWER),
    rung("device", detail="cpu (as asked)"),
)


def outcome(target=DEMO, status=Status.CHANGED, **more):
    return Outcome(target=target, status=status, **more)


def block(of, about=""):
    return Block(of.target, 0.0, about, list(of.ladder.rungs) if of.ladder else [], {}, of)


def test_a_target_that_went_well(streams):
    done = outcome(ladder=Ladder(target=DEMO, rungs=CLIMBED))
    assert plain(draw_start(block(done, "llamacpp · SmolLM2 · 127.0.0.1:8080"), streams)) == (
        "  demo  llamacpp · SmolLM2 · 127.0.0.1:8080\n"
        "    ✓ created 0.0 s  ✓ running 0.1 s  ✓ port 0.3 s  ✓ weights 94 MB\n"
        "    ✓ loaded 0.6 s\n"
        "    ✓ answered 0.4 s  first token 38 ms · 118 tokens/s\n"
        "    ✓ device cpu (as asked)\n"
    )


def test_a_target_that_went_wrong(streams):
    why = Why(
        summary="ValueError: No available memory for the cache blocks.",
        meaning="vLLM needs 9.6 GiB for weights and cache; 7.9 GiB of GPU 0 were free.\n"
        "ollama@gpu02.lab holds 15.1 GiB.",
        do="llmstack down --service ollama --host gpu02.lab\nor set models.qwen.options.max_model_len: 4096",
        log_line=212,
    )
    rungs = (rung("created", ms=20), rung("port", ok=False, detail="container exited 1 after 41 s (restarts 0)"))
    bad = outcome(
        QWEN, Status.UNHEALTHY, ladder=Ladder(target=QWEN, rungs=rungs, why=why), error=UnhealthyError("port", why.do)
    )
    assert plain(draw_start(block(bad, "vllm · Qwen/Qwen3-8B"), streams)) == (
        "  qwen  vllm · Qwen/Qwen3-8B\n"
        "    ✓ created 0.0 s  ✗ port   container exited 1 after 41 s (restarts 0)\n"
        "\n"
        "  why   ValueError: No available memory for the cache blocks.   (log line 212)\n"
        "        vLLM needs 9.6 GiB for weights and cache; 7.9 GiB of GPU 0 were free.\n"
        "        ollama@gpu02.lab holds 15.1 GiB.\n"
        "  do    invoke down --service ollama --host gpu02.lab\n"
        "        or set models.qwen.options.max_model_len: 4096\n"
        "  log   invoke logs --model qwen --host gpu02.lab\n"
    )


def test_the_way_to_the_log_is_told_once(streams):
    why = Why(summary="it died")
    ladder = Ladder(target=DEMO, rungs=(rung("running", ok=False),), why=why)
    bad = outcome(
        status=Status.UNHEALTHY, ladder=ladder, error=UnhealthyError("running: it died", "llmstack logs --service demo")
    )
    assert plain(draw_start(block(bad), streams)) == (
        "  demo\n    ✗ running   failed\n\n  why   it died\n  log   invoke logs --service demo\n"
    )


def test_a_start_that_could_not_be_tried(streams):
    bad = outcome(status=Status.FAILED, error=PreflightError("port 8080 is taken by nginx (pid 7)", "port: auto"))
    assert plain(draw_start(block(bad, "llamacpp"), streams)) == (
        "  demo  llamacpp\n    ✗ port 8080 is taken by nginx (pid 7)\n\n  do    port: auto\n"
    )


def test_a_run_that_was_cut_off_keeps_its_rungs(streams):
    cut = outcome(status=Status.FAILED, error=UnhealthyError("interrupted"))
    shown = Block(DEMO, 0.0, "llamacpp", [rung("created")], {}, cut)
    assert plain(draw_start(shown, streams)) == "  demo  llamacpp\n    ✓ created 0.0 s\n    ✗ interrupted\n\n"


@pytest.mark.parametrize(
    ("done", "line"),
    [
        (outcome(reason="stopped and removed"), "  ✓ demo  stopped and removed\n"),
        (outcome(status=Status.OK), "  ✓ demo  ok\n"),
        (
            outcome(status=Status.SKIPPED, reason="ollama@localhost failed"),
            "  - demo  skipped: ollama@localhost failed\n",
        ),
    ],
)
def test_what_has_no_rungs_is_one_line(streams, done, line):
    assert plain(draw_start(block(done), streams)) == line


def test_what_was_kept_says_where_it_is(streams):
    kept = outcome(status=Status.OK, ladder=Ladder(target=DEMO, rungs=(rung("port"),)), urls=("http://127.0.0.1:1/v1",))
    assert plain(draw_start(block(kept), streams)) == "  demo  http://127.0.0.1:1/v1\n    ✓ port 0.0 s\n"


def test_rungs_that_could_not_be_told_are_no_failure():
    rungs = (rung("loaded", ok=None, detail="on demand"), rung("device", ok=None, detail="unknown"))
    assert plain(rung_lines(rungs, 80)) == "    - loaded on demand\n    - device unknown\n"


def test_an_answer_without_figures_shows_its_time():
    assert plain(rung_lines([rung("answered", ms=1500, answer=Answer(text="x"))], 80)) == "    ✓ answered 1.5 s\n"


def test_the_figures_of_an_answer():
    assert plain(figure_lines(ANSWER)) == "16 tokens · first token 38 ms · 118 tokens/s\n"
    assert plain(figure_lines(Answer(text="x"))) == ""


def test_flags_select_the_target_again():
    companion = Action(kind=ActionKind.KEEP, target=DEMO, reason="", placement=None)
    own = Action(kind=ActionKind.KEEP, target=DEMO, reason="", placement=OLLAMA)
    assert flags(outcome()) == "--service demo"
    assert flags(outcome(action=companion)) == "--service demo"
    assert flags(outcome(action=own)) == "--model demo"
    assert flags(outcome(QWEN)) == "--model qwen --host gpu02.lab"


def test_the_recap_counts_every_target_once_per_host():
    result = RunResult(
        task="up",
        outcomes=(outcome(), outcome(QWEN, Status.UNHEALTHY), outcome(Target("x", "localhost"), Status.OK)),
        ms=43_000,
    )
    assert plain(recap_lines(result)) == (
        "\n"
        "localhost : ok=1  changed=1  unreachable=0  failed=0  unhealthy=0  skipped=0\n"
        "gpu02.lab : ok=0  changed=0  unreachable=0  failed=0  unhealthy=1  skipped=0     43 s\n"
    )


def test_a_run_that_was_interrupted_says_so():
    assert "interrupted" in plain(recap_lines(RunResult(task="up", interrupted=True)))


def test_the_next_step_is_a_question_for_a_model_that_answered(streams):
    ladder = Ladder(target=DEMO, rungs=CLIMBED)
    done = outcome(ladder=ladder, urls=("http://127.0.0.1:8080/v1",))
    assert plain(next_step(RunResult(task="up", outcomes=(done,)), streams)) == (
        'Try it:  invoke ask --service demo --prompt "Why is the sky blue?"     http://127.0.0.1:8080/v1\n'
    )


@pytest.mark.parametrize(
    "outcomes",
    [
        (),
        (outcome(status=Status.OK, ladder=Ladder(target=DEMO, rungs=CLIMBED), urls=("http://x",)),),
        (outcome(urls=("http://x",)),),
        (outcome(), outcome(QWEN, Status.FAILED, error=UnhealthyError("x"))),
    ],
)
def test_there_is_no_next_step_without_something_new_that_answers(streams, outcomes):
    assert plain(next_step(RunResult(task="up", outcomes=outcomes), streams)) == ""


def plan_of():
    web = Target("webui", "gpu01.lab")
    return Plan(
        (
            Action(
                kind=ActionKind.REPLACE,
                target=Target("ollama", "gpu01.lab"),
                reason="image differs, memory differs",
                changes=(FieldChange("image", "0.12.3", "0.12.6"), FieldChange("memory", "8 GiB", "12 GiB")),
                placement=OLLAMA,
                needs=(Need(kind="image", name="ollama/ollama:0.12.6", size_bytes=1_900_000_000),),
            ),
            Action(
                kind=ActionKind.CREATE,
                target=QWEN,
                reason="not there",
                needs=(Need(kind="image", name="vllm:0.11"), Need(kind="weights", name="qwen", size_bytes=5)),
            ),
            Action(kind=ActionKind.REMOVE, target=web, reason="crashed, exit 1"),
            Action(kind=ActionKind.KEEP, target=web, reason="as wanted"),
            Action(
                kind=ActionKind.UNREACHABLE,
                target=Target("x", "gpu03.lab"),
                reason="ssh: no route to host",
                error=UnreachableError("ssh: no route to host", "see `llmstack status`"),
            ),
        )
    )


def test_the_plan_with_its_fields(streams):
    assert plain(plan_lines(plan_of(), streams, diff=True, checked=True)) == (
        "~ ollama@gpu01.lab   replace   image differs, memory differs   takes down llama3, mistral, 1.9 GB to fetch\n"
        "      image    0.12.3 → 0.12.6\n"
        "      memory   8 GiB → 12 GiB\n"
        "+ qwen@gpu02.lab     create    not there                       vllm:0.11, qwen to fetch\n"
        "- webui@gpu01.lab    remove    crashed, exit 1\n"
        "= webui@gpu01.lab    keep      as wanted\n"
        "! x@gpu03.lab        unreachable: ssh: no route to host\n"
        "      see `invoke status`\n"
        "5 looked at: 1 create, 1 replace, 1 remove, 1 keep, 1 unreachable. Nothing was changed.\n"
    )


def test_the_plan_in_short(streams):
    text = plain(plan_lines(plan_of(), streams, diff=False, checked=False))
    assert "→" not in text
    assert text.endswith("1 unreachable.\n")


def test_an_empty_plan(streams):
    assert plain(plan_lines(Plan(), streams, diff=True, checked=True)) == "0 looked at. Nothing was changed.\n"


ROWS = (
    StatusRow(
        model="llama3",
        service="ollama",
        host="gpu01.lab",
        state=State.READY,
        engine="docker",
        device="gpu",
        version="llama3:8b 365c0",
        cpu_percent=3.1,
        memory_bytes=int(1.2 * 2**30),
        memory_limit_bytes=12 * 2**30,
        gpu_memory_bytes=int(5.1 * 2**30),
        url="http://127.0.0.1:11434",
    ),
    StatusRow(
        model="embed",
        service="embed",
        host="localhost",
        state=State.CRASHED,
        engine="docker",
        detail="exit 137, out of memory, 4 restarts",
    ),
    StatusRow(
        model=None,
        service="evil\x1b[2J",
        host="localhost",
        state=State.READY,
        engine="docker",
        wanted=False,
        ours=False,
    ),
)


def test_status_as_a_table():
    streams = open_streams(out=io.StringIO(), err=io.StringIO(), environ={"COLUMNS": "140"})
    report = StatusReport(rows=ROWS, inventory="inventory.yaml")
    assert plain(status_lines(report, streams)) == (
        "MODEL   SERVICE  HOST       STATE    DEVICE  VERSION          CPU  MEMORY      GPU MEM  URL\n"
        "llama3  ollama   gpu01.lab  ready    gpu     llama3:8b 365c0  3 %  1.2/12 GiB  5.1 GiB  http://127.0.0.1:11434\n"
        "embed   embed    localhost  crashed  -       -                -    -           -        "
        "exit 137, out of memory, 4 restarts\n"
        "-       evil     localhost  ready    -       -                -    -           -        not ours\n"
    )
    assert plain(status_notes(report, streams)) == ""


def test_a_narrow_status_drops_columns_and_tells_beside_it_what_matters(streams):
    report = StatusReport(rows=ROWS, inventory="inventory.yaml")
    lines = plain(status_lines(report, streams)).splitlines()
    assert lines[0] == "MODEL   SERVICE  HOST       STATE    DEVICE  VERSION          CPU  MEMORY"
    assert max(map(len, lines)) <= 80
    assert plain(status_notes(report, streams)) == "embed@localhost: exit 137, out of memory, 4 restarts\n"


def test_status_of_nothing(streams):
    wanted = StatusReport(inventory="inventory.yaml")
    assert plain(status_lines(wanted, streams)) == ""
    assert plain(status_notes(wanted, streams)) == "nothing is wanted and nothing runs\n"
    assert plain(status_notes(StatusReport(), streams)) == "nothing serves models here\n"
    found = StatusReport(rows=ROWS[:1])
    assert plain(status_notes(found, streams)).startswith("no inventory found: this is what serves models")


def test_one_column_is_cut_where_nothing_else_fits():
    rows = [[Text("a-very-long-name"), Text("x")]]
    assert plain(table_lines(("NAME", "Y"), rows, 8)) == "NAME\na-very-…\n"


def test_wide_characters_keep_their_columns():
    rows = [[Text("日本"), Text("x")], [Text("abcd"), Text("y")]]
    assert plain(table_lines(("N", "Y"), rows, 80)) == "N     Y\n日本  x\nabcd  y\n"


def test_sync_shows_both_sides(streams):
    report = SyncReport(
        differences=(
            Difference(target=Target("llama3", "gpu01.lab"), store="active", engine="exited 137", action="recorded"),
            Difference(
                target=Target("old", "gpu01.lab"),
                store="",
                engine="no longer in the inventory",
                action="orphan: llmstack down --orphans removes it",
            ),
        )
    )
    assert plain(sync_lines(report, streams)) == (
        "2 differences between what was known and what runs:\n"
        "  llama3@gpu01.lab   store: active   engine: exited 137   → recorded\n"
        "  old@gpu01.lab      no longer in the inventory           → orphan: invoke down --orphans removes it\n"
    )
    assert plain(sync_lines(SyncReport(), streams)) == "what was known is what runs\n"


def test_an_error_with_its_next_step(streams):
    error = NoMatchError("no model 'lama3'. Did you mean 'llama3'?", "models: demo llama3\nor `llmstack status`")
    assert plain(error_lines(error, streams)) == (
        "error: no model 'lama3'. Did you mean 'llama3'?\n       models: demo llama3\n       or `invoke status`\n"
    )
    assert plain(trouble_lines([NoMatchError("a"), NoMatchError("b")], streams)) == "error: a\nerror: b\n"
    assert plain([warning_line("see `llmstack status`", streams)]) == "! see `invoke status`\n"


def test_mistakes_in_an_inventory(streams):
    problems = [
        Problem(
            "E012",
            "unknown key 'imge' in models.llama3",
            Position("inventory.yaml", 32, 5, 9),
            "image",
            "    imge: vllm/vllm-openai:v0.11.0",
        ),
        Problem(
            "E021",
            "pattern 'gpuu' names no host or group",
            Position("inventory.yaml", 34, 12, 16),
            "did you mean 'gpu'? (groups: all, gpu)",
            "    hosts: gpuu",
        ),
    ]
    assert plain(error_lines(InventoryError(problems, "nothing ran"), streams)) == (
        "inventory.yaml:32:5: error E012: unknown key 'imge' in models.llama3\n"
        "   32 |     imge: vllm/vllm-openai:v0.11.0\n"
        "      |     ^^^^ did you mean 'image'?\n"
        "inventory.yaml:34:12: error E021: pattern 'gpuu' names no host or group\n"
        "   34 |     hosts: gpuu\n"
        "      |            ^^^^ did you mean 'gpu'? (groups: all, gpu)\n"
        "2 errors; nothing was changed\n"
        "       nothing ran\n"
    )


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("E1", "no file"), "error E1: no file\n"),
        (Problem("E1", "no file", None, "write one"), "error E1: no file\n      write one\n"),
        (
            Problem("E2", "bad", Position("i.yaml", 1, 3), None, "a: b"),
            "i.yaml:1:3: error E2: bad\n    1 | a: b\n      |   ^\n",
        ),
        (
            Problem("E2", "bad", Position("i.yaml", 1, 3, 99), None, "日本: b"),
            "i.yaml:1:3: error E2: bad\n    1 | 日本: b\n      |     ^^^\n",
        ),
        (
            Problem("E2", "bad", Position("i.yaml", 1, 9), None, "a:"),
            "i.yaml:1:9: error E2: bad\n    1 | a:\n      |   ^\n",
        ),
    ],
)
def test_a_caret_stands_below_the_word(problem, text):
    assert plain(problem_lines(problem)) == text


def test_a_pull_that_needed_nothing_or_failed(streams):
    there = outcome(Target("mistral:7b", "gpu01.lab"), Status.OK, reason="already there")
    assert plain(draw_fetch(block(there), streams)) == "mistral:7b on gpu01.lab   ✓ already there\n"
    gone = outcome(QWEN, Status.FAILED, error=UnhealthyError("no model 'nomicc' in that registry", "check the name"))
    assert plain(draw_fetch(block(gone), streams)) == (
        "qwen on gpu02.lab   ✗ no model 'nomicc' in that registry\n\n  do    check the name\n"
    )


def test_answers_for_programs(streams):
    write_names(streams.out, [DEMO, QWEN, DEMO, Target("a\nb", "c")])
    write_json(streams.out, error_document("run", "", NoMatchError("x")))
    text = streams.out.file.getvalue()
    assert text.startswith("demo@localhost\nqwen@gpu02.lab\na b@c\n{\n")
    assert '"rc": 5' in text


def test_a_report_stands_below_its_hosts(streams):
    ladder = Ladder(target=DEMO, rungs=(rung("created"),))
    outcomes = [
        outcome(ladder=ladder),
        outcome(Target("web", "localhost"), reason="as wanted"),
        outcome(QWEN, reason="fine"),
    ]
    assert plain(report_lines(outcomes, {DEMO: "llamacpp"}, streams)) == (
        "localhost\n  demo  llamacpp\n    ✓ created 0.0 s\n  ✓ web  as wanted\ngpu02.lab\n  ✓ qwen  fine\n"
    )
