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
type {kind} implements Component {{ componentId: String! componentType: String! metrics: {kind}Metrics! }}
interface {kind}Metrics {{ receivedEventsTotal: ReceivedEventsTotal sentEventsTotal: SentEventsTotal }}
type Generic{kind}Metrics implements {kind}Metrics {{
  receivedEventsTotal: ReceivedEventsTotal sentEventsTotal: SentEventsTotal
}}
"""
API = build_schema(SCHEMA + "".join(KIND.format(kind=kind) for kind in ("Source", "Transform", "Sink")))


@dataclass
class Component:
    """``received`` and ``sent`` are None before its first event."""

    kind: str
    received: float | None = None
    sent: float | None = None


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
        nodes = [_node(name, component) for name, component in list(components.items())[:first]]
        edges = [{"node": node, "cursor": str(number)} for number, node in enumerate(nodes)]
        return {"edges": edges, "totalCount": len(components)}

    return page


def _node(name: str, component: Component) -> dict[str, Any]:
    totals = {"receivedEventsTotal": component.received, "sentEventsTotal": component.sent}
    metrics = {metric: None if total is None else {metric: total} for metric, total in totals.items()}
    return {
        "__typename": component.kind,
        "componentId": name,
        "componentType": "vector",
        "metrics": {"__typename": f"Generic{component.kind}Metrics", **metrics},
    }
