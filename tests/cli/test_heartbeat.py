"""What is being done, now and then."""

import logging
import re
import time

from tests.serving import shop
from tfadrec.cli.heartbeat import heartbeat
from tfadrec.data import sources


def test_the_newest_message_is_told(monkeypatch, capsys):
    monkeypatch.setattr("tfadrec.core.progress.LINE_SECONDS", 0.05)
    logger = logging.getLogger("tfadrec.data.something")
    with heartbeat("tfadrec.data"):
        logger.info("Reading %s", "log.csv")
        logger.debug("not this")
        told = []
        deadline = time.monotonic() + 60
        while len(told) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            told += capsys.readouterr().err.splitlines()
    told += capsys.readouterr().err.splitlines()
    for line in told:
        assert re.fullmatch(r"Reading log\.csv, \d+ s so far", line)
    time.sleep(0.2)
    logger.info("not this either")
    assert capsys.readouterr().err == ""
    assert logging.getLogger("tfadrec.data").level == logging.NOTSET
    assert logging.getLogger("tfadrec.data").propagate


def test_warnings_are_printed_at_once(capsys, caplog):
    """Once, whatever handlers the root has, and as what no terminal obeys."""
    logger = logging.getLogger("tfadrec.data.something")
    with heartbeat("tfadrec.data"):
        logger.warning("Not %s", "\x1b[31mthere")
        assert not caplog.messages
        assert capsys.readouterr().err == "Not \\x1b[31mthere\n"


def test_quick_work_leaves_no_line(capsys):
    begun = time.monotonic()
    with heartbeat("tfadrec.data"):
        pass
    assert time.monotonic() - begun < 5
    assert capsys.readouterr() == ("", "")


def test_preparing_says_what_it_does(tmp_path, caplog):
    config = shop.write(tmp_path / "shop")
    with caplog.at_level(logging.INFO, "tfadrec.data"):
        sources.prepare_table(config, tmp_path / "out")
    told = [re.sub(r"[0-9,]+ rows/s", "? rows/s", m) for m in caplog.messages]
    assert told == [
        "Reading ads.csv",
        "Reading ads.csv: 9 rows, ? rows/s",
        "Reading users.csv",
        "Reading users.csv: 7 rows, ? rows/s",
        "Reading events.csv",
        "Reading events.csv: 70 rows, ? rows/s",
        "Reading log.csv",
        "Reading log.csv: 119 rows, ? rows/s",
        f"Writing {tmp_path / 'out'}",
        "Writing events, part 1 of 1",
        "Writing impressions, part 1 of 1",
    ]
