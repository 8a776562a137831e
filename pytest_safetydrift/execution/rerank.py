"""A model and its critic as one engine: candidates are drawn, the critic scores them, the best is the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_safetydrift.core.canonical import digest
from pytest_safetydrift.core.engine import Engine, Identity
from pytest_safetydrift.core.errors import CheckpointError, EngineError
from pytest_safetydrift.core.reference import Reference, Scheme
from pytest_safetydrift.core.request import Request
from pytest_safetydrift.core.response import Finish, Response
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.engines.places import locate
from pytest_safetydrift.engines.shards import read_object
from pytest_safetydrift.execution.rerank_critics import Scoring, rated, scoring_of
from pytest_safetydrift.execution.rerank_file import Reranking, read_reranking
from pytest_safetydrift.execution.target import Target

__all__ = ["RerankEngine", "candidates_of", "doubts", "reranked"]

_CARD = "reward_card.json"

_VERSION = 1
"""Of drawing, asking and choosing: another way of any of these is another model."""

_TOGETHER = 4_096
"""Candidates that are drawn before they are scored, where model and critic are open together."""

_TEXT_ALONE = (
    "a reranked model answers with text alone: log-probabilities would be its model's, without the critic; ask the "
    "model itself for them"
)


def reranked(
    reference: Reference,
    reranking: Reranking,
    target_of: Callable[[Reference], Target],
    options: EngineOptions,
    *,
    together: bool,
) -> Target:
    """The target of a `rerank:` reference, with one identity for model, critic and settings.

    target_of  makes the target of a model; raises what is wrong with it
    together   whether both may be loaded at a time
    """
    model = target_of(reranking.model)
    critic = _critic(reranking, target_of, options)
    scoring = scoring_of(reranking)

    def opened() -> Engine:
        return RerankEngine(model.open(), critic.open() if critic else None, scoring, reranking, together=together)

    return Target(reference, _identity(reranking, model.identity, critic.identity if critic else None), opened)


def doubts(reference: Reference) -> str:
    """What a reward model's own card says against its use behind a `rerank:` reference, "" for nothing.

    A model without a card was trained elsewhere, which is nothing against it; a card that does not say "usable" is.
    """
    if reference.scheme is not Scheme.RERANK:
        return ""
    reranking = read_reranking(reference)
    if reranking.critic is None or reranking.kind != "reward":
        return ""
    try:
        why = _against(locate(reranking.critic).directory / _CARD)
    except CheckpointError:
        return ""  # nobody is rated by it, and why is said where it was to be opened
    told = f"{reference.text}: reward model {reranking.critic.text} is not to be used by its {_CARD}"
    return f"{told}: {one_line(why, 300)}" if why else ""


def _against(card: Path) -> str:
    if not card.exists():
        return ""
    try:
        told = read_object(card)
    except CheckpointError as e:
        return str(e)
    faults = told.get("faults")
    why = "; ".join(map(str, faults)) if isinstance(faults, list) and faults else "it does not say that it is usable"
    return "" if told.get("usable") is True else why


def candidates_of(request: Request, reranking: Reranking) -> list[Request]:
    """What the model is asked for one request: first the request itself, then the same drawn again.

    Seeds digest the request, so that prompts do not share their luck, and a rerun draws the same.
    """
    own = request.sampling
    warm = replace(own, temperature=own.temperature or reranking.temperature)
    seeds = (int(digest([request.content(), at])[:8], 16) >> 1 for at in range(1, reranking.n))
    return [request, *(replace(request, sampling=replace(warm, seed=seed)) for seed in seeds)]


class RerankEngine:
    """Answers with the best of n candidates. See `core.engine.Engine`.

    model     draws
    critic    scores; None where the model does
    together  whether both stay loaded; else they are loaded in turns, once each for a call of `generate`

    A candidate that failed, or that the critic has no finite score for, makes the response an ERROR. What the model
    left empty or a server filtered is not put to the critic and is no answer, unless no candidate says anything. The
    first of equally good candidates is taken. Requests for log-probabilities are ERROR responses.
    """

    def __init__(
        self, model: Engine, critic: Engine | None, scoring: Scoring, reranking: Reranking, *, together: bool
    ) -> None:
        self._model = model
        self._critic = critic or model
        self._scoring = scoring
        self._reranking = reranking
        self._together = together
        self._open: list[Engine] = []

    def load(self) -> None:
        """Load the model, and the critic where both may be; raises what they raise."""
        self.close()
        try:
            self._use(self._model)
            if self._together:
                self._use(self._critic)
        except BaseException:
            self.close()
            raise

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Response]]:
        """See `core.engine.Engine`; answers come part by part, each as soon as it is scored."""
        if not self._open:
            raise EngineError("a reranked model was asked before load() or after close()")
        asked = [i for i, r in enumerate(requests) if not r.choices and r.continuation is None]
        yield from ((i, Response.failed(_TEXT_ALONE)) for i in sorted(set(range(len(requests))) - set(asked)))
        size = max(1, _TOGETHER // self._reranking.n) if self._together else len(asked)
        for start in range(0, len(asked), size or 1):
            part = asked[start : start + size]
            yield from zip(part, self._answers([requests[i] for i in part]), strict=True)

    def close(self) -> None:
        """Close both."""
        while self._open:
            self._open.pop().close()

    def _use(self, engine: Engine) -> Engine:
        """The engine, loaded; the other one makes way where there is room for one only."""
        if engine not in self._open:
            if not self._together:
                self.close()
            self._open.append(engine)
            engine.load()
        return engine

    def _answers(self, requests: Sequence[Request]) -> Iterator[Response]:
        n = self._reranking.n
        flat = self._ask(self._model, [c for r in requests for c in candidates_of(r, self._reranking)])
        drawn = [flat[start : start + n] for start in range(0, len(flat), n)]
        texts = [{c.text: c for c in candidates if _says(c)} for candidates in drawn]
        asked = [
            self._scoring.ask(request, c) for request, told in zip(requests, texts, strict=True) for c in told.values()
        ]
        said = iter(self._ask(self._critic, asked))
        for candidates, told in zip(drawn, texts, strict=True):
            yield self._best(candidates, {text: next(said) for text in told})

    def _ask(self, engine: Engine, requests: list[Request]) -> list[Response]:
        """Responses in the requests' order."""
        if not requests:
            return []
        found = dict(self._use(engine).generate(requests))
        if found.keys() != set(range(len(requests))):
            raise EngineError(f"{len(found)} answers came for {len(requests)} requests of a reranked model")
        return [found[i] for i in range(len(requests))]

    def _best(self, candidates: Sequence[Response], said: Mapping[str, Response]) -> Response:
        """The candidate with the highest score; `said` is the critic's response to each text."""
        for number, candidate in enumerate(candidates, 1):
            if not candidate.ok:
                return Response.failed(f"candidate {number} of {len(candidates)}: {candidate.error}")
        try:
            scores = {text: self._scoring.score(response) for text, response in said.items()}
        except ValueError as e:
            return Response.failed(f"the critic gave a candidate no score: {e}")
        return max(filter(_says, candidates), key=lambda c: scores[c.text], default=candidates[0])


def _says(candidate: Response) -> bool:
    """Whether there is anything to score."""
    return candidate.finish not in (Finish.ERROR, Finish.FILTERED) and bool(rated(candidate).strip())


def _critic(reranking: Reranking, target_of: Callable[[Reference], Target], options: EngineOptions) -> Target | None:
    if reranking.critic is None:
        return None
    if reranking.kind != "reward":
        return target_of(reranking.critic)
    from pytest_safetydrift.engines.critic_process import identify_reward, open_reward

    critic = reranking.critic
    return Target(critic, identify_reward(critic, options), lambda: open_reward(critic, options))


def _identity(reranking: Reranking, model: Identity, critic: Identity | None) -> Identity:
    """The checkpoint's digest covers what draws, what scores and all settings; the engine's facts are both engines'."""
    settings = [reranking.kind, reranking.n, float(reranking.temperature), reranking.question]
    both = (model,) if critic is None else (model, critic)
    return Identity(
        digest(["rerank", _VERSION, settings, [part.checkpoint for part in both]]),
        {"name": "rerank", "candidates": reranking.n, "model": model.engine}
        | ({} if critic is None else {"critic": critic.engine}),
        verified=all(part.verified for part in both),
    )
