"""A tenant's turns in the order of commits: held against the double and real Postgres alike."""

from msgspec import structs

from actors.journal import BEGINNING, TENANT_PAGE_BYTES, Journal, StoredTurn, TenantPosition, TenantTurn
from tests.support.rows import turn


async def read_all(journal: Journal, tenant: str, limit: int) -> list[TenantTurn]:
    """Read page by page until nothing is left."""
    found: list[TenantTurn] = []
    while page := await journal.turns_of_tenant(tenant, found[-1].position if found else BEGINNING, limit):
        assert len(page) <= limit
        found += page
    return found


def keys(found: list[TenantTurn]) -> list[tuple[str, int]]:
    return [(one.position.entity_id, one.position.seq) for one in found]


async def test_every_turn_of_a_tenants_users_comes_once_and_in_the_order_of_commits(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("main/v", 1), turn("main/u", 1), turn("main/u", 2)])
    await journal.commit(0, term, [turn("main/a", 1), turn("main/u", 3)])
    for limit in (1, 2, 3, 100):
        found = await read_all(journal, "main", limit)
        assert sorted(keys(found)) == [("main/a", 1), ("main/u", 1), ("main/u", 2), ("main/u", 3), ("main/v", 1)]
        assert {one.position.entity_id for one in found[:3]} == {"main/u", "main/v"}
        assert [seq for entity, seq in keys(found) if entity == "main/u"] == [1, 2, 3]
        assert [one.position for one in found] == sorted(one.position for one in found)
    row = turn("main/v", 1).row
    [stored] = [one.turn for one in found if one.position.entity_id == "main/v"]
    assert stored == StoredTurn(1, row.command_id, row.at, row.body, row.chain, row.meta)


async def test_groups_and_other_tenants_are_not_among_them(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    others = ["main/~g", "acme/u", "mai/u", "mainly/u", "acme/~main"]
    await journal.commit(0, term, [turn("main/u", 1), *(turn(entity_id, 1) for entity_id in others)])
    assert keys(await read_all(journal, "main", 10)) == [("main/u", 1)]
    assert keys(await read_all(journal, "acme", 10)) == [("acme/u", 1)]
    assert await read_all(journal, "ma_n", 10) == []


async def test_the_newest_is_the_last_that_reading_reaches(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    assert await journal.newest_of_tenant("main") == BEGINNING
    await journal.commit(0, term, [turn("main/u", 1), turn("main/v", 1), turn("main/~g", 1)])
    newest = await journal.newest_of_tenant("main")
    assert newest == (await read_all(journal, "main", 10))[-1].position
    assert await journal.turns_of_tenant("main", newest, 10) == []
    await journal.commit(0, term, [turn("main/u", 2)])
    assert keys(await journal.turns_of_tenant("main", newest, 10)) == [("main/u", 2)]


async def test_a_position_that_no_turn_has_is_a_place_too(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    await journal.commit(0, term, [turn("main/u", 1)])
    [one] = await read_all(journal, "main", 10)
    before = TenantPosition(one.position.xact, one.position.slot, "main/", 0)
    assert len(await journal.turns_of_tenant("main", before, 10)) == 1
    assert await journal.turns_of_tenant("main", TenantPosition(2**62, 0, "", 0), 10) == []


async def test_a_page_ends_with_the_turn_that_fills_its_bytes(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    for seq in range(1, 6):
        one = turn("main/u", seq)
        large = structs.replace(one.row, body=bytes(TENANT_PAGE_BYTES if seq == 4 else TENANT_PAGE_BYTES // 2))
        await journal.commit(0, term, [structs.replace(one, row=large)])
    pages, after = [], BEGINNING
    while page := await journal.turns_of_tenant("main", after, 100):
        pages.append([found.position.seq for found in page])
        after = page[-1].position
    assert pages == [[1, 2], [3, 4], [5]]


async def test_whatever_was_read_lies_below_what_is_unsettled(journal: Journal) -> None:
    term = await journal.claim(0, 1, "a")
    for seq in (1, 2, 3):
        await journal.commit(0, term, [turn("main/u", seq)])
        [last] = (await read_all(journal, "main", 10))[-1:]
        assert last.position.xact < await journal.first_unsettled()
