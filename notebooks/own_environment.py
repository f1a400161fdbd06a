import gymnasium

import metarl
from metarl.checks import check_distribution


class HiddenButton(gymnasium.Env):  # one of five buttons pays: which one, is the task
    observation_space, action_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(5)

    def __init__(self, button):
        self.button = button

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        paid = action == self.button
        return int(paid), float(paid), bool(paid), False, {"success": paid}


def hidden_buttons():
    tasks = {"train": [0, 1, 2], "test": [3, 4]}
    return metarl.GymnasiumDistribution("HiddenButton-v0", HiddenButton, tasks, horizon=4)


check_distribution(hidden_buttons)  # plays every split; its report says what it looked at
metarl.register("HiddenButton-v0", hidden_buttons)
result = metarl.evaluate("random", "HiddenButton-v0", "test", num_tasks=100, seed=0, budget=10)
print(result.rows())
