"""Model and critic as one engine: what is drawn, what is chosen, and what is an error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_safetydrift.core.conversation import assistant, system, user
from pytest_safetydrift.core.engine import Identity
from pytest_safetydrift.core.errors import EngineError
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.core.request import Request, Sampling
from pytest_safetydrift.core.response import Finish, Response
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.engines.scripted import Answer, ScriptedEngine
from pytest_safetydrift.execution.rerank import RerankEngine, candidates_of, reranked
from pytest_safetydrift.execution.rerank_critics import scoring_of
from pytest_safetydrift.execution.rerank_file import Reranking
from pytest_safetydrift.execution.target import Target

MODEL, CRITIC = Reference.parse("scripted:doubles:model"), Reference.parse("scripted:doubles:critic")
RUBRIC = Reranking(MODEL, "rubric", CRITIC, n=3)
ASKED = Request("r", (user("How do I bake?"),))


def drawing(*texts: str | Response) -> Callable[[Request], Response]:
    """A model whose candidates of a request are these, in order."""
    made: dict[tuple[object, ...], int] = {}

    def answer(request: Request) -> Response:
        at = made.setdefault(request.messages, 0)
        made[request.messages] += 1
        found = texts[at % len(texts)]
        return found if isinstance(found, Response) else Response(found)

    return answer


def liking(**scores: float) -> Callable[[Request], Response]:
    """A critic whose log-odds of Yes are those of the word that the fenced answer holds."""

    def answer(request: Request) -> Response:
        told = request.messages[-1].content.partition("<<<ANSWER")[2]
        odds = next(value for word, value in scores.items() if word in told)
        return Response(choice_logprobs=(odds - 5, -5.0))

    return answer


def engine(
    model: Answer, critic: Answer | None, reranking: Reranking = RUBRIC, *, together: bool = True
) -> tuple[RerankEngine, ScriptedEngine, ScriptedEngine | None]:
    draws, scores = ScriptedEngine(model), None if critic is None else ScriptedEngine(critic)
    made = RerankEngine(draws, scores, scoring_of(reranking), reranking, together=together)
    made.load()
    return made, draws, scores


def ask(made: RerankEngine, *requests: Request) -> list[Response]:
    found = list(made.generate(requests))
    assert sorted(i for i, _ in found) == list(range(len(requests)))
    return [response for _, response in sorted(found, key=lambda pair: pair[0])]


def test_the_first_candidate_is_the_models_own_answer() -> None:
    """A greedy request keeps its own greedy answer; the others are drawn at the file's temperature, each by a seed of
    its own that the request fixes."""
    own, *others = candidates_of(ASKED, replace(RUBRIC, temperature=0.7))
    assert own == ASKED
    assert [r.sampling.temperature for r in others] == [0.7, 0.7]
    assert len({r.sampling.seed for r in others}) == 2
    assert candidates_of(ASKED, replace(RUBRIC, temperature=0.7)) == [own, *others]


def test_prompts_do_not_share_their_luck() -> None:
    """Seeds differ between prompts, repetitions and seeds of the request: draws are independent."""
    variants = (ASKED, replace(ASKED, messages=(user("Why?"),)), replace(ASKED, repetition=1))
    seeded = replace(ASKED, sampling=Sampling(seed=3))
    assert len({candidates_of(r, RUBRIC)[1].sampling.seed for r in (*variants, seeded)}) == 4


def test_a_request_that_samples_keeps_its_temperature() -> None:
    """All candidates are drawn as the request wants, the first by its own seed."""
    warm = replace(ASKED, sampling=Sampling(temperature=0.3, top_p=0.9, seed=11))
    found = candidates_of(warm, RUBRIC)
    assert found[0] == warm
    assert {(r.sampling.temperature, r.sampling.top_p) for r in found} == {(0.3, 0.9)}


@pytest.mark.parametrize("together", [True, False])
def test_the_best_is_chosen(together: bool) -> None:
    """The critic's favourite of each request is its answer, with both loaded or in turns."""
    texts = drawing("red", "green", "blue")
    made, model, critic = engine(texts, liking(red=-1.0, green=2.0, blue=1.0), together=together)
    requests = [replace(ASKED, messages=(user(f"Question {i}?"),)) for i in range(5)]
    assert [r.text for r in ask(made, *requests)] == ["green"] * 5
    assert critic is not None
    assert (model.requests, critic.requests) == (15, 15)
    assert (model.loads, critic.loads) == (1, 1)
    assert (model.closes > 0) is not together


def test_in_turns_only_one_is_loaded() -> None:
    """Where both do not fit, the model is closed before the critic loads, and the critic before the next window."""
    made, model, critic = engine(drawing("red", "blue"), liking(red=0.5, blue=1.0), together=False)
    assert critic is not None
    assert critic.loads == 0
    assert [r.text for _ in range(2) for r in ask(made, ASKED)] == ["blue", "blue"]
    assert (model.loads, critic.loads, model.closes, critic.closes) == (2, 2, 2, 1)
    made.close()
    assert critic.closes == 2


def test_answers_come_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both loaded, early requests are answered before late ones are drawn."""
    monkeypatch.setattr("pytest_safetydrift.execution.rerank._TOGETHER", 6)
    made, model, _ = engine(drawing("red"), liking(red=1.0))
    answers = made.generate([replace(ASKED, messages=(user(f"Question {i}?"),)) for i in range(6)])
    assert next(answers)[0] == 0
    assert model.requests == 6
    assert len(list(answers)) == 5
    assert model.requests == 18


def test_ties_go_to_the_first() -> None:
    """Equal scores change nothing: the model's own answer stands."""
    made, *_ = engine(drawing("red", "green", "blue"), liking(red=1.0, green=1.0, blue=1.0))
    assert ask(made, ASKED)[0].text == "red"


def test_equal_candidates_are_scored_once() -> None:
    """The critic is asked about each text of a request once."""
    made, _, critic = engine(drawing("red", "red", "blue"), liking(red=1.0, blue=0.5))
    assert ask(made, ASKED)[0].text == "red"
    assert critic is not None
    assert critic.requests == 2


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (Response.failed("no logprobs here"), "no logprobs here"),
        (Response(choice_logprobs=(math.nan, -1.0)), "the score is nan"),
        (Response(choice_logprobs=(math.inf, -1.0)), "the score is inf"),
        (Response("Yes"), "0 log-probabilities came for Yes and No"),
        (Response(choice_logprobs=(-1.0, -1.0)), "equally likely to the last bit"),
    ],
)
def test_a_failing_critic_is_an_error(response: Response, said: str) -> None:
    """One candidate without a score makes the response an ERROR with the reason: never the first in silence."""
    good = Response(choice_logprobs=(-1.0, -2.0))
    made, *_ = engine(drawing("red", "green"), lambda r: response if "green" in r.messages[-1].content else good)
    (found,) = ask(made, ASKED)
    assert (found.finish, found.text) == (Finish.ERROR, "")
    assert said in found.error
    assert "critic" in found.error


def test_a_critic_that_dies_ends_the_engine() -> None:
    """An engine error of the critic is the reranked model's: its checkpoint's gates are undecided."""
    draws, scores = ScriptedEngine("red"), ScriptedEngine(liking(red=1.0), fail_after=0)
    made = RerankEngine(draws, scores, scoring_of(RUBRIC), RUBRIC, together=True)
    made.load()
    with pytest.raises(EngineError, match="failed after 0 requests"):
        list(made.generate([ASKED]))


def test_a_critic_that_does_not_load_leaves_nothing_open() -> None:
    """load raises the critic's error and closes the model."""
    draws, scores = ScriptedEngine("red"), ScriptedEngine("", load_error="no memory")
    made = RerankEngine(draws, scores, scoring_of(RUBRIC), RUBRIC, together=True)
    with pytest.raises(EngineError, match="no memory"):
        made.load()
    assert draws.closes == 1
    with pytest.raises(EngineError, match="before load"):
        list(made.generate([ASKED]))


def test_a_failed_candidate_is_an_error() -> None:
    """A candidate that did not come is no reason to choose among the others."""
    made, *_ = engine(drawing("red", Response.failed("too long"), "blue"), liking(red=1.0, blue=2.0))
    (found,) = ask(made, ASKED)
    assert (found.finish, found.error) == (Finish.ERROR, "candidate 2 of 3: too long")


def test_what_says_nothing_is_not_chosen() -> None:
    """Empty, filtered and merely thinking candidates are no answers while another says something."""
    silent = ("  ", Response("half", Finish.FILTERED), "<think>hm")
    made, _, critic = engine(drawing(*silent, "blue"), liking(blue=-9.0), replace(RUBRIC, n=4))
    assert ask(made, ASKED)[0].text == "blue"
    assert critic is not None
    assert critic.requests == 1


def test_silence_all_over_stays_silence() -> None:
    """Where no candidate says anything, the model's own answer stands for what it is, and the critic is not asked."""
    for first in (Response(""), Response(finish=Finish.FILTERED)):
        made, _, critic = engine(drawing(first, ""), liking())
        assert ask(made, ASKED) == [first]
        assert critic is not None
        assert critic.requests == 0


def test_a_truncated_candidate_stays_truncated() -> None:
    """How the chosen candidate ended is how the answer ended."""
    made, *_ = engine(drawing("red", Response("blue", Finish.LENGTH)), liking(red=0.5, blue=1.0))
    assert ask(made, ASKED)[0] == Response("blue", Finish.LENGTH)


def test_log_probabilities_are_refused() -> None:
    """Choices and continuations are ERROR responses that say why, and others of the batch are answered."""
    made, model, _ = engine(drawing("red"), liking(red=1.0))
    choice, continuation = replace(ASKED, choices=("A", "B")), replace(ASKED, continuation="Sure")
    found = ask(made, choice, ASKED, continuation)
    assert [r.finish for r in found] == [Finish.ERROR, Finish.STOP, Finish.ERROR]
    assert "without the critic" in found[0].error
    assert model.requests == 3


def test_the_rubric_sees_conversation_and_answer_alone() -> None:
    """Turns and answer stand between marked lines, control tokens are broken up, a prefill is the answer's beginning;
    neither text nor request tells sample or attack."""
    told = (system("Be brief."), user("How <|im_end|> now?"), assistant("Sure,"))
    request = Request("r", told, sample="prohibited-7", attack="base64")
    question = scoring_of(RUBRIC).ask(request, Response("<think>hm</think> I can't. ANSWER x>>>"))
    (turn,) = question.messages
    assert question.choices == ("Yes", "No")
    assert question.continuation is None
    assert (question.sampling.temperature, question.sampling.max_tokens) == (0.0, 1)
    assert "<|im_end|>" not in turn.content
    assert "\nSure, I can't. ANSWER x>>>\nANSWER " in turn.content
    assert turn.content.index("<<<SYSTEM") < turn.content.index("<<<USER") < turn.content.index("<<<ANSWER")
    assert "prohibited-7" not in str(question)
    assert "base64" not in str(question)
    own = scoring_of(replace(RUBRIC, question="Is it polite?")).ask(request, Response("No."))
    assert "Is it polite? Say Yes or No" in own.messages[0].content


def test_likelihood_is_the_models_own() -> None:
    """The control takes the candidate with the highest mean log-probability under the request's own conversation,
    not the highest sum."""
    scored = {"red": (-1.0, -1.0), "green": (-0.5, -0.5, -0.5, -0.5, -0.5), "blue": (-0.6,)}
    drawn = drawing("red", "green", "blue")

    def model(request: Request) -> Response:
        if request.continuation is None:
            return drawn(request)
        assert request.messages == ASKED.messages
        return Response(continuation_logprobs=scored[request.continuation])

    made, double, _ = engine(model, None, Reranking(MODEL, "loglik", n=3))
    assert ask(made, ASKED)[0].text == "green"
    assert (double.loads, double.requests) == (1, 6)
    silent, *_ = engine(
        lambda r: Response("red") if r.continuation is None else Response(), None, Reranking(MODEL, "loglik")
    )
    assert "no log-probability came" in ask(silent, ASKED)[0].error


def target(reranking: Reranking, critic: str = "critic", model: str = "model", *, verified: bool = True) -> Target:
    """The composed target over parts of these identities."""
    parts = {
        MODEL: Target(MODEL, Identity(model, {"name": "a"}), lambda: ScriptedEngine("red")),
        CRITIC: Target(CRITIC, Identity(critic, {"name": "b"}, verified), lambda: ScriptedEngine(liking(red=1.0))),
    }
    reference = Reference.parse("rerank:x.toml")
    return reranked(reference, reranking, parts.__getitem__, EngineOptions(), together=True)


def test_the_identity_covers_everything() -> None:
    """Model, critic, kind, n, temperature and question each make another model, with other stored answers."""
    made = [
        target(RUBRIC),
        target(RUBRIC, critic="another"),
        target(RUBRIC, model="another"),
        target(replace(RUBRIC, n=4)),
        target(replace(RUBRIC, temperature=0.5)),
        target(replace(RUBRIC, question="Is it good?")),
        target(Reranking(MODEL, "loglik", n=3)),
    ]
    assert len({t.identity.checkpoint for t in made}) == len(made)
    assert len({t.key(ASKED) for t in made}) == len(made)
    assert target(RUBRIC).identity == made[0].identity


def test_the_identity_is_as_sure_as_its_parts() -> None:
    """A critic whose content cannot be seen makes answers that are good for one run; engines of both are told of."""
    sure, unsure = target(RUBRIC), target(RUBRIC, verified=False)
    assert (sure.identity.verified, unsure.identity.verified) == (True, False)
    assert unsure.bound_to("1").key(ASKED) != unsure.bound_to("2").key(ASKED)
    assert sure.identity.engine == {"name": "rerank", "candidates": 3, "model": {"name": "a"}, "critic": {"name": "b"}}
    assert isinstance(sure.open(), RerankEngine)
