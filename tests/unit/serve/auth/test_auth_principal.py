"""Who may be named, and under which names the rest of the house knows a principal."""

import pytest

from serve.auth.errors import InputRefused
from serve.auth.principal import Principal, Role, check_tenant, check_user_id


def principal(role: Role, user_id: str = "asha") -> Principal:
    return Principal(user_id=user_id, tenant="main", role=role, session="s", expires_at=1)


@pytest.mark.parametrize(
    ("role", "origin", "name"),
    [
        ("user", "user", "user:main/asha"),
        ("service", "service:asha", "service:main/asha"),
        ("admin", "user", "admin:main/asha"),
    ],
)
def test_origin_and_name_come_from_the_credential(role: Role, origin: str, name: str) -> None:
    asked = principal(role)
    assert (asked.origin, asked.name, asked.entity_id) == (origin, name, "main/asha")


@pytest.mark.parametrize("user_id", ["a", "0", "01985f3e-7c1a-7000-8000-000000000000", "a@b.c:d+e-f_g", "x" * 128])
def test_user_ids_of_wallets_are_accepted(user_id: str) -> None:
    assert check_user_id(user_id) == user_id


@pytest.mark.parametrize("user_id", ["", "a/b", "../x", ".hidden", "-x", "a b", "a\n", "a\0", "é", "x" * 129])
def test_user_ids_that_could_escape_an_entity_id_are_refused(user_id: str) -> None:
    with pytest.raises(InputRefused) as refused:
        check_user_id(user_id)
    assert refused.value.field == "user_id"


@pytest.mark.parametrize("tenant", ["", "Main", "a/b", "a\n", "x" * 64])
def test_tenants_are_slugs(tenant: str) -> None:
    assert check_tenant("main") == "main"
    with pytest.raises(InputRefused):
        check_tenant(tenant)
