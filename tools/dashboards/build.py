"""Builds the JSON that Grafana imports."""

import json

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DataSourceRef, VariableRefresh

from tools.dashboards.fleet import FLEET
from tools.dashboards.panels import Board, Panel, Variable
from tools.dashboards.run import RUN

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH, HEIGHT = 24, 7
BOARDS = (FLEET, RUN)


def dashboard_text(board: Board) -> str:
    """A dashboard as JSON that Grafana imports."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["finscribe", "fine-tuning"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for other in BOARDS:
        if other is not board:
            built.link(_link(other.title, f"/d/{other.uid}").include_vars(True).keep_time(True))
    for variable in board.variables:
        built.with_variable(_build_variable(variable))
    for title, panels in board.rows.items():
        built.with_row(dashboard.Row(title))
        for panel in panels:
            built.with_panel(_build_panel(panel, span=WIDTH // _columns(panels)))
    return json.dumps(json.loads(JSONEncoder(sort_keys=True).encode(built.build())), indent=2) + "\n"


def _columns(panels: tuple[Panel, ...]) -> int:
    """Panels per line: all of up to four, otherwise half of them."""
    return len(panels) if len(panels) <= 4 else (len(panels) + 1) // 2


def _build_variable(variable: Variable) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(DATASOURCE)
        .query(variable.query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).type(DashboardLinkType.LINK).url(url)


def _build_panel(panel: Panel, span: int) -> stat.Panel | timeseries.Panel:
    built: stat.Panel | timeseries.Panel
    if panel.text_mode:
        last = ReduceDataOptions().calcs(["lastNotNull"])
        built = stat.Panel().text_mode(panel.text_mode).reduce_options(last)
    else:
        legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        built = timeseries.Panel().legend(legend.show_legend(True)).min(0)
    built.title(panel.title).description(panel.description).unit(panel.unit)
    if panel.of_jobs:
        labels = "var-namespace=${__field.labels.namespace}&var-finetunejob=${__field.labels.finetunejob}"
        built.data_links([_link("Runs of this job", f"/d/{RUN.uid}?{labels}&${{__url_time_range}}")])
    built.datasource(DATASOURCE).span(span).height(HEIGHT)
    for index, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend)
        built.with_target(target.ref_id(chr(ord("A") + index)))
    return built
