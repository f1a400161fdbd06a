"""The 47 + 11 + 16 levels: splits, what the games' memory says of them, and the rewards and ends of
the scenario `contest`.

All figures are worked out by hand from the rules in the paper: progress pays 9,000, the end up to
1,000 less the time it took.
"""

import gymnasium as gym
import lupa
import numpy as np
import pytest
import stable_retro

from metarl.tasks.games.retro_emulator import CONSOLE
from metarl.tasks.games.sonic_levels import base_game, sonic_levels
from metarl.tasks.games.wrappers import StickyFrameSkip
from tests.tasks.lua_scripts import Script, game_file, memory_at_start

S1 = "SonicTheHedgehog-Genesis-v0"
S2 = "SonicTheHedgehog2-Genesis-v0"
S3K = "SonicAndKnuckles3-Genesis-v0"
CUSTOM = "SonicTheHedgehogCustomKevin-Genesis"
GREEN_HILL_1 = {"zone": 0, "act": 0, "lives": 3, "x": 80}  # ends at 9,568: 9,488 pixels
LEVELS = sonic_levels()
EVERY = stable_retro.data.Integrations.ALL


def in_split(split):
    return {each.level for each in LEVELS if each.split == split}


def test_the_splits_are_the_papers():
    train, test, extrapolate = map(in_split, ("train", "test", "extrapolate"))
    assert (len(train), len(test), len(extrapolate)) == (47, 11, 16)
    assert len(LEVELS) == len(train | test | extrapolate) == 74
    assert {f"{level.state} {level.game}" for level in test} == {
        *(
            f"{state} {S1}"
            for state in (
                "SpringYardZone.Act1",
                "GreenHillZone.Act2",
                "StarLightZone.Act3",
                "ScrapBrainZone.Act1",
            )
        ),
        *(
            f"{state} {S2}"
            for state in ("MetropolisZone.Act3", "HillTopZone.Act2", "CasinoNightZone.Act2")
        ),
        *(
            f"{state} {S3K}"
            for state in (
                "LavaReefZone.Act1",
                "FlyingBatteryZone.Act2",
                "HydrocityZone.Act1",
                "AngelIslandZone.Act2",
            )
        ),
    }


def test_each_zone_of_the_test_has_another_act_for_training():
    for level in in_split("test"):
        zone = level.state.split(".")[0]
        assert any(
            other.game == level.game and other.state.startswith(f"{zone}.")
            for other in in_split("train")
        )


@pytest.mark.parametrize(("game", "count"), [(S1, 17), (S2, 18), (S3K, 23)])
def test_train_and_test_are_all_states_of_the_games(game, count):
    states = {each.level.state for each in LEVELS if each.level.game == game}
    assert len(states) == count
    assert states == set(stable_retro.data.list_states(game, EVERY))


def test_the_contests_levels():
    kinds = [each.contest for each in LEVELS if each.split == "extrapolate"]
    assert (kinds.count("final"), kinds.count("leaderboard")) == (11, 5)
    assert not any(each.contest for each in LEVELS if each.split != "extrapolate")
    assert {base_game(level.game) for level in in_split("extrapolate")} == {S1, S2, S3K}
    assert base_game(S3K) == S3K


@pytest.mark.parametrize("each", LEVELS, ids=lambda each: repr(each.level))
def test_the_table_is_what_memory_and_script_say_and_a_level_pays_nine_thousand(each):
    memory = memory_at_start(each.level.game, each.level.state)
    assert (memory["zone"], memory["act"], memory["x"], memory["lives"]) == (
        each.zone,
        each.act,
        each.start_x,
        3,
    )
    script = Script(each.level.game, **memory)
    assert script.lua.globals().level_max_x[f"zone={each.zone},act={each.act}"] == each.max_x
    assert (script.reward(), script.done()) == (0, False)
    half = each.start_x + (each.max_x - each.start_x) / 2
    assert script.reward(x=half) == pytest.approx(4500)
    assert script.reward(x=each.max_x - 1) == pytest.approx(
        4500 - 9000 / (each.max_x - each.start_x)
    )
    assert not script.done()
    # The contest's scripts count their own calls, and this is the fourth
    late = 1 - 4 / 18000 if each.contest else 0.8
    assert script.reward(x=each.max_x, frame=3600) == pytest.approx(
        9000 / (each.max_x - each.start_x) + 1000 * late
    )
    assert script.done()


def test_going_back_costs_what_it_had_paid_and_no_more():
    script = Script(S1, **GREEN_HILL_1)
    moves = [
        (80, 0),
        (80 + 2372, 2250),
        (80 + 1186, -1125),
        (20, -1125),
        (0, 0),
        (80 + 4744, 4500),
    ]  # left of the start counts as the start
    for x, paid in moves:
        assert script.reward(x=x) == pytest.approx(paid)
        assert not script.done()


@pytest.mark.parametrize(
    ("frame", "total"), [(0, 10_000), (4500, 9750), (9000, 9500), (18_000, 9000), (20_000, 9000)]
)
def test_the_end_is_worth_a_thousand_less_the_time(frame, total):
    script = Script(S1, **GREEN_HILL_1)
    assert script.reward() + script.reward(x=9568 + 40, frame=frame) == pytest.approx(total)
    assert script.done()


class ScriptedSonic(gym.Env):
    """Sonic runs 2,000 pixels a frame, by the installed script."""

    observation_space = gym.spaces.Box(0, 255, (1, 1, 3), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.script = Script(S1, **GREEN_HILL_1)
        self.frame = 0
        self.calls = 0
        self.script.reward()
        return np.zeros((1, 1, 3), np.uint8), {}

    def step(self, action):
        self.frame += 1
        self.calls += 1
        reward = self.script.reward(x=80 + 2000 * self.frame, frame=self.frame)
        return np.zeros((1, 1, 3), np.uint8), reward, self.script.done(), False, {}


def test_the_end_is_paid_once_within_skipped_frames():
    env = StickyFrameSkip(ScriptedSonic(), 4, 0.25)
    env.reset(seed=0)
    first = env.step(1)
    second = env.step(1)
    assert first[1] == pytest.approx(9000 * 8000 / 9488)
    assert not first[2]
    # In the fifth frame; the other three aren't played
    assert second[1] == pytest.approx(9000 * 1488 / 9488 + 1000 * (1 - 5 / 18000))
    assert second[2]
    assert env.unwrapped.calls == 5


@pytest.mark.parametrize("game", [S1, S2, S3K, CUSTOM])
def test_a_lost_life_ends_the_episode_and_a_won_one_doesnt(game):
    calm = {"game_mode": 12} if game == S2 else {"special_stage": 0, "screen_x": 0}
    script = Script(game, **GREEN_HILL_1, **calm)
    script.reward()
    assert not script.done()
    assert not script.done(lives=4)
    assert script.done(lives=3)


@pytest.mark.parametrize(
    ("game", "bonus", "calm"),
    [
        (S2, {"game_mode": 16}, {"game_mode": 12}),
        (S3K, {"special_stage": -1}, {"special_stage": 0}),
    ],
)
def test_a_bonus_level_ends_the_episode(game, bonus, calm):
    script = Script(game, **GREEN_HILL_1, screen_x=0, **calm)
    assert not script.done()
    assert script.done(**bonus)


def test_nothing_ends_at_the_time_limit_which_the_horizon_of_4500_steps_of_4_frames_is():
    script = Script(S1, **GREEN_HILL_1)
    script.reward()
    assert not script.done(frame=18_001)


def test_progress_goes_on_where_the_act_rolls_over_within_a_level():
    # Angel Island, 11,583 pixels
    start = {"zone": 0, "act": 0, "lives": 3, "special_stage": 0, "x": 5002, "screen_x": 4872}
    script = Script(S3K, **start)
    assert script.reward() == 0
    assert script.reward(x=15_002, screen_x=14_872) == pytest.approx(9000 * 10_000 / 11_583)
    # The game now counts from 12,000 pixels further on
    assert script.reward(x=3002, screen_x=2872, act=1) == pytest.approx(0)
    assert script.reward(x=3502, screen_x=3372) == pytest.approx(9000 * 500 / 11_583)
    assert not script.done()
    assert script.reward(x=4585, screen_x=4455, frame=1800) == pytest.approx(
        9000 * 1083 / 11_583 + 900
    )
    assert script.done()


def test_scrap_brain_3_has_no_end_and_is_no_level():
    script = Script(S1, zone=5, act=2, lives=3, x=80)
    with pytest.raises(lupa.LuaError, match="nil"):
        script.reward()
    assert not any(each.level.game == S1 and (each.zone, each.act) == (5, 2) for each in LEVELS)
    assert "ScrapBrainZone.Act3" not in stable_retro.data.list_states(S1, EVERY)


@pytest.mark.parametrize(("game", "frame"), [(S1, 3), (CUSTOM, 4)])
def test_the_emulator_reads_the_rules_as_the_lua_interpreter_does(game, frame):
    """Sonic's values, written into the memory of the one game whose ROM is here, whose own memory
    has 0 there at a reset.

    So the level is 9,568 pixels long. The end comes in the third frame; the contest's script counts
    its call at the reset, too.
    """
    files = {"info": game_file(game, "data.json"), "scenario": game_file(game, "contest.json")}
    CONSOLE.eject()
    env = stable_retro.make(
        "Airstriker-Genesis-v0",
        render_mode="rgb_array",
        **{name: str(file) for name, file in files.items()},
    )
    try:
        for _ in range(2):  # nothing is left over from the episode before
            env.reset()
            assert [env.data.lookup_value(name) for name in ("zone", "act", "x")] == [0, 0, 0]
            for x, paid, done in (
                (80, 9000 * 80 / 9568, False),
                (4824, 9000 * 4744 / 9568, False),
                (9568, 9000 * 4744 / 9568, True),
            ):
                env.em.step()
                for name, value in {**GREEN_HILL_1, "x": x}.items():
                    env.data.set_value(name, value)
                env.data.update_ram()
                end = 1000 * (1 - frame / 18000) if done else 0
                assert (env.data.current_reward(), env.data.is_done()) == (
                    pytest.approx(paid + end, rel=1e-6),
                    done,
                )
    finally:
        env.close()
