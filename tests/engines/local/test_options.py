"""Engine options: refused where impossible, read as typed, and the same behind the pipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_safetydrift.core.errors import BadReferenceError, EngineError, UsageError
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.engines import EngineOptions, devices, facts, identify, open_engine
from pytest_safetydrift.engines.checkpoint import Checkpoint
from pytest_safetydrift.engines.options import read_engine_args
from pytest_safetydrift.engines.places import locate
from pytest_safetydrift.engines.process import EngineProcess
from pytest_safetydrift.engines.spec import EngineSpec


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kind": "vlm"}, "did you mean 'vllm'"),
        ({"dtype": "float23"}, "did you mean 'float32'"),
        ({"batch_tokens": -1}, "batch_tokens must be >= 0"),
        ({"timeout_s": 0.0}, "timeout_s must be > 0"),
        ({"concurrency": 0}, "concurrency must be >= 1"),
    ],
)
def test_an_impossible_option_is_refused(wrong: dict[str, object], told: str) -> None:
    """The message names the value and the closest valid one."""
    with pytest.raises(UsageError, match=told):
        EngineOptions(**wrong)  # type: ignore[arg-type]


def test_engine_arguments_are_read_as_json_where_they_are_json() -> None:
    """Numbers, truth values and objects arrive as such, anything else as text; dashes become underscores."""
    pairs = (
        ("tensor-parallel-size", "2"),
        ("enforce_eager", "True"),
        ("a", '{"b": 1}'),
        ("backend", "ray"),
        ("n", "null"),
    )
    assert EngineOptions(engine_args=pairs).arguments == {
        "tensor_parallel_size": 2,
        "enforce_eager": True,
        "a": {"b": 1},
        "backend": "ray",
        "n": None,
    }


def test_engine_arguments_are_pairs_of_name_and_value() -> None:
    """The first equals sign parts them: a value may hold more, or be empty."""
    assert read_engine_args(["a=1", "b=x=y", "c="]) == (("a", "1"), ("b", "x=y"), ("c", ""))


@pytest.mark.parametrize("wrong", ["a", "=1", ""])
def test_what_is_no_pair_is_refused(wrong: str) -> None:
    """The message shows it as it was given, and the form that is wanted."""
    with pytest.raises(UsageError, match=f"--engine-arg '{wrong}': write NAME=VALUE"):
        read_engine_args(["good=1", wrong])


def test_a_spec_is_the_same_behind_the_pipe() -> None:
    """JSON and back loses nothing."""
    options = EngineOptions(kind="vllm", engine_args=(("a", "1"),), device="0", batch_tokens=9)
    spec = EngineSpec("vllm", Checkpoint(Path("/m"), Path("/a")), options)
    assert EngineSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    ("gpu", "vllm", "device", "chosen"),
    [
        (True, True, "", "vllm"),
        (True, False, "", "transformers"),
        (False, True, "", "transformers"),
        (True, True, "cpu", "transformers"),
    ],
)
def test_vllm_is_the_default_where_a_gpu_and_vllm_are(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, vllm: bool, device: str, chosen: str
) -> None:
    """Everywhere else it is transformers, which starts in seconds."""
    monkeypatch.setattr(devices, "has_gpu", lambda: gpu)
    monkeypatch.setattr(devices, "_cpu_build", lambda: False)
    monkeypatch.setattr(devices, "find_spec", lambda name: object() if vllm else None)
    assert devices.default_engine(device) == chosen


def test_a_gpu_is_seen_by_its_device_file_and_can_be_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No library is imported to look; CUDA_VISIBLE_DEVICES hides it as it does from CUDA."""
    monkeypatch.setattr(devices, "_DEV", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "nvidiactl").touch()
    assert not devices.has_gpu()
    (tmp_path / "nvidia0").touch()
    assert devices.has_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not devices.has_gpu()


def test_a_cpu_build_of_torch_makes_no_use_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity says cpu where the engine will run on it; a device asked for by number stays asked for."""
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    monkeypatch.setattr(devices.metadata, "version", lambda name: "2.13.0+cpu")
    assert (devices.device_of(""), devices.device_of("0")) == ("cpu", "cuda")
    monkeypatch.setattr(devices.metadata, "version", lambda name: "2.13.0")
    assert devices.device_of("") == "cuda"


def test_a_cards_name_is_part_of_the_identity(tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kinds of GPU round differently, so their answers are not exchanged."""
    card = tmp_path / "0000:01:00.0"
    card.mkdir()
    (card / "information").write_text("Model: \t Some Card\nIRQ: 1\n")
    monkeypatch.setattr(devices, "_CARDS", tmp_path)
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    monkeypatch.setattr(devices, "_cpu_build", lambda: False)
    found = facts.engine_facts(EngineSpec("transformers", Checkpoint(bare), EngineOptions()))
    assert (found["device"], found["dtype"]) == (["Some Card"], "bfloat16")


def test_identity_depends_on_dtype_and_engine_arguments_and_not_on_batching(bare: Path) -> None:
    """Whatever changes answers is in the key; how many are asked at once is not."""
    reference = Reference.parse(str(bare))

    def key(**options: object) -> str:
        return identify(reference, EngineOptions(kind="transformers", device="cpu", **options)).key  # type: ignore[arg-type]

    assert key() == key(batch_tokens=100)
    assert len({key(), key(dtype="bfloat16"), key(engine_args=(("attn_implementation", "eager"),))}) == 3


def test_a_cpu_runs_in_float32_whatever_the_checkpoint_says(bare: Path) -> None:
    """bfloat16 on a CPU is slow and rounds."""
    options = EngineOptions(kind="transformers", device="cpu")
    assert identify(Reference.parse(str(bare)), options).engine["dtype"] == "float32"


def test_an_engine_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch, bare: Path) -> None:
    """The extra to install is named before anything loads."""

    def absent(name: str) -> str:
        raise facts.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(facts.metadata, "version", absent)
    monkeypatch.setattr(facts.metadata, "packages_distributions", dict)
    with pytest.raises(EngineError, match=r"pytest-safetydrift\[vllm\]"):
        identify(Reference.parse(str(bare)), EngineOptions(kind="vllm"))


def test_a_directory_stands_in_for_a_demo_checkpoint(bare: Path) -> None:
    """The caller makes demo checkpoints; without its directory the error names the command."""
    demo = Reference.parse("demo:v1")
    options = EngineOptions(kind="transformers")
    assert identify(demo, options, directory=bare) == identify(Reference.parse(str(bare)), options)
    with pytest.raises(UsageError, match="safetydrift train demo"):
        open_engine(demo)


def test_an_adapter_on_a_demo_checkpoint_is_another_model(bare: Path, bare_adapter: Path) -> None:
    """It is the very model that its directories are, and neither the demo checkpoint alone nor one of its name."""
    plain, adapted = Reference.parse("demo:v1"), Reference.parse(f"demo:v1+{bare_adapter}")
    assert (adapted.place, adapted.adapter, adapted.label) == ("v1", str(bare_adapter), "demo:v1+adapter")
    options = EngineOptions(kind="transformers")
    alone, found = (identify(r, options, directory=bare).checkpoint for r in (plain, adapted))
    assert found == identify(Reference.parse(f"{bare}+{bare_adapter}"), options).checkpoint != alone
    assert (locate(adapted, bare), locate(plain, bare)) == (Checkpoint(bare, bare_adapter), Checkpoint(bare))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("demo:v4+lora", "no such demo checkpoint; did you mean 'v3'"),
        ("demo:v1+", "write demo:NAME or demo:NAME\\+ADAPTER"),
        ("demo:v1+./nowhere", "no such checkpoint directory: ./nowhere"),
    ],
)
def test_an_adapter_on_no_demo_checkpoint_or_none_on_one_is_refused(bare: Path, wrong: str, told: str) -> None:
    """It never falls back to the demo checkpoint alone."""
    with pytest.raises(BadReferenceError, match=told):
        identify(Reference.parse(wrong), EngineOptions(kind="transformers"), directory=bare)


def test_a_model_is_opened_in_a_process_of_its_own(bare: Path) -> None:
    """Opening starts nothing yet."""
    engine = open_engine(Reference.parse(str(bare)))
    assert isinstance(engine, EngineProcess)
    assert engine.pid is None


def test_a_recorded_run_answers_nothing() -> None:
    """run: references are baselines, not engines."""
    with pytest.raises(UsageError, match="baseline"):
        open_engine(Reference.parse("run:reports/x.json"))
