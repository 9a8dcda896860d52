"""``/metrics`` for Prometheus: the engine's samples, and the process' own."""

from collections.abc import Iterator
from typing import TypeAlias

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from engine.api.providers import MetricsRegistry
from engine.inspection import Inspection, Sample

Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
FAMILIES: dict[str, type[Family]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}

router = APIRouter(tags=["metrics"])


def registry_of(inspection: Inspection) -> CollectorRegistry:
    """Return a registry of its own: the library's global one would count twice where two apps are made."""
    registry = CollectorRegistry()
    registry.register(SampleCollector(inspection))
    ProcessCollector(registry=registry)
    return registry


class SampleCollector(Collector):
    """Turns the engine's samples into Prometheus' metric families."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance, so that registering does not ask the engine yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Return one family for each metric name."""
        families: dict[str, Family] = {}
        for sample in self._inspection.samples():
            family = families.setdefault(sample.name, _family(sample))
            values = [sample.labels[name] for name in sorted(sample.labels)]
            if isinstance(family, HistogramMetricFamily):
                family.add_metric(values, sample.buckets, sample.value)
            else:
                family.add_metric(values, sample.value)
        return iter(families.values())


def _family(sample: Sample) -> Family:
    return FAMILIES[sample.kind](sample.name, sample.help, labels=sorted(sample.labels))


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus' text format, or OpenMetrics where asked for.",
            "content": {"text/plain": {}, "application/openmetrics-text": {}},
        }
    },
)
def metrics(request: Request, registry: MetricsRegistry) -> Response:
    """Return all metrics."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type})
