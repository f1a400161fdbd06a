"""Flags as people type them.

One given twice is refused, and one that doesn't exist gets the name of the one that was meant.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

__all__ = ["check_flags"]

# What others call a setting -> the last parts of our flags' names, the likeliest first
OTHER_WORDS = {
    "learning-rate": ("lr", "inner-lr"),
    "lr": ("lr", "inner-lr"),
    "step-size": ("lr", "inner-lr"),
    "alpha": ("inner-lr", "lr"),
    "inner-lr": ("inner-lr", "lr"),
    "meta-lr": ("lr",),
    "outer-lr": ("lr",),
    "hidden-size": ("hidden-size", "hidden"),
    "hidden": ("hidden", "hidden-size"),
    "hidden-dim": ("hidden-size", "hidden"),
    "hidden-sizes": ("hidden", "hidden-size"),
    "hidden-layers": ("layers", "hidden"),
    "num-layers": ("layers",),
    "units": ("hidden-size", "hidden"),
    "width": ("hidden-size", "hidden"),
    "depth": ("layers",),
    "gamma": ("discount",),
    "discount-factor": ("discount",),
    "lambda": ("gae-lambda",),
    "lam": ("gae-lambda",),
    "clip-range": ("clip",),
    "clip-coef": ("clip",),
    "ent-coef": ("entropy-coef",),
    "entropy-coef": ("entropy-coef",),
    "vf-coef": ("value-coef",),
    "value-coef": ("value-coef",),
    "entropy": ("entropy-coef",),
    "every": ("option-length",),
    "warm-up": ("warmup-updates",),
    "member": ("seed-index",),
    "n-epochs": ("epochs",),
    "num-minibatches": ("minibatches",),
    "batch-size": ("batch", "tasks", "num-envs", "minibatches"),
    "meta-batch-size": ("tasks", "num-envs"),
    "num-tasks": ("tasks", "num-envs"),
    "n-envs": ("num-envs", "tasks"),
    "envs": ("num-envs", "tasks"),
    "num-steps": ("steps", "rollout-steps", "iterations"),
    "n-steps": ("steps", "rollout-steps"),
    "total-timesteps": ("iterations",),
    "timesteps": ("iterations",),
    "n-iterations": ("iterations",),
    "num-iterations": ("iterations",),
    "iters": ("iterations",),
    "updates": ("iterations",),
    "epochs": ("epochs", "iterations"),
    "num-episodes": ("episodes",),
    "trials": ("episodes",),
    "workers": ("processes",),
    "num-workers": ("processes",),
    "n-jobs": ("processes",),
    "num-processes": ("processes",),
    "env": ("distribution",),
    "env-id": ("distribution",),
    "task": ("distribution",),
    "tasks": ("num-tasks",),
    "args": ("distribution-args",),
    "env-args": ("distribution-args",),
    "env-kwargs": ("distribution-args",),
    "seeds": ("seed",),
    "gpu": ("device",),
    "cuda": ("device",),
    "output": ("folder", "out"),
    "out": ("folder", "out"),
    "output-dir": ("folder", "out"),
    "log-dir": ("folder",),
    "save-dir": ("folder",),
    "dir": ("folder", "out"),
    "cell": ("core",),
    "rnn": ("core",),
    "agents": ("beside",),
}


def check_flags(
    prog: str,
    words: Sequence[str],
    known: Sequence[Sequence[str]],
    elsewhere: Callable[[], Mapping[str, Sequence[str]]] = dict,
) -> None:
    """Raise ValueError where a flag among `words` is given twice, or is none of `known`, or a word
    is empty.

    Args:
        prog: the command so far, such as "metarl train rl2".
        words: what follows.
        known: the flags, each with its other names.
        elsewhere: gives the flags of commands like this one, by their names; asked only for a flag
            that isn't known.
    """
    first = {name: names[0] for names in known for name in names}
    given: set[str] = set()
    for before, word in zip([prog, *words], words, strict=False):
        if not word or (word.startswith("--") and word.endswith("=")):
            raise ValueError(
                f"{prog}: nothing stands behind {word or before}, as where a shell's variable is"
                " empty; give a value."
            )
        if not word.startswith("--") or word == "--":
            continue
        flag = word.partition("=")[0].replace("_", "-")
        if flag not in first:
            raise ValueError(_unknown(prog, flag, list(first), elsewhere()))
        if first[flag] in given:
            raise ValueError(f"{flag} is given twice; give it once{_several(flag)}.")
        given.add(first[flag])


def _several(flag: str) -> str:
    examples = {
        "--seed": "--seed 0 1 2",
        "--distribution-args": "--distribution-args arms=5 horizon=10",
        "--beside": "--beside ucb1 gittins",
    }
    return f", with all its values behind it, such as {examples[flag]}" if flag in examples else ""


def _unknown(
    prog: str, flag: str, known: Sequence[str], elsewhere: Mapping[str, Sequence[str]]
) -> str:
    """Say what was meant by `flag`."""
    near = _meant(flag, known)
    others = [name for name, flags in elsewhere.items() if flag in flags]
    if others:
        sentence = (
            f"{prog} has no flag {flag}; {_listed(others)}"
            f" {'has' if len(others) == 1 else 'have'} it."
        )
    else:
        sentence = f"{prog} has no flag {flag}."
    if near:
        sentence += f" Did you mean {' or '.join(near)}?"
    return f"{sentence} `{prog} --help` shows all."


def _meant(flag: str, known: Sequence[str]) -> list[str]:
    """Return the flags of `known` that `flag` may stand for, the likeliest first, three at most."""
    name = flag.removeprefix("--")
    last = name.rpartition(".")[2]
    by_last: dict[str, list[str]] = {}
    for each in known:
        by_last.setdefault(each.removeprefix("--").rpartition(".")[2], []).append(each)
    wanted = [last, *OTHER_WORDS.get(name, OTHER_WORDS.get(last, ()))]
    found = [each for part in wanted for each in by_last.get(part, [])]
    if not found:
        found = get_close_matches(flag, known, 3, 0.75)
    if not found:
        found = [
            each
            for part in get_close_matches(last, list(by_last), 2, 0.6)
            for each in by_last[part]
        ]
    if not found:
        found = [each for each in known if each.startswith(flag)]
    return list(dict.fromkeys(found))[:3]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
