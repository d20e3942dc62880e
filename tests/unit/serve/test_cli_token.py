"""`boond token`: what it cannot do is said in a line, and it opens nothing to others."""

from pathlib import Path

import pytest

from serve.cli import main


def token(data: Path, *more: str, user: str = "asha") -> int:
    return main(["token", "--data", str(data), "--user", user, *more])


@pytest.mark.parametrize(
    ("user", "more", "words"),
    [("a b", (), "user_id: expected"), ("asha", ("--lifetime-s", "0"), "lifetime_s: expected")],
)
def test_what_no_token_can_say_is_an_error_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], user: str, more: tuple[str, ...], words: str
) -> None:
    assert token(tmp_path, *more, user=user) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(f"boond: {words}")
    assert shown.out == ""


def test_a_key_that_others_may_read_is_an_error_that_names_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token(tmp_path)
    (tmp_path / "keys" / "root.secret").chmod(0o644)
    assert token(tmp_path) == 1
    assert "root.secret: mode 0644 lets others read it" in capsys.readouterr().err


@pytest.mark.parametrize("more", [("--count", "0"), ("--count", "-1"), ("--role", "auditor")])
def test_a_wrong_flag_is_refused_rather_than_answered_with_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit):
        token(tmp_path, *more)
    assert more[0] in capsys.readouterr().err


def test_a_data_folder_it_makes_is_closed_to_others(tmp_path: Path) -> None:
    assert token(tmp_path / "data") == 0
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
