"""Which passwords are accepted, and that hashing is bounded and tells nothing by its work."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator

import argon2
import pytest

from serve.auth.errors import Busy, InputRefused
from serve.auth.passwords import MEMORY_KIB, NICENESS, PASSES, Passwords, check_password

GOOD = "correct horse battery 9!"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    cheap = Passwords(threads=1, memory_kib=8, passes=1)
    yield cheap
    cheap.close()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Every hash waits until the event is set."""
    release = threading.Event()

    def wait(*_: object) -> str:
        release.wait(30)
        return "hashed"

    monkeypatch.setattr(argon2.PasswordHasher, "hash", wait)
    yield release
    release.set()


@pytest.mark.parametrize("password", [GOOD, "x7#kQ2!z", "पासवर्ड-नमस्ते", "z" * 200 + "9" * 56])
def test_long_enough_and_uncommon_is_enough(password: str) -> None:
    assert check_password(password)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short 7",
        "e\u0301" * 7,
        "e" * 7 + "\u0301",
        "x" * 257,
        "\ufdfa" * 100,
        "with\0a NUL",
        "with\na line",
        "lone \ud800 surrogate",
    ],
)
def test_too_short_too_long_or_unprintable_is_refused(password: str) -> None:
    with pytest.raises(InputRefused) as refused:
        check_password(password)
    assert refused.value.field == "password"


@pytest.mark.parametrize("password", ["password", "Password123", "QWERTYUIOP", "12345678", "ｐａｓｓｗｏｒｄ"])
def test_the_most_common_are_refused_in_any_case_and_width(password: str) -> None:
    with pytest.raises(InputRefused, match="common"):
        check_password(password)


@pytest.mark.parametrize("password", ["Asha.Patil@Example.com", "asha.patil"])
def test_the_email_is_no_password(password: str) -> None:
    with pytest.raises(InputRefused, match="e-mail"):
        check_password(password, "asha.patil@example.com")


async def test_a_password_fits_its_own_hash_only(passwords: Passwords) -> None:
    stored = await passwords.hash(GOOD)
    assert await passwords.verify(GOOD, stored)
    assert not await passwords.verify(GOOD + "!", stored)
    assert not await passwords.verify("", stored)


async def test_two_hashes_of_one_password_differ(passwords: Passwords) -> None:
    assert await passwords.hash(GOOD) != await passwords.hash(GOOD)


async def test_composed_and_decomposed_letters_are_one_password(passwords: Passwords) -> None:
    assert await passwords.verify("cafe\u0301 au lait", await passwords.hash("caf\u00e9 au lait"))


async def test_a_password_longer_than_allowed_is_not_cut_to_fit(passwords: Passwords) -> None:
    stored = await passwords.hash("x9" * 128)
    assert not await passwords.verify("x9" * 128 + "more", stored)


@pytest.mark.parametrize("password", ["with\0NUL", "lone \ud800", "x" * 100_000])
async def test_an_impossible_password_is_simply_wrong(passwords: Passwords, password: str) -> None:
    assert not await passwords.verify(password, await passwords.hash(GOOD))


async def test_an_unknown_account_costs_the_same_work(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    real = argon2.PasswordHasher.verify

    def spy(self: argon2.PasswordHasher, stored: str, password: str) -> bool:
        checked.append(stored)
        return real(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", spy)
    stored = await passwords.hash(GOOD)
    for password, known in ((GOOD, stored), (GOOD, None), ("with\0NUL", stored), ("", None)):
        await passwords.verify(password, known)
    assert len(checked) == 4
    shipped = argon2.extract_parameters(stored)
    assert all(argon2.extract_parameters(each) == shipped for each in checked)


async def test_the_shipped_cost_is_argon2id_at_the_owasp_minimum() -> None:
    shipped = Passwords(threads=1)
    found = argon2.extract_parameters(await shipped.hash(GOOD))
    shipped.close()
    assert (found.type, found.memory_cost, found.time_cost, found.parallelism) == (argon2.Type.ID, 19_456, 2, 1)
    assert (MEMORY_KIB, PASSES) == (19_456, 2)


async def test_another_cost_asks_for_a_new_hash(passwords: Passwords) -> None:
    stored = await passwords.hash(GOOD)
    dearer = Passwords(threads=1, memory_kib=16, passes=1)
    assert not passwords.needs_rehash(stored)
    assert dearer.needs_rehash(stored)
    assert not dearer.needs_rehash(await dearer.rehash(GOOD))
    dearer.close()


async def test_hashing_gives_way_to_payments_and_only_hashing_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def priority(_hasher: argon2.PasswordHasher, _password: str) -> str:
        return str(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    monkeypatch.setattr(argon2.PasswordHasher, "hash", priority)
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    passwords = Passwords()
    assert int(await passwords.hash(GOOD)) == NICENESS
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before < NICENESS
    passwords.close()


async def test_a_full_line_is_refused_at_once_with_a_time_to_wait(held: threading.Event) -> None:
    passwords = Passwords(threads=1, waiting_max=1)
    taken = [asyncio.ensure_future(passwords.hash(GOOD)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Busy) as busy:
        await passwords.hash(GOOD)
    assert busy.value.retry_after_s >= 1
    held.set()
    assert await asyncio.gather(*taken) == ["hashed", "hashed"]
    assert await passwords.hash(GOOD) == "hashed"
    passwords.close()


async def test_a_caller_that_hangs_up_does_not_free_the_thread_it_keeps_busy(held: threading.Event) -> None:
    passwords = Passwords(threads=1, waiting_max=0)
    gone = asyncio.ensure_future(passwords.hash(GOOD))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    with pytest.raises(Busy):
        await passwords.hash(GOOD)
    held.set()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert await passwords.hash(GOOD) == "hashed"
            break
        except Busy:
            await asyncio.sleep(0.001)
    else:
        pytest.fail("the thread never came free")
    passwords.close()
