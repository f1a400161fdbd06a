"""The page about a suite: what it holds, and how it behaves in a real browser."""

import json
import re
import shutil
from dataclasses import replace

import pytest

import metarl
from metarl.analysis.report import report_page
from metarl.cli import main
from metarl.evaluation.protocol import evaluate
from metarl.runs.store import write_evaluation
from metarl.runs.training import train
from metarl.suites.figures_csv import record_figure

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
NO_BROWSER = (
    "there is no browser here: apt-get install chromium chromium-driver, and this test runs"
)
PHONE = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with a trained agent and two that aren't, on two families."""
    folder = tmp_path_factory.mktemp("report")
    budget = metarl.Episodes(5)
    bandit = metarl.make("BernoulliBandit-v0", arms=3)
    config = replace(metarl.suggested_config("rl2", bandit), episodes=5, num_envs=16, iterations=3)
    learner = metarl.make_learner("rl2", bandit, config)
    train(learner, folder / "rl2", show=False)
    scored = evaluate(learner, bandit, "test", 40, 0, budget)
    place = folder / "rl2" / "evaluations"
    write_evaluation(place, "test", scored, agent="rl2", label="RL² <script>", training_seed=0)
    for family in (bandit, metarl.make("GridNavi-v0")):
        for id in ("random", *(("gittins",) if family is bandit else ())):
            played = evaluate(id, family, "test", 40, 0, budget)
            where = folder / "agents" / f"{family.id}-{id}" / "evaluations"
            write_evaluation(where, "test", played, agent=id, label=id.capitalize())
            file = where / "test.json"
            told = json.loads(file.read_text())
            returns = played.matrix().mean(0).tolist()
            curve = {"mean": returns, "low": returns, "high": returns, "steps": 1.0}
            file.write_text(json.dumps({**told, "by_episode": curve}))
    record_figure(folder, "a missing figure", "> 1", None, None, "metarl report")
    return folder


@pytest.fixture(scope="module")
def page(root):
    """The page's file, as the command writes it."""
    main(["report", str(root)])
    return root / "report.html"


def data_of(page):
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_holds_scores_curves_runs_and_missing_figures(page):
    data = data_of(page)
    assert set(data["agents"]) == {"Gittins", "RL² <script>", "Random"}
    assert len(data["families"]) == 2
    zero = next(row for row in data["board"] if row["label"] == "Random" and row["normalised"] == 0)
    assert zero["normalised_low"] == 0
    assert [card["name"] for card in data["cards"]] == ["rl2"]
    assert "--seed 0" in data["cards"][0]["command"]
    assert data["cards"][0]["told"]["config"]["num_envs"] == 16
    assert len(data["trainings"][0]["points"]) == 3
    assert len(data["adaptations"]) == 3
    assert data["figures"][0]["value"] == "missing"


def test_the_page_needs_nothing_from_elsewhere(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", text.split('id="data"')[0])
    assert "http://" not in text
    assert "https://" not in text
    assert str(page.parent) not in text


def test_reasons_stand_in_place_of_missing_scores(root):
    reasons = {"Gittins": {"GridNavi-v0": "bandits only"}}
    text = report_page([root], "a title", reasons=reasons, pictures=False)
    assert "bandits only" in text


@pytest.mark.parametrize(
    ("what", "sentence"),
    [("nothing", "There is no folder and no suite 'nothing'"), (".", "holds no evaluation")],
)
def test_what_there_is_not_is_one_sentence(what, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["report", what])
    assert ended.value.code == 1
    assert sentence in capsys.readouterr().err


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium."""
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip(NO_BROWSER)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "no-first-run",
        "window-size=1200,900",
        f"user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, page):
    """The page in the browser; afterwards, nothing must have gone wrong in it."""
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(page.as_uri())
    yield browser
    assert browser.get_log("browser") == []
    messages = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    asked = [
        each["params"]["request"]["url"]
        for each in messages
        if each["method"] == "Network.requestWillBeSent"
    ]
    assert not [url for url in asked if url.startswith(("http:", "https:", "ws:"))], asked


def agents_shown(driver):
    return [cell.text for cell in driver.find_elements("css selector", "#board td:first-child")]


def test_the_leaderboard_sorts_and_filters(opened):
    head = opened.find_elements("css selector", "#board th button")[1]
    head.click()
    bandit = next(
        th for th in opened.find_elements("css selector", "#board th") if "Bandit" in th.text
    )
    if bandit.get_attribute("aria-sort") == "none":
        bandit.find_element("css selector", "button").click()
    first = agents_shown(opened)
    assert first[0] == "Gittins"
    heads = opened.find_elements("css selector", "#board th")
    place = next(i for i, th in enumerate(heads) if "Bandit" in th.text)
    opened.find_elements("css selector", "#board th button")[place].click()
    known = [label for label in agents_shown(opened) if label in first]
    assert known != first
    opened.find_element("css selector", "#agent-filter").send_keys("gitt")
    assert agents_shown(opened) == ["Gittins"]


def test_a_score_tells_its_n_and_its_command(opened):
    opened.find_element("css selector", "#board td button").click()
    detail = opened.find_element("css selector", "#cell-detail").text
    assert "40 test tasks" in detail
    assert "normalised, 1 = optimum" in detail


def test_curves_are_drawn_and_told_under_the_pointer(opened):
    from selenium.webdriver import ActionChains

    chart = opened.find_element("css selector", "#chart svg")
    opened.execute_script("arguments[0].scrollIntoView()", chart)
    ActionChains(opened).move_to_element(chart).perform()
    assert opened.find_element("css selector", ".tip").text
    for kind in ("steps", "training"):
        opened.find_element("css selector", f"#kind option[value={kind}]").click()
        assert opened.find_elements("css selector", "#chart svg, #chart p")
    opened.find_element("css selector", "#kind option[value=episodes]").click()
    lines = len(opened.find_elements("css selector", "#chart path"))
    opened.find_element("css selector", "#legend button").click()
    assert len(opened.find_elements("css selector", "#chart path")) < lines


def test_runs_are_cards_that_open_by_keyboard(opened):
    from selenium.webdriver.common.keys import Keys

    card = opened.find_element("css selector", "#cards summary")
    opened.execute_script("arguments[0].focus()", card)
    card.send_keys(Keys.ENTER)
    assert '"num_envs": 16' in opened.find_element("css selector", "#cards pre").text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_on_a_phone_and_in_the_dark(opened, scheme):
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        wide = opened.execute_script("return document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], "the page scrolls sideways"
        ink, paper = (
            brightness(opened.execute_script(f"return getComputedStyle(document.body).{what}"))
            for what in ("color", "backgroundColor")
        )
        assert abs(ink - paper) > 150
        assert (paper > 128) == (scheme == "light")
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def brightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
