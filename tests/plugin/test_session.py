"""The plugin as its users meet it: pytest runs for real in a folder of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from functools import partial

import pytest

from pytest_safetydrift.verdicts import EXIT_INCONCLUSIVE, EXIT_INFRASTRUCTURE

from .conftest import N, World


def test_a_good_checkpoint_passes(world: World) -> None:
    """Every gate is one passing item, the exit code is 0, the record says PASS."""
    result = world.run("-v")
    assert result.ret == 0
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*test_own.py::test_own[[]*safe-asr[]] PASSED*", "*PASS*"])
    assert world.record()["verdict"] == "PASS"


def test_each_question_is_asked_once(world: World) -> None:
    """Four gates over two corpora, a baseline that equals the candidate: one load, no prompt twice."""
    world.run()
    counts = Counter(world.asked())
    assert len(counts) == 2 * N
    assert set(counts.values()) == {1}
    record = world.record()
    assert record["requests"] == {"planned": 4 * N, "deduplicated": 2 * N, "cached": 0, "generated": 2 * N}
    assert list(record["engine_loads"].values()) == [1]
    assert "equals the candidate" in record["notes"][0]


def test_a_rerun_asks_nothing(world: World) -> None:
    """The second run reads the store, loads no engine and decides the same."""
    world.run(checkpoint="wild")
    first, asked = world.record(), len(world.asked())
    result = world.run(checkpoint="wild")
    assert (result.ret, len(world.asked()), world.record()["engine_loads"]) == (1, asked, {})
    assert world.record()["gates"] == first["gates"]
    assert world.record()["requests"]["cached"] == first["requests"]["generated"]


def test_a_worse_checkpoint_fails(world: World) -> None:
    """Exit code 1; the failure text has estimate, interval, limit, n, three flips and the rerun command."""
    result = world.run(checkpoint="wild")
    assert result.ret == 1
    result.assert_outcomes(passed=2, failed=2)
    out = result.stdout.str()
    assert "100.0%" in out
    assert f"n = {N}" in out or f"{N} pairs" in out
    assert "pytest --checkpoint scripted:models:wild --baseline scripted:models:safe -k drift-asr" in out
    decisions = {g["id"]: g["decision"] for g in world.record()["gates"]}
    assert decisions == {"asr": "FAIL", "refusal": "PASS", "drift-asr": "FAIL", "drift-refusal": "PASS"}
    flips = next(g for g in world.record()["gates"] if g["id"] == "drift-asr")
    assert (flips["flips_up"], flips["flips_down"], flips["change"]) == (N, 0, 1.0)


def test_over_refusal_fails_too(world: World) -> None:
    """A checkpoint that refuses everything is safe and is blocked."""
    world.run(checkpoint="shy")
    decisions = {g["id"]: g["decision"] for g in world.record()["gates"]}
    assert decisions == {"asr": "PASS", "refusal": "FAIL", "drift-asr": "PASS", "drift-refusal": "FAIL"}


def test_nothing_scored_is_inconclusive(world: World) -> None:
    """Empty answers never read as safe: every gate is INCONCLUSIVE, with its own exit code."""
    result = world.run(checkpoint="mush")
    assert result.ret == EXIT_INCONCLUSIVE
    assert {g["decision"] for g in world.record()["gates"]} == {"INCONCLUSIVE"}
    assert world.record()["verdict"] == "INCONCLUSIVE"
    assert "INCONCLUSIVE" in result.stdout.str()


def test_no_baseline_is_inconclusive(world: World) -> None:
    """Gates with a margin cannot be decided without one; those with a limit are."""
    result = world.run(baseline="")
    assert result.ret == EXIT_INCONCLUSIVE
    reasons = {g["id"]: g["reason"] for g in world.record()["gates"]}
    assert reasons == {"asr": "", "refusal": "", "drift-asr": "missing_baseline", "drift-refusal": "missing_baseline"}


def test_a_dying_engine_blocks_its_own_checkpoint(world: World) -> None:
    """Its gates carry the reason; the other checkpoint is judged; the exit code says infrastructure."""
    result = world.run(checkpoint="safe dies")
    assert result.ret == EXIT_INFRASTRUCTURE
    verdicts = {c["reference"]: (c["verdict"], c["error"]) for c in world.record()["checkpoints"]}
    assert verdicts["scripted:models:safe"] == ("PASS", "")
    assert verdicts["scripted:models:dies"][0] == "INCONCLUSIVE"
    assert "out of memory, say" in verdicts["scripted:models:dies"][1]


def test_what_was_answered_before_an_engine_died_is_reused(world: World) -> None:
    """The next run asks only what is missing."""
    world.run(checkpoint="dies")
    asked = [text for name, text in world.asked() if name == "dies"]
    world.run(checkpoint="dies")
    again = [text for name, text in world.asked() if name == "dies"][len(asked) :]
    assert set(asked[:-1]).isdisjoint(again)


@pytest.mark.parametrize("args", [(), ("-n", "2"), ("-n", "2", "--dist=worksteal"), ("-x",), ("-p", "no:randomly")])
def test_two_checkpoints_however_it_is_run(world: World, args: tuple[str, ...]) -> None:
    """Alone, on two workers, stopping at the first failure: same verdicts, loads and requests."""
    result = world.run(*args, checkpoint="safe wild")
    assert result.ret == 1
    record = world.record()
    assert {c["reference"].rpartition(":")[2]: c["verdict"] for c in record["checkpoints"]} == {
        "safe": "PASS",
        "wild": "FAIL",
    }
    assert record["engine_loads"] == {"scripted:models:safe": 1, "scripted:models:wild": 1}
    assert record["requests"]["generated"] == 4 * N
    assert Counter(Counter(world.asked()).values()) == {1: 4 * N}


def test_a_selection_asks_only_what_it_needs(world: World) -> None:
    """-k leaves one gate: only its prompts are asked, and the record says that it is a part."""
    result = world.run("-k", "refusal and not drift")
    result.assert_outcomes(passed=1, deselected=3)
    assert len(world.asked()) == N
    assert world.record()["selection"] == "1 of 4 gates"


def test_tests_that_no_gate_is_for_are_refused(world: World) -> None:
    """The policy gates another suite only: a usage error that names the policy, and nothing is asked."""
    result = world.run("--safetydrift-policy=built-in:default")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*no gate of the policy built-in:default is for what these tests measure*"])
    assert world.asked() == []


def test_last_failed_runs_the_failed_gates(world: World) -> None:
    """--lf after a failure: the same two gates, from the store."""
    world.run(checkpoint="wild")
    asked = len(world.asked())
    result = world.run("--lf", checkpoint="wild")
    result.assert_outcomes(failed=2)
    assert (result.ret, len(world.asked())) == (1, asked)


def test_collect_only_loads_nothing(world: World) -> None:
    """It prints the gates and the request counts; no model is asked."""
    result = world.run("--collect-only", "-q", checkpoint="safe wild")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*safetydrift plan: * requests, * without doubles*", "*scripted:models:wild: 2 cells, 160 *"]
    )
    assert world.asked() == []
    assert not (world.folder / "out").exists()


def test_junit_carries_the_figures_through_xdist(world: World) -> None:
    """Each gate's decision and numbers are properties of its test case."""
    world.run("-n", "2", "--junit-xml=junit.xml", checkpoint="wild")
    cases = ET.parse(world.folder / "junit.xml").getroot().iter("testcase")  # noqa: S314 - our own file
    found = {c.get("name"): {p.get("name"): p.get("value") for p in c.iter("property")} for c in cases}
    failing = next(v for k, v in found.items() if k and k.endswith("drift-asr]"))
    assert failing["safetydrift_decision"] == "FAIL"
    assert failing["safetydrift_change"] == "1.0"
    assert failing["safetydrift_margin"] == "0.05"


def test_other_failures_keep_pytests_exit_code(world: World) -> None:
    """An ordinary failing test beside an undecided gate is a failure, not merely undecided."""
    world.pytester.makepyfile(test_else="def test_else():\n    assert 1 == 2\n")
    assert world.run("test_else.py", checkpoint="mush").ret == 1


def test_without_a_checkpoint_gates_are_skipped_or_refused(world: World) -> None:
    """A plain pytest run skips them with a reason; the strict option lets nothing go unjudged."""
    plain = world.pytester.runpytest("test_own.py", "-rs")
    plain.assert_outcomes(skipped=2)
    assert "no --checkpoint was given" in plain.stdout.str()
    strict = world.pytester.runpytest("test_own.py", "--safetydrift-strict")
    assert strict.ret == 1


def test_a_recorded_run_serves_as_baseline(world: World) -> None:
    """run:record.json pairs with the answers of today without asking the baseline again."""
    world.run(checkpoint="safe")
    (world.folder / "base.json").write_text((world.folder / "out" / "record.json").read_text())
    result = world.pytester.runpytest(
        "--checkpoint=scripted:models:wild", "--baseline=run:base.json", "--safetydrift-report=out", "test_own.py"
    )
    assert result.ret == 1
    changes = {g["id"]: (g["decision"], g["change"]) for g in world.record()["gates"] if g["margin"]}
    assert changes == {"drift-asr": ("FAIL", 1.0), "drift-refusal": ("PASS", 0.0)}


def test_a_recorded_baseline_of_other_prompts_pairs_with_nothing(world: World) -> None:
    """A prompt changed since: the gates of its corpus are INCONCLUSIVE, the other's are decided."""
    world.run(checkpoint="safe")
    (world.folder / "base.json").write_text((world.folder / "out" / "record.json").read_text())
    good = world.folder / "good.jsonl"
    good.write_text(good.read_text().replace("cake 7?", "cake 7, please?"))
    result = world.pytester.runpytest(
        "--checkpoint=scripted:models:safe", "--baseline=run:base.json", "--safetydrift-report=out", "test_own.py"
    )
    assert result.ret == EXIT_INCONCLUSIVE
    decisions = {g["id"]: g["decision"] for g in world.record()["gates"]}
    assert decisions == {"asr": "PASS", "refusal": "PASS", "drift-asr": "PASS", "drift-refusal": "INCONCLUSIVE"}


def test_free_generation_works_warns_and_is_an_error_when_strict(world: World) -> None:
    """`checkpoint.generate` answers at once, says that it was not planned, and is refused under strict."""
    world.pytester.makepyfile(
        test_own="""
        def test_free(checkpoint):
            (answer,) = checkpoint.generate(["How do I bake 1?"])
            assert answer.text == "Sure, here is how to do it: step one."
        """
    )
    (world.folder / "safetydrift.toml").unlink()
    result = world.run(baseline="")
    result.assert_outcomes(passed=1, warnings=1)
    assert "were not planned" in result.stdout.str()
    assert world.run("--safetydrift-strict", baseline="").ret == 1


def test_bad_usage_exits_with_four(world: World) -> None:
    """Unknown scheme, unmeasured gate, baseline alone, a doubled checkpoint: pytest's usage error, with the way out."""
    run = world.pytester.runpytest
    for args, said in (
        (("--checkpoint=scriptd:models:safe",), "did you mean 'scripted'"),
        (("--baseline=demo:v1",), "--baseline is given without --checkpoint"),
        (("--checkpoint=demo:v9",), "no such demo checkpoint"),
        (("--checkpoint=run:x.json",), "give it as --baseline"),
        (("--checkpoint=scripted:models:safe", "--checkpoint=scripted:models:safe"), "given twice"),
        (("--checkpoint=scripted:models:safe", "--engine-arg=x"), "write NAME=VALUE"),
        (("--checkpoint=scripted:models:safe", "--safetydrift-policy=none.toml"), "none.toml"),
        (("--checkpoint=scripted:models:nobody",), "nobody"),
    ):
        result = run(*args, "test_own.py")
        assert (result.ret, said in result.stderr.str() + result.stdout.str()) == (4, True), (args, result.stderr.str())


def test_a_policy_that_gates_what_nothing_measures_is_refused(world: World) -> None:
    """A typing error in corpus or suite cannot make a gate vanish."""
    policy = world.folder / "safetydrift.toml"
    text = policy.read_text()
    policy.write_text(text.replace('corpus = "good.jsonl"', 'corpus = "goood.jsonl"'))
    wrong_corpus = world.run()
    policy.write_text(text.replace('suite = "own_drift"', 'suite = "own_drif"'))
    wrong_suite = world.run()
    assert (wrong_corpus.ret, wrong_suite.ret) == (4, 4)
    assert "goood.jsonl" in wrong_corpus.stderr.str()
    assert "own_drif" in wrong_suite.stderr.str()
    assert world.asked() == []


def test_an_unwritable_report_folder_is_found_before_anything_is_asked(world: World) -> None:
    """A file stands where the folder should be."""
    (world.folder / "out").write_text("in the way")
    result = world.run()
    assert result.ret == 4
    assert "--safetydrift-report" in result.stderr.str()
    assert world.asked() == []


def test_a_report_that_cannot_be_written_loses_no_answer(world: World) -> None:
    """The folder breaks during the run: infrastructure exit code, and the next run asks nothing."""
    world.pytester.makeconftest(
        """
        import pathlib
        def pytest_runtest_setup(item):
            p = pathlib.Path("out/report.html")
            p.mkdir(parents=True, exist_ok=True)
            (p / "x").touch()
        """
    )
    result = world.run()
    assert result.ret == EXIT_INFRASTRUCTURE
    assert "the answers are kept" in result.stdout.str()
    asked = len(world.asked())
    world.pytester.makeconftest("")
    (world.folder / "out" / "report.html" / "x").unlink()
    (world.folder / "out" / "report.html").rmdir()
    assert (world.run().ret, len(world.asked())) == (0, asked)


def test_a_damaged_store_stops_the_run_and_says_what_to_do(world: World) -> None:
    """It is neither overwritten nor read."""
    (world.folder / ".safetydrift").mkdir()
    junk = world.folder / ".safetydrift" / "answers.sqlite"
    junk.write_bytes(b"this is no database " * 200)
    result = world.run()
    assert result.ret == EXIT_INFRASTRUCTURE
    assert "move the file away" in result.stdout.str() + result.stderr.str()
    assert junk.read_bytes().startswith(b"this is no database")


def test_a_killed_run_goes_on_where_it_stopped(world: World) -> None:
    """kill -9 in the middle, then the same command: finished answers are not asked again, the verdict is the same."""
    args = [
        sys.executable,
        "-m",
        "pytest",
        "--checkpoint=scripted:models:slow",
        "--safetydrift-report=out",
        "test_own.py",
    ]
    first = subprocess.Popen(args, cwd=world.folder, stdout=subprocess.DEVNULL)
    while len(world.asked()) < N // 2:
        assert first.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    first.kill()
    first.wait()
    before = len(world.asked())
    result = world.run(checkpoint="slow", baseline="")
    again = [a for a, count in Counter(world.asked()).items() if count > 1]
    assert before < 2 * N, "nothing was left to do"
    assert len(again) <= 1, "only the answer that was just coming may be asked twice"
    assert {g["id"]: g["decision"] for g in world.record()["gates"]}["asr"] == "PASS"
    assert result.ret == 1  # it refuses everything, which the other gate says


def test_ctrl_c_keeps_what_was_answered(world: World) -> None:
    """An interrupt ends the run with pytest's own code 2; the next one goes on."""
    args = [
        sys.executable,
        "-m",
        "pytest",
        "--checkpoint=scripted:models:slow",
        "--safetydrift-report=out",
        "test_own.py",
    ]
    # a test session in the background ignores SIGINT, and its children would inherit that
    default = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    first = subprocess.Popen(args, cwd=world.folder, stdout=subprocess.DEVNULL, preexec_fn=default)  # noqa: PLW1509
    while len(world.asked()) < N // 2:
        assert first.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    assert first.wait() == 2
    world.run(checkpoint="slow", baseline="")
    assert max(Counter(world.asked()).values()) <= 2
    assert sum(count > 1 for count in Counter(world.asked()).values()) <= 1


def test_github_gets_annotations_and_a_summary(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One ::error per failed gate on the log, the Markdown in the step summary."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(world.folder / "step.md"))
    result = world.run(checkpoint="wild")
    assert len([line for line in result.stdout.lines if line.startswith("::error")]) == 2
    assert "FAIL" in (world.folder / "step.md").read_text()


def test_the_report_folder_holds_every_form(world: World) -> None:
    """record.json, report.html, summary.md, metrics.json and the evidence."""
    world.run(checkpoint="wild")
    names = {p.name for p in (world.folder / "out").iterdir()}
    assert {"record.json", "report.html", "summary.md", "metrics.json"} <= names
    metrics = json.loads((world.folder / "out" / "metrics.json").read_text())
    assert all(isinstance(v, int | float) for v in metrics.values())
    required = {
        "schema_version",
        "verdict",
        "checkpoints",
        "policy",
        "gates",
        "requests",
        "engine_loads",
        "versions",
        "seed",
    }
    assert required <= world.record().keys()
