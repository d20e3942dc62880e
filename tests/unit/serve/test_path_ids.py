"""An id in a path that nobody can have is not found; it never reaches a shard or the database."""

from types import SimpleNamespace
from typing import Any

import pytest

from serve.api.routing import ID_LENGTH_MAX, _path
from serve.problems import Trouble


def request(value: str) -> Any:
    """Return a request as far as its path goes."""
    return SimpleNamespace(path_params={"jar_id": value})


@pytest.mark.parametrize("value", ["a\0b", "a\nb", "x" * (ID_LENGTH_MAX + 1), "\ud800"])
def test_an_id_that_cannot_be_stored_is_not_found(value: str) -> None:
    with pytest.raises(Trouble) as trouble:
        _path(request(value))
    assert trouble.value.status == 404


def test_any_other_id_goes_on() -> None:
    assert _path(request("0192-ab:c")) == {"jar_id": "0192-ab:c"}
