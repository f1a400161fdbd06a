"""Published figures come back as they were written."""

from matplotlib.figure import Figure

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
