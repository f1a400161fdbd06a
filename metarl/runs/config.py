"""Which run: the settings that say what is trained, on what, from which seeds; to JSON and back."""

import hashlib
import json
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from inspect import signature
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from metarl.core.arguments import check_device, check_whole
from metarl.core.learner import HasOwnParts, Learner
from metarl.core.lookup import shown
from metarl.core.paths import as_path
from metarl.core.registry import REVEALED, distribution_class, make, name_of_distribution
from metarl.core.task_distribution import TaskDistribution
from metarl.learners.registry import check_fits, learner_class, learner_name
from metarl.runs.old_names import of_today

__all__ = ["RunConfig", "config_from_json", "folder_name", "parse_arguments", "told_arguments"]


@dataclass(frozen=True)
class RunConfig:
    """A run: learner × task distribution × seed.

    Attributes:
        learner: its name, such as "rl2".
        config: an instance of the learner's config dataclass; its default settings if left out.
        distribution: id of the task distribution.
        arguments: what the distribution is made with, such as {"arms": 5}.
        seed: names every random stream; a tuple trains one a seed in one batch.
        device: "cpu" or "cuda".
        start: the `origin` of the run whose weights training begins with; none if left out.
        own: parts that only the code which trained it can make again, such as "distribution" or
            "make_policy"; none where `metarl train` can train it.
        threads: that PyTorch computes on, since sums in another order round otherwise; as many as
            the process has if left out.
    """

    learner: str
    config: Any = None
    distribution: str = "BernoulliBandit-v0"
    arguments: dict[str, Any] = field(default_factory=dict)
    seed: int | tuple[int, ...] = 0
    device: str = "cpu"
    start: dict[str, Any] | None = None
    own: tuple[str, ...] = ()
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None:
            check_whole("threads", self.threads, 1)
        kind = learner_class(self.learner).Config
        if self.config is None:
            object.__setattr__(self, "config", kind())
        elif not isinstance(self.config, kind):
            raise ValueError(
                f"The learner {self.learner!r} is configured by {kind.__name__}, not by"
                f" {type(self.config).__name__}."
            )
        if not self.seeds:
            raise ValueError("A run needs at least one seed.")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(
                f"The seeds {self.seeds} repeat; seeds with the same seed would be one run."
            )

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, also where there is one."""
        return self.seed if isinstance(self.seed, tuple) else (self.seed,)

    @classmethod
    def of(cls, learner: Learner) -> "RunConfig":
        """Return the run that trains `learner`, made in code; what `metarl train` could train too
        is the very same run.

        Raises:
            ValueError: the learner doesn't tell its settings, or nobody else can find its class.
        """
        if isinstance(learner, type) or not isinstance(learner, Learner):
            raise ValueError(
                "A learner is needed, such as metarl.make_learner(name, distribution), not"
                f" {shown(learner)}."
            )
        needed = ("config", "distribution", "seeds", "device")
        if missing := [name for name in needed if not hasattr(learner, name)]:
            raise ValueError(
                f"{type(learner).__name__} lacks the"
                f" {'attributes' if len(missing) > 1 else 'attribute'} {', '.join(missing)}: a"
                f" learner that is trained in a folder tells {', '.join(needed)}, which run.json"
                " names."
            )
        told: Any = learner
        name = name_of_distribution(told.distribution)
        seeds = tuple(told.seeds)
        own: tuple[str, ...] = () if name else ("distribution",)
        if isinstance(learner, HasOwnParts):
            own = (*own, *learner.own_parts)
        seed = seeds[0] if len(seeds) == 1 else seeds
        arguments = told.distribution.config()
        return cls(
            learner_name(learner),
            told.config,
            name or told.distribution.id,
            arguments,
            seed,
            str(told.device),
            own=own,
        )

    def make_distribution(self) -> TaskDistribution:
        """Return the distribution that the run trains on."""
        if "distribution" in self.own:
            raise ValueError(
                f"This run trained on {self.distribution}, which only the code that made it can"
                " make again: metarl.load_agent(folder, distribution=...), and metarl.evaluate to"
                " score it. The command can do without if the distribution can be found as"
                " module:attribute, such as my_module:MyMaze."
            )
        return make(self.distribution, **self.arguments)

    def make_learner(self, distribution: TaskDistribution) -> Any:
        """Return the untrained learner.

        Raises:
            ValueError: the device isn't here, or the learner refuses the distribution.
        """
        check_device(self.device)
        check_fits(self.learner, distribution)
        try:
            learner: Learner = learner_class(self.learner)(
                self.config, distribution, self.seed, self.device
            )
        except ValueError as error:
            if type(error) is not ValueError or distribution.id in str(error):
                raise
            raise ValueError(
                f"The learner {self.learner!r} can't be trained so on {distribution.id}: {error}"
            ) from error
        return learner

    def identity(self) -> dict[str, Any]:
        """Return the run in JSON values, as run.json holds it.

        The distribution's arguments in full, defaults included.
        """
        identity: dict[str, Any] = {
            "learner": self.learner,
            "config": asdict(self.config),
            "distribution": self.distribution,
            "arguments": (
                self.arguments
                if "distribution" in self.own
                else {**self.make_distribution().config(), **self.arguments}
            ),
            "seeds": list(self.seeds),
            "device": self.device,
        }
        # As it reads today: fields that were added since have their defaults
        if self.start is not None:
            identity["start"] = RunConfig.from_identity(self.start, "cpu").origin()
        if self.own:
            identity["own"] = list(self.own)
        if self.threads is not None:
            identity["threads"] = self.threads
        try:
            return dict(json.loads(json.dumps(identity)))
        except TypeError as error:
            raise ValueError(
                f"A run's settings must be JSON values, so that its folder can tell them: {error}."
            ) from error

    def origin(self) -> dict[str, Any]:
        """Everything that the trained weights come from.

        The identity without what it is computed on: the kind of device, the number of threads.
        """
        elsewhere = ("device", "threads")
        return {name: value for name, value in self.identity().items() if name not in elsewhere}

    def trains_the_same(self, other: "RunConfig") -> bool:
        """Return whether both are one run, on whatever device and however many threads."""
        return self.origin() == other.origin()

    @classmethod
    def from_identity(cls, identity: dict[str, Any], device: str | None = None) -> "RunConfig":
        """Return the run that `identity` describes, on another `device` if one is named."""
        seeds = tuple(identity["seeds"])
        return cls(
            learner=identity["learner"],
            config=config_from_json(learner_class(identity["learner"]).Config, identity["config"]),
            distribution=identity["distribution"],
            arguments=identity["arguments"],
            seed=seeds[0] if len(seeds) == 1 else seeds,
            device=device or identity["device"],
            start=identity.get("start"),
            own=tuple(identity.get("own", ())),
            threads=identity.get("threads"),
        )


def parse_arguments(arguments: tuple[str, ...]) -> dict[str, Any]:
    """{"arms": 5} from ("arms=5",): values are read as JSON, and as text where they aren't; ~ at
    their beginning is a home folder.

    Raises:
        ValueError: no NAME=VALUE, or a name given twice.
    """
    parsed: dict[str, Any] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not name.isidentifier() or not equals:
            raise ValueError(
                "A distribution's arguments are given as NAME=VALUE, such as arms=5, not as"
                f" {argument!r}."
            )
        if name in parsed:
            raise ValueError(
                f"The distribution's argument {name} is given twice: {json.dumps(parsed[name])} and"
                f" {text}."
            )
        parsed[name] = _parsed(text)
    return parsed


def _parsed(text: str) -> Any:
    if text.startswith("~"):
        return str(as_path(text))
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} isn't a number.")


def folder_name(run: RunConfig, usual: Any = None) -> str:
    """Return the default name of a run's folder: its learner, distribution, and what differs from
    their defaults, then its seeds.

    What a run is trained with tells names apart, in whatever order and way it was given; the number
    of iterations doesn't, since a run may go on to more, nor the device. A setting that is added to
    a config later has its default, and so changes no name.

    Args:
        run: whose.
        usual: the config that isn't told; the learner's default settings if left out.
    """
    told = dict(sorted(told_arguments(run.distribution, run.arguments).items()))
    told |= dict(sorted(_told_settings(run.config, type(run.config)() if usual is None else usual)))
    if run.start is not None:
        told["start"] = _hash(json.dumps(run.identity()["start"], sort_keys=True))
    parts = [
        _plain(f"{run.learner}-{run.distribution}"),
        _told("-".join(f"{name}={_text(value)}" for name, value in told.items()), 120),
    ]
    return "-".join(
        [*(part for part in parts if part), "seed" + _told("+".join(map(str, run.seeds)), 50)]
    )


def told_arguments(distribution: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that a distribution is made with, without those that are given their
    default.

    Args:
        distribution: its id.
        arguments: by name.
    """
    try:
        parameters = signature(distribution_class(distribution.removesuffix(REVEALED))).parameters
    except (TypeError, ValueError):  # it doesn't say what it takes
        return dict(arguments)
    usual = {name: each.default for name, each in parameters.items()}
    return {
        name: value
        for name, value in arguments.items()
        if name not in usual or value != usual[name]
    }


def _told_settings(config: Any, usual: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of `config` that differ from those of `usual`, by dotted names.

    Of nested configs of another kind, the kind first.
    """
    for entry in fields(config):
        name = f"{prefix}{entry.name}"
        value = getattr(config, entry.name)
        default = getattr(usual, entry.name)
        if name == "iterations":
            continue
        if is_dataclass(value):
            if type(value) is not type(default):
                yield name, type(value).__name__
                default = type(value)()  # type: ignore[misc]
            yield from _told_settings(value, default, f"{name}.")
        elif value != default:
            yield name, value


def _text(value: Any) -> str:
    """Return a value within a folder's name."""
    if isinstance(value, (tuple, list)):
        return "+".join(map(_text, value))
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _told(text: str, longest: int) -> str:
    """`text` as part of a file's name.

    Where it is long or has other signs in it, a hash tells apart what would read the same.
    """
    plain = _plain(text)
    return (
        plain if plain == text and len(text) <= longest else f"{plain[: longest - 9]}-{_hash(text)}"
    )


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._=+-]", "_", text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def config_from_json(kind: Any, value: Any) -> Any:
    """Return a value of type `kind` from JSON, as `dataclasses.asdict` and `json` wrote it: nested
    dataclasses, tuples, unions.

    Raises:
        ValueError: `value` has fields that the dataclass `kind` doesn't have, or lacks some that it
            needs.
    """
    if is_dataclass(kind) and isinstance(kind, type):
        value = of_today(kind, value)
        hints = get_type_hints(kind)
        known = {entry.name for entry in fields(kind)}
        if unknown := sorted(set(value) - known):
            raise ValueError(
                f"{kind.__name__} has no field {', '.join(unknown)}; use the version of metarl that"
                " run.json names."
            )
        try:
            return kind(
                **{name: config_from_json(hints[name], entry) for name, entry in value.items()}
            )
        except TypeError as error:
            raise ValueError(f"run.json lacks settings: {error}.") from error
    if get_origin(kind) in (Union, types.UnionType):
        for option in get_args(kind):
            if _fits(option, value):
                return config_from_json(option, value)
        return value
    if get_origin(kind) is tuple and isinstance(value, list):
        inner = get_args(kind)
        kinds = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is ... else list(inner)
        return tuple(
            config_from_json(entry_kind, entry)
            for entry_kind, entry in zip(kinds, value, strict=True)
        )
    return float(value) if kind is float and isinstance(value, int) else value


def _fits(kind: Any, value: Any) -> bool:
    """Return whether a JSON value can stand for `kind`."""
    if kind is type(None):
        return value is None
    if is_dataclass(kind):
        return isinstance(value, dict) and set(of_today(kind, value)) == {
            entry.name for entry in fields(kind)
        }
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    origin = get_origin(kind) or kind
    return isinstance(value, list) if origin is tuple else isinstance(value, origin)
