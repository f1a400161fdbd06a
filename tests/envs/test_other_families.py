"""Families of other projects through the adapter, as docs/other_families.md makes them: checked,
trained on for a moment, and scored beside the random agent.
"""

import math

import pytest
from minigrid.envs.empty import EmptyEnv
from minigrid.wrappers import FlatObsWrapper, ImgObsWrapper

import metarl
from metarl.checks import distribution_checks
from tests.test_readme import ROOT, blocks

GUIDE = ROOT / "docs" / "other_families.md"
BLOCKS = {
    project: (line, code)
    for line, code, _ in blocks(GUIDE.read_text(encoding="utf-8"))
    for project in ("minigrid", "popgym", "highway_env")
    if project in code
}


@pytest.mark.parametrize(
    ("project", "splits", "tasks", "observations"),
    [
        ("minigrid", ("train", "test"), 9, (3, 3, 3)),
        ("popgym", ("train", "test", "validation"), 40, (2,)),
        ("highway_env", ("train", "test"), 4, (18,)),
    ],
)
def test_a_family_is_sound_and_is_learned_on_and_scored(project, splits, tasks, observations):
    line, code = BLOCKS[project]
    block = {"__name__": "guide"}
    exec(compile("\n" * line + code, str(GUIDE), "exec"), block)
    family = block["family"]
    assert (family.splits, family.observation_space.shape) == (splits, observations)
    assert len(block["report"].checks) == len(list(distribution_checks(family)))
    assert [play.split for play in block["report"].plays] == list(splits)
    assert block["learner"].finished
    gain = block["gain"]
    assert gain.n == tasks  # distinct ones, however often each was played
    assert -math.inf < gain.low < gain.value < gain.high < math.inf


def test_a_text_in_the_observation_is_refused_with_the_wrapper_that_helps():
    tasks = {"train": [(1, 1)], "test": [(2, 1)]}

    def family(wrapper):
        return metarl.GymnasiumDistribution(
            "Start-v0", lambda start: wrapper(EmptyEnv(5, agent_start_pos=start)), tasks
        )

    with pytest.raises(ValueError, match=r"\['mission'\].*MiniGrid's ImgObsWrapper"):
        family(lambda env: env)
    assert family(ImgObsWrapper).observation_space.shape == (7, 7, 3)
    assert len(family(FlatObsWrapper).observation_space.shape) == 1
