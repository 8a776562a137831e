"""Options of other commands, given as NAME=VALUE; and what a round's command line is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.loop.gating import inquiry_of
from pytest_safetydrift.trainer.loop.options import check_learns, data_config, make_method, method_flags
from pytest_safetydrift.trainer.methods import SFT
from tests.trainer.loop.made import PLAN, Plan


def test_a_method_is_configured_by_its_own_options() -> None:
    """By the names of its command line or of its fields; base and data are the loop's."""
    made = make_method(
        "sft", ["rate=1e-3", "save-every=7", "lora_targets=q_proj", "lora-targets=v_proj"], "b", [Path("d")]
    )
    assert made == SFT(base="b", data=(Path("d"),), rate=1e-3, save_every=7, lora_targets=("q_proj", "v_proj"))


def test_flags_are_those_of_the_command_line() -> None:
    """What the method's own command would be given."""
    assert method_flags("sft", ["rate=1e-3", "save_every=7"]) == ["--rate=1e-3", "--save-every=7"]


@pytest.mark.parametrize(
    ("name", "told", "said"),
    [("stf", [], "did you mean 'sft'|known: .*sft"), ("sft", ["rates=1"], "did you mean 'rate'"),
     ("sft", ["rate"], "write NAME=VALUE"), ("sft", ["base=x"], "the loop gives base itself"),
     ("sft", ["rate=fast"], "invalid float value"), ("sft", ["rate=-1"], "rate must be"),
     ("sft", ["dtype=float8"], "invalid choice")],
)  # fmt: skip
def test_wrong_options_of_a_method_are_refused(name: str, told: list[str], said: str) -> None:
    """Before anything runs, with what would be right."""
    with pytest.raises(UsageError, match=said):
        check_learns(name, told, "b")


def test_data_are_made_by_the_options_of_train_data(tmp_path: Path) -> None:
    """Files of refusals and answers too; nothing goes to a development fold."""
    (tmp_path / "r.csv").write_text("refusal\nI can't help with that.\n")
    told = ["pairs=50", "held-out=0.4", "hold_out=framing", "attack=base64", "near=0.8", "replay-from=x",
            f"refusals={tmp_path / 'r.csv'}"]  # fmt: skip
    config, replay = data_config(told)
    assert (config.pairs, config.held_out, config.near, config.development) == (50, 0.4, 0.8, 0.0)
    assert (config.attacks, config.held_out_families) == (("base64",), ("framing",))
    assert (config.refusals, replay) == (("I can't help with that.",), "x")


@pytest.mark.parametrize(
    ("told", "said"),
    [("pair=5", "did you mean 'pairs'"), ("pairs=many", "invalid int"), ("development=0.5", "the loop gives"),
     ("out=x", "the loop gives"), ("held-out=0", "no round could show"), ("held-out=1.5", "shares"),
     ("pairs", "NAME=")],
)  # fmt: skip
def test_wrong_options_of_data_are_refused(told: str, said: str) -> None:
    """Before anything runs; so is a split that holds nothing out."""
    with pytest.raises(UsageError, match=said):
        data_config([told])


def test_the_gate_is_told_where_everything_is(tmp_path: Path) -> None:
    """Root and store, since the training data are made from them; pytest arguments that would move them are refused."""
    plan = Plan(base="b", root=tmp_path, store=tmp_path / "s", pytest_args=("-k", "asr"))
    line = inquiry_of(plan).line("c", tmp_path / "run")
    assert f"--rootdir={tmp_path}" in line
    assert f"--safetydrift-store={tmp_path / 's'}" in line
    assert "--baseline=b" in line
    assert line[-2:] == ["-k", "asr"]
    for argument in ("--rootdir=x", "--safetydrift-store=x", "--baseline=x"):
        with pytest.raises(UsageError, match="give it as"):
            inquiry_of(Plan(base=PLAN.base, pytest_args=(argument,)))
