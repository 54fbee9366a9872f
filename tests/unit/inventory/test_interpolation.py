from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmstack.domain.position import Problem
from llmstack.domain.service import Inventory, Placement

Mistaken = Callable[..., list[Problem]]

TEXT = """\
llmstack: 1
stack: lab
all:
  hosts:
    localhost: {base: /data, port: 8100, gpus: "0", nothing: , empty: "", deep: "${base}/${stack}", list: [1],
      jinja: "{{ unused }}", loop: "${pool}", pool: "${loop}", bad: "${nope}", flag: yes, Model: "${model}"}
models:
  demo: {type: llamacpp, env: {VALUE: %s}}
"""


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("'${base}/${model}-${service}@${inventory_hostname}'", "/data/demo-demo@localhost"),
        ("'${deep}'", "/data/lab"),
        ("'${Model}'", "demo"),
        ("'${port}1'", "81001"),
        ("'${flag}'", "yes"),
        ("'${nope:-fall back}'", "fall back"),
        ("'${empty:-full}${nothing:-x}'", "fullx"),
        ("'<${empty}>'", "<>"),
        ("'${env:HOME_OF}'", "here"),
        ("'${env:NOT_SET:-default}'", "default"),
        ("'${env:EMPTY}'", ""),
        ("'$${base} $base $$ }'", "${base} $base $$ }"),
        ("5", "5"),
    ],
)
def test_references_are_filled_in(placed: Callable[..., Placement], written: str, value: str) -> None:
    assert placed(TEXT % written, {"HOME_OF": "here", "EMPTY": ""}).service.env["VALUE"] == value


@pytest.mark.parametrize(
    ("written", "marked", "code", "message", "suggestion"),
    [
        ('"x ${bsae}"', "${bsae}", "E040", "unknown variable 'bsae'", "base"),
        ("x ${zzz} y", "${zzz}", "E040", "unknown variable 'zzz'", "give a default: ${zzz:-...}"),
        ("${nothing}", "${nothing}", "E040", "unknown variable 'nothing'", None),
        ("x${list}", None, "E040", "variable 'list' should be text", None),
        ("'${loop}'", None, "E040", "variables need each other without end: loop → pool → loop", None),
        ("'${bad}'", None, "E040", "unknown variable 'nope'", None),
        ("'a ${env:NOPE}'", "${env:NOPE}", "E040", "environment variable 'NOPE' is not set", None),
        ("'${not a name}'", "${", "E040", "cannot read what follows '${'", None),
        ("'${open'", "${", "E040", "cannot read what follows '${'", None),
        ("'a {{ b }}'", "{{", "E005", "is Jinja", "write ${name}; there are no expressions"),
        ("'${jinja}'", None, "E005", "is Jinja", None),
    ],
)
def test_a_wrong_reference_is_told_where_it_stands(
    mistaken: Mistaken, written: str, marked: str | None, code: str, message: str, suggestion: str | None
) -> None:
    text = TEXT % (written if written[0] in "'\"" else f"'{written}'")
    (problem,) = mistaken(text)
    assert (problem.code, message in problem.message) == (code, True), problem
    if marked is not None:
        at = problem.position
        assert at is not None
        assert text.splitlines()[at.line - 1][at.column - 1 : (at.end_column or 0) - 1] == marked
    if suggestion is not None:
        assert problem.suggestion == suggestion


def test_a_whole_reference_keeps_the_type_of_its_variable(placed: Callable[..., Placement]) -> None:
    text = (TEXT % "x").replace(
        "type: llamacpp", "type: llamacpp, port: '${port}', options: {a: '${port}', b: '${port}0'}"
    )
    service = placed(text).service
    assert (service.port, service.options) == (8100, {"a": 8100, "b": "81000"})


def test_a_variable_that_only_the_environment_has_is_told_as_such(mistaken: Mistaken) -> None:
    (problem,) = mistaken(TEXT % "'${LABEL}'", {"LABEL": "x"})
    assert problem.suggestion == "${env:LABEL}"


def test_a_failed_reference_is_one_mistake_only(mistaken: Mistaken) -> None:
    text = "llmstack: 1\nmodels: {m: {type: x, port: '${nope}', args: ['${nope}'], enabled: '${nope}'}}\n"
    assert [problem.code for problem in mistaken(text)] == ["E040", "E040", "E040"]


def test_each_host_fills_in_its_own(loaded: Callable[..., Inventory]) -> None:
    text = (
        "llmstack: 1\nall: {hosts: {a: {port: 1}, b: {port: 2}}}\nservices: {s: {type: x, port: '${port}'}}\n"
        "models: {m: {service: s, source: '${model}-${service}-${inventory_hostname}'}}\n"
    )
    found = [(each.service.port, each.models[0].source) for each in loaded(text).placements]
    assert found == [(1, "m-s-a"), (2, "m-s-b")]


def test_a_service_has_no_model_in_its_words(mistaken: Mistaken) -> None:
    assert (
        mistaken("llmstack: 1\nservices: {s: {type: x, image: '${model}'}}\n")[0].message == "unknown variable 'model'"
    )


def test_a_reference_in_a_folded_text_points_at_the_whole(mistaken: Mistaken) -> None:
    (problem,) = mistaken("llmstack: 1\nmodels:\n  m:\n    type: x\n    image: >-\n      ${nope}\n")
    assert str(problem.position).endswith(":5:12")


def test_growth_without_bounds_is_refused(mistaken: Mistaken) -> None:
    names = [f"v{number}: '{f'${{v{number + 1}}}' * 20}'" for number in range(8)]
    text = f"llmstack: 1\nall: {{hosts: {{localhost: {{{', '.join(names)}, v8: {'x' * 50}}}}}}}\n"
    problems = mistaken(text + "models: {m: {type: x, image: 'a${v0}'}}\n")
    assert {problem.code for problem in problems} == {"E040"}
    assert "grows beyond" in problems[0].message


def test_a_long_chain_of_variables_is_refused(mistaken: Mistaken) -> None:
    names = ", ".join(f"v{number}: 'x${{v{number + 1}}}'" for number in range(400))
    text = f"llmstack: 1\nall: {{hosts: {{localhost: {{{names}}}}}}}\nmodels: {{m: {{type: x, image: 'a${{v0}}'}}}}\n"
    assert "without end" in mistaken(text)[0].message


def test_dotenv_beside_the_inventory_is_read_and_the_environment_wins(
    placed: Callable[..., Placement], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("# words\nexport A=file\nB='two $A'\nC\n\nD=d # note\n", encoding="utf-8")
    text = "llmstack: 1\nmodels: {m: {type: x, source: '${env:A}-${env:B}-${env:C:-none}-${env:D}'}}\n"
    assert placed(text, {"A": "real"}).models[0].source == "real-two $A-none-d"


@pytest.mark.parametrize(("content", "code"), [(b"A=1\n'=2\n", "E042"), (b"A=1\nA=\xff\n", "E001")])
def test_a_wrong_line_of_dotenv_is_a_mistake_of_that_file(
    mistaken: Mistaken, tmp_path: Path, content: bytes, code: str
) -> None:
    (tmp_path / ".env").write_bytes(content)
    (problem,) = mistaken("llmstack: 1\n")
    assert (problem.code, str(problem.position)) == (code, ".env:2:1")
    assert problem.source_line is None
