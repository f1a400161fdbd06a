"""What every notebook's tests begin with: it is executed once."""

import pytest


@pytest.fixture(scope="module")
def executed(request, tmp_path_factory):
    """The module's NOTEBOOK after a run from top to bottom, in a folder of no meaning."""
    notebook = request.module.NOTEBOOK
    return notebook.run(tmp_path_factory.mktemp("anywhere"), notebook.smaller)
