"""The families of the table of all learners, and how each learner is trained on them.

Each family states its budget: how many environment steps a training has, the same for all learners,
and how many episodes an agent has in a task never seen in training. Where agents adapt by gradients
they do so within that budget, after each `adaptation.episodes`. Settings are those that `metarl
train` suggests but for what is said here, none of them chosen by a score on test tasks.

Gradient learners usually have 20 to 40 episodes for an update; here they have as few as all others.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from metarl.core.budget import Episodes
from metarl.suites.suite import Preset, Reference, Scoring, Training

__all__ = ["FAMILIES", "LEARNERS", "Column", "preset", "search", "without"]

DISCRETE_ONLY = "discrete actions only"
TOO_SHORT = "an episode is too short for options"
VECTORS_ONLY = "reads vectors, not images"


@dataclass(frozen=True)
class Column:
    """A family of the table.

    Attributes:
        id, arguments: of the distribution. title: as the table heads it.
        episodes: that an agent has in each task.
        adaptation: episodes before each update of learners that adapt by gradients.
        steps: environment steps of each training, at most: rows whose episodes end early take fewer.
        num_tasks: of each split, that agents are scored on.
        agents: reference agents beside Random.
        memory: RL²'s core that is made for the family; None where there is none.
        rl2_episodes: of RL²'s training, where they aren't as many as at test.
        rl2_rows: meta-episodes that RL² plays side by side.
        inner_rate: step size of learners that adapt by gradients.
        tuning_steps: between updates of what learns at test by PPO; about those of `adaptation`.
        settings: by learner, otherwise than suggested.
        without: learners that can't play it -> why.
    """

    id: str
    title: str
    episodes: int
    adaptation: int
    steps: int
    num_tasks: int
    rl2_rows: int
    tuning_steps: int
    inner_rate: float
    arguments: dict[str, Any] = field(default_factory=dict)
    agents: tuple[str | Reference, ...] = ()
    memory: str | None = None
    rl2_episodes: int | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)


FAMILIES = (
    Column(
        "BernoulliBandit-v0",
        "Bandit",
        episodes=20,
        adaptation=10,
        steps=1_500_000,
        num_tasks=1000,
        rl2_rows=512,
        tuning_steps=10,
        inner_rate=0.1,
        arguments={"arms": 5},
        agents=(
            "bayes-optimal",
            "gittins",
            "thompson",
            "optimistic-thompson",
            "ucb1",
            "bandit-greedy",
            "bandit-epsilon-greedy",
        ),
        memory="per_pair_memory",
        without={"mlsh": TOO_SHORT},
    ),
    Column(
        "RandomMDP-v0",
        "Random MDP",
        episodes=10,
        adaptation=5,
        steps=2_000_000,
        num_tasks=500,
        rl2_rows=256,
        tuning_steps=50,
        inner_rate=10.0,
        agents=("psrl", "opsrl", "ucrl2", "beb", "mdp-greedy", "mdp-epsilon-greedy"),
        memory="per_pair_memory",
        without={"mlsh": TOO_SHORT},
    ),
    Column(
        "GridMaze-v0",
        "Grid maze",
        episodes=4,
        adaptation=2,
        steps=4_000_000,
        num_tasks=200,
        rl2_rows=64,
        tuning_steps=250,
        inner_rate=0.3,
        agents=("maze-explorer", Reference("known-maze", revealed=True)),
        memory="spatial_memory",
        rl2_episodes=2,
        settings={"mlsh": {"steps": 500, "warmup_updates": 1}},
    ),
    Column(
        "GridNavi-v0",
        "GridNavi",
        episodes=4,
        adaptation=2,
        steps=3_000_000,
        num_tasks=105,
        rl2_rows=256,
        tuning_steps=30,
        inner_rate=0.3,
        agents=(Reference("known-goal", revealed=True),),
        without={"mlsh": TOO_SHORT},
    ),
    Column(
        "PointNavigation-v0",
        "Point navigation",
        episodes=10,
        adaptation=5,
        steps=4_000_000,
        num_tasks=200,
        rl2_rows=64,
        tuning_steps=250,
        inner_rate=0.1,
        arguments={"horizon": 50},
        agents=("do-nothing", Reference("known-goal", revealed=True)),
        settings={"mlsh": {"steps": 250, "warmup_updates": 1}},
        without={"joint-rainbow": DISCRETE_ONLY},
    ),
    Column(
        "MovingBandits-v0",
        "Moving bandits",
        episodes=20,
        adaptation=10,
        steps=6_000_000,
        num_tasks=100,
        rl2_rows=64,
        tuning_steps=500,
        inner_rate=1.0,
        agents=("shared-goal", "random-master", Reference("known-goal", revealed=True)),
        rl2_episodes=10,
        settings={"mlsh": {"steps": 250, "warmup_updates": 3}},
    ),
    Column(
        "CartPole-v0",
        "Cart-pole physics",
        episodes=4,
        adaptation=2,
        steps=5_000_000,
        num_tasks=200,
        rl2_rows=32,
        tuning_steps=200,
        inner_rate=0.3,
        settings={"mlsh": {"steps": 400, "warmup_updates": 1}},
    ),
    Column(
        "HalfCheetahDirection-2way-h200-v0",
        "Half-cheetah direction",
        episodes=4,
        adaptation=2,
        steps=2_000_000,
        num_tasks=40,
        rl2_rows=16,
        tuning_steps=400,
        inner_rate=1.0,
        agents=("do-nothing",),
        settings={"mlsh": {"steps": 400, "warmup_updates": 1}},
        without={"joint-rainbow": DISCRETE_ONLY},
    ),
    Column(
        "CoinRun-v0",
        "CoinRun, easy",
        episodes=2,
        adaptation=1,
        steps=400_000,
        num_tasks=40,
        rl2_rows=4,
        tuning_steps=512,
        inner_rate=0.1,
        arguments={"difficulty": "easy"},
        agents=("jerk",),
        rl2_episodes=1,
        without=dict.fromkeys(("maml-rl", "fomaml-rl", "reptile-rl", "mlsh"), VECTORS_ONLY),
    ),
)
INITIALISATIONS = ("maml-rl", "fomaml-rl", "reptile-rl")
RL2_LABELS = {
    "gru": "RL², GRU",
    "attention": "RL², attention",
    "per_pair_memory": "RL², made for the family",
    "spatial_memory": "RL², made for the family",
}
# By the table's row; those of RL² differ in their core
LEARNERS = {
    "rl2": RL2_LABELS["gru"],
    "rl2-with-attention": RL2_LABELS["attention"],
    "rl2-with-own": RL2_LABELS["per_pair_memory"],
    "maml-rl": "MAML",
    "fomaml-rl": "FOMAML",
    "reptile-rl": "Reptile",
    "mlsh": "MLSH",
    "joint-ppo": "Joint PPO, fine-tuned",
    "joint-rainbow": "Joint Rainbow, fine-tuned",
}
# Chosen on training tasks, by `metarl suite run everything --preset search`
INNER_RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
# What runs under ten minutes has three seeds
SEEDS = (0, 1, 2)
ONE_SEED = (0,)
LONG = {("CoinRun-v0", "rl2"), ("CoinRun-v0", "joint-ppo")}


def without(column: Column, learner: str) -> str | None:
    """Return why a learner has no cell in a column; None where it has one."""
    return column.without.get(learner)


def trainings(column: Column, steps: int | None = None) -> list[Training]:
    """Return the trainings of one family.

    Args:
        column: which. steps: in place of the column's own.
    """

    def training(
        learner: str, settings: dict[str, Any], name: str = "", label: str = ""
    ) -> Training:
        return Training(
            learner,
            column.id,
            column.arguments,
            steps=column.steps if steps is None else steps,
            settings={**settings, **column.settings.get(learner, {})},
            name=f"{column.id}-{name or learner}-seed{{seed}}",
            label=label or LEARNERS[learner],
            seeds=ONE_SEED if learner == "joint-rainbow" or (column.id, learner) in LONG else SEEDS,
        )

    made = [
        training("rl2", _rl2(column, core), f"rl2-{core}", RL2_LABELS[core])
        for core in _cores(column)
    ]
    made += [training(learner, _adapting(column, column.inner_rate)) for learner in INITIALISATIONS]
    made += [training("mlsh", {}), training("joint-ppo", _tuning(column))]
    made += [training("joint-rainbow", {"learn_at_test": "always", "fine_tuning.start": 64})]
    return [each for each in made if without(column, each.learner) is None]


def _cores(column: Column) -> list[str]:
    return ["gru", "attention", *([column.memory] if column.memory else [])]


def _rl2(column: Column, core: str) -> dict[str, Any]:
    episodes = column.rl2_episodes or column.episodes
    rows = column.rl2_rows
    if core == "attention":  # which looks back at no more than it was trained on
        rows = rows * episodes // column.episodes
        episodes = column.episodes
    settings: dict[str, Any] = {"episodes": episodes, "num_envs": rows, "network.core": core}
    if core == "per_pair_memory":
        settings["network.hidden_size"] = 32
    if rows < 4:
        settings["ppo.minibatches"] = rows
    return settings


def _adapting(column: Column, inner_rate: float) -> dict[str, Any]:
    return {
        "adaptation.episodes": column.adaptation,
        "adaptation.inner_lr": inner_rate,
        "inner_steps": 1,
    }


def _tuning(column: Column) -> dict[str, Any]:
    """Return how joint PPO learns at test: after about as many episodes as the others."""
    return {
        "learn_at_test": "always",
        "fine_tuning_steps": column.tuning_steps,
        "fine_tuning.minibatches": 1,
    }


def _scoring(column: Column, num_tasks: int | None = None) -> Scoring:
    scratch = Reference("joint-ppo", _tuning(column), label="PPO from scratch")
    return Scoring(
        column.id,
        column.arguments,
        Episodes(column.episodes),
        ("random", *column.agents, scratch),
        ("train", "test"),
        num_tasks or column.num_tasks,
    )


def preset(
    steps: int | None = None, num_tasks: int | None = None, seeds: tuple[int, ...] | None = None
) -> Preset:
    """Return all trainings and what they are scored on.

    Args:
        steps: of each training. num_tasks: of each split. seeds: of all trainings; each in place of
            the families' own.
    """
    made = [each for column in FAMILIES for each in trainings(column, steps)]
    # Rainbow takes longest
    made.sort(key=lambda each: each.learner == "joint-rainbow")
    if seeds is not None:
        made = [replace(each, seeds=seeds) for each in made]
    return Preset(tuple(made), tuple(_scoring(column, num_tasks) for column in FAMILIES))


def search() -> Preset:
    """Return MAML by each step size of `INNER_RATES`, for a quarter of the steps, scored on
    training tasks: what the families' own were chosen by.
    """
    columns = [column for column in FAMILIES if "maml-rl" not in column.without]
    made = [
        Training(
            "maml-rl",
            column.id,
            column.arguments,
            steps=column.steps // 4,
            settings=_adapting(column, rate),
            name=f"{column.id}-maml-rl-{rate:g}-seed{{seed}}",
        )
        for column in columns
        for rate in INNER_RATES
    ]
    scorings = [replace(_scoring(each), agents=("random",), splits=("train",)) for each in columns]
    return Preset(tuple(made), tuple(scorings))
