"""What a process of ours does first: begin its log and, when they are wanted, its traces."""

import msgspec

from serve.logs.process import begin, folder_of
from serve.settings import RuntimeConfig


def begin_in_replica(config: RuntimeConfig, process: str) -> None:
    """Begin in a process that lives until it is ended from outside."""
    begin(folder_of(config.data), process, config.log_level, config.log_format, access=config.access_log)
    if config.traces:
        # Some fifteen megabytes and a third of a second, only for those who want it.
        from serve import traces

        traces.begin(config, process)


def begin_in_host(told: bytes, process: str) -> None:
    """Begin in the process of a shard: `told` is the `RuntimeConfig` as `actors.host.HostConfig` carries it."""
    begin_in_replica(msgspec.json.decode(told, type=RuntimeConfig), process)
