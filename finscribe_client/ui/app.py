"""The pages of the web view, as an ASGI application: each is rendered on the server."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.output import age, duration
from finscribe_client.ui.data_reports import SHOWN_FINDINGS, find_data_reports
from finscribe_client.ui.evaluations import SORTS, Choice, Evaluation, pages_environment
from finscribe_client.ui.run_view import Place, RunRow, RunView
from finscribe_core.errors import FinscribeError
from finscribe_core.look.line_chart import Line, line_chart
from finscribe_core.look.loss_lines import history_points, loss_lines
from finscribe_core.look.style import style

_FOLDER = Path(__file__).parent
_STATUS: Mapping[str, int] = {ClientReason.NotFound: 404, ClientReason.AccessDenied: 403}
PAGE_SIZE = 50
"""Documents on one page of the list."""


@dataclass(frozen=True)
class Visit:
    """Who sees the pages, where visitors sign in."""

    name: str
    """The user's name in the cluster."""
    namespace: str
    """Whose jobs are listed; empty for all."""
    can_sign_out: bool
    """False if something else signs the visitor in."""


class Pages:
    """The pages.

    Args:
        places: where runs are.
        report_folders: where reports of data sets are searched.
        visit: who sees them; None where nobody signs in.
    """

    def __init__(
        self, places: Sequence[Place], report_folders: Sequence[Path] = (), visit: Visit | None = None
    ) -> None:
        self._places = {place.address: place for place in places}
        self._report_folders = report_folders
        self._visit = visit
        self._style = style() + (_FOLDER / "ui.css").read_text(encoding="utf-8")

    def app(self) -> Starlette:
        """The application, without a check of who may see it."""
        return Starlette(
            routes=[
                Route("/", self.home),
                Route("/run", self.run),
                Route("/documents", self.documents),
                Route("/document", self.document),
                Route("/page.jpg", self.page),
                Route("/compare", self.compare),
                Route("/data", self.data),
                Route("/change", self.change, methods=["POST"]),
                Route("/style.css", self.style),
                Route("/ui.js", self.script),
                Route("/icon.svg", self.icon),
            ],
            exception_handlers={FinscribeError: self._error, 404: self._not_found},
        )

    def home(self, request: Request) -> Response:
        """All places with their runs."""
        listed: list[tuple[Place, Sequence[RunRow], str]] = []
        for place in self._places.values():
            try:
                listed.append((place, place.rows(), ""))
            except FinscribeError as error:
                listed.append((place, (), str(error)))
        reports = find_data_reports(self._report_folders)
        is_live = any(
            row.state in ("Running", "Pending", "Retrying") for _, rows, _ in listed for row in rows
        )
        return self._render("home.html.jinja", listed=listed, reports=reports, is_live=is_live)

    def run(self, request: Request) -> Response:
        """A run."""
        place, path = self._find(request.query_params.get("key", ""))
        view = place.view(path)
        evaluation, problem = self._evaluation(view)
        return self._render(
            "run.html.jinja",
            run=view,
            is_live=view.is_live,
            losses=Markup(line_chart(loss_lines(view.history), "step", "loss")),  # noqa: S704 - escaped there
            accuracy=Markup(_accuracy_chart(view.history)),  # noqa: S704 - likewise
            evaluation=evaluation,
            problems=[*view.problems, *([problem] if problem else [])],
            changed=self._changed(view),
        )

    def documents(self, request: Request) -> Response:
        """The documents of a run's evaluation."""
        view, evaluation = self._evaluated(request)
        asked = request.query_params
        choice = Choice(
            asked.get("show", ""),
            asked.get("type", ""),
            asked.get("q", "").strip(),
            asked.get("sort", "change"),
        )
        chosen = evaluation.chosen(choice)
        number = min(_positive(asked.get("page")), max(1, -(-len(chosen) // PAGE_SIZE)))
        return self._render(
            "documents.html.jinja",
            run=view,
            evaluation=evaluation,
            choice=choice,
            sorts={name: label for name, (label, _) in SORTS.items()},
            found=len(chosen),
            rows=chosen[(number - 1) * PAGE_SIZE : number * PAGE_SIZE],
            number=number,
            last=max(1, -(-len(chosen) // PAGE_SIZE)),
        )

    def document(self, request: Request) -> Response:
        """A document with its pages and both answers."""
        view, evaluation = self._evaluated(request)
        row = evaluation.row(_positive(request.query_params.get("number")))
        numbers = [other.number for other in evaluation.chosen(Choice())]
        at = numbers.index(row.number)
        images = [evaluation.page(row, place) for place in range(len(row.document.base.images))]
        return self._render(
            "one_document.html.jinja",
            run=view,
            row=row,
            shown=evaluation.view(row),
            sizes=[(image.width, image.height) if image else None for image in images],
            before=numbers[at - 1] if at else None,
            after=numbers[at + 1] if at + 1 < len(numbers) else None,
        )

    def page(self, request: Request) -> Response:
        """A page of a document, as JPEG: nothing but images leaves this way."""
        _, evaluation = self._evaluated(request)
        row = evaluation.row(_positive(request.query_params.get("number")))
        image = evaluation.page(row, _positive(request.query_params.get("page")) - 1)
        if image is None:
            return Response(status_code=404)
        return Response(image.jpeg, media_type="image/jpeg")

    def compare(self, request: Request) -> Response:
        """Two runs side by side."""
        rows = [row for place in self._places.values() for row in _rows_or_none(place)]
        keys = [request.query_params.get(name, "") for name in ("a", "b")]
        views = []
        if all(keys):
            for key in keys:
                place, path = self._find(key)
                views.append(place.view(path))
        return self._render("compare.html.jinja", rows=rows, keys=keys, **_compared(views))

    def data(self, request: Request) -> Response:
        """A report on a data set.

        Raises:
            ClientError: NotFound.
        """
        name = request.query_params.get("name", "")
        for report in find_data_reports(self._report_folders):
            if report.name == name:
                return self._render("data.html.jinja", report=report, shown=SHOWN_FINDINGS)
        raise ClientError(ClientReason.NotFound, f"There is no report {name}.")

    async def change(self, request: Request) -> Response:
        """Change the job of a run, then show it."""
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        key, action = form.get("key", [""])[0], form.get("action", [""])[0]
        place, path = self._find(key)
        await run_in_threadpool(place.change, path, action)
        return RedirectResponse(
            str(request.url_for("run").include_query_params(key=key).replace(scheme="", netloc="")), 303
        )

    def style(self, request: Request) -> Response:
        """The style sheet."""
        return Response(self._style, media_type="text/css")

    def script(self, request: Request) -> Response:
        """The script, which refreshes pages of what is going on."""
        return FileResponse(_FOLDER / "ui.js", media_type="text/javascript")

    def icon(self, request: Request) -> Response:
        """The icon of the pages."""
        return FileResponse(_FOLDER / "icon.svg", media_type="image/svg+xml")

    def _find(self, key: str) -> tuple[Place, str]:
        address, _, path = key.partition("/")
        if address not in self._places:
            raise ClientError(ClientReason.NotFound, f"There is no run {key}.")
        return self._places[address], path

    def _evaluated(self, request: Request) -> tuple[RunView, Evaluation]:
        place, path = self._find(request.query_params.get("key", ""))
        view = place.view(path)
        if view.answers is None:
            raise ClientError(ClientReason.NotFound, f"The run {view.name} has no evaluation.")
        return view, Evaluation(view.answers())

    def _evaluation(self, view: RunView) -> tuple[Evaluation | None, str]:
        if view.answers is None:
            return None, ""
        try:
            return Evaluation(view.answers()), ""
        except FinscribeError as error:
            return None, f"The evaluation can't be read: {error}"

    def _changed(self, view: RunView) -> list[tuple[str, str, str]] | None:
        """(setting, value in the run before, value); None if one of them is not known."""
        if view.before is None or view.settings is None:
            return None
        place, path = self._find(view.before)
        before = place.settings(path)
        return None if before is None else _differences(before, view.settings)

    def _render(self, template: str, status: int = 200, **values: Any) -> Response:
        return render(template, status, visit=self._visit, **values)

    def _error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, FinscribeError)
        status = _STATUS.get(str(error.reason), 502)
        return self._render("error.html.jinja", status, message=error.message, remedy=error.remedy)

    def _not_found(self, request: Request, error: Exception) -> Response:
        return self._render("error.html.jinja", 404, message="There is no such page.", remedy="")


def render(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, from one of the templates."""
    values = {"is_live": False, "visit": None, **values}
    page = _templates().get_template(template).render(**values)
    return HTMLResponse(page.encode("utf-8", "replace"), status)


@cache
def _templates() -> Environment:
    templates = pages_environment(_FOLDER / "templates")
    templates.filters |= {"age": _age, "duration": duration, "when": _when}
    return templates


def _compared(views: Sequence[RunView]) -> dict[str, Any]:
    if len(views) != 2:
        return {"views": (), "chart": "", "figures": (), "changed": None}
    lines = []
    for place, view in enumerate(views, 1):
        trained, evaluated, *_ = loss_lines(view.history)
        lines += [
            Line(f"{view.name}, validation", f"run-{place}", evaluated.points, evaluated.marked),
            Line(f"{view.name}, training", f"run-{place}", trained.points, dashed=True),
        ]
    names = dict.fromkeys(name for view in views for name in view.figures)
    known = all(view.settings is not None for view in views)
    first, second = (view.settings or {} for view in views)
    return {
        "views": views,
        "chart": Markup(line_chart(lines, "step", "loss")),  # noqa: S704 - escaped there
        "figures": [(name, *(view.figures.get(name, "") for view in views)) for name in names],
        "changed": _differences(first, second) if known else None,
    }


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    names = dict.fromkeys((*before, *after))
    return [
        (name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _accuracy_chart(history: Mapping[str, Any]) -> str:
    found = history_points(history.get("eval_history"), "eval_field_accuracy")
    points = [(step, 100 * value) for step, value in found]
    return line_chart([Line("field accuracy", "validation", points)], "step", "field accuracy, %")


def _rows_or_none(place: Place) -> Sequence[RunRow]:
    try:
        return place.rows()
    except FinscribeError:
        return ()


def _positive(text: str | None) -> int:
    return max(1, int(text)) if text and text.isascii() and text.isdecimal() and len(text) < 10 else 1


def _age(time: str) -> str:
    try:
        return age(time)
    except ValueError:
        return time


def _when(text: str) -> str:
    """A time (RFC 3339) as people write it; any other text as it is.

    >>> _when("2026-03-01T09:20:00Z"), _when("LoRA")
    ('2026-03-01 09:20 UTC', 'LoRA')
    """
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?Z", text)
    return f"{found[1]} {found[2]} UTC" if found else text
