"""The trainings of Rainbow: each has the part switched off that its name says, and nothing else."""

from dataclasses import asdict

import pytest

from benchmarks.rainbow.runs import GAMES, PARTS, rainbow_run


def changed(run, other):
    """Paths at which two runs' settings differ."""

    def leaves(value, path=()):
        if isinstance(value, dict):
            for name, entry in value.items():
                yield from leaves(entry, (*path, name))
        else:
            yield ".".join(path), value

    one = dict(leaves(asdict(run.config)))
    two = dict(leaves(asdict(other.config)))
    return {path for path in one if one[path] != two[path]}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_switched_off_alone(part):
    paths = {
        "double": {"double"},
        "n-step": {"n_step"},
        "prioritised": {"replay.prioritised"},
        "duelling": {"network.duelling"},
        "noisy": {"network.noisy"},
        "distributional": {"network.distributional"},
    }[part]
    wanted = {f"{algorithm}.{path}" for path in paths for algorithm in ("rainbow", "fine_tuning")}
    assert changed(rainbow_run("cart-pole", 0), rainbow_run("cart-pole", 0, part)) == wanted


@pytest.mark.parametrize("game", GAMES)
def test_a_run_names_its_game_and_seed(game):
    run = rainbow_run(game, 3, iterations=2)
    assert (run.distribution, run.seed, run.config.iterations) == (GAMES[game].distribution, 3, 2)
    assert run.config.fine_tuning == run.config.rainbow


def test_unknown_names():
    with pytest.raises(ValueError, match="There is no game"):
        rainbow_run("chess", 0)
    with pytest.raises(ValueError, match="no part"):
        rainbow_run("cart-pole", 0, "dueling")
