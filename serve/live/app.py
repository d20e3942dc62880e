"""The `live` application: nothing but the socket, so that a REST redeploy never touches it."""

from litestar import Litestar
from litestar.datastructures import State

from serve.live.gateway import Gateway
from serve.live.limits import Limits
from serve.live.ports import Ports
from serve.live.routes import with_socket

PATH = "/api/v1/live"


def build_app(ports: Ports, limits: Limits | None = None) -> Litestar:
    """Return the app; it answers at its mount point and at the full path, as Serve strips its prefix.

    A server closes its sockets (1012) before it runs shut-down hooks, so whoever stops the process awaits
    `app.state.gateway.close()` first; the hook here only stops what is left.
    """
    gateway = Gateway(ports, limits)
    app = Litestar(
        state=State({"gateway": gateway, "origins": ()}),
        on_shutdown=[gateway.close],
        openapi_config=None,
        logging_config=None,
    )
    return with_socket(app, "/", PATH)
