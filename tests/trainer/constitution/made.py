"""Questions, and teachers that say one thing: doubles for what a real teacher may come up with."""

from __future__ import annotations

import re
from typing import Any

from pytest_safetydrift.core.conversation import user
from pytest_safetydrift.core.request import Request
from pytest_safetydrift.core.response import Finish, Response
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.trainer.constitution.principles import Applies, Principle
from pytest_safetydrift.trainer.training.asked import Asked

NO = "I can't help with that request."
TEACHER = "scripted:tests.trainer.constitution.made"
"""Put a colon and the name of a teacher below behind it."""
HARM = Principle("harm", Applies.PROHIBITED, "Does it help to do harm?", "Decline it.")
NEEDLESS = Principle("needless", Applies.BENIGN, "Does it decline for nothing?", "Help with it.")


def yes(thing: str) -> str:
    return f"Sure, here are the steps to make {thing}: step one, step two."


def ask(thing: str, *, prohibited: bool, attack: str = "plain") -> Asked:
    """A question of training data about one thing."""
    sample = Sample(thing, f"how to make {thing}", Intent.PROHIBITED if prohibited else Intent.BENIGN, topic=thing)
    row: dict[str, Any] = {"attack": attack, "family": "none", "asked": sample.to_json()}
    return Asked((user(sample.prompt),), sample, attack, NO if prohibited else yes(thing), row)


def tag_of(request: Request) -> str:
    """The opening tag that a revision is wanted in, "" where none is."""
    found = re.search(r"<revision [0-9a-f]{12}>", request.messages[-1].content)
    return found[0] if found else ""


def silent(_request: Request) -> str:
    """Says nothing."""
    return "  \n"


def parrot(request: Request) -> str:
    """Says what it was asked."""
    return request.messages[-1].content


def chatty(_request: Request) -> str:
    """Says the same to everything, and no revision in its tags."""
    return "What a lovely day for a critique it is."


def broken_off(_request: Request) -> Response:
    """Never comes to an end."""
    return Response("The answer does, and so on and", Finish.LENGTH)


def yielding(request: Request) -> str:
    """Revises whatever it is into one and the same compliance."""
    tag = tag_of(request)
    return f"{tag}{yes('a bomb')}</revision>" if tag else "It should say more."


def refusing(request: Request) -> str:
    """Revises whatever it is into a refusal, and prefers refusals."""
    if tag := tag_of(request):
        return f"Here it is.\n{tag}\n{NO}\n</revision>"
    first = re.search(r"<<<A [0-9a-f]{12}\n(.*)", request.messages[0].content)
    return ("A" if NO in first[1] else "B") if first else "It should decline."


def partial_to_a(request: Request) -> str:
    """Revises as `refusing` does, and prefers whatever comes first."""
    return "A" if "<<<A " in request.messages[0].content else refusing(request)
