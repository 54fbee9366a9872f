"""Labels: what is written can be read, and what is foreign, newer or damaged does no harm."""

from __future__ import annotations

import pytest

import llmstack
from llmstack.domain.instance import SPEC_SCHEMA, InstanceSpec
from llmstack.domain.secret import Sealed, Secret
from llmstack.engines import labels

SPEC = InstanceSpec(stack="lab", service="demo", host="gpu01", type="ollama", engine="docker", image="ollama/ollama")


def test_what_is_written_can_be_read() -> None:
    written = labels.labels_of(SPEC)
    assert labels.parse(written) == labels.Labels(
        stack="lab", service="demo", host="gpu01", schema=SPEC_SCHEMA, spec=SPEC
    )
    assert all(name.startswith("io.llmstack.") for name in written)
    assert (written[labels.TYPE], written[labels.ROLE]) == ("ollama", labels.SERVE)
    assert written[labels.VERSION] == llmstack.__version__


def test_foreign_labels_say_nothing() -> None:
    assert labels.parse({"com.docker.compose.service": "web"}) == labels.Labels()


@pytest.mark.parametrize(
    ("schema", "read"), [(str(SPEC_SCHEMA + 1), SPEC_SCHEMA + 1), ("²", None), ("-1", None), ("", None)]
)
def test_a_spec_of_a_schema_that_is_not_ours_is_not_read(schema: str, read: int | None) -> None:
    said = labels.parse({**labels.labels_of(SPEC), labels.SCHEMA: schema})
    assert (said.schema, said.spec, said.stack) == (read, None, "lab")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"stack": 1}'])
def test_a_damaged_spec_is_none(text: str) -> None:
    said = labels.parse({**labels.labels_of(SPEC), labels.SPEC: text})
    assert (said.spec, said.schema) == (None, SPEC_SCHEMA)


def test_secrets_leave_only_sealed() -> None:
    from dataclasses import replace

    written = labels.labels_of(replace(SPEC, secrets={"KEY": Secret("env:KEY", lambda: "sesame")}))
    assert "sesame" not in str(written)
    spec = labels.parse(written).spec
    assert spec is not None
    sealed = spec.secrets["KEY"]
    assert isinstance(sealed, Sealed)
    assert sealed.matches("sesame")
