"""Running a notebook in a fresh kernel, and what every notebook must keep to."""

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from metarl.runs.store import find_runs

__all__ = ["Notebook", "code_cells", "markdown_of", "numbers_of", "outputs_of", "printed"]

ROOT = Path(__file__).resolve().parents[2]
# What a notebook may import
ALLOWED = {"IPython", "benchmarks", "gymnasium", "metarl", "numpy", "pandas", "pathlib", "tempfile"}
# Past the package
READS = {
    "open",
    "read_csv",
    "read_json",
    "read_text",
    "read_bytes",
    "glob",
    "rglob",
    "iterdir",
    "load",
    "loadtxt",
}


@dataclass(frozen=True)
class Notebook:
    """A notebook and what is expected of it.

    Attributes:
        name: its file, in notebooks/.
        published: the one results folder that it names.
        figures: how many it shows.
        probe: code that prints its numbers as JSON, put in as the last cell of a run.
        runs: the published runs that it shows, by name; all that there are if left out.
        smaller: parameters with which the published agents are soon played; what is committed is
            executed with the notebook's own.
    """

    name: str
    published: str
    figures: int
    probe: str
    runs: tuple[str, ...] = ()
    smaller: str = ""

    @property
    def file(self) -> Path:
        """Where it lies."""
        return ROOT / "notebooks" / self.name

    def read(self) -> Any:
        """As it is committed."""
        return nbformat.read(self.file, as_version=4)

    def is_published(self) -> bool:
        """Return whether the results folder holds the trained agents."""
        found = {
            run.path.name for run in find_runs(ROOT / self.published) if run.weights().exists()
        }
        return bool(found) and set(self.runs) <= found

    def run(self, folder: Path, parameters: str = "") -> Any:
        """Return the notebook executed in a fresh kernel, with `parameters` put in below its own,
        and a last cell that prints its numbers.
        """
        notebook = self.read()
        place = next(
            i
            for i, cell in enumerate(notebook.cells)
            if "parameters" in cell.metadata.get("tags", [])
        )
        notebook.cells.insert(place + 1, new_code_cell(parameters))
        notebook.cells.append(new_code_cell(self.probe))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(ROOT))
            for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
                patch.setenv(name, str(folder / name.lower()))
            where = {"metadata": {"path": str(folder)}}  # it must not matter where it is run from
            return NotebookClient(
                notebook, timeout=600, kernel_name="python3", resources=where
            ).execute()

    def check_clean(self, notebook: Any) -> None:
        """Nothing but prints, tables, sentences and figures."""
        outputs = outputs_of(notebook)
        assert {output.output_type for output in outputs} <= {
            "stream",
            "execute_result",
            "display_data",
        }
        assert [output.text for output in outputs if output.get("name") == "stderr"] == []
        assert sum("image/png" in output.get("data", {}) for output in outputs) == self.figures

    def check_says_which_agents_it_shows(self, notebook: Any) -> None:
        """The published agents where they are, else those trained on the spot."""
        published = self.is_published()
        assert (
            f"Trained agents from {self.published}" in printed(notebook)
        ) == published, "execute it again"
        assert (f"There is nothing in {self.published}" in printed(notebook)) != published

    def check_committed(self) -> None:
        """It is executed from top to bottom with the published agents, small, and free of what
        differs between machines and runs.
        """
        notebook = self.read()
        nbformat.validate(notebook)
        self.check_clean(notebook)
        assert [cell.execution_count for cell in code_cells(notebook)] == list(
            range(1, len(code_cells(notebook)) + 1)
        )
        assert self.file.stat().st_size < 1_000_000
        assert all(
            "execution" not in cell.metadata for cell in notebook.cells
        ), "times of execution change with every run"
        text = self.file.read_text(encoding="utf-8")
        assert not re.findall(
            r"(?<![\w.])/(?:home|root|tmp|usr|var|opt|work|Users|private)/", text
        ), "paths of a machine"
        self.check_says_which_agents_it_shows(notebook)

    def check_reads_through_the_package(self) -> None:
        """It imports little, opens no file itself, and names one results folder."""
        source = "\n".join(cell.source for cell in code_cells(self.read()))
        tree = ast.parse(source.replace("%matplotlib inline", ""))
        imported = {
            name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for name in node.names
        }
        imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name.split(".")[0] for name in imported} <= ALLOWED
        calls = {
            node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
        }
        assert not calls & READS
        assert source.count("results/") == 1, "one results folder is named, and nothing within it"


def code_cells(notebook: Any) -> list[Any]:
    """Return its cells of code, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs_of(notebook: Any) -> list[Any]:
    """Return all that its cells gave back."""
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def printed(notebook: Any) -> str:
    """Return all that its cells printed."""
    return "".join(output.text for output in outputs_of(notebook) if output.output_type == "stream")


def markdown_of(notebook: Any) -> list[str]:
    """Return the sentences that its cells computed."""
    return [
        output.data["text/markdown"]
        for output in outputs_of(notebook)
        if "text/markdown" in output.get("data", {})
    ]


def numbers_of(notebook: Any) -> dict[str, Any]:
    """Return what the probe of a run printed."""
    numbers: dict[str, Any] = json.loads(code_cells(notebook)[-1].outputs[0].text)
    return numbers
