"""One PostgreSQL for a whole test session: yours at `BOOND_TEST_POSTGRES_URL`, else an embedded, temporary one."""

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

from serve.embedded.postgres import EmbeddedPostgres


@functools.cache
def server_url() -> str:
    """Return the address of a server on which the caller may make and drop databases. It ends with this process."""
    if given := os.environ.get("BOOND_TEST_POSTGRES_URL"):
        return given
    folder = Path(tempfile.mkdtemp(prefix="boond-test-"))
    if os.geteuid() == 0:
        # Its socket must be reached by the user Postgres runs as.
        folder.chmod(0o711)
    parameters = {"max_connections": "200", "shared_buffers": "64MB"}
    server = EmbeddedPostgres(folder / "data", folder / "pg", parameters=parameters)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.stop)
    return server.start()
