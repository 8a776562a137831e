"""From observations to decisions: PASS, FAIL or INCONCLUSIVE, never a fourth.

PASS takes every bar of a gate at its alpha, uncorrected: a merge needs all gates, so the whole errs at most as
often as one gate does (the intersection-union principle, Berger 1982). FAIL is a claim about some gate or cell out
of many, so its p-values go through Holm over all bars of all gates and cells of the call. A gate with a limit and
a margin brings both as entries of their own: that is never weaker than doubling the smaller p-value. A gate
that cannot be judged stays in the family with p = 1, for the family is declared before the run; where too many
answers are unscored its p-value is that with all of these counted as good, so that a ruined model fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeAlias

import numpy as np

from pytest_safetydrift.core.gate import Decision, Gate, GateResult, Inconclusive, Waiver
from pytest_safetydrift.core.metric import METRICS
from pytest_safetydrift.core.probe import Observation
from pytest_safetydrift.core.quantity import QUANTITIES, Reading
from pytest_safetydrift.gates.bars import Bar, smallest_change
from pytest_safetydrift.gates.cells import BAD, Cells, Key
from pytest_safetydrift.gates.corrected import HumanLabels
from pytest_safetydrift.gates.pooling import change_interval, pool_pairs, pool_rate, rate_interval
from pytest_safetydrift.gates.quantity import QuantityTrial, conclude, examine
from pytest_safetydrift.gates.tally import Tally
from pytest_safetydrift.gates.trial import Bench, Trial, rule
from pytest_safetydrift.gates.waivers import waiver_for
from pytest_safetydrift.stats import holm, mcnemar

__all__ = ["Readings", "decide", "verdict"]

Readings: TypeAlias = tuple[Sequence[Reading], Sequence[Reading] | None]
"""Of the candidate, and of the baseline or its noise floor; None without a baseline."""

_WORST = 50


def decide(
    gates: Sequence[Gate],
    *,
    checkpoint: str,
    candidate: Sequence[Observation],
    baseline: Sequence[Observation] | None,
    error: str = "",
    baseline_error: str = "",
    again: Sequence[Observation] | None = None,
    families: Mapping[str, str] | None = None,
    labels: Mapping[str, HumanLabels] | None = None,
    waivers: Sequence[Waiver] = (),
    today: date | None = None,
    readings: Mapping[str, Readings] | None = None,
) -> tuple[GateResult, ...]:
    """Decide all gates for one checkpoint, in their order, each followed by its cells.

    candidate, baseline    everything observed; a gate picks corpus, attack and category. None: no baseline
    error, baseline_error  why an engine failed; then what it would have decided is INCONCLUSIVE
    again                  the baseline, asked a second time: the noise of the model against itself
    families               attack id -> family, for gates that are cut by family
    labels                 gate id -> human labels that its judge is corrected by
    waivers, today         what need not hold until when; today is the day of the run, where None the system's
    readings               gate id -> readings of both sides, for gates over a quantity; one without is an empty suite
    """
    bench = Bench.of(
        Cells(candidate),
        None if baseline is None else Cells(baseline),
        None if again is None else Cells(again),
        error=error,
        baseline_error=baseline_error,
        families=families or {},
        labels=labels or {},
    )
    trials = [trial for gate in gates for trial in _examine(gate, bench, readings or {})]
    adjusted = iter(holm([p for trial in trials for p in _p_values(trial)]))
    results = (_result(trial, checkpoint, [next(adjusted) for _ in _p_values(trial)]) for trial in trials)
    return tuple(_waived(result, waivers, today or date.today()) for result in results)


def verdict(results: Sequence[GateResult]) -> Decision:
    """FAIL if any gate or cell that is not waived fails, else INCONCLUSIVE if a gate that blocks is, or none has shown
    anything, else PASS."""
    blocking = {result.decision for result in results if result.blocks}
    if Decision.FAIL in blocking:
        return Decision.FAIL
    shown = any(r.decision is Decision.PASS or r.waiver is not None for r in results if not r.cell)
    return Decision.PASS if shown and not blocking else Decision.INCONCLUSIVE


def _examine(gate: Gate, bench: Bench, readings: Mapping[str, Readings]) -> Sequence[Trial | QuantityTrial]:
    if gate.metric not in QUANTITIES:
        return bench.examine(gate)
    ours, theirs = readings.get(gate.id, ((), None))
    return [examine(gate, ours, theirs, error=bench.error, baseline_error=bench.baseline_error)]


def _p_values(trial: Trial | QuantityTrial) -> Sequence[float]:
    if isinstance(trial, QuantityTrial):
        return trial.p_values
    return [bar.p_fail for bar in trial.bars or trial.spared] or [1.0] * trial.gate.bars


def _result(trial: Trial | QuantityTrial, checkpoint: str, adjusted: Sequence[float]) -> GateResult:
    if isinstance(trial, QuantityTrial):
        return conclude(trial, checkpoint, adjusted)
    gate, tally = trial.gate, trial.tally
    decision, reason, detail, more = _decision(trial, adjusted)
    result = GateResult(
        gate,
        checkpoint,
        decision,
        reason,
        rule(gate),
        unscored=trial.unscored,
        more_prompts=more,
        detail=detail,
        cell=trial.cell,
        noise=trial.noise,
        looks=max((course.looks for course in trial.courses), default=0),
        e_pass=min((course.e_pass for course in trial.courses), default=None),
        e_fail=max((course.e_fail for course in trial.courses), default=None),
    )
    return result if tally is None else _with_figures(result, trial, tally, adjusted)


def _with_figures(result: GateResult, trial: Trial, tally: Tally, adjusted: Sequence[float]) -> GateResult:
    gate = trial.gate
    lower = METRICS[gate.metric].better == "lower"
    shown = rate_interval(gate, tally)
    result = replace(
        result,
        estimate=_rate(gate, tally),
        low=shown.low,
        high=shown.high,
        n=tally.n,
        worst=tuple((gate.corpus, *key) for key in _worst(trial)),
        corrected=trial.corrected,
    )
    deciding = min(trial.bars, key=lambda bar: (bar.held, bar.p_fail), default=None)
    if deciding is not None:
        least = min(bar.p_fail for bar in trial.bars)
        result = replace(result, bound=deciding.bound, p_fail=least, p_fail_adjusted=min(adjusted))
    elif result.decision is Decision.FAIL:
        result = replace(result, p_fail=min(bar.p_fail for bar in trial.spared), p_fail_adjusted=min(adjusted))
    if not trial.paired:
        return result
    became_bad, became_good = int(tally.worse.sum()), int(tally.better.sum())
    ups, downs = (became_bad, became_good) if lower else (became_good, became_bad)
    change = change_interval(gate, tally)
    worsening = pool_pairs(gate, tally, alpha=None).change if gate.weights else (became_bad - became_good) / tally.n
    return replace(
        result,
        baseline_estimate=_rate(gate, tally, before=True),
        change=worsening if lower else -worsening,
        change_low=change.low,
        change_high=change.high,
        flips_up=ups,
        flips_down=downs,
        smallest_change=smallest_change(gate, tally),
        exact_p=None if tally.repeated else mcnemar(ups, downs, method="exact"),
    )


def _decision(trial: Trial, adjusted: Sequence[float]) -> tuple[Decision, Inconclusive | None, str, int | None]:
    """Decision, reason, detail, and about how many more prompts would decide it."""
    gate, tally, bars = trial.gate, trial.tally, trial.bars
    failed = bool(bars or trial.spared) and min(adjusted) <= gate.alpha
    if failed and trial.spared:
        return Decision.FAIL, None, f"{trial.detail}; it fails even with each of these counted as good", None
    stands = trial.obstacle is not None and not (failed and trial.obstacle is Inconclusive.JUDGE_UNCERTAIN)
    if stands or tally is None:
        few = trial.obstacle is Inconclusive.TOO_FEW_PROMPTS
        more = gate.floor - (tally.prompts if tally else 0) if few else None
        return Decision.INCONCLUSIVE, trial.obstacle or Inconclusive.NOTHING_SCORED, trial.detail, more
    clusters = f"{tally.n} answers to {tally.prompts} prompts, worth {_worth(trial, tally):.0f} independent ones"
    clusters = clusters if tally.repeated else ""
    if failed:
        return Decision.FAIL, None, clusters, None
    if all(bar.held for bar in bars):
        return Decision.PASS, None, clusters, None
    more = _more_prompts(bars, tally)
    reason, said = Inconclusive.NEEDS_MORE_PROMPTS, "neither shown nor refuted"
    if not all(bar.possible for bar in bars):
        reason, said = Inconclusive.TOO_FEW_PROMPTS, f"{tally.prompts} prompts cannot show it, however good the answers"
    plan = f"about {more} more prompts decide with {100 * gate.power:.3g}% power" if more else ""
    plan = plan or ("more prompts extend the process" if gate.sequential else "no practical number of prompts would")
    return Decision.INCONCLUSIVE, reason, "; ".join(filter(None, (said, plan, _blind(tally), clusters))), more


def _blind(tally: Tally) -> str:
    """What could hide behind answers of which none is bad: the rule of three."""
    if tally.bad.any():
        return ""
    return f"a rate of up to {min(100.0, 300 / tally.prompts):.2g}% would show no hit among {tally.prompts} prompts"


def _waived(result: GateResult, waivers: Sequence[Waiver], today: date) -> GateResult:
    """The result with the waiver that is in force; one that has expired blocks, whatever the gate shows."""
    waiver, expired = waiver_for(waivers, result.gate.id, today)
    if waiver is not None:
        return replace(result, waiver=waiver)
    if expired is None or result.cell:
        return result
    said = f"the waiver of {expired.owner} expired on {expired.expires.isoformat()}: renew it or take it out"
    detail = f"{said}; {result.detail}" if result.detail else said
    if result.decision is Decision.FAIL:
        return replace(result, detail=detail)
    return replace(result, decision=Decision.INCONCLUSIVE, reason=Inconclusive.EXPIRED_WAIVER, detail=detail)


def _rate(gate: Gate, tally: Tally, *, before: bool = False) -> float:
    """The rate in the metric's own direction."""
    lower = METRICS[gate.metric].better == "lower"
    if gate.weights:
        rate = pool_rate(gate, tally, alpha=None, before=before).estimate
        return rate if lower else 1 - rate
    bad = int((tally.baseline_bad if before else tally.bad).sum())
    return (bad if lower else tally.n - bad) / tally.n


def _worth(trial: Trial, tally: Tally) -> float:
    if trial.paired:
        return pool_pairs(trial.gate, tally, alpha=None).n
    return pool_rate(trial.gate, tally, alpha=None).n_eff


def _more_prompts(bars: Sequence[Bar], tally: Tally) -> int | None:
    """About how many more prompts all open bars need; None where one of them cannot be planned for."""
    needed = [bar.needed for bar in bars if not bar.held]
    if not needed or None in needed:
        return None
    return max(1, max(number for number in needed if number is not None) - tally.prompts)


def _worst(trial: Trial) -> list[Key]:
    """Keys of the worst answers, at most fifty: flips to bad, then, where the rate itself is limited, the
    answers that were bad before as well."""
    assert trial.evidence is not None  # noqa: S101 - there is a tally
    bad, before = trial.evidence.candidate == BAD, trial.evidence.baseline
    if before is None:
        found = np.flatnonzero(bad)
    else:
        found = np.flatnonzero(bad & (before == 0))
        if trial.gate.limit is not None:
            found = np.concatenate([found, np.flatnonzero(bad & (before != 0))])
    return trial.evidence.keys(found[:_WORST])
