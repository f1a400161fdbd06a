"""The paper's figures: complete, in place, and possible."""

import pytest

from benchmarks.reptile.published import few_shot_table


def figure(version="v3", **cell):
    table = few_shot_table(version)
    for name, value in cell.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table[["accuracy", "error"]].iloc[0].tolist()


def test_every_cell_is_there_once():
    table = few_shot_table()
    assert table.columns.tolist() == [
        "data",
        "ways",
        "shots",
        "algorithm",
        "transductive",
        "accuracy",
        "error",
        "source",
        "trust",
    ]
    settings = [("omniglot", 5), ("omniglot", 20), ("miniimagenet", 5)]
    algorithms = [("MAML", True), ("FOMAML", True), ("Reptile", False), ("Reptile", True)]
    wanted = {
        (data, ways, shots, *algorithm)
        for data, ways in settings
        for shots in (1, 5)
        for algorithm in algorithms
    }
    assert (
        set(
            table[["data", "ways", "shots", "algorithm", "transductive"]].itertuples(
                index=False, name=None
            )
        )
        == wanted
    )
    assert len(table) == len(wanted) == 24
    assert set(few_shot_table("v1")["algorithm"]) == {"Reptile"}
    assert len(few_shot_table("v1")) == 12


def test_figures_stand_in_the_right_cells():
    assert figure(data="omniglot", ways=20, shots=1, algorithm="FOMAML") == [89.4, 0.5]
    assert figure(data="omniglot", ways=5, shots=1, algorithm="Reptile", transductive=True) == [
        97.68,
        0.04,
    ]
    assert figure(data="miniimagenet", shots=5, algorithm="MAML") == [63.11, 0.92]
    assert figure("v1", data="miniimagenet", shots=1, transductive=False) == [45.79, 0.44]


def test_figures_are_possible_and_say_how_far_they_can_be_trusted():
    for version in ("v1", "v3"):
        table = few_shot_table(version)
        assert (table["accuracy"] > 100 / table["ways"]).all()
        assert (table["accuracy"] + table["error"] <= 100).all()
        assert (table["source"] == f"Nichol et al. 2018 (arXiv 1803.02999{version})").all()
        assert (table["trust"] == "notes").all()
        pairs = table.pivot(
            index=["data", "ways", "shots", "algorithm"], columns="transductive", values="accuracy"
        ).dropna()
        assert (pairs[True] > pairs[False]).all(), "company in the batch helps"


def test_another_version_is_refused():
    with pytest.raises(
        ValueError, match="There is no version 'v2' of Nichol et al. 2018 here; choose v1 or v3"
    ):
        few_shot_table("v2")
