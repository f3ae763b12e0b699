"""Vector, by its GraphQL API, which it has up to version 0.54."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from platform_plugin_aspects.proxies import requests_proxy

from .base import TIMEOUT_SECS, Backend, BackendError, unknown

#: The metric that counts, by kind of component: what sources took in, and what the others passed on.
METRICS = {"Source": "receivedEventsTotal", "Transform": "sentEventsTotal", "Sink": "sentEventsTotal"}
_COUNTED = " ".join(f"... on {kind} {{ metrics {{ {metric} {{ {metric} }} }} }}" for kind, metric in METRICS.items())
#: Without a number of components, the API tells of ten.
QUERY = f"{{ components(first: 1000) {{ edges {{ node {{ __typename componentId {_COUNTED} }} }} }} }}"


@dataclass(frozen=True)
class Vector(Backend):
    """The events in and out of it since it started: {events_received, events_sent, lag}.

    ``vector_source``, ``vector_sink``: ids of the components that count; None: all sources, all sinks. Where transforms
    drop events, the lag is right only with the last transform before the sinks as ``vector_source``.
    """

    name = "vector"
    vector_url: str
    vector_source: list[str] | None
    vector_sink: list[str] | None

    def sample(self) -> dict[str, Any]:
        """See Backend."""
        components = self._components()
        received = _total(components, "Source", self.vector_source)
        sent = _total(components, "Sink", self.vector_sink)
        return {"events_received": received, "events_sent": sent, "lag": received - sent}

    def _components(self) -> dict[str, tuple[str, int]]:
        """{id: (kind, number of events)}."""
        try:
            response = requests.post(self.vector_url, json={"query": QUERY}, timeout=TIMEOUT_SECS)
            if response.status_code == requests.codes.not_found:
                raise BackendError("There is no GraphQL API at --vector_url: Vector 0.55 and later have none")
            response.raise_for_status()
            nodes = [edge["node"] for edge in response.json()["data"]["components"]["edges"]]
            return {node["componentId"]: (node["__typename"], _events(node)) for node in nodes}
        except requests.RequestException as error:
            via = requests_proxy(self.vector_url)
            raise BackendError(f"Vector did not answer{via} ({type(error).__name__}): check --vector_url") from None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BackendError("What is at --vector_url does not answer as Vector's GraphQL API does") from None


def _events(node: Mapping[str, Any]) -> int:
    metric = METRICS[node["__typename"]]
    # There is none before the first event.
    found = node["metrics"][metric]
    return 0 if found is None else int(found[metric])


def _total(components: Mapping[str, tuple[str, int]], kind: str, chosen: list[str] | None) -> int:
    """The events of the chosen components, by default of all of a kind."""
    if chosen is None:
        return sum(events for its_kind, events in components.values() if its_kind == kind)
    for name in chosen:
        if name not in components:
            raise unknown("component of Vector", name, components)
    return sum(components[name][1] for name in chosen)
