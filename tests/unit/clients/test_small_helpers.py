from __future__ import annotations

import pytest

from llmstack.clients.names import canonical, same_name
from llmstack.clients.speed import Meter, number, rate, text
from llmstack.domain.clock import SystemClock


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("llama3", "llama3:latest"),
        ("llama3:8b", "llama3:8b"),
        ("Llama3:8B", "llama3:8b"),
        ("library/llama3", "llama3:latest"),
        ("registry.ollama.ai/library/llama3", "llama3:latest"),
        ("https://registry.ollama.ai/me/mine:1", "me/mine:1"),
        ("registry:5000/library/smollm2", "registry:5000/library/smollm2:latest"),
        ("http://registry:5000/library/smollm2:latest", "registry:5000/library/smollm2:latest"),
        ("hf.co/bartowski/Llama-3.2-1B-GGUF:Q8_0", "hf.co/bartowski/llama-3.2-1b-gguf:q8_0"),
    ],
)
def test_a_name_as_lists_show_it(name, shown):
    assert canonical(name) == shown
    assert canonical(shown) == shown


def test_a_model_of_another_registry_is_another_model():
    assert same_name("llama3", "LLAMA3:latest")
    assert not same_name("smollm2", "registry:5000/library/smollm2")
    assert not same_name("llama3:8b", "llama3")


def test_the_first_token_does_not_count_for_the_rate():
    meter = Meter()
    for now_s in (10.0, 10.5, 12.0):
        meter.text_at(now_s)
    assert meter.tokens_per_s(9) == 4.0


@pytest.mark.parametrize("tokens", [None, 0, 1])
def test_no_rate_without_two_tokens(tokens):
    meter = Meter()
    meter.text_at(1)
    meter.text_at(2)
    assert meter.tokens_per_s(tokens) is None


def test_no_rate_without_text_or_time():
    meter = Meter()
    assert meter.tokens_per_s(9) is None
    meter.text_at(1)
    assert meter.tokens_per_s(9) is None


def test_a_rate_needs_both_numbers():
    assert rate(8, 2.0) == 4
    assert [rate(None, 1), rate(1, None), rate(0, 1), rate(1, 0), rate(-1, 1)] == [None] * 5


def test_what_a_server_sends_is_taken_only_in_its_own_type():
    assert [number(7), number("7"), number(True), number(7.0), number(None)] == [7, None, None, None, None]
    assert [text("a"), text(1), text(None)] == ["a", "", ""]


def test_real_time_passes():
    clock = SystemClock()
    before, since = clock.now(), clock.monotonic()
    clock.sleep(0)
    assert clock.now() >= before
    assert clock.monotonic() >= since
