"""Vector's GraphQL API, as it is up to version 0.54, with components whose figures a test sets.

The part of the schema that matters here, in the names, types and nullability of Vector's own (src/api/schema).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import build_schema, graphql_sync

from test_utils.http_endpoint import Handler, HttpEndpoint

#: How many components the API tells of when it is not given a number.
DEFAULT_PAGE = 10
SCHEMA = """
type Query {
  health: Boolean!
  components(after: String, before: String, first: Int, last: Int): ComponentConnection!
}
type ComponentConnection { edges: [ComponentEdge!]! totalCount: Int! }
type ComponentEdge { node: Component! cursor: String! }
interface Component { componentId: String! componentType: String! }
type ReceivedEventsTotal { timestamp: String receivedEventsTotal: Float! }
type SentEventsTotal { timestamp: String sentEventsTotal: Float! }
"""
#: The same for each kind of component.
KIND = """
type {kind} implements Component {{
  componentId: String! componentType: String! metrics: {kind}Metrics! {inputs}
}}
interface {kind}Metrics {{ receivedEventsTotal: ReceivedEventsTotal sentEventsTotal: SentEventsTotal }}
type Generic{kind}Metrics implements {kind}Metrics {{
  receivedEventsTotal: ReceivedEventsTotal sentEventsTotal: SentEventsTotal
}}
"""
#: The components from which a component takes its events.
INPUTS = "sources: [Source!]! transforms: [Transform!]!"
KINDS = {"Source": "", "Transform": INPUTS, "Sink": INPUTS}
API = build_schema(SCHEMA + "".join(KIND.format(kind=kind, inputs=inputs) for kind, inputs in KINDS.items()))


@dataclass
class Component:
    """``received`` and ``sent`` are None before its first event; ``inputs``: ids of what it takes its events from."""

    kind: str
    received: float | None = None
    sent: float | None = None
    inputs: tuple[str, ...] = ()


def configured_by_tutor(logged: int = 1_000_000, tracked: int = 5_000, xapi: int = 50) -> dict[str, Component]:
    """The components of Vector as Tutor's plugin for Aspects sets it up, after so many lines of the containers' logs.

    Its source is the log of every container. Transforms keep the lines of two loggers, and each of the two goes to a
    sink of its own: tracking events and xAPI statements. The statements also go to an archive.
    """
    return {
        "docker_logs": Component("Source", received=logged, sent=logged),
        "openedx_containers": Component("Transform", received=logged, sent=logged // 2, inputs=("docker_logs",)),
        "tracking": Component("Transform", received=logged // 2, sent=tracked, inputs=("openedx_containers",)),
        "xapi": Component("Transform", received=logged // 2, sent=xapi, inputs=("openedx_containers",)),
        "clickhouse_tracking": Component("Sink", received=tracked, sent=tracked, inputs=("tracking",)),
        "clickhouse_xapi": Component("Sink", received=xapi, sent=xapi, inputs=("xapi",)),
        "s3_archive": Component("Sink", received=xapi, sent=0, inputs=("xapi",)),
    }


class _Handler(Handler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        endpoint: VectorEndpoint = self.server.endpoint
        with endpoint.serving():
            endpoint.log(body["query"])
            endpoint.before_answer(len(endpoint.requests))
            status, text = endpoint.planned or self._answer(body["query"])
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

    def _answer(self, query: str) -> tuple[int, str]:
        if self.path != "/graphql":
            return 404, ""
        components = self.server.endpoint.components
        result = graphql_sync(API, query, {"health": True, "components": _page(components)})
        return 200, json.dumps(result.formatted)


class VectorEndpoint(HttpEndpoint[str]):
    """Its requests are queries. ``planned``: the (status, body) of all answers, instead of the API's own.

    ``before_answer`` is called with the number of each query, from 1, before it is answered.
    """

    handler = _Handler

    def __init__(self) -> None:
        super().__init__()
        self.components: dict[str, Component] = {}
        self.planned: tuple[int, str] | None = None
        self.before_answer: Callable[[int], Any] = lambda number: None

    @property
    def graphql_url(self) -> str:
        return f"{self.url}/graphql"


def _page(components: Mapping[str, Component]) -> Callable[..., Any]:
    def page(_info: Any, first: int = DEFAULT_PAGE, **_others: Any) -> dict[str, Any]:
        nodes = [_node(name, components) for name in list(components)[:first]]
        edges = [{"node": node, "cursor": str(number)} for number, node in enumerate(nodes)]
        return {"edges": edges, "totalCount": len(components)}

    return page


def _node(name: str, components: Mapping[str, Component]) -> dict[str, Any]:
    component = components[name]
    inputs: dict[str, list[dict[str, Any]]] = {"Source": [], "Transform": []}
    for input_name in component.inputs:
        inputs[components[input_name].kind].append(_node(input_name, components))
    totals = {"receivedEventsTotal": component.received, "sentEventsTotal": component.sent}
    metrics = {metric: None if total is None else {metric: total} for metric, total in totals.items()}
    return {
        "__typename": component.kind,
        "componentId": name,
        "componentType": "vector",
        "metrics": {"__typename": f"Generic{component.kind}Metrics", **metrics},
        "sources": inputs["Source"],
        "transforms": inputs["Transform"],
    }
