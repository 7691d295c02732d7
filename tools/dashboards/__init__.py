"""Grafana's dashboards of the chart, from code by Grafana's typed library."""
