"""Grafana dashboards as code. Needs the extra `dev`; the exporter does not import it."""
