"""Each wrapper against values worked out by hand, on a game that follows a script."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from metarl.tasks.games.wrappers import ScaleReward, StackFrames, StickyFrameSkip, WarpFrame
from tests.tasks.scripted_game import ScriptedGame


def plain(number: int, height: int = 2, width: int = 2, channels: int = 1) -> np.ndarray:
    return np.full((height, width, channels), number, np.uint8)


def counting(**arguments) -> ScriptedGame:
    """Frame t shows the number t."""
    return ScriptedGame([plain(t) for t in range(40)], **arguments)


class Draws:
    """Stands in for a generator: gives these numbers, one after the other."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def random(self):
        return self.numbers.pop(0)


def test_an_action_is_held_for_four_frames_and_their_rewards_are_summed():
    game = counting(rewards=[1, 2, 4, 8, 16, 32, 64, 128])
    env = StickyFrameSkip(game, skip=4, stickiness=0.0)
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(3)
    assert (observation.max(), reward, terminated, truncated, info) == (
        4,
        15.0,
        False,
        False,
        {"frame": 4},
    )
    observation, reward, *_ = env.step(5)
    assert (observation.max(), reward) == (8, 240.0)
    assert game.actions == [3] * 4 + [5] * 4


def test_only_the_first_frame_repeats_the_old_action():
    game = counting()
    env = StickyFrameSkip(game, skip=4, stickiness=0.25)
    env.reset(seed=0)
    env._draws = Draws(0.0, 0.24, 0.25, 0.1)
    for action in (1, 2, 3, 4):
        env.step(action)
    first = [1, 1, 1, 1]
    late = [1, 2, 2, 2]
    prompt = [3, 3, 3, 3]
    late_again = [3, 4, 4, 4]
    assert game.actions == first + late + prompt + late_again


def test_nothing_is_repeated_on_an_episodes_first_step():
    game = counting()
    env = StickyFrameSkip(game, skip=2, stickiness=1.0)
    env.reset(seed=0)
    env.step(1)
    env.step(2)
    assert game.actions == [1, 1, 1, 2]
    env.reset()
    env.step(7)
    assert game.actions == [7, 7]


def test_with_a_skip_of_one_the_last_frames_action_goes_on():
    game = counting()
    env = StickyFrameSkip(game, skip=1, stickiness=0.5)
    env.reset(seed=0)
    env._draws = Draws(0.9, 0.1, 0.1, 0.9)
    for action in (1, 2, 3, 4):
        env.step(action)
    assert game.actions == [1, 1, 1, 4]


def test_a_game_is_told_which_frames_are_looked_at():
    class Told(ScriptedGame):
        shown = True

        def step(self, action):
            told.append(self.shown)
            return super().step(action)

    told: list[bool] = []
    env = StickyFrameSkip(Told([plain(0)], end=7), skip=4)
    env.reset(seed=0)
    env.step(1)
    env.step(1)
    assert told == [False, False, False, True] + [False] * 3


@pytest.mark.parametrize("truncates", [False, True])
def test_an_end_cuts_the_step_short(truncates):
    game = counting(rewards=[1, 1, 1, 1, 1, 1, 1, 1], end=6, truncates=truncates)
    env = StickyFrameSkip(game, skip=4, stickiness=0.0)
    env.reset(seed=0)
    assert env.step(1)[1:4] == (4.0, False, False)
    observation, reward, terminated, truncated, info = env.step(2)
    assert (observation.max(), reward, terminated, truncated, info["frame"]) == (
        6,
        2.0,
        not truncates,
        truncates,
        6,
    )


def test_late_steps_come_from_the_seed_at_the_right_rate():
    def played(seed, state=None):
        env = StickyFrameSkip(game, skip=2, stickiness=0.25)
        env.reset(seed=seed)
        for i in range(2000):
            env.step(i % 2)
        return list(game.actions)

    game = counting()
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - that it isn't touched
    one = played(5)
    again = played(5)
    other = played(6)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert one == again
    assert one != other
    late = sum(one[2 * i] != i % 2 for i in range(2000))
    assert 430 < late < 570  # 500 expected, standard deviation 19
    env = StickyFrameSkip(game, skip=2, stickiness=0.25)
    env.reset(seed=5)
    env.reset()  # goes on with the draws
    for i in range(200):
        env.step(i % 2)
    assert game.actions == one[:400], "no draw had been made"


def test_stickiness_does_not_repeat_what_the_environment_draws():
    env = StickyFrameSkip(counting())
    env.reset(seed=9)
    assert env._draws is not None
    assert env._draws.random() != env.unwrapped.np_random.random()


def test_areas_are_averaged():
    picture = np.array(
        [[0, 10, 100, 120], [20, 30, 140, 160], [1, 1, 7, 7], [1, 1, 9, 9]], np.uint8
    )
    env = WarpFrame(ScriptedGame([picture[:, :, None]]), size=2)
    assert env.reset()[0][:, :, 0].tolist() == [[15, 130], [1, 8]]
    assert env.observation_space == gym.spaces.Box(0, 255, (2, 2, 1), np.uint8)
    thirds = np.array([[0, 90, 180], [0, 90, 180], [0, 90, 180]], np.uint8)
    small = WarpFrame(ScriptedGame([thirds]), size=2).reset()[0]
    # (1 × 0 + 0.5 × 90) / 1.5 and (0.5 × 90 + 1 × 180) / 1.5
    assert small[:, :, 0].tolist() == [[30, 150], [30, 150]]


@pytest.mark.parametrize(("height", "width"), [(224, 320), (210, 160), (97, 84)])
def test_any_picture_has_the_mean_of_each_area(height, width):
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    rows, columns = (overlaps(length, 84) for length in (height, width))
    exact = np.einsum("ih,hwc,jw->ijc", rows, picture.astype(float), columns, optimize=True)
    assert np.abs(WarpFrame(ScriptedGame([picture]), grey=False).reset()[0] - exact).max() <= 0.501
    grey = exact @ [0.299, 0.587, 0.114]
    assert np.abs(WarpFrame(ScriptedGame([picture])).reset()[0][:, :, 0] - grey).max() <= 0.501
    assert (
        np.abs(
            WarpFrame(ScriptedGame([picture[:, :, 0]])).reset()[0][:, :, 0] - exact[:, :, 0]
        ).max()
        <= 0.501
    )


def overlaps(length: int, size: int) -> np.ndarray:
    """[size, length] weights of the mean over each of `size` equal parts of `length` pixels,
    counted on a line of length x size points.
    """
    weights = np.zeros((size, length))
    for point in range(length * size):
        weights[point // length, point // size] += 1 / length
    return weights


@pytest.mark.parametrize(
    ("colour", "grey"),
    [((200, 0, 0), 60), ((0, 200, 0), 117), ((0, 0, 200), 23), ((90, 90, 90), 90)],
)
def test_grey_is_the_brightness_of_colours(colour, grey):
    picture = np.broadcast_to(np.array(colour, np.uint8), (6, 8, 3))
    assert WarpFrame(ScriptedGame([picture]), size=3).reset()[0].tolist() == [[[grey]] * 3] * 3
    assert (
        WarpFrame(ScriptedGame([picture]), size=3, grey=False).reset()[0].tolist()
        == [[list(colour)] * 3] * 3
    )


def test_frames_are_stacked_oldest_first_and_start_with_the_first_repeated():
    env = StackFrames(counting(), count=4)
    seen = [env.reset(seed=0)[0]] + [env.step(0)[0] for _ in range(5)]
    assert [frames[0, 0].tolist() for frames in seen] == [
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 1, 2],
        [0, 1, 2, 3],
        [1, 2, 3, 4],
        [2, 3, 4, 5],
    ]
    assert all((frames == frames[0, 0]).all() for frames in seen), (
        "every pixel moves alike, and earlier stacks stay as they were"
    )
    assert env.reset(seed=0)[0][1, 1].tolist() == [0, 0, 0, 0]


def test_colours_of_a_frame_stay_together():
    pictures = [np.arange(12, dtype=np.uint8).reshape(2, 2, 3) + 20 * t for t in range(3)]
    env = StackFrames(ScriptedGame(pictures), count=2)
    env.reset()
    env.step(0)
    stacked = env.step(0)[0]
    assert stacked.shape == (2, 2, 6)
    assert (stacked[:, :, :3] == pictures[1]).all()
    assert (stacked[:, :, 3:] == pictures[2]).all()


def test_rewards_are_scaled():
    env = ScaleReward(counting(rewards=[100, -50]), 0.01)
    env.reset()
    assert [env.step(0)[1] for _ in range(3)] == [1.0, -0.5, 0.0]


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
def test_together_they_follow_gymnasiums_contract():
    game = ScriptedGame(
        np.random.default_rng(0).integers(0, 256, (9, 12, 16, 3)).astype(np.uint8),
        rewards=[1] * 9,
        end=30,
    )
    env = ScaleReward(StackFrames(WarpFrame(StickyFrameSkip(game), size=8)), 0.5)
    assert env.observation_space == gym.spaces.Box(0, 255, (8, 8, 4), np.uint8)
    check_env(env, skip_render_check=True)
    env.reset(seed=0)
    assert env.step(0)[1] == 2.0


@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (
            lambda env: StickyFrameSkip(env, skip=0),
            "skip must be at least 1 and stickiness between 0 and 1, not 0 and 0.25",
        ),
        (lambda env: StickyFrameSkip(env, stickiness=1.5), "not 4 and 1.5"),
        (
            lambda env: WarpFrame(env, grey=False),
            r"Pictures \[2, 2, 1\] can't be shown in 3 channels of 84 pixels a side",
        ),
        (lambda env: WarpFrame(gym.make("CartPole-v1")), "WarpFrame needs uint8 pictures"),
        (lambda env: StackFrames(env, count=0), "a count of at least 1 and pictures .*, not 0"),
        (lambda env: StackFrames(gym.make("CartPole-v1")), "StackFrames needs"),
        (lambda env: ScaleReward(env, float("nan")), "must be finite, not nan"),
    ],
)
def test_bad_arguments_get_a_sentence(wrap, message):
    with pytest.raises(ValueError, match=message):
        wrap(counting())
