"""What `metarl report` does, and its flags."""

from dataclasses import dataclass
from pathlib import Path

from metarl.analysis.report import report_page
from metarl.core.paths import as_path
from metarl.runs.store import explained, write_file
from metarl.suites.find import find_suite, suite_names
from metarl.suites.suite import SuiteError

__all__ = ["ReportOptions", "write_report"]


@dataclass(frozen=True)
class ReportOptions:
    """What the page shows, and where it goes.

    Attributes:
        out: the page's file; report.html in the folder that is shown if left out.
        preset: of a suite, whose runs here are shown beside what is published.
        pictures: play the best agent of each family that draws pictures, for a moment.
        runs: folder of all suites' runs.
        results: folder of published results.
    """

    out: Path | None = None
    preset: str | None = None
    pictures: bool = True
    runs: Path = Path("runs")
    results: Path = Path("results")


def write_report(what: str, options: ReportOptions) -> Path:
    """Write the page about a suite, by its name or file, or about a folder; returns its file.

    Raises:
        ValueError: there is no such suite or folder, or nothing in it was scored.
    """
    roots, title, reasons = _shown(what, options)
    page = report_page(
        roots,
        title,
        reasons=reasons,
        figures_file=roots[-1] / "figures.csv",
        pictures=options.pictures,
    )
    file = as_path(options.out) if options.out is not None else roots[-1] / "report.html"
    with explained(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, page.encode())
    return file


def _shown(what: str, options: ReportOptions) -> tuple[list[Path], str, dict[str, dict[str, str]]]:
    """Return the folders to read, the page's title, and why scores are missing."""
    folder = as_path(what)
    if folder.is_dir():
        return [folder], folder.resolve().name, {}
    if not what.endswith(".py") and what not in suite_names():
        raise SuiteError(
            f"There is no folder and no suite {what!r}; suites are"
            f" {', '.join(suite_names()) or 'none here'}."
        )
    suite = find_suite(what)
    preset = options.preset or suite.usual_preset
    suite.preset(preset)
    places = [
        as_path(options.runs) / suite.name / preset,
        as_path(options.results) / suite.name,
    ]
    found = [place for place in places if place.is_dir()]
    if not found:
        raise SuiteError(
            f"Nothing of the suite {suite.name} is there yet: `metarl suite run {what}`."
        )
    reasons = {} if suite.reasons is None else suite.reasons()
    return found, suite.title or suite.name, reasons
