"""Every paper's folder is a suite: its runs are those that are published, under every preset."""

from pathlib import Path

import pytest

from metarl.suites.driver import SuitePlace, jobs_of
from metarl.suites.find import find_suite, suite_names
from metarl.suites.job import State
from tests.suites.small_suite import run_suite

ROOT = Path(__file__).parents[2]
SUITES = sorted(file.parent.name for file in (ROOT / "benchmarks").glob("*/suite.py"))
# Never trained at length: what would take hours, or only others begin with
UNPUBLISHED = {
    "rl2": {"rl2_mazes/visual-maze-1000/seed0"},
    "sonic": {
        "sonic/airstriker-joint-rainbow-seed0",
        "sonic/freeway-joint-rainbow-seed0",
        "sonic/space-invaders-joint-rainbow-seed0",
    },
}


def test_every_papers_folder_is_a_suite():
    papers = {
        folder.name
        for folder in (ROOT / "benchmarks").iterdir()
        if folder.is_dir() and (folder / "__init__.py").exists() and folder.name != "speed"
    }
    assert papers == set(SUITES)
    assert set(SUITES) <= set(suite_names())


@pytest.mark.parametrize("name", [name for name in SUITES if name != "everything"])
def test_what_is_published_of_a_paper_is_recognised(name, tmp_path):
    place = SuitePlace(tmp_path, ROOT / "results", find_suite(name), "cpu")
    missing = {job.name for job in jobs_of(place) if job.state is not State.FINISHED}
    assert missing == UNPUBLISHED.get(name, set())


@pytest.mark.parametrize("name", SUITES)
def test_every_preset_has_runs_in_folders_of_their_own(name, tmp_path):
    suite = find_suite(name)
    for preset in suite.presets:
        jobs = jobs_of(SuitePlace(tmp_path, tmp_path, suite, preset))
        folders = [job.folder for job in jobs]
        assert jobs
        assert len(set(folders)) == len(folders)
        assert len({job.published for job in jobs}) == len(folders)


@pytest.mark.slow
def test_a_papers_suite_trains_scores_and_draws(tmp_path):
    words = ["--preset=smoke", f"--runs={tmp_path / 'runs'}", f"--results={tmp_path / 'results'}"]
    done = run_suite(ROOT / "benchmarks" / "reptile" / "suite.py", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path / "runs").rglob("figures.csv"))
