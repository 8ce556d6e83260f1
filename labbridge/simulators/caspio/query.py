"""q.select, q.groupBy, q.orderBy and paging (caspio-api.md 2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from labbridge.simulators.caspio.errors import bad_query
from labbridge.simulators.caspio.where import Column, parsed

MAX_ROWS = 1000
AGGREGATES = {exp.Count: "COUNT", exp.Sum: "SUM", exp.Avg: "AVG", exp.Min: "MIN", exp.Max: "MAX"}
SHUFFLED = "((PK_ID * 7919 + {page} * 104729) % 10007)"


@dataclass(frozen=True)
class Query:
    """The parameters as read; names are case-insensitive, unknown ones are ignored silently."""

    select: str | None = None
    where: str | None = None
    group_by: str | None = None
    order_by: str | None = None
    limit: int = 100
    page: int | None = None
    with_total: bool = False

    @property
    def offset(self) -> int:
        return ((self.page or 1) - 1) * self.limit


@dataclass(frozen=True)
class Output:
    """One column of the answer; `kind_of` is the stored column whose type it has, if any."""

    name: str
    sql: str
    kind_of: str | None = None
    aggregate: bool = False


def read_query(arguments: Mapping[str, str]) -> Query:
    """Read the q.* parameters. Raises CaspioError 400 IncorrectQueryParameter."""
    given = {name.lower(): value for name, value in arguments.items()}
    number, size = given.get("q.pagenumber") or None, given.get("q.pagesize") or None
    paged = number is not None or size is not None
    limit = (
        _integer(size or "25", "q.pageSize") if paged else _integer(given.get("q.limit") or "100", "q.limit")
    )
    page = _integer(number or "1", "q.pageNumber") if paged else None
    if not (5 if paged else 1) <= limit <= MAX_ROWS:
        raise bad_query("q.pageSize must be from 5 to 1000, q.limit from 1 to 1000.")
    if page is not None and not 1 <= page <= 2**31 // limit:
        raise bad_query("q.pageNumber is out of range.")
    return Query(
        given.get("q.select") or None,
        given.get("q.where") or None,
        given.get("q.groupby") or None,
        given.get("q.orderby") or None,
        limit,
        page,
        _boolean(given.get("q.getpaginationinfo")),
    )


def outputs(text: str | None, columns: Mapping[str, Column], closed: set[str]) -> list[Output]:
    """Read q.select: fields, *, and aggregates with or without alias. Passwords are never among them."""
    every = [Output(c.name, c.sql, name) for name, c in columns.items() if name not in closed]
    if text is None:
        return every
    tree = parsed(f"SELECT {text}", exp.Select, "q.select")
    if {key for key, value in tree.args.items() if value} - {"expressions", "kind"}:
        raise bad_query("Incorrect syntax in q.select.")
    made: list[Output] = []
    for node in tree.expressions:
        made += every if isinstance(node, exp.Star) else [_output(node, columns, closed, len(made) + 1)]
    if len({o.name.lower() for o in made}) != len(made):
        raise bad_query("A field is selected twice in q.select.")
    return made


def _output(node: Any, columns: Mapping[str, Column], closed: set[str], place: int) -> Output:
    alias = node.alias if isinstance(node, exp.Alias) else None
    inner = node.this if isinstance(node, exp.Alias) else node
    if isinstance(inner, exp.Column):
        column = _column(inner, columns, closed)
        return Output(alias or column.name, column.sql, column.name.lower())
    name = AGGREGATES.get(type(inner))
    if name is None:
        raise bad_query(f"{type(inner).__name__} is not supported in q.select.")
    sql, source = _argument(name, inner, columns, closed)
    kind_of = source if name in ("MIN", "MAX") else None
    return Output(alias or f"Column{place}", f"{name}({sql})", kind_of, aggregate=True)


def _argument(
    name: str, inner: Any, columns: Mapping[str, Column], closed: set[str]
) -> tuple[str, str | None]:
    argument, distinct = inner.this, ""
    if isinstance(argument, exp.Distinct) and len(argument.expressions) == 1:
        argument, distinct = argument.expressions[0], "DISTINCT "
    if isinstance(argument, exp.Star) and name == "COUNT" and not distinct:
        return "*", None
    column = _column(argument, columns, closed)
    if name in ("SUM", "AVG") and column.kind != "number":
        raise bad_query(f"{name} needs a number field.")
    return f"{distinct}{column.sql}", column.name.lower()


def grouping(text: str | None, chosen: list[Output], columns: Mapping[str, Column], closed: set[str]) -> str:
    """Read q.groupBy; what is selected must be grouped or aggregated, as SQL Server demands."""
    names: list[str] = []
    if text is not None:
        tree = parsed(f"SELECT 1 GROUP BY {text}", exp.Select, "q.groupBy")
        if {k for k, v in tree.args.items() if v} - {"expressions", "group", "kind"}:
            raise bad_query("Incorrect syntax in q.groupBy.")
        names = [_column(n, columns, closed).sql for n in tree.args["group"].expressions]
        if not names:
            raise bad_query("Incorrect syntax in q.groupBy.")
    if (names or any(o.aggregate for o in chosen)) and any(
        not o.aggregate and o.sql not in names for o in chosen
    ):
        raise bad_query("A selected field is neither in q.groupBy nor an aggregate.")
    return f" GROUP BY {', '.join(names)}" if names else ""


def ordering(
    query: Query, chosen: list[Output], columns: Mapping[str, Column], closed: set[str], *, shuffle: bool
) -> str:
    """Read q.orderBy. Pages without an order on a unique field come in an order of their own each."""
    grouped = query.group_by is not None or any(o.aggregate for o in chosen)
    parts = _ordered(query.order_by, chosen, columns, closed, grouped) if query.order_by else []
    if not grouped:
        paged = query.page is not None and shuffle
        parts.append(SHUFFLED.format(page=query.page) if paged else "PK_ID")
        parts.append("PK_ID")
    return f" ORDER BY {', '.join(parts)}" if parts else ""


def _ordered(
    text: str, chosen: list[Output], columns: Mapping[str, Column], closed: set[str], grouped: bool
) -> list[str]:
    tree = parsed(f"SELECT 1 ORDER BY {text}", exp.Select, "q.orderBy")
    if {k for k, v in tree.args.items() if v} - {"expressions", "order", "kind"}:
        raise bad_query("Incorrect syntax in q.orderBy.")
    aliases = {o.name.lower(): o.sql for o in chosen}
    parts = []
    for ordered in tree.args["order"].expressions:
        node = ordered.this if isinstance(ordered, exp.Ordered) else ordered
        sql = aliases.get(node.name.lower()) if isinstance(node, exp.Column) else None
        if sql is None and grouped:
            raise bad_query("q.orderBy must name what is selected when records are grouped.")
        parts.append(
            f"{sql or _column(node, columns, closed).sql} {'DESC' if ordered.args.get('desc') else 'ASC'}"
        )
    return parts


def _column(node: Any, columns: Mapping[str, Column], closed: set[str]) -> Column:
    column = columns.get(node.name.lower()) if isinstance(node, exp.Column) else None
    if column is None or column.name.lower() in closed:
        raise bad_query(f"Invalid column name '{getattr(node, 'name', '')}'.")
    return column


def _integer(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 11):
        raise bad_query(f"{name} must be a whole number.")
    return int(text)


def _boolean(text: str | None) -> bool:
    if text is None or text.lower() in ("", "false"):
        return False
    if text.lower() != "true":
        raise bad_query("q.getPaginationInfo must be true or false.")
    return True
