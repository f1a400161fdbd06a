"""What is published comes back as they were written."""

import io

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from metarl.analysis.figures import save
from metarl.runs.store import write_csv
from metarl.suites.published import published_picture, published_table


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
    whole, small = (
        published_picture(tmp_path, "mlsh", "gradient", colours) for colours in (None, 16)
    )
    assert len(small) < len(whole)
    shown = np.asarray(Image.open(io.BytesIO(small)).convert("RGB"))
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) <= 16
    assert np.abs(shown.astype(int) - gradient).mean() < 10
    assert published_picture(tmp_path, "mlsh", "none", 16) is None


def test_a_benchmarks_table_comes_back(tmp_path):
    assert published_table(tmp_path, "sine", "table").empty
    (tmp_path / "sine").mkdir()
    table = pd.DataFrame({"learner": ["MAML", "Reptile"], "error": [0.25, 0.5]})
    write_csv(tmp_path / "sine" / "table.csv", table)
    pd.testing.assert_frame_equal(published_table(tmp_path, "sine", "table"), table)
