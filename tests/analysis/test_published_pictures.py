"""Published figures come back as they were written."""

import io

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from metarl.analysis.figures import save
from metarl.analysis.published_pictures import published_picture


def test_a_benchmarks_figure_comes_back(tmp_path):
    assert published_picture(tmp_path, "mlsh", "four-rooms") is None
    (tmp_path / "mlsh").mkdir()
    figure = Figure(figsize=(1, 1))
    figure.subplots()
    save(figure, tmp_path / "mlsh" / "four-rooms.png")
    picture = published_picture(tmp_path, "mlsh", "four-rooms")
    assert picture == (tmp_path / "mlsh" / "four-rooms.png").read_bytes()
    assert picture[:4] == b"\x89PNG"


def test_fewer_colours_take_less_space(tmp_path):
    gradient = np.linspace(0, 255, 64 * 64 * 3).astype(np.uint8).reshape(64, 64, 3)
    (tmp_path / "mlsh").mkdir()
    Image.fromarray(gradient).save(tmp_path / "mlsh" / "gradient.png")
    whole, small = (published_picture(tmp_path, "mlsh", "gradient", colours) for colours in (None, 16))
    assert len(small) < len(whole)
    shown = np.asarray(Image.open(io.BytesIO(small)).convert("RGB"))
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) <= 16
    assert np.abs(shown.astype(int) - gradient).mean() < 10
    assert published_picture(tmp_path, "mlsh", "none", 16) is None
