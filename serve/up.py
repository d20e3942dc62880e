"""`boond up`: start everything in order, say when it serves, watch it, stop it in order.

Order: preflight, lock, leftovers, Postgres, Redis, migrations, Ray, shards, Serve, readiness. Stopping is the way back.
Ray is imported only after its environment is set, so it appears in no import at the top here.
"""

import asyncio
import http.client
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from types import FrameType

from msgspec import Struct

from serve import preflight
from serve.auth.keys import load_or_create
from serve.embedded import capacity, haproxy, processes, run_folder
from serve.embedded.postgres import EmbeddedPostgres
from serve.embedded.ray_node import RayNode, ray_environment
from serve.embedded.redis import EmbeddedRedis, RedisFailed
from serve.embedded.redis import binary as redis_binary
from serve.embedded.run_folder import RunFolder
from serve.logs.process import begin
from serve.settings import RuntimeConfig, Settings, runtime_config

_log = logging.getLogger(__name__)

READY_PATH = "/api/v1/health/ready"
READY_S = 90.0
DRAIN_S = 15.0
CONNECTIONS_A_SHARD, CONNECTIONS_A_REPLICA = 4, 8
RESTARTS_MAX = 3
"""Deaths of Postgres within `RESTARTS_WINDOW_S` after which `up` gives up."""
RESTARTS_WINDOW_S = 60.0
ECHO_S = 1.0
"""Within this time of the first signal a second is an echo of it, not impatience."""


class PartDied(RuntimeError):
    """A part that `up` started ended by itself, or never became ready."""


class Hastened(BaseException):
    """A second signal: leave the present step and go on with the next."""


class Parts(Struct, frozen=True, kw_only=True):
    """What others bring: migrations, shards and the two apps. The defaults are the real ones, imported when used."""

    migrate: Callable[[str], None] | None = None
    start_shards: Callable[[int, RuntimeConfig], None] | None = None
    drain: Callable[[RuntimeConfig], None] | None = None
    live_builder: str = "serve.composition:live_app"
    api_builder: str = "serve.composition:api_app"
    ready_path: str = READY_PATH


class Clock:
    """How long each part of the start took, for the log and the benchmark."""

    def __init__(self) -> None:
        self.began = self._last = time.monotonic()
        self.seconds: dict[str, float] = {}

    def lap(self, part: str) -> None:
        """Note the time since the last lap as this part's."""
        now = time.monotonic()
        self.seconds[part] = now - self._last
        self._last = now

    def report(self) -> str:
        """Return it as a line."""
        parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.seconds.items())
        return f"up in {self._last - self.began:.1f} s ({parts})"


class Signals:
    """SIGINT and SIGTERM, installed explicitly: a shell ignores SIGINT for `&`, and Ray takes SIGTERM for itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self._clock = clock
        self._first_at = 0.0

    def install(self) -> None:
        """Take both signals, also from who took them meanwhile."""
        signal.signal(signal.SIGINT, self._arrive)
        signal.signal(signal.SIGTERM, self._arrive)

    def _arrive(self, _signum: int, _frame: FrameType | None) -> None:
        now = self._clock()
        if self.count == 0:
            self._first_at = now
        elif now - self._first_at < ECHO_S:
            # `timeout`, `make` and process managers signal the process and its group: one wish, heard twice.
            return
        self.count += 1
        if self.count > 1:
            raise Hastened


def say(text: str) -> None:
    """Tell the person at the terminal, and the log; standard output is kept for `ready`."""
    _log.info("%s", text)
    sys.stderr.write(f"boond: {text}\n")
    sys.stderr.flush()


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Carry out one step of stopping; a second signal or an error in it leads to the next step, never past it."""
    try:
        yield
    except Hastened:
        say(f"not waiting for {name}")
    except Exception as error:
        say(f"stopping {name}: {error!r}")


class Instance:
    """One running Boond: what has been started, and how to watch and stop it."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings = settings
        self.parts = parts
        self.data: Path = settings.data_folder
        self.run = RunFolder(self.data)
        self.clock = Clock()
        self.signals = Signals()
        self.postgres: EmbeddedPostgres | None = None
        self.redis: EmbeddedRedis | None = None
        self.ray: RayNode | None = None
        self._stops = ExitStack()
        self._deaths: list[float] = []
        self.failed = False
        """Then the run folder stays, as the logs of Ray and Serve are in it."""

    def start(self) -> None:
        """Start every part in order and return when requests are answered. What started is stopped by `stop`."""
        self.signals.install()
        for finding in preflight.insist(self.settings, port_too=False):
            say(f"{finding.part}: {finding.found}. {finding.mend}")
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._stops.enter_context(run_folder.exclusive(self.data))
        self._stops.callback(begin(self.data / "logs", "up", self.settings.log_level, self.settings.log_format))
        # Read here, so that a file that cannot be used is named at once, and not half a minute later by a replica.
        load_or_create(self.data / "keys")
        self._end_leftovers()
        preflight.insist_on_port(self.settings)
        self.clock.lap("preflight")
        for step in (self._start_postgres, self._start_ray, self._start_shards, self._start_serve, self._await_ready):
            if self.signals.count == 0:
                step()
                self.signals.install()

    def watch(self) -> None:
        """Return after the first signal. Raises PartDied when a part ends by itself; Postgres is revived first."""
        while self.signals.count == 0:
            time.sleep(0.2)
            postgres_ended = self.postgres is not None and not self.postgres.is_alive()
            part = self.ray.dead() if self.ray else None
            if self.signals.count:
                # It went to the whole group: what has ended did as it was told.
                return
            if self.postgres and postgres_ended:
                self._revive(self.postgres)
            if self.redis and not self.redis.is_alive():
                self._revive_redis(self.redis)
            if part:
                raise PartDied(f"Ray's {part} ended by itself; its logs are in {self.run.ray}/session_latest/logs")

    def before_stopping(self, act: Callable[[], None]) -> None:
        """Have `act` called first of all when stopping."""
        self._stops.callback(act)

    def stop(self) -> None:
        """Stop what was started, last first. Acknowledged turns are committed already; those in flight are drained."""
        with _step("the rest"):
            self._stops.close()

    def _end_leftovers(self) -> None:
        """End what a `kill -9` of an earlier run left, by its mark; never Postgres, which is adopted."""
        self.run.make()
        # Everything started from here on carries these in its environment, and is known by them.
        os.environ.update({processes.MARKER: self.run.instance, "BOOND_DATA": str(self.data)})
        cluster = self.data / "postgres"

        def leftovers() -> list[processes.Identity]:
            database = {p.pid for p in processes.working_in(cluster)}
            return [p for p in processes.marked(self.run.instance) if p.pid not in database]

        if killed := processes.end_all(leftovers):
            say(f"ended {len(killed)} processes of an earlier run")
        self.run.clear()
        self._stops.callback(self._clean_up, leftovers)

    def _clean_up(self, leftovers: Callable[[], list[processes.Identity]]) -> None:
        with _step("processes left over"):
            processes.end_all(leftovers)
            os.chdir("/")
            if not self.failed:
                self.run.remove()

    def _start_postgres(self) -> None:
        url = self.settings.postgres_url
        if not url:
            parameters = {"max_connections": str(_connections(self.settings))}
            self.postgres = EmbeddedPostgres(self.data, self.run.postgres, parameters=parameters)
            self._stops.callback(self._stop_postgres, self.postgres)
            url = self.postgres.start()
        redis_url = self.settings.redis_url or self._start_redis()
        self.config = runtime_config(
            self.settings, postgres_url=url, instance_id=self.run.instance, redis_url=redis_url
        )
        self.clock.lap("postgres")
        (self.parts.migrate or _migrate)(url)
        self.clock.lap("migrations")

    def _start_redis(self) -> str:
        """Start the embedded Redis; without its wheel, or when it fails, there are no leaderboards, and all else."""
        program = redis_binary()
        if program is None:
            say("no embedded Redis here: leaderboards need BOOND_REDIS_URL")
            return ""
        server = EmbeddedRedis(self.run.redis, program)
        self._stops.callback(server.stop)
        try:
            url = server.start()
        except (RedisFailed, OSError) as error:
            say(f"{error}\nleaderboards need BOOND_REDIS_URL")
            return ""
        self.redis = server
        return url

    def _revive_redis(self, server: EmbeddedRedis) -> None:
        say("redis ended by itself and is started again, empty; leaderboards are filled from the database")
        try:
            server.start()
        except (RedisFailed, OSError) as error:
            say(f"{error}\nthere are no leaderboards until the next start")
            self.redis = None

    def _stop_postgres(self, server: EmbeddedPostgres) -> None:
        with _step("postgres"):
            server.stop()
        with _step("postgres"):
            # Only when the first was cut short.
            server.stop(0.0)

    def _start_ray(self) -> None:
        # A cluster of another's has its own token and its own front door, set where it was started.
        if not self.settings.ray_address:
            if "ray" in sys.modules:
                raise RuntimeError("ray was imported before its environment was set: import it only inside functions")
            binary = haproxy.find_binary(os.environ)
            os.environ.update(ray_environment(self.run))
            connections = capacity.connections_max(
                self.settings.sockets_max, capacity.of_this_machine(), self.settings.live_replicas
            )
            os.environ.update(haproxy.front_door_environment(self.run, binary, connections))
        self.ray = RayNode(self.run, self.config.namespace, self.settings.ray_address)
        self._stops.callback(self._stop_ray, self.ray)
        self.ray.start()
        self.clock.lap("ray")

    def _stop_ray(self, node: RayNode) -> None:
        with _step("ray"):
            # Its parts end in the course of this, and then there is nothing more to wait for.
            self._while_ray_lives(node.stop)
            if node.dead():
                node.abandon()

    def _while_ray_lives(self, act: Callable[[], None], name: str = "") -> None:
        """Carry out a step that needs Ray, but not past Ray's own end, and say so when the step has a name.

        Whoever asks a Ray that is gone waits for a minute. What is left is ended by its mark.
        """
        failed: list[BaseException] = []

        def carry_out() -> None:
            try:
                act()
            except BaseException as error:
                failed.append(error)

        step = Thread(target=carry_out, name=f"stop {name or 'ray'}", daemon=True)
        step.start()
        while step.is_alive():
            step.join(0.1)
            if self.ray and (part := self.ray.dead()):
                if name:
                    say(f"not waiting for {name}: Ray's {part} has ended already")
                return
        if failed:
            raise failed[0]

    def _start_shards(self) -> None:
        self._stops.callback(self._drain)
        (self.parts.start_shards or _start_shards)(self.settings.shards, self.config)
        self.clock.lap("shards")

    def _drain(self) -> None:
        with _step("shards"):
            self._while_ray_lives(lambda: (self.parts.drain or _drain)(self.config), "shards")

    def _start_serve(self) -> None:
        from serve import deploy

        self._stops.callback(self._stop_serve)
        deploy.start(self.settings, self.config, self.parts.live_builder, self.parts.api_builder)
        self.clock.lap("serve")

    def _stop_serve(self) -> None:
        from serve import deploy

        with _step("serve"):
            outlived = bool(self.settings.ray_address)
            self._while_ray_lives(lambda: deploy.stop(outlived=outlived), "serve")

    def _await_ready(self) -> None:
        def answers() -> bool:
            return self.signals.count > 0 or _status(self.settings, self.parts.ready_path) == 200

        if not processes.wait_until(answers, READY_S, poll_s=0.05):
            raise PartDied(
                f"{self.settings.url}{self.parts.ready_path} answers {_status(self.settings, self.parts.ready_path)} "
                f"after {READY_S:.0f} s; logs are in {self.run.ray}/session_latest/logs"
            )
        self.clock.lap("ready")

    def _revive(self, server: EmbeddedPostgres) -> None:
        now = time.monotonic()
        self._deaths = [t for t in self._deaths if now - t < RESTARTS_WINDOW_S] + [now]
        if len(self._deaths) > RESTARTS_MAX:
            raise PartDied(f"postgres ended {len(self._deaths)} times in {RESTARTS_WINDOW_S:.0f} s; see {server.log}")
        say(f"postgres ended by itself and is started again; see {server.log}")
        server.start()


def _connections(settings: Settings) -> int:
    """Return how many connections shards, replicas and tools may need at once."""
    # While replicas are replaced, those that come and those that go live side by side.
    replicas = 2 * (settings.api_replicas + settings.live_replicas)
    return 30 + CONNECTIONS_A_SHARD * settings.shards + CONNECTIONS_A_REPLICA * replicas


def _status(settings: Settings, path: str) -> int:
    """Return the status of a GET to ourselves, 0 when nobody answers."""
    host = settings.url.removeprefix("http://").rpartition(":")[0].strip("[]")
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _migrate(url: str) -> None:
    migrate(url)


def migrate(url: str) -> str:
    """Bring the schema up to date and return its revision. Raises PartDied with the database's own words."""
    from sqlalchemy.exc import DBAPIError

    from actors.migrate import upgrade

    try:
        return upgrade(url)
    except DBAPIError as error:
        raise PartDied(f"the database cannot be used: {str(error.orig).strip()}") from None


def _start_shards(count: int, config: RuntimeConfig) -> None:
    from actors import ray_host
    from serve.composition import host_config

    assert count == config.shards
    asyncio.run(ray_host.start_shards(host_config(config)))


def _drain(config: RuntimeConfig) -> None:
    from actors import ray_host

    transport = ray_host.connect(config.namespace, config.shards)

    async def drain() -> None:
        await asyncio.wait_for(transport.drain(), DRAIN_S)

    try:
        asyncio.run(drain())
    finally:
        transport.kill()


def up(
    settings: Settings, parts: Parts | None = None, when_ready: Callable[[], Callable[[], None]] | None = None
) -> int:
    """Run until a signal; returns the exit code. Prints `ready URL` alone on a line when requests are answered.

    `when_ready` is called then; what it returns is called before anything is stopped.
    Raises what a start can fail with (Unfit, AlreadyRunning, PostgresFailed, WrongCluster, PartDied), all stopped.
    """
    instance = Instance(settings, parts or Parts())
    try:
        instance.start()
        if instance.signals.count == 0:
            say(instance.clock.report())
            sys.stdout.write(f"ready {settings.url}\n")
            sys.stdout.flush()
            if when_ready:
                instance.before_stopping(when_ready())
            instance.watch()
    except Hastened:
        say("stopping at once")
    except BaseException:
        instance.failed = instance.ray is not None
        raise
    finally:
        instance.stop()
    return 0
