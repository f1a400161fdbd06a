"""The benchmark of VisualMaze.

Its arithmetic, and that its own side runs; speed itself is never asserted.
"""

import numpy as np
import pytest

from benchmarks.speed.visual_maze_throughput import Options, median_interval, own


@pytest.mark.parametrize("subject", ["step", "environment"])
def test_its_own_side_plays_when_told_to(subject):
    side = own(subject, Options(preset="smoke", rows=4))
    try:
        for _ in range(2):
            rate, processor, version = side.play(0.05)
            assert rate > 0
            assert processor > 0
            assert version.startswith("metarl")
    finally:
        side.close()


def test_intervals_are_order_statistics():
    assert median_interval(np.arange(25.0)) == (7.0, 17.0)  # ranks 8 and 18 of 25: 95.7 %
    assert median_interval(np.array([2.0])) == (2.0, 2.0)
