"""Vector, by its GraphQL API, which it has up to version 0.54."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from platform_plugin_aspects.proxies import requests_proxy

from .base import TIMEOUT_SECS, Backend, BackendError, unknown

#: The count of a component from which events come: what a source took in, or what another component passed on.
METRICS = {"Source": "receivedEventsTotal", "Transform": "sentEventsTotal", "Sink": "sentEventsTotal"}
SENT = "sentEventsTotal"
#: Without ``first``, the API lists ten components.
QUERY = """
query { components(first: 1000) { edges { node { __typename componentId
  ...on Source { metrics { receivedEventsTotal { receivedEventsTotal } sentEventsTotal { sentEventsTotal } } }
  ...on Transform { metrics { sentEventsTotal { sentEventsTotal } } sources { componentId } transforms { componentId } }
  ...on Sink { metrics { sentEventsTotal { sentEventsTotal } } sources { componentId } transforms { componentId } }
} } } }
"""
#: The sink of xAPI statements in the configuration by Tutor's plugin for Aspects.
TUTOR_SINK = "clickhouse_xapi"


@dataclass(frozen=True)
class Component:
    """``counted``: by the metric of its kind. ``sent``: what it passed on. ``inputs``: ids of what it reads from."""

    kind: str
    counted: int
    sent: int
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Vector(Backend):
    """Vector's sinks.

    ``vector_sink``: ids of the sinks that count; None: the sink of xAPI statements in Tutor's configuration, or all
    where there is none of that name. ``vector_source``: ids of the components that count as where events come from;
    None: the inputs of those sinks, which leave out what transforms drop on the way.
    """

    name = "vector"
    vector_url: str
    vector_source: list[str] | None
    vector_sink: list[str] | None

    def sample(self) -> dict[str, Any]:
        """{events_received, events_sent, lag}: events that came to the sinks and left them, since Vector started."""
        components = self._components()
        for name in (*(self.vector_source or ()), *(self.vector_sink or ())):
            if name not in components:
                raise unknown("component of Vector", name, components)
        sinks = [components[name] for name in self.vector_sink or _default_sinks(components)]
        if self.vector_source is None:
            received = self._received(sinks, components)
        else:
            received = sum(components[name].counted for name in self.vector_source)
        sent = sum(sink.sent for sink in sinks)
        return {"events_received": received, "events_sent": sent, "lag": received - sent}

    def _received(self, sinks: list[Component], components: Mapping[str, Component]) -> int:
        """The number of events that the inputs of these sinks passed on, per sink, because each has its own buffer."""
        for name in self.vector_sink or ():
            if components[name].kind == "Source":
                raise BackendError(f"--vector_sink {name} is a source: name sinks")
        return sum(components[name].sent for sink in sinks for name in sink.inputs if name in components)

    def _components(self) -> dict[str, Component]:
        try:
            response = requests.post(self.vector_url, json={"query": QUERY}, timeout=TIMEOUT_SECS)
            if response.status_code == requests.codes.not_found:
                raise BackendError("There is no GraphQL API at --vector_url: Vector 0.55 and later have none")
            response.raise_for_status()
            nodes = [edge["node"] for edge in response.json()["data"]["components"]["edges"]]
            return {node["componentId"]: _component(node) for node in nodes}
        except requests.RequestException as error:
            via = requests_proxy(self.vector_url)
            raise BackendError(f"Vector did not answer{via} ({type(error).__name__}): check --vector_url") from None
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
            raise BackendError("The server at --vector_url does not answer as Vector's GraphQL API does") from None


def _component(node: Mapping[str, Any]) -> Component:
    kind = node["__typename"]
    inputs = [] if kind == "Source" else [*node["sources"], *node["transforms"]]
    return Component(
        kind, _events(node, METRICS[kind]), _events(node, SENT), tuple(str(each["componentId"]) for each in inputs)
    )


def _events(node: Mapping[str, Any], metric: str) -> int:
    # There is none before the first event.
    found = node["metrics"][metric]
    return 0 if found is None else int(found[metric])


def _default_sinks(components: Mapping[str, Component]) -> list[str]:
    sinks = [name for name, component in components.items() if component.kind == "Sink"]
    return [TUTOR_SINK] if TUTOR_SINK in sinks else sinks
