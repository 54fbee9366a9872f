"""The NVML reader over drivers that know little, lie, or are not there."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace

import pytest

from llmstack.gpu import nvml
from llmstack.gpu.nvml import NvmlReader
from tests.servers.fake_nvml import (
    A100,
    DRIVER_NOT_LOADED,
    GB10,
    GIB,
    GPU_IS_LOST,
    H100,
    NO_PERMISSION,
    NOT_FOUND,
    NOT_SUPPORTED,
    PROFILES,
    RTX_3090,
    RTX_4090,
    T4,
    UNKNOWN,
    VERSION_MISMATCH,
    FakeGpu,
    fake_nvml,
)

OLD = ["nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetMemoryInfo"]


def read(*gpus: FakeGpu, **driver):
    with fake_nvml(gpus, **driver) as library:
        reader = NvmlReader()
        found = reader.gpus()
        assert library.open_sessions == 0
    return found, reader.reason


def test_each_card_has_its_name_memory_and_processes():
    found, reason = read(RTX_4090.holding({4242: 5 * GIB, 4343: GIB}), H100)
    assert reason is None
    first, second = found
    assert (first.index, first.name, first.uuid) == (0, RTX_4090.name, RTX_4090.uuid)
    assert (first.memory_total_bytes, first.memory_used_bytes) == (25757220864, 6 * GIB)
    assert first.process_bytes == {4242: 5 * GIB, 4343: GIB}
    assert (second.index, second.uuid, second.memory_used_bytes, second.process_bytes) == (1, H100.uuid, 0, {})


def test_a_process_that_computes_and_draws_counts_once():
    (gpu,), _ = read(RTX_4090.holding({7: 3 * GIB}, {7: 3 * GIB, 8: GIB}))
    assert gpu.process_bytes == {7: 3 * GIB, 8: GIB}


def test_a_size_known_to_one_list_only_is_taken_from_it():
    (gpu,), _ = read(RTX_4090.holding({7: None, 9: 2}, {7: 5, 9: None}))
    assert gpu.process_bytes == {7: 5, 9: 2}


def test_a_size_that_the_driver_does_not_say_is_unknown_and_not_zero():
    (gpu,), _ = read(RTX_4090.holding({7: None}))
    assert gpu.process_bytes == {7: None}


def test_unified_memory_is_unknown_and_not_zero():
    (gpu,), reason = read(GB10.holding({7: GIB}))
    assert (gpu.memory_total_bytes, gpu.memory_used_bytes, reason) == (None, None, None)
    assert gpu.process_bytes == {7: GIB}
    assert gpu.unified


@pytest.mark.parametrize("code", [NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, UNKNOWN, GPU_IS_LOST])
def test_a_value_that_cannot_be_had_leaves_the_others(code):
    (gpu,), reason = read(RTX_4090.holding({7: GIB}).failing(nvmlDeviceGetMemoryInfo=code))
    assert (gpu.memory_total_bytes, gpu.memory_used_bytes, reason) == (None, None, None)
    assert gpu.process_bytes == {7: GIB}


@pytest.mark.parametrize("code", [NOT_SUPPORTED, NO_PERMISSION])
def test_processes_that_cannot_be_listed_are_unknown_and_not_none_at_all(code):
    (gpu,), _ = read(H100.holding({7: GIB}).failing(nvmlDeviceGetComputeRunningProcesses=code))
    assert gpu.process_bytes is None
    assert gpu.memory_used_bytes == GIB


def test_a_card_that_draws_nothing_still_lists_what_computes():
    (gpu,), _ = read(H100.holding({7: GIB}).failing(nvmlDeviceGetGraphicsRunningProcesses=NOT_SUPPORTED))
    assert gpu.process_bytes == {7: GIB}


def test_an_old_driver_without_a_function_answers_the_rest():
    (gpu,), reason = read(RTX_4090, missing=OLD)
    assert (gpu.name, gpu.memory_total_bytes, gpu.process_bytes, reason) == (RTX_4090.name, None, None, None)


def test_a_driver_that_cannot_close_still_answers():
    with fake_nvml([RTX_4090], missing=["nvmlShutdown"]):
        assert len(NvmlReader().gpus()) == 1


def test_a_driver_without_cards_means_no_gpu():
    assert read() == ((), None)


def test_a_driver_that_is_not_loaded_means_no_gpu():
    assert read(RTX_4090, init_error=DRIVER_NOT_LOADED) == ((), None)


@pytest.mark.skipif(sys.platform != "linux", reason="the driver's library has another name there")
def test_a_machine_without_the_driver_library_has_no_gpu(monkeypatch):
    import pynvml

    def no_library(name):
        raise OSError(name)

    monkeypatch.setattr(pynvml, "CDLL", no_library)
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    reader = NvmlReader()
    assert (reader.gpus(), reader.reason) == ((), None)


@pytest.mark.parametrize(
    ("code", "word"), [(VERSION_MISMATCH, "updated"), (NO_PERMISSION, "/dev/nvidia"), (UNKNOWN, "Unknown Error")]
)
def test_a_driver_that_refuses_is_unknown_with_a_reason(code, word):
    found, reason = read(RTX_4090, init_error=code)
    assert found is None
    assert word in reason


def test_a_lost_card_is_named_and_takes_nothing_from_the_others():
    (first, lost), reason = read(RTX_4090.holding({7: GIB}), H100.failing(nvmlDeviceGetHandleByIndex=GPU_IS_LOST))
    assert reason is None
    assert first.process_bytes == {7: GIB}
    assert (lost.index, lost.uuid, lost.name, lost.process_bytes) == (1, None, None, None)
    assert "lost" in lost.trouble
    assert str(lost).startswith("GPU 1 the GPU is lost")


def test_a_card_that_still_has_a_handle_may_be_lost_all_the_same():
    lost = dict.fromkeys(("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetComputeRunningProcesses"), GPU_IS_LOST)
    (gpu,), _ = read(T4.failing(**lost))
    assert (gpu.uuid, gpu.name, gpu.process_bytes) == (T4.uuid, T4.name, None)
    assert "lost" in gpu.trouble


def test_load_temperature_and_power_are_told_beside_the_memory():
    card = replace(T4.holding({7: GIB}), busy={7: 61, 8: 12}, temperature_c=62, power_mw=41_500)
    (gpu,), _ = read(card)
    assert (gpu.utilization_percent, gpu.process_percent) == (73, {7: 61, 8: 12})
    assert (gpu.temperature_c, gpu.power_watts, gpu.power_limit_watts) == (62, 41.5, 70.0)
    assert (gpu.unified, gpu.mig) == (False, False)


def test_an_idle_card_has_no_loads_and_one_that_does_not_tell_has_unknown_ones():
    (idle, silent), _ = read(RTX_3090, RTX_3090.failing(nvmlDeviceGetProcessUtilization=NOT_SUPPORTED))
    assert (idle.process_percent, idle.utilization_percent) == ({}, 0)
    assert silent.process_percent is None


def test_a_card_that_is_cut_up_is_named_and_has_no_load_of_its_own():
    (cut, whole), _ = read(replace(A100, mig=True), A100)
    assert (cut.mig, cut.utilization_percent, cut.memory_total_bytes) == (True, None, 85899345920)
    assert (whole.mig, whole.utilization_percent) == (False, 0)


def test_what_shares_a_card_under_mps_is_listed_too():
    (gpu,), _ = read(replace(H100.holding({7: GIB}), shared={9: 2 * GIB}))
    assert gpu.process_bytes == {7: GIB, 9: 2 * GIB}


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_reads_as_a_whole_card_or_as_one_with_unified_memory(name):
    (gpu,), reason = read(PROFILES[name])
    assert (reason, gpu.name, gpu.trouble) == (None, PROFILES[name].name, None)
    assert gpu.unified == (gpu.memory_total_bytes is None) == (name == "gb10")
    assert (gpu.power_limit_watts is None) == (name == "gb10")


def test_without_the_drivers_library_its_module_is_not_even_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")

    def absent(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", absent)
    assert NvmlReader().gpus() == ()
    assert "pynvml" not in sys.modules


def test_a_driver_that_hangs_is_named_and_not_waited_for(monkeypatch):
    monkeypatch.setattr(nvml, "_PATIENCE_S", 0.01)
    gone_on = threading.Event()
    with fake_nvml([T4]) as library:
        monkeypatch.setattr(nvml, "_turn", threading.Lock())
        monkeypatch.setattr(library, "nvmlInitWithFlags", lambda _: gone_on.wait() and 0, raising=False)
        reader = NvmlReader()
        assert (reader.gpus(), "does not answer" in reader.reason) == (None, True)
        assert reader.gpus() is None
        gone_on.set()
        monkeypatch.setattr(nvml, "_PATIENCE_S", 30.0)
        assert [gpu.name for gpu in reader.gpus()] == [T4.name]


def test_a_mistake_of_the_reader_is_not_taken_for_a_driver_that_hangs(monkeypatch):
    monkeypatch.setattr(nvml, "_look", lambda _: 1 // 0)
    with fake_nvml([T4]), pytest.raises(ZeroDivisionError):
        NvmlReader().gpus()


def test_a_code_that_no_one_has_a_word_for_is_named():
    assert read(init_error=777) == (None, "the NVIDIA driver answers: error 777")


def test_a_reason_is_forgotten_at_the_next_look():
    reader = NvmlReader()
    with fake_nvml(init_error=VERSION_MISMATCH):
        assert reader.gpus() is None
    with fake_nvml([H100]):
        assert len(reader.gpus()) == 1
    assert reader.reason is None


def test_the_fake_leaves_pynvml_as_it_was():
    import pynvml

    before = pynvml.nvmlLib
    with fake_nvml([H100]), pytest.raises(KeyError):
        raise KeyError
    assert pynvml.nvmlLib is before
    assert not pynvml._nvmlGetFunctionPointer_cache


def test_a_card_that_will_not_say_its_uuid_makes_the_answer_unknown():
    found, reason = read(H100.failing(nvmlDeviceGetUUID=UNKNOWN))
    assert (found, reason) == (None, "the NVIDIA driver answers: Unknown Error")
