"""RL²'s tables as data: rows, columns, presets and settings."""

import json
import re

import pytest

from benchmarks.rl2.published import rl2_table
from benchmarks.rl2.rows import COLUMNS, PRESETS, RL2_ID, WANTED, Column, Row, parse_row
from benchmarks.rl2.runs import rl2_config, rl2_run, start_row
from metarl.agents.registry import AGENTS, make_agent
from metarl.core.budget import Episodes
from metarl.runs.config import RunConfig


@pytest.mark.parametrize("table", ["bandits", "mdps"])
def test_every_column_of_the_paper_stands_for_one_agent(table):
    headings = {column.paper: column.agent for column in COLUMNS[table] if column.paper}
    assert sorted(headings) == sorted(rl2_table(table)["agent"].unique())
    assert all(headings[column.paper] == column.agent for column in COLUMNS[table] if column.paper)
    assert [
        column.paper for column in COLUMNS[table] if column.paper and not column.variant
    ] == list(headings)
    assert all(column.agent in AGENTS or column.agent == RL2_ID for column in COLUMNS[table])
    keys = [column.key for column in COLUMNS[table]]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("table", ["bandits", "mdps"])
def test_labels_are_the_agents_own_and_tell_columns_apart(table):
    labels = [column.label for column in COLUMNS[table]]
    assert len(set(labels)) == len(labels)
    assert {"Random", "RL²"} <= set(labels)


def test_a_row_is_a_distribution_and_a_number_of_episodes():
    row = parse_row("bandits", "10,50")
    assert row == Row("bandits", 10, 50)
    assert (row.name, row.budget, row.distribution().action_space.n) == (
        "bandits-n10-k50",
        Episodes(10),
        50,
    )
    row = parse_row("mdps", "25")
    assert (row.name, row.budget, row.distribution().horizon) == ("mdps-n25", Episodes(25), 10)


def test_the_papers_figures_stand_beside_their_columns():
    assert parse_row("bandits", "10,5").paper(Column(RL2_ID, "RL2")) == 6.7
    assert parse_row("bandits", "500,50").paper(Column("gittins", "Gittins")) == 463.7
    assert parse_row("mdps", "10").paper(Column("psrl", "PSRL")) == 138.1
    assert parse_row("mdps", "10").paper(Column("known-model")) is None


@pytest.mark.parametrize(
    ("table", "text"),
    [("bandits", "10"), ("bandits", "10,7"), ("mdps", "10,5"), ("mdps", "ten"), ("bandits", "")],
)
def test_rows_that_the_paper_does_not_have_are_refused_with_those_it_has(table, text):
    with pytest.raises(ValueError, match=r"it has 10"):
        parse_row(table, text)
    with pytest.raises(ValueError, match="choose bandits or mdps"):
        parse_row("mazes", "10")


def test_variants_have_fixed_parameters_that_their_agents_take_and_keys_for_files():
    mdps = parse_row("mdps", "10")
    believers = [column for column in COLUMNS["mdps"] if column.variant == "prior mean 0"]
    assert [column.paper for column in believers] == [
        "PSRL",
        "OPSRL",
        "UCRL2",
        "BEB",
        "eps-Greedy",
        "Greedy",
    ]
    for column in believers:
        agent = make_agent(
            column.agent, mdps.distribution(), mdps.budget, **dict(column.parameters)
        )
        assert agent.prior.reward_prior_mean == 0
        assert set(agent.grid) <= set(dict(column.parameters))
    for column in COLUMNS["mdps"]:
        assert bool(column.parameters) == bool(column.variant)
        assert re.fullmatch(r"[a-z0-9.-]+", column.key)
    ties = [column for column in COLUMNS["mdps"] if column.variant == "random ties"]
    assert {column.agent for column in ties} == {"ucrl2", "beb", "mdp-greedy"}
    assert all(
        column.paper is None and dict(column.parameters)["ties"] == "random" for column in ties
    )


def test_presets_play_as_many_tasks_as_they_should():
    short = parse_row("bandits", "10,5")
    long = parse_row("bandits", "100,5")
    mdp = parse_row("mdps", "10")
    paper = PRESETS["paper"]
    assert short.num_tasks(paper) >= 200_000
    assert long.num_tasks(paper) >= 20_000
    assert mdp.num_tasks(paper) >= 20_000
    assert all(len(PRESETS[name].seeds) >= 3 for name in ("cpu", "paper"))


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("table", ["bandits", "mdps"])
def test_rl2_has_settings_for_every_row(table, preset):
    for text in ["10,5", "500,50"] if table == "bandits" else ["10", "100"]:
        row = parse_row(table, text)
        assert rl2_config(row, preset).episodes == row.n
        run = rl2_run(row, preset, 1)
        assert (run.distribution, run.seeds) == (row.id, (1,))
        assert run.make_distribution().config() == row.distribution().config()


def test_the_smoke_preset_trains_for_a_moment_only():
    config = rl2_config(parse_row("mdps", "100"), "smoke")
    assert config.iterations * config.num_envs < 1000


def test_every_row_has_wanted_figures():
    rows = [parse_row("bandits", f"{n},{k}") for n in (10, 100, 500) for k in (5, 10, 50)]
    rows += [parse_row("mdps", str(n)) for n in (10, 25, 50, 75, 100)]
    assert set(WANTED) == {row.name for row in rows}
    papers = {row.name: row.paper(COLUMNS[row.table][-1]) for row in rows}
    for name, figures in WANTED.items():
        assert dict(figures).get("the paper's RL²", papers[name]) == papers[name]
        assert all(value > 0 for _, value in figures)


def test_rows_start_with_a_shorter_row_of_the_same_family():
    assert start_row(parse_row("bandits", "100,5")) is None
    assert start_row(parse_row("bandits", "500,5")) == parse_row("bandits", "100,5")
    assert [start_row(parse_row("mdps", str(n))).n for n in (25, 50, 75, 100)] == [10, 25, 50, 75]
    shorter, longer = (rl2_run(parse_row("mdps", n), "smoke", 3) for n in ("10", "25"))
    assert longer.start == shorter.origin()
    assert rl2_run(parse_row("mdps", "10"), "smoke", 4).origin() != shorter.origin()
    assert rl2_run(parse_row("mdps", "10"), "smoke", 3, "cuda").origin() == shorter.origin()


def test_a_start_from_before_a_setting_was_added_is_the_same_run():
    run = rl2_run(parse_row("mdps", "50"), "smoke", 3)
    stored = json.loads(json.dumps(run.identity()))
    del (
        stored["config"]["processes"],
        stored["start"]["config"]["processes"],
        stored["start"]["start"]["config"]["ppo"]["discount"],
    )
    # A discount that isn't the default is missed
    assert RunConfig.from_identity(stored).identity() != run.identity()
    stored["start"]["start"]["config"]["ppo"]["discount"] = run.identity()["start"]["start"][
        "config"
    ]["ppo"]["discount"]
    assert RunConfig.from_identity(stored).identity() == run.identity()
