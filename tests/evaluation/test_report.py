import dataclasses
import html.parser

import pytest

from tfadrec.core.errors import InputError
from tfadrec.evaluation import evaluate, write_report
from tfadrec.evaluation.page import check_page

VERSION_1 = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; margin: 0.5rem 0 1rem; }
th, td { padding: 0.2rem 0.8rem; border-bottom: 1px solid #ddd;
         text-align: right; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, table.text td { text-align: left; }
figure { display: inline-block; margin: 0 1rem 1rem 0; }
p, figcaption { color: #555; }
"""
HOSTILE = "<script>alert('x')</script> & \"more\""


class Page(html.parser.HTMLParser):
    """Every tag and attribute, every table's cells, and the plots' dots."""

    VOID = ("meta", "rect", "line", "polyline", "circle")

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open = [], [], []
        self.tables, self.titles = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID or tag == "circle":
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "title":
            self.titles.append("")

    def handle_endtag(self, tag):
        if tag not in self.VOID or tag == "circle":
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif self.open and self.open[-1] == "title":
            self.titles[-1] += data


@pytest.fixture
def evaluations(model, random_dataset):
    train = random_dataset(30)
    return {
        HOSTILE: [
            evaluate(model, random_dataset(seed=s), train=train) for s in (1, 2)
        ],
        "popularity": [evaluate(model, random_dataset(seed=3))],
    }


@pytest.fixture
def page(tmp_path, evaluations):
    path = tmp_path / "deep" / "report.html"
    ads = [
        {"title": HOSTILE, "tags": ["news", HOSTILE], "pctr": 0.123456},
        {"title": "Ångström ~ 渋谷", "tags": [], "pctr": 0.01},
    ]
    write_report(path, HOSTILE, evaluations, ads, {"seed": 7, HOSTILE: HOSTILE})
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def test_the_numbers_are_the_evaluations(page, evaluations):
    comparison, slices, popularity = page.tables[:3]
    text, other = evaluations[HOSTILE]
    auc = [e.metrics["clicked"]["auc"] for e in (text, other)]
    row = {cells[0]: cells[1:] for cells in comparison}["auc"]
    assert row[0].startswith(
        f"{sum(auc) / 2:.4f} ± {abs(auc[0] - auc[1]) / 2**0.5:.4f}"
    )
    assert slices == text.rows("clicked")
    assert popularity == evaluations["popularity"][0].rows("clicked")
    assert slices[0] == ["clicked", "all", *text.slices]
    assert slices[1][1] == f"{auc[0]:.4f}"


def test_the_plot_shows_every_bin(page, evaluations):
    bins = [
        point
        for runs in evaluations.values()
        for point in runs[0].reliability["clicked"]
    ]
    assert page.titles[1:] == [
        f"predicted {b.predicted:.4f}, observed {b.observed:.4f}, "
        f"{b.count} impressions"
        for b in bins
    ]
    centres = [float(v) for k, v in page.attributes if k == "cx"]
    largest = max(max(b.predicted, b.observed) for b in bins[:10])
    # The square starts 48 from the left and is 200 wide.
    assert centres[:10] == [
        pytest.approx(48 + 200 * b.predicted / largest, abs=0.05)
        for b in bins[:10]
    ]


def test_recommendations_and_facts(page):
    assert page.tables[-2] == [
        ["rank", "title", "tags", "pctr"],
        ["1", HOSTILE, f"news, {HOSTILE}", "0.1235"],
        ["2", "Ångström ~ 渋谷", "", "0.0100"],
    ]
    assert page.tables[-1] == [
        ["fact", "value"],
        ["seed", "7"],
        [HOSTILE, HOSTILE],
    ]


def test_no_script_and_nothing_from_outside(page):
    assert page.titles[0] == HOSTILE
    assert "script" not in page.tags
    names = {name for name, _ in page.attributes}
    assert not names & {"src", "href", "onclick", "onload"}


def test_without_recommendations_and_facts(tmp_path, evaluations):
    path = tmp_path / "report.html"
    write_report(path, "Old", evaluations)
    write_report(path, "Plain", evaluations)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "Recommendations" not in text
    assert "Facts" not in text


def test_what_others_wrote_is_kept(tmp_path, evaluations):
    path = tmp_path / "report.html"
    path.write_text("my notes")
    with pytest.raises(InputError, match="place of a report"):
        write_report(path, "Plain", evaluations)
    with pytest.raises(InputError, match="place of a report"):
        check_page(path)
    assert path.read_text() == "my notes"


def test_a_page_of_version_1_is_replaced(tmp_path, evaluations):
    """It had another style, and no comment at its end."""
    path = tmp_path / "report.html"
    path.write_text(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Old</title>\n<style>{VERSION_1}</style>\n</head>\n"
        "<body>\n<h1>Old</h1>\n</body>\n</html>\n"
    )
    write_report(path, "New", evaluations)
    assert "<h1>New</h1>" in path.read_text(encoding="utf-8")


def test_parts_stand_before_and_after(tmp_path, evaluations):
    path = tmp_path / "report.html"
    parts = {
        "before": ["<h2>First</h2>"],
        "calibration": ["<h2>Calibrated</h2>"],
        "after": ["<h2>Last</h2>"],
    }
    write_report(path, "Whole", evaluations, **parts)
    text = path.read_text(encoding="utf-8")
    order = ("First", "Calibration", "Calibrated", "Slices", "Last")
    places = [text.index(f"<h2>{h}</h2>") for h in order]
    assert places == sorted(places)


def test_every_task_has_tables_and_a_plot(tmp_path, model, random_dataset):
    """Also one that has nothing to plot."""
    dataset = random_dataset(tasks=("clicked", "converted"))
    dataset.logits["converted_if_clicked"] = dataset.logits["clicked"]
    dataset.impressions.labels["clicked"][:] = 0
    evaluation = evaluate(model, dataset)
    path = tmp_path / "report.html"
    write_report(path, "Plain", {"one": [evaluation]})
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    tasks = ["clicked", "converted", "converted_if_clicked"]
    # One evaluation alone is compared with none.
    assert [table[0][0] for table in page.tables] == tasks
    labels = [v for k, v in page.attributes if k == "aria-label"]
    assert labels == [f"Reliability of one, {task}" for task in tasks]
    assert page.tags.count("circle") == 20
    assert "first seed" not in path.read_text(encoding="utf-8")


def test_many_slices_are_in_several_tables(tmp_path, evaluations):
    """Ten columns: six and four, the first of which is in both."""
    (one, *_) = evaluations[HOSTILE]
    slices = {f"hour={n}": one.metrics for n in range(9)}
    path = tmp_path / "report.html"
    many = dataclasses.replace(one, slices=slices)
    write_report(path, "Plain", {"ranker": [many]})
    page = Page(path.read_text(encoding="utf-8"))
    first, second = page.tables
    assert first[0] == ["clicked", "all", *list(slices)[:5]]
    assert second[0] == ["clicked", *list(slices)[5:]]
    assert first[1][0] == second[1][0] == "auc"
    assert str(many).count("normalized_entropy") == 2


def test_choices_are_shown(tmp_path, evaluations):
    path = tmp_path / "report.html"
    brought = {"log": {"ctr@1": 0.25}, "ranker": {"ctr@1": float("nan")}}
    write_report(path, "Plain", evaluations, choices=brought)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.tables[-1] == [
        ["choices by", "ctr@1"],
        ["log", "0.2500"],
        ["ranker", "nan"],
    ]


def test_nothing_to_report_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least one evaluation of every"):
        write_report(tmp_path / "report.html", "Empty", {})
    assert not (tmp_path / "report.html").exists()
