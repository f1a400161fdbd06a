"""The notebook on RL² and bandits: it runs from top to bottom, its numbers hold together, and what is committed is clean."""

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "01_rl2_bandits.ipynb"
PUBLISHED = "results/rl2_tables/weights/bandits-n10-k5"
FIGURES = 8
ALLOWED = {"IPython", "metarl", "numpy", "pandas", "pathlib", "tempfile"}  # what it may import
PROBE = """
import json
print(json.dumps({
    "optimum": optimum,
    "score": {label: evaluation.scores().mean() for label, evaluation in played.items()},
    "lost": {label: matrix.sum(1).mean() for label, matrix in losses.items()},
    "normalised": table.set_index("agent")["normalised"].to_dict(),
    "regret": {label: [best.mean() - evaluation.matrix()[:, t].mean() for t in (0, -1)] for label, evaluation in played.items()},
    "best_arm": {label: share[0].tolist() for label, share in shares.items()},
    "win_stay": {label: np.nanmean(matrix) for label, matrix in win_stay.items()},
    "difference": [pooled.low, pooled.value, pooled.high],
}))
"""


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs_of(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def printed(notebook):
    return "".join(output.text for output in outputs_of(notebook) if output.output_type == "stream")


def run(folder, parameters=""):
    """The notebook executed in a fresh kernel, with `parameters` put in below its own, and a last cell that prints its numbers."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    notebook.cells.insert(place + 1, new_code_cell(parameters))
    notebook.cells.append(new_code_cell(PROBE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(folder / name.lower()))
        where = {"metadata": {"path": str(folder)}}  # it must not matter where it is run from
        return NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()


def clean(notebook):
    """Nothing but prints, tables, sentences and figures."""
    outputs = outputs_of(notebook)
    assert {output.output_type for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) == FIGURES


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    return run(tmp_path_factory.mktemp("anywhere"))


def test_it_runs_from_top_to_bottom(executed):
    clean(executed)


def test_its_numbers_hold_together(executed):
    numbers = json.loads(code_cells(executed)[-1].outputs[0].text)
    optimum, score, lost = numbers["optimum"], numbers["score"], numbers["lost"]
    assert optimum == pytest.approx(6.65999, abs=1e-5)
    assert score["Bayes-optimal"] == pytest.approx(optimum, abs=0.08)  # five standard errors of 20,000 tasks
    assert lost["Gittins"] < 0.001
    assert lost["Gittins"] <= lost["RL²"] < lost["Thompson"]
    for label in lost:
        assert optimum - lost[label] == pytest.approx(score[label], abs=0.08), "what is lost is what is missing"
    assert numbers["normalised"]["Random"] == 0
    assert numbers["normalised"]["Thompson"] < numbers["normalised"]["RL²"] < 1.02
    for label, (first, last) in numbers["regret"].items():
        assert first == pytest.approx(1 / 3, abs=0.02), "5/6 with the arms known, 1/2 with nothing known"
        assert last < 0.25 or label == "Random"
    for share in numbers["best_arm"].values():
        assert share[0] == pytest.approx(1 / 5, abs=0.02)
        assert share[-1] > 0.3
    assert numbers["win_stay"]["Gittins"] == 1.0, "after a reward its arm is better than before, and the others are as they were"
    low, value, high = numbers["difference"]
    assert low < value < high < 0.05


def test_it_says_which_agents_it_shows(executed):
    found = (ROOT / PUBLISHED).is_dir()
    assert ("Trained agents from" in printed(executed)) == found
    assert (f"There is nothing in {PUBLISHED}" in printed(executed)) != found


def test_without_published_agents_it_trains_a_small_one_and_says_so(tmp_path):
    parameters = 'PUBLISHED, NUM_TASKS, SMALL = "results/nowhere", 400, RL2Config(num_envs=64, iterations=3)'
    notebook = run(tmp_path, parameters)
    clean(notebook)
    assert "There is nothing in results/nowhere: a small RL² is trained here instead" in printed(notebook)
    score = json.loads(code_cells(notebook)[-1].outputs[0].text)["score"]["RL²"]
    assert 4 < score < 6.9


def test_what_is_committed_is_executed_and_clean():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    clean(notebook)
    assert [cell.execution_count for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    assert NOTEBOOK.stat().st_size < 1_000_000
    assert all("execution" not in cell.metadata for cell in notebook.cells), "times of execution change with every run"
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.])/(?:home|root|tmp|usr|var|opt|work|Users|private)/", text), "paths of a machine"
    assert (f"Trained agents from {PUBLISHED}" in printed(notebook)) == (ROOT / PUBLISHED).is_dir(), "execute it again"


def test_it_reads_results_through_the_package_only():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    source = "\n".join(cell.source for cell in code_cells(notebook))
    tree = ast.parse(source.replace("%matplotlib inline", ""))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= ALLOWED
    calls = {
        node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    assert not calls & {"open", "read_csv", "read_json", "read_text", "read_bytes", "glob", "rglob", "iterdir", "load", "loadtxt"}
    assert source.count("results/") == 1, "one results folder is named, and nothing within it"
