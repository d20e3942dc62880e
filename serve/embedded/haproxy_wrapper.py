"""What really starts HAProxy: ties it to its parent, makes its own errors problem documents, closes its side doors.

Ray Serve writes HAProxy's configuration and error page, then runs the program at `RAY_SERVE_HAPROXY_BINARY_PATH`.
That is this file, run by path with the standard library only, so it imports nothing of ours. Left alone, HAProxy
outlives a `kill -9` of its parents by 30 s and holds the port, answers its own 502, 503 and 504 as a 500 in plain text,
and shows statistics and metrics to every network on two more ports.
"""

import ctypes
import json
import os
import re
import signal
import sys

BINARY_VARIABLE = "BOOND_HAPROXY_BINARY"
_SIDE_DOORS = ("frontend prometheus", "listen stats")
_DROPPED = re.compile(r"\s+(server .* check backup$|log 127\.0\.0\.1:514 |option splice-)")
_UNWATCHED = "    http-request set-header x-request-disconnect-disabled ?1 unless { hdr(upgrade) -m found }"
"""Serve then spends no task a request on noticing that a client went away: what was asked of us is carried out anyway.
Sockets are watched."""
_UNAVAILABLE = ("Service Unavailable", "The service cannot answer right now. Retry shortly; nothing was lost.")
_OF_CLIENTS = {
    408: ("Request Timeout", "The request did not arrive whole in time."),
}
REQUEST_S = 10
"""How long the head of a request, and the first 16 KB of its body, may take to arrive."""
_PATIENCE = (f"    timeout http-request {REQUEST_S}s", "    option http-buffer-request")
_WHO = "    option forwardfor"
"""Adds the peer's address to each request, behind whatever the peer wrote there itself: a limit by address needs it."""
_OURS = (*_PATIENCE, _WHO, _UNWATCHED)
_OWN_PAGE = re.compile(r"\s+errorfile 40\d ")


def problem_page(status: int = 503) -> bytes:
    """Return an answer HAProxy gives by itself as a problem document (RFC 9457); 503 comes with Retry-After."""
    title, detail = _OF_CLIENTS.get(status, _UNAVAILABLE)
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
    head = [
        f"HTTP/1.1 {status} {title}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Retry-After: 1" if status == 503 else "Connection: close",
        "Cache-Control: no-store",
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def safe_configuration(text: str) -> str:
    """Return Serve's configuration without the doors to statistics and metrics, and with HAProxy's own answers ours.

    Nobody of ours reads those two, and each would hold a port that another program may have taken meanwhile: HAProxy
    then does not start at all. Its admin socket in the run folder tells the same.

    The fallback to Serve's Python proxy goes too: without a replica it would hold a request, or answer in plain text.
    The log over UDP to nobody's port 514 goes as well, and splicing, whose pipes cost half a file descriptor more a
    connection and win nothing for small bodies. Requests are marked as not to be watched for a client that goes away.
    Each says whose it is (`X-Forwarded-For`).
    A client that sends slowly is cut off (`REQUEST_S`) before it holds a replica; Serve's own limit is an idle hour.
    Doing it twice changes nothing.
    """
    lines, section = [], ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            section = line.strip()
        if section in _SIDE_DOORS:
            continue
        if section == "backend default_backend":
            line = re.sub(r"^(\s+)http-request return status 404 .*", r"\1http-request deny deny_status 503", line)
        if not _DROPPED.match(line) and line not in _OURS and not _OWN_PAGE.match(line):
            lines.append(line)
        if section == "frontend http_frontend" and line.lstrip().startswith("bind "):
            lines.append(_UNWATCHED)
        if line == "defaults":
            lines += (*_PATIENCE, _WHO)
        if page := re.match(r"\s+errorfile 503 (\S+)", line):
            lines += [f"    errorfile {status} {_page_of(page[1], status)}" for status in _OF_CLIENTS]
    return "\n".join(lines) + "\n"


def _page_of(page: str, status: int) -> str:
    return os.path.join(os.path.dirname(page), f"{status}.http")


def _replace(path: str, content: bytes) -> None:
    with open(path + ".boond", "wb") as file:
        file.write(content)
    os.replace(path + ".boond", path)


def main(arguments: list[str]) -> None:
    """Rewrite what Serve wrote, then become HAProxy."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    if "-f" in arguments:
        configuration = arguments[arguments.index("-f") + 1]
        with open(configuration, encoding="utf-8") as file:
            text = file.read()
        for page in set(re.findall(r"^\s+errorfile 50\d (\S+)", text, re.MULTILINE)):
            _replace(page, problem_page())
            for status in _OF_CLIENTS:
                _replace(_page_of(page, status), problem_page(status))
        _replace(configuration, safe_configuration(text).encode())
    binary = os.environ[BINARY_VARIABLE]
    os.execv(binary, [binary, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
