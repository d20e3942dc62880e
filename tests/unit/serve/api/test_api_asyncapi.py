"""The AsyncAPI document says what the codecs do: its examples pass through them, and hold against its own schemas."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from engine.views import Overview, Receipt
from serve.api import asyncapi
from serve.envelopes import TransactionRequest
from serve.live import protocol
from serve.live.protocol import CLOSES, ClientFrame, CloseCode, ServerFrame
from tests.support.rest import serving

DOCUMENT = asyncapi.document("1.2.3")
SERVER_FRAMES = msgspec.json.Decoder(ServerFrame)
FROM_CLIENT = [f for f in asyncapi.recorded() if f["t"] in {asyncapi.tag_of(t) for t in asyncapi.CLIENT}]
FROM_SERVER = [f for f in asyncapi.recorded() if f not in FROM_CLIENT]


def refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def resolved(ref: str) -> Any:
    node: Any = DOCUMENT
    for part in ref.removeprefix("#/").split("/"):
        node = node[part]
    return node


@pytest.mark.parametrize("frame", FROM_CLIENT, ids=lambda f: str(f["t"]))
def test_an_example_of_a_client_is_a_frame_the_server_takes(frame: dict[str, Any]) -> None:
    taken: ClientFrame = protocol.decode(json.dumps(frame))
    shown = msgspec.json.decode(msgspec.json.encode(taken))
    assert {name: shown[name] for name in frame} == frame, "no field is ignored"


@pytest.mark.parametrize("frame", FROM_SERVER, ids=lambda f: str(f["t"]))
def test_an_example_of_the_server_is_what_it_encodes(frame: dict[str, Any]) -> None:
    text = json.dumps(frame, separators=(",", ":"), ensure_ascii=False)
    assert protocol.encode(SERVER_FRAMES.decode(text)) == text


def test_what_the_examples_carry_is_what_the_rest_side_encodes() -> None:
    by_tag = {frame["t"]: frame for frame in asyncapi.recorded()}
    for carried, shape in (
        (by_tag["expense"]["data"], TransactionRequest),
        (by_tag["receipt"]["data"], Receipt),
        (by_tag["turn"]["events"][0]["data"], Receipt),
        (by_tag["snapshot"]["data"], Overview),
    ):
        whole: Any = msgspec.convert(carried, shape, strict=False)
        assert msgspec.to_builtins(whole).keys() >= carried.keys()


@pytest.mark.parametrize("tag", sorted(DOCUMENT["components"]["messages"]))
def test_every_message_has_examples_that_hold_against_its_schema(tag: str) -> None:
    message = DOCUMENT["components"]["messages"][tag]
    validator = Draft202012Validator({**message["payload"], "components": DOCUMENT["components"]})
    assert message["examples"]
    for example in message["examples"]:
        validator.validate(example["payload"])


def test_a_frame_that_is_not_of_the_protocol_does_not_hold_against_the_schema() -> None:
    payload = DOCUMENT["components"]["messages"]["turn"]["payload"]
    validator = Draft202012Validator({**payload, "components": DOCUMENT["components"]})
    turn = next(f for f in asyncapi.recorded() if f["t"] == "turn")
    assert not validator.is_valid({**turn, "seq": "4"})
    assert not validator.is_valid({**turn, "t": "reset"})
    assert not validator.is_valid({**turn, "events": [{"type": "badge"}]})


def test_every_frame_of_both_directions_is_in_both_channels_and_every_reference_leads_somewhere() -> None:
    tags = {asyncapi.tag_of(frame) for frame in (*asyncapi.CLIENT, *asyncapi.SERVER)}
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == {
        "/api/v1/live",
        "/api/v1/expenses/real-time",
        "/api/v1/live/sse",
    }
    for name in ("live", "travelApp"):
        assert set(DOCUMENT["channels"][name]["messages"]) == tags
    assert all(resolved(ref) is not None for ref in refs(DOCUMENT))
    pushed = DOCUMENT["operations"]["livePush"]
    assert (pushed["action"], len(pushed["messages"])) == ("send", len(asyncapi.SERVER))


def test_the_events_are_what_the_server_sends_and_a_close_and_nothing_is_taken_from_a_client() -> None:
    tags = {asyncapi.tag_of(frame) for frame in asyncapi.SERVER}
    assert set(DOCUMENT["channels"]["liveEvents"]["messages"]) == {*tags, "close"}
    about = [o for o in DOCUMENT["operations"].values() if o["channel"] == {"$ref": "#/channels/liveEvents"}]
    assert [o["action"] for o in about] == ["send"]


def test_every_close_code_is_explained_here_and_in_the_guide() -> None:
    assert set(CLOSES) == set(CloseCode)
    told = {row["code"] for row in DOCUMENT["channels"]["live"]["x-close-codes"]}
    guide = (Path(__file__).parents[4] / "docs" / "api.md").read_text()
    assert told == set(CloseCode)
    assert {int(code) for code in re.findall(r"^\| (\d{4})[ ,|]", guide, re.MULTILINE)} >= told


async def test_it_is_served_and_the_rest_side_links_to_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        answer = await rest.http.get("/api/v1/asyncapi.json")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json()["asyncapi"] == "3.0.0"
        openapi = (await rest.http.get("/api/v1/openapi.json")).json()
        assert openapi["externalDocs"]["url"] == "/api/v1/asyncapi.json"
        assert "/api/v1/openapi.json" in answer.json()["info"]["description"]
