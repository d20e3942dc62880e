"""The AsyncAPI 3.0 document of the live socket and of its twin over server-sent events.

It is made from the very types that decode and encode the frames.

Frames and examples are those of `serve/live/protocol.py` and of `live_frames.jsonl`, a conversation as it was recorded;
what they carry (receipt, overview, transaction) is described by the REST side's types.
"""

import inspect
from functools import cache
from importlib import resources
from typing import Any, get_args

import msgspec
from msgspec import Struct

from engine.alerts import AlertView
from engine.views import Overview, Receipt
from serve.api.openapi import PROBLEM
from serve.api.routing import PREFIX
from serve.envelopes import TransactionRequest
from serve.live.limits import Limits
from serve.live.protocol import CLOSES, SUBPROTOCOL, ClientFrame, ServerFrame

CLIENT: tuple[type[Struct], ...] = get_args(ClientFrame)
SERVER: tuple[type[Struct], ...] = get_args(ServerFrame)
_REF = "#/components/schemas/{name}"
_FRAME_REF = "#/components/schemas/{name}Frame"
"""A frame may have the name of what it carries: the receipt."""

_CHANNELS = {
    "live": (f"{PREFIX}/live", "The live socket: the user's committed turns, pushed in order, resumed without a gap."),
    "travelApp": (f"{PREFIX}/expenses/real-time", "The same live socket, at the travel app's path."),
}


_EVENTS = "liveEvents"
_CLOSE = {
    "name": "close",
    "title": "Close",
    "summary": "The last event of a stream that the server ends, with the close code of a socket",
    "payload": {
        "type": "object",
        "required": ["t", "code", "reason"],
        "properties": {"t": {"const": "close"}, "code": {"type": "integer"}, "reason": {"type": "string"}},
    },
    "examples": [{"payload": {"t": "close", "code": 4200, "reason": "the server is moving; reconnect"}}],
}


def document(version: str) -> dict[str, Any]:
    """Return the whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Boond live",
            "version": version,
            "description": "Frames are JSON text, told apart by `t`. The client's first frame is `auth`, within "
            f"{Limits().auth_s:g} s of `hello`. A client keeps `epoch` and the last `seq`, and loses nothing. Unknown "
            f"fields are to be ignored. The REST side is in OpenAPI 3.1 at `{PREFIX}/openapi.json`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "here": {
                "host": "{host}",
                "protocol": "ws",
                "description": "Where this document came from; `wss` behind TLS.",
                "variables": {"host": {"default": "127.0.0.1:8000"}},
            },
            "events": {
                "host": "{host}",
                "protocol": "http",
                "description": "The same place; `https` behind TLS.",
                "variables": {"host": {"default": "127.0.0.1:8000"}},
            },
        },
        "channels": {
            **{name: _channel(address, words) for name, (address, words) in _CHANNELS.items()},
            _EVENTS: _events(),
        },
        "operations": {
            **{
                f"{name}{verb}": _operation(name, action, [tag_of(frame) for frame in frames])
                for name in _CHANNELS
                for verb, action, frames in (("Push", "send", SERVER), ("Take", "receive", CLIENT))
            },
            f"{_EVENTS}Push": _operation(_EVENTS, "send", [*map(tag_of, SERVER), "close"]),
        },
        "components": {
            "schemas": _schemas(),
            "messages": {**{tag_of(f): _message(f) for f in (*CLIENT, *SERVER)}, "close": _CLOSE},
        },
    }


def tag_of(frame: type[Struct]) -> str:
    """Return the frame's `t`."""
    return str(frame.__struct_config__.tag)


@cache
def recorded() -> tuple[dict[str, Any], ...]:
    """Return the recorded conversation, in order, both sides."""
    lines = (resources.files("serve.api") / "live_frames.jsonl").read_bytes().splitlines()
    return tuple(msgspec.json.decode(line, type=dict[str, Any]) for line in lines)


def _channel(address: str, words: str) -> dict[str, Any]:
    offer = {"type": "object", "properties": {"Sec-WebSocket-Protocol": {"type": "string", "const": SUBPROTOCOL}}}
    return {
        "address": address,
        "description": words,
        "servers": [{"$ref": "#/servers/here"}],
        "messages": {tag_of(f): {"$ref": f"#/components/messages/{tag_of(f)}"} for f in (*CLIENT, *SERVER)},
        "bindings": {"ws": {"method": "GET", "headers": offer, "bindingVersion": "0.1.0"}},
        "x-close-codes": _close_codes(),
    }


def _events() -> dict[str, Any]:
    return {
        "address": f"{PREFIX}/live/sse",
        "description": "The same frames as server-sent events: `event` is the frame's `t`, `data` its JSON, `id` "
        "`<epoch>:<seq>` on `turn` and `snapshot`, to be shown again as `Last-Event-ID`. Who asks is in "
        "`Authorization`, or `?ticket=`.",
        "servers": [{"$ref": "#/servers/events"}],
        "messages": {tag: {"$ref": f"#/components/messages/{tag}"} for tag in (*map(tag_of, SERVER), "close")},
        "x-close-codes": _close_codes(),
    }


def _close_codes() -> list[dict[str, Any]]:
    return [{"code": int(code), "name": code.name, "why": why, "then": then} for code, (why, then) in CLOSES.items()]


def _operation(channel: str, action: str, tags: list[str]) -> dict[str, Any]:
    """`action` is the server's: it sends what it pushes, and receives what a client says."""
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": "What the server pushes" if action == "send" else "What a client says",
        "messages": [{"$ref": f"#/channels/{channel}/messages/{tag}"} for tag in tags],
    }


def _message(frame: type[Struct]) -> dict[str, Any]:
    words = inspect.getdoc(frame) or ""
    examples = [f for f in recorded() if f["t"] == tag_of(frame)]
    return {
        "name": tag_of(frame),
        "title": frame.__name__,
        "summary": words.splitlines()[0],
        "description": words,
        "payload": {"$ref": _FRAME_REF.format(name=frame.__name__)},
        "examples": [{"payload": example} for example in examples],
    }


def _schemas() -> dict[str, Any]:
    carried = [TransactionRequest, Receipt, Overview, AlertView]
    _, components = msgspec.json.schema_components(carried, ref_template=_REF)
    _, frames = msgspec.json.schema_components([*CLIENT, *SERVER], ref_template=_FRAME_REF)
    return {**components, **{f"{name}Frame": schema for name, schema in frames.items()}, "Problem": PROBLEM}
