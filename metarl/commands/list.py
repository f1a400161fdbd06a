"""What `metarl list` shows: every distribution, agent and learner, in a sentence each."""

import importlib
from typing import NamedTuple

from metarl.agents.registry import agent_class, agent_names
from metarl.core.registry import distribution_class, distribution_ids, supervised_ids
from metarl.learners.registry import learner_class, learner_names

__all__ = ["Catalogue", "catalogue", "first_sentence"]


class Catalogue(NamedTuple):
    """One line of `metarl list`."""

    kind: str  # "distribution", "learner" or "agent"
    id: str
    sentence: str


def catalogue(only: str | None = None) -> list[Catalogue]:
    """Return every distribution, learner and agent, or those of one kind, with a sentence about
    each; other packages' included.
    """
    lines = []
    for kind, ids, look_up in (
        ("distribution", distribution_ids() + supervised_ids(), distribution_class),
        ("learner", learner_names(), learner_class),
        ("agent", agent_names(), agent_class),
    ):
        for id in ids if only in (None, kind) else []:
            try:
                thing = look_up(id)
                paper = (
                    importlib.import_module(thing.__module__).__doc__ if kind == "learner" else None
                )
                sentence = first_sentence(paper or thing.__doc__ or "")
            except Exception as error:  # a package that doesn't import must not hide the others
                sentence = f"can't be imported: {type(error).__name__}: {error}"
            lines.append(Catalogue(kind, id, sentence))
    return lines


def first_sentence(docstring: str) -> str:
    """Return the first sentence of a docstring, on one line."""
    text = " ".join(docstring.strip().split("\n\n")[0].split())
    for i, letter in enumerate(text):
        if (
            letter == "."
            and text[i + 1 : i + 3].strip()[:1].isupper()
            and not text[:i].endswith(("et al", "e.g", "i.e"))
        ):
            return text[: i + 1]
    return text
