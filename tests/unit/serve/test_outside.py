"""Codes and their digests: random, keyed by the folder, the same in every process of it."""

from pathlib import Path

import msgspec

from serve.auth.keys import load_or_create
from serve.outside import Secrets, of_instance, proof
from serve.settings import RuntimeConfig


def test_codes_are_six_digits_and_not_always_the_same(tmp_path: Path) -> None:
    outside = Secrets(load_or_create(tmp_path / "keys"))
    codes = {outside.new_code() for _ in range(50)}
    assert len(codes) > 40
    assert all(len(code) == 6 and code.isdigit() for code in codes)


def test_a_shard_digests_as_the_replica_that_took_the_code_and_another_folder_does_not(tmp_path: Path) -> None:
    config = RuntimeConfig(
        postgres_url="", namespace="n", instance_id="i", shards=1, data=str(tmp_path), version="source"
    )
    keys = load_or_create(tmp_path / "keys")
    shard = of_instance(msgspec.json.encode(config))
    assert shard.digest("c1", "123456") == proof(keys, "c1", "123456")
    assert shard.digest("c2", "123456") != proof(keys, "c1", "123456")
    assert proof(load_or_create(tmp_path / "other"), "c1", "123456") != proof(keys, "c1", "123456")
