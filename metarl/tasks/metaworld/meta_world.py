"""Meta-World's meta-learning benchmarks ML1, ML10 and ML45 (Yu et al.

2019, arXiv 1910.10897), as Meta-World 3 has them.
"""

from typing import Any

from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.processes import DEFAULT_PATIENCE
from metarl.tasks.metaworld.env import LONGEST, MakeEnvironment
from metarl.tasks.metaworld.goals import benchmark_tasks, check_task_name

__all__ = ["MetaWorldML1", "MetaWorldML10", "MetaWorldML45"]


class MetaWorldML1(GymnasiumDistribution):
    """A robot arm (a simulated Sawyer) at one kind of task, such as reaching, whose goal position
    it isn't told.

    | part | value |
    |---|---|
    | observation | Box(39): the current frame (18), the previous one (18), and the goal (3), which is hidden: zeros |
    | a frame | hand x, y, z (metres); gripper opening (0 to 1); up to two objects, each x, y, z and a quaternion, else zeros |
    | action | Box(4) in [-1, 1]: hand movement in x, y, z (1 = 1 cm a step), gripper effort |
    | reward | Meta-World's dense reward, version `reward`: 0 to 10 a step for "v2" |
    | success | Meta-World's own, at each step; an episode is a success if any step is. It ends nothing and adds no reward |
    | start | the hand always at one place, objects where the task has them; no noise anywhere |
    | hidden | the goal; where objects start is seen, so 50 training tasks can be learnt by heart, test ones can't |
    | end | truncated at the horizon, always |
    | splits | train: 50 start and goal positions; test: 50 others, both as Meta-World draws them |
    | bound | none computed |
    | versions | v0 |

    Success never ends an episode: an agent that stands still near the goal would otherwise collect
    more reward than one that reaches it.

    Args:
        task: name in Meta-World, such as "reach-v3".
        horizon: steps an episode, at most 500, Meta-World's own limit; shorter ones leave less time
            to succeed.
        goal_seed: of Meta-World's draw of positions.
        goal_visible: show the goal's position in the observation: for reference agents only, such
            as the scripted expert.
        reward: version of the reward function, "v2" or "v1"; only v2's scale is comparable over
            tasks.
        workers: worker processes that share the rows; results don't depend on it. Each row takes
            about 20 MB.
        patience: seconds that a worker has for one step or reset of its rows before it is ended and
            named; None waits for ever.

    Raises:
        ValueError: Meta-World has no such task, isn't installed, or the horizon or version is none
            of its.
    """

    id = "MetaWorldML1-v0"
    has_success = True
    reveals = True  # where objects start

    def __init__(
        self,
        task: str = "reach-v3",
        horizon: int = LONGEST,
        goal_seed: int = 0,
        goal_visible: bool = False,
        reward: str = "v2",
        workers: int = 0,
        patience: float | None = DEFAULT_PATIENCE,
    ):
        _check(self.id, horizon, goal_seed, reward)
        check_task_name(task)
        self.task = task
        self.goal_seed = goal_seed
        self.goal_visible = goal_visible
        self.reward = reward
        tasks = benchmark_tasks("ML1", goal_seed, task)
        super().__init__(
            self.id,
            MakeEnvironment(goal_visible, reward),
            tasks,
            horizon,
            workers=workers,
            patience=patience,
        )

    def config(self) -> dict[str, Any]:
        return {
            name: getattr(self, name)
            for name in ("task", "horizon", "goal_seed", "goal_visible", "reward")
        }


class MetaWorldML10(GymnasiumDistribution):
    """Ten kinds of task to train on and five others to be tested on; which one it is, and where its
    goal is, the arm isn't told.

    | part | value |
    |---|---|
    | observation, action, reward, success, start, end | as in `MetaWorldML1` |
    | splits | train: 10 kinds of task; test: 5 other kinds; 50 start and goal positions of each |
    | bound | none computed |
    | versions | v0 |

    Args:
        horizon, goal_seed, goal_visible, reward, workers, patience: as of `MetaWorldML1`.

    Raises:
        ValueError: Meta-World isn't installed, or the horizon or version is none of its.
    """

    id = "MetaWorldML10-v0"
    has_success = True
    reveals = True  # where objects start

    def __init__(
        self,
        horizon: int = LONGEST,
        goal_seed: int = 0,
        goal_visible: bool = False,
        reward: str = "v2",
        workers: int = 0,
        patience: float | None = DEFAULT_PATIENCE,
    ):
        _check(self.id, horizon, goal_seed, reward)
        self.goal_seed = goal_seed
        self.goal_visible = goal_visible
        self.reward = reward
        super().__init__(
            self.id,
            MakeEnvironment(goal_visible, reward),
            benchmark_tasks("ML10", goal_seed),
            horizon,
            workers=workers,
            patience=patience,
        )

    def config(self) -> dict[str, Any]:
        return {
            name: getattr(self, name) for name in ("horizon", "goal_seed", "goal_visible", "reward")
        }


class MetaWorldML45(GymnasiumDistribution):
    """Forty-five kinds of task to train on and five others to be tested on; which one it is, and
    where its goal is, the arm isn't told.

    | part | value |
    |---|---|
    | observation, action, reward, success, start, end | as in `MetaWorldML1` |
    | splits | train: 45 kinds of task; test: 5 other kinds; 50 start and goal positions of each |
    | bound | none computed |
    | versions | v0 |

    Making it takes some seconds: Meta-World draws positions by building all of its 50 models.

    Args:
        horizon, goal_seed, goal_visible, reward, workers, patience: as of `MetaWorldML1`.

    Raises:
        ValueError: Meta-World isn't installed, or the horizon or version is none of its.
    """

    id = "MetaWorldML45-v0"
    has_success = True
    reveals = True  # where objects start

    def __init__(
        self,
        horizon: int = LONGEST,
        goal_seed: int = 0,
        goal_visible: bool = False,
        reward: str = "v2",
        workers: int = 0,
        patience: float | None = DEFAULT_PATIENCE,
    ):
        _check(self.id, horizon, goal_seed, reward)
        self.goal_seed = goal_seed
        self.goal_visible = goal_visible
        self.reward = reward
        super().__init__(
            self.id,
            MakeEnvironment(goal_visible, reward),
            benchmark_tasks("ML45", goal_seed),
            horizon,
            workers=workers,
            patience=patience,
        )

    def config(self) -> dict[str, Any]:
        return {
            name: getattr(self, name) for name in ("horizon", "goal_seed", "goal_visible", "reward")
        }


def _check(id: str, horizon: int, goal_seed: int, reward: str) -> None:
    if not 1 <= horizon <= LONGEST:
        raise ValueError(
            f"{id}: horizon must lie between 1 and {LONGEST}, where Meta-World ends every episode,"
            f" not {horizon}."
        )
    if not 0 <= goal_seed < 2**32 - 1:
        raise ValueError(f"{id}: goal_seed must lie between 0 and {2**32 - 2}, not {goal_seed}.")
    if reward not in ("v1", "v2"):
        raise ValueError(f"{id}: there is no reward version {reward!r}; choose v1 or v2.")
