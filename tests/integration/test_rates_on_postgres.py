"""Rates in Postgres: an import is one transaction and idempotent; copies follow it; waiting payments wake."""

from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from actors.rates import REFRESH_S, RateTable, Stored, store
from engine.accounts.rate_book import DatedRate
from engine.outside import Rate
from serve import cli
from serve.embedded.postgres import EmbeddedPostgres
from serve.embedded.run_folder import RunFolder, exclusive
from tests.support.postgres import new_database, server_url

DAY = date(2026, 11, 10)
RATES = [DatedRate("EUR", "USD", DAY, 110, 100), DatedRate("EUR", "INR", DAY, 9_350, 100)]


def test_an_import_is_idempotent_and_a_corrected_rate_replaces_the_first(database_url: str) -> None:
    assert store(database_url, RATES) == Stored(added=2, changed=0, same=0)
    assert store(database_url, RATES) == Stored(added=0, changed=0, same=2)
    assert store(database_url, [DatedRate("EUR", "USD", DAY, 111, 100)]) == Stored(added=0, changed=1, same=0)


def test_a_copy_follows_the_table_and_reads_only_what_is_new(database_url: str) -> None:
    table = RateTable(database_url)
    table.follow()
    assert table.rate("USD", "INR", DAY) is None
    store(database_url, RATES)
    assert table.refresh() == 2
    assert table.rate("USD", "INR", DAY) == Rate(DAY, 85, 1)
    assert table.refresh() == 0
    store(database_url, [DatedRate("EUR", "INR", DAY, 9_460, 100)])
    assert table.refresh() == 1
    assert table.rate("USD", "INR", DAY) == Rate(DAY, 86, 1)
    table.close()


def test_a_table_that_cannot_be_read_knows_no_rate_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    table = RateTable("postgresql://nobody@127.0.0.1:1/none")
    table.follow()
    assert table.rate("USD", "INR", DAY) is None
    assert "cannot be read now" in caplog.text
    table.close()


def test_payments_that_wait_for_a_rate_wake_soon_after_an_import_and_others_do_not(database_url: str) -> None:
    due = datetime(2099, 1, 1, tzinfo=UTC)
    with psycopg.connect(database_url, autocommit=True) as connection:
        put = (
            "INSERT INTO timers (slot, entity_id, timer_id, due, body, wakes, tries) "
            "VALUES (1, 'main/u', %s, %s, '', %s, 0)"
        )
        for timer_id in ("rate:T1", "hold:T1"):
            connection.execute(put, (timer_id, due, due))
        store(database_url, RATES)
        woken = "SELECT timer_id FROM timers WHERE wakes < now() + %s * interval '1 second' AND due = %s"
        assert connection.execute(woken, (REFRESH_S + 60, due)).fetchall() == [("rate:T1",)]


def test_the_import_command_stores_a_file_and_says_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("Date,USD,CYP\n2026-11-10,1.1,0.58\n")
    with new_database(server_url()) as url:
        monkeypatch.setenv("BOOND_POSTGRES_URL", url)
        assert cli.main(["rates", "import", str(path)]) == 0
        assert "1 rates added, 0 changed, 0 known already; left out" in capsys.readouterr().out
        path.write_text("base,quote,day,rate\nUSD,INR,2026-11-10,84\nUSD,INR,2026-11-11,x\n")
        assert cli.main(["rates", "import", str(path)]) == 1
        assert "line 3, column rate" in capsys.readouterr().err
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM rates").fetchone() == (1,)


def test_the_import_command_works_with_its_own_postgres_and_beside_a_running_boond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BOOND_POSTGRES_URL", raising=False)
    tmp_path.chmod(0o711)
    data = tmp_path / "data"
    path = tmp_path / "rates.csv"
    path.write_text("base,quote,day,rate\nUSD,INR,2026-11-10,84\n")
    command = ["rates", "import", "--data", str(data), str(path)]
    assert cli.main(command) == 0
    run = RunFolder(data)
    with exclusive(data):
        run.make()
        with EmbeddedPostgres(data, run.postgres):
            assert cli.main(command) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 rates added, 0 changed, 0 known already",
        "0 rates added, 0 changed, 1 known already",
    ]
    run.remove()
