"""The site in a real browser: `make docs` first; skipped where it or Chromium is absent."""

import functools
import http.server
import json
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM, Browser

import npintdim as nid
from npintdim.measurement.estimate import curve_of

ROOT = Path(__file__).parents[1]
SITE = Path(os.environ.get("NPINTDIM_SITE", ROOT / "build" / "docs" / "html"))
pytestmark = [
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the site is not built: make docs"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]
PAGES = sorted(
    path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if "_static" not in path.parts
)
LOOKED_AT = ["index.html", "explore/plane.html", "explore/toy.html", "explore/digits.html", "README.html",
             "docs/index.html", "docs/walkthrough/03-projections-and-adjoints.html", "docs/walkthrough/06-d-int90.html",
             "docs/description-length.html", "docs/check-your-code.html", "gallery/index.html",
             "gallery/10_weights_as_images.html", "reference/commands.html", "reference/networks.html",
             "source/npintdim/objective.py.html"]  # fmt: skip


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site():
    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    window = Browser()
    window.size(1440)
    yield window
    window.close()


def numbers_of(page):
    text = (SITE / page).read_text(encoding="utf-8")
    return json.loads(re.search(r'class="numbers">(.*?)</script>', text, re.DOTALL)[1])


def data(browser, name):
    return browser.run(f"({{...document.querySelector('.explore-{name}').dataset}})")


def test_every_page_opens_without_an_error_and_asks_no_other_host(browser, site):
    assert len(PAGES) > 50
    found = {}
    for page in PAGES:
        browser.open(site + page)
        away = [url for url in browser.requests() if not url.startswith((site, "data:"))]
        if complaints := browser.complaints() + away:
            found[page] = complaints
    assert found == {}


def test_the_search_finds_the_page_of_adjoints(browser, site):
    browser.open(site + "search.html?q=adjoint")
    browser.wait_for("document.querySelectorAll('#search-results li').length > 3")
    links = browser.run("[...document.querySelectorAll('#search-results li a')].map((a) => a.href)")
    assert any("03-projections-and-adjoints" in link for link in links)


@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_scrolls_sideways(browser, site, width):
    browser.size(width)
    wide = {}
    for page in PAGES:
        browser.open(site + page)
        over = browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            wide[page] = over
    browser.size(1440)
    assert wide == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(browser, site, dark):
    axe = SITE.parent / "npm" / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.exists():
        pytest.skip("axe-core is not there: make docs installs it")
    browser.size(1440, dark=dark)
    found = {}
    for page in LOOKED_AT:
        browser.open(site + page)
        browser.run(axe.read_text(encoding="utf-8") + "; 0")
        result = browser.run(
            "axe.run().then((r) => r.violations.map((v) => [v.impact, v.id, v.nodes[0].html]))"
        )
        if bad := [v for v in result if v[0] in ("serious", "critical")]:
            found[page] = bad
    browser.size(1440)
    assert found == {}


def test_formula_and_source_stand_side_by_side_on_wide_screens_only(browser, site):
    for width, beside in ((1440, True), (360, False)):
        browser.size(width)
        browser.open(site + "docs/walkthrough/02-subspace-and-chain-rule.html")
        said, source = browser.run(
            "[...document.querySelector('.row').children].map((e) => [e.getBoundingClientRect().left, e.getBoundingClientRect().top])"
        )
        assert (source[0] > said[0] + 200 and abs(source[1] - said[1]) < 5) == beside
    browser.size(1440)


def test_the_link_above_an_excerpt_leads_to_its_first_line(browser, site):
    browser.open(site + "docs/walkthrough/02-subspace-and-chain-rule.html")
    link = browser.run(
        "[...document.querySelectorAll('.origin a')].find((a) => /theta$/.test(a.closest('p').innerText)).href"
    )
    assert "/source/npintdim/objective.py.html#line-" in link
    browser.open(link)
    line = browser.run(f"document.getElementById('{link.partition('#')[2]}').closest('pre').innerText")
    number = int(link.rpartition("-")[2])
    assert "def theta(self" in line.split("\n")[number - 1]


def test_pages_without_scripts_have_still_pictures_and_formulas():
    for name in ("plane", "toy", "digits"):
        page = (SITE / "explore" / f"{name}.html").read_text(encoding="utf-8")
        (picture,) = re.findall(r'<img[^>]*class="still"[^>]*>', page)
        assert (SITE / "explore" / re.search(r'src="([^"]*)"', picture)[1]).exists()
    text = (SITE / "docs/walkthrough/02-subspace-and-chain-rule.html").read_text(encoding="utf-8")
    assert 'class="katex-html"' in text and "\\theta_d" not in re.sub(
        r"<annotation.*?</annotation>", "", text
    )


def test_every_example_and_notebook_has_run_and_can_be_downloaded():
    files = sorted((ROOT / "examples").rglob("*.py"))
    assert len(files) > 14
    for file in files:
        name = file.relative_to(ROOT / "examples").with_suffix("")
        assert (SITE / "gallery" / f"{name}.html").exists(), name
        (notebook,) = (SITE / "_downloads").rglob(f"{name.name}.ipynb")
        assert json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if name.parent.name == "notebooks":
            assert "_images/" in (SITE / "gallery" / f"{name}.html").read_text(encoding="utf-8")
    contents = (SITE / "index.html").read_text(encoding="utf-8")
    assert 'href="docs/walkthrough/09-from-here-to-lora.html"' in contents


def test_the_plane_turns_and_its_losses_are_the_packages(browser, site):
    browser.open(site + "explore/plane.html")
    browser.wait_for("document.querySelector('.explore-plane').dataset.ready")
    before = data(browser, "plane")
    browser.run("document.querySelector('.explore-plane svg').focus()")
    browser.key("ArrowRight")
    by_key = data(browser, "plane")
    assert float(by_key["turn"]) > float(before["turn"])
    x, y = browser.run("(() => { const r = document.querySelector('.explore-plane svg').getBoundingClientRect(); "
                       "return [r.left + r.width / 2, r.top + r.height / 2]; })()")  # fmt: skip
    browser.drag((x, y), (x - 60, y + 20))
    assert float(data(browser, "plane")["turn"]) < float(by_key["turn"])
    browser.run("document.querySelector('.explore-plane input').focus()")
    browser.key("ArrowLeft")
    assert data(browser, "plane")["step"] == "59"
    browser.run("document.querySelector('.explore-plane button').click()")
    now = data(browser, "plane")
    assert now["seed"] == str((int(before["seed"]) + 1) % 12)

    numbers = numbers_of("explore/plane.html")
    (draw,) = [x for x in numbers["draws"] if all(str(x[k]) == now[k] for k in ("d", "s", "seed"))]
    A, b, theta_0 = (np.array(numbers[k]) for k in ("A", "b", "theta_0"))
    A, b = A[: draw["s"]], b[: draw["s"]]
    backend = nid.get_backend("numpy", dtype=np.float64)
    P = nid.make_projection("dense", D=3, d=draw["d"], seed=draw["seed"], backend=backend).to_dense()
    theta_d = np.zeros(draw["d"])
    for _ in range(59):
        theta_d = theta_d - 0.25 * P.T @ (2 * A.T @ (A @ (theta_0 + P @ theta_d) - b))
    r = A @ (theta_0 + P @ theta_d) - b
    assert float(now["loss"]) == pytest.approx(r @ r, abs=1e-4)


def test_drag_d_on_the_toy_problem(browser, site):
    browser.open(site + "explore/toy.html")
    browser.wait_for("document.querySelector('.explore-toy').dataset.ready")
    toy, backend = nid.ToyProblem(), nid.get_backend("numpy", dtype=np.float64)
    browser.run("document.querySelector('.explore-toy input').focus()")
    for key, d in (("ArrowRight", 6), ("ArrowRight", 7), ("ArrowLeft", 6)):
        browser.key(key)
        now = data(browser, "toy")
        P = nid.make_projection("fastfood", D=1000, d=d, seed=int(now["draw"]), backend=backend).to_dense()
        share = toy.optimum(np.zeros(1000), P)[1] / 385
        assert now["d"] == str(d) and float(now["share"]) == pytest.approx(share, abs=1e-4)
        assert float(now["mean"]) == nid.expected_share(d)
    browser.run("document.querySelector('.explore-toy button').click()")
    assert data(browser, "toy")["draw"] == "1"


def test_drag_d_on_the_digits(browser, site):
    browser.open(site + "explore/digits.html")
    browser.wait_for("document.querySelector('.explore-digits').dataset.ready")
    numbers = numbers_of("explore/digits.html")
    x, y, width = browser.run("(() => { const r = document.querySelector('.explore-digits input').getBoundingClientRect(); "
                              "return [r.left, r.top + r.height / 2, r.width]; })()")  # fmt: skip
    browser.drag((x + width / 2, y), (x + width - 2, y))
    last = numbers["by_d"][-1]
    assert data(browser, "digits")["d"] == str(last["d"])
    browser.run("document.querySelector('.explore-digits input').focus()")
    browser.key("ArrowLeft")
    now, entry = data(browser, "digits"), numbers["by_d"][-2]
    assert now["d"] == str(entry["d"]) and now["bytes"] == str(entry["bytes"])
    assert float(now["accuracy"]) == entry["accuracy"]
    assert int(now["right"]) == sum(a == b for a, b in zip(entry["says"], numbers["labels"], strict=True))
    assert nid.load_dataset("digits").test.labels[:20].tolist() == numbers["labels"]
    # the reading is that of the package
    d = [x["d"] for x in numbers["by_d"] for _ in x["runs"]]
    runs = [p for x in numbers["by_d"] for p in x["runs"]]
    reading = nid.d_int(d, runs, threshold=numbers["threshold"])
    assert reading.first_above == int(re.search(r"above the line: (\d+)", numbers["summary"])[1])
    assert reading.d == pytest.approx(numbers["d_int"], rel=0.02)


def test_the_curve_of_the_digits_is_the_estimators_own(browser, site):
    browser.open(site + "explore/digits.html")
    browser.wait_for("document.querySelector('.explore-digits').dataset.ready")
    numbers = numbers_of("explore/digits.html")
    runs = {x["d"]: np.array(x["runs"]) for x in numbers["by_d"]}
    pairs = [(d, p) for d, ps in runs.items() for p in ps]
    found = nid.d_int(*zip(*pairs, strict=True), threshold=numbers["threshold"])
    own, drawn = curve_of(found, runs), numbers["curve"]
    d = np.array(drawn["d"])
    assert own is not None and len(d) > 60 and min(drawn["p"]) >= 0
    np.testing.assert_allclose(drawn["p"], own.performance(d), atol=1e-3)
    assert np.array_equal(drawn["near"], own.near(d) > 0.5)
    # what stands on the screen: all of it dashed, and solid where it is near
    lines = browser.run(
        "[...document.querySelectorAll('.explore-digits polyline.law')].map((e) => e.points.length)"
    )
    assert lines == [len(d), sum(drawn["near"])]
