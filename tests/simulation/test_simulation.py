"""Worlds that must come to rest with nothing wrong, and worlds with a defect put in, which the oracle must notice."""

import random

import pytest

from actors.shard import EntityShard
from tests.simulation.oracle import violations
from tests.simulation.world import simulate

FRESH = [random.SystemRandom().randrange(2**40) for _ in range(3)]


@pytest.mark.parametrize("seed", [*range(1, 11), *FRESH])
def test_a_world_comes_to_rest_with_nothing_wrong(seed: int) -> None:
    wrong = violations(simulate(seed))
    assert not wrong, f"make simulate SEEDS={seed}: {wrong[:5]}"


def test_the_same_seed_is_the_same_world() -> None:
    worlds = [simulate(7) for _ in range(2)]
    assert worlds[0].history.notes == worlds[1].history.notes
    assert worlds[0].database.committed == worlds[1].database.committed
    assert [call.outcome for call in worlds[0].history.calls] == [call.outcome for call in worlds[1].history.calls]


def test_the_oracle_notices_a_commit_at_a_stale_term() -> None:
    assert any(line.startswith("double activation") for line in violations(simulate(22, fences=False)))


def test_the_oracle_notices_an_answer_from_the_memory_of_a_stale_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unasked(_shard: EntityShard) -> bool:
        return True

    monkeypatch.setattr(EntityShard, "_confirm", unasked)
    assert any(line.endswith("(stale)") for seed in (1, 4, 12) for line in violations(simulate(seed)))
