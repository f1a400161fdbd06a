import pandas as pd
import pytest

from metarl.runs.metrics_log import MetricsLog
from metarl.runs.store import RunFolder, RunFolderError


def test_lines_are_on_disk_at_once_and_exact(tmp_path):
    log = MetricsLog(RunFolder(tmp_path), 0)
    assert log.last == {}
    for i in (1, 2):
        log.append({"iteration": i, "return": 0.1 * i})
        assert RunFolder(tmp_path).metrics["return"].iloc[-1] == 0.1 * i
    assert log.last == {"iteration": "2", "return": "0.2"}


def test_a_name_that_comes_later_becomes_a_column(tmp_path):
    log = MetricsLog(RunFolder(tmp_path), 0)
    log.append({"iteration": 1, "a": 1.0})
    log.append({"iteration": 2, "b": float("nan")})
    log.append({"iteration": 3, "a": 2.5})
    assert (tmp_path / "metrics.csv").read_text() == "iteration,a,b\n1,1.0,\n2,,nan\n3,2.5,\n"
    again = MetricsLog(RunFolder(tmp_path), 2)
    assert (tmp_path / "metrics.csv").read_text() == "iteration,a,b\n1,1.0,\n2,,nan\n"
    again.append({"iteration": 3, "a": 2.5})
    assert (tmp_path / "metrics.csv").read_text() == "iteration,a,b\n1,1.0,\n2,,nan\n3,2.5,\n"


def test_a_fresh_start_drops_all_lines(tmp_path):
    MetricsLog(RunFolder(tmp_path), 0).append({"iteration": 1, "a": 1.0})
    log = MetricsLog(RunFolder(tmp_path), 0)
    log.append({"iteration": 1, "a": 2.0})
    pd.testing.assert_frame_equal(RunFolder(tmp_path).metrics, pd.DataFrame({"iteration": [1], "a": [2.0]}))


def test_missing_lines_are_refused(tmp_path):
    MetricsLog(RunFolder(tmp_path), 0).append({"iteration": 1, "a": 1.0})
    with pytest.raises(RunFolderError, match="lacks lines of the 2 iterations"):
        MetricsLog(RunFolder(tmp_path), 2)
