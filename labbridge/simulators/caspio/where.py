"""q.where: T-SQL conditions, parsed, checked against a small grammar, and answered by SQLite.

Allowed: comparisons, AND OR NOT, LIKE with [..] and ESCAPE, IN lists, IS NULL, BETWEEN, GetDate().
Everything else, sub-queries and functions included, is refused: narrower than Caspio (caspio-api.md 3.3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from labbridge.simulators.caspio.errors import CaspioError, bad_query
from labbridge.simulators.caspio.values import naive_date

COMPARISONS: dict[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}


@dataclass(frozen=True)
class Column:
    """A field as a query sees it: its SQL, and text, number, date, bool or closed (not to be filtered)."""

    name: str
    sql: str
    kind: str


@dataclass(frozen=True)
class Scalar:
    """One side of a comparison: SQL, its parameters, a kind; `literal` while its type is still open."""

    sql: str
    kind: str
    parameters: tuple[Any, ...] = ()
    literal: bool = False


@dataclass(frozen=True)
class Condition:
    sql: str
    parameters: tuple[Any, ...] = ()


def parsed(text: str, kind: Any, what: str) -> Any:  # sqlglot's tree has no useful types
    """Parse T-SQL or refuse as Caspio does."""
    try:
        if any(token.text == "==" for token in sqlglot.tokenize(text, read="tsql")):
            raise bad_query(f"Incorrect syntax in {what}.")
        return sqlglot.parse_one(text, read="tsql", into=kind)
    except (SqlglotError, RecursionError, ValueError, IndexError) as error:
        raise bad_query(f"Incorrect syntax in {what}.") from error


def translated(text: str, columns: Mapping[str, Column], now: datetime) -> Condition:
    """Turn a WHERE clause into SQLite's. Raises CaspioError 400 for what is outside the grammar."""
    if "\x00" in text:
        raise bad_query("Incorrect syntax in q.where.")
    tree = parsed(text, exp.Condition, "q.where")
    try:
        return Translator(columns, now).predicate(tree)
    except RecursionError as error:
        raise bad_query("The query is nested too deeply.") from error


class Translator:
    """Walks the tree; what has no line here is refused."""

    def __init__(self, columns: Mapping[str, Column], now: datetime) -> None:
        self.columns = columns
        self.now = now

    def predicate(self, node: Any) -> Condition:
        if isinstance(node, exp.Paren):
            return self._wrapped("({})", self.predicate(node.this))
        if isinstance(node, exp.And | exp.Or):
            word = "AND" if isinstance(node, exp.And) else "OR"
            return self._joined(f" {word} ", [self.predicate(node.left), self.predicate(node.right)])
        if isinstance(node, exp.Not):
            return self._wrapped("(NOT {})", self.predicate(node.this))
        made = self._leaf(node)
        return self._wrapped("(NOT {})", made) if node.args.get("negate") else made

    def _leaf(self, node: Any) -> Condition:
        if type(node) in COMPARISONS:
            return self._compared(node.this, COMPARISONS[type(node)], node.expression)
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return Condition(f"({self.column(node.this).sql} IS NULL)")
        if isinstance(node, exp.In) and not (
            {k for k, v in node.args.items() if v} - {"this", "expressions"}
        ):
            return self._listed(node)
        if isinstance(node, exp.Between):
            low = self._compared(node.this, ">=", node.args["low"])
            return self._joined(" AND ", [low, self._compared(node.this, "<=", node.args["high"])])
        if isinstance(node, exp.Like):
            return self._like(node, None)
        if isinstance(node, exp.Escape) and isinstance(node.this, exp.Like):
            made = self._like(node.this, self._text(node.expression))
            return self._wrapped("(NOT {})", made) if node.this.args.get("negate") else made
        raise bad_query(f"{type(node).__name__} is not supported as a condition in q.where.")

    def _compared(self, left: Any, operator: str, right: Any) -> Condition:
        a, b = self._fitted(self.scalar(left), self.scalar(right))
        return Condition(f"({a.sql} {operator} {b.sql})", a.parameters + b.parameters)

    def _listed(self, node: exp.In) -> Condition:
        left = self.scalar(node.this)
        items = [self._fitted(left, self.scalar(item))[1] for item in node.expressions]
        if not items:
            raise bad_query("IN needs at least one value.")
        inner = ", ".join(item.sql for item in items)
        return Condition(
            f"({left.sql} IN ({inner}))", left.parameters + sum((i.parameters for i in items), ())
        )

    def _like(self, node: exp.Like, escape: str | None) -> Condition:
        column = self.column(node.this)
        if column.kind != "text":
            raise bad_query(f"LIKE needs a text field; {column.name} is none.")
        if escape is not None and len(escape) != 1:
            raise bad_query("ESCAPE needs one character.")
        pattern = self._text(node.expression)
        return Condition(f"tsql_like(?, {column.sql}, ?)", (pattern, escape))

    def _text(self, node: Any) -> str:
        scalar = self.scalar(node)
        if not scalar.literal or scalar.kind != "text":
            raise bad_query("A text in single quotes was expected.")
        return str(scalar.parameters[0])

    def column(self, node: Any) -> Column:
        if isinstance(node, exp.Paren):
            return self.column(node.this)
        if not isinstance(node, exp.Column) or node.args.get("table"):
            raise bad_query("A field name was expected in q.where.")
        column = self.columns.get(node.name.lower())
        if column is None:
            raise bad_query(f"Invalid column name '{node.name}'.")
        if column.kind == "closed":
            raise bad_query(f"The field '{column.name}' can't be used in q.where.")
        return column

    def scalar(self, node: Any) -> Scalar:  # noqa: PLR0911  (one line per kind of node)
        if isinstance(node, exp.Paren):
            return self.scalar(node.this)
        if isinstance(node, exp.Column):
            column = self.column(node)
            return Scalar(column.sql, column.kind)
        if isinstance(node, exp.National):
            return Scalar("?", "text", (str(node.this),), literal=True)
        if isinstance(node, exp.Literal):
            value = node.this if node.is_string else _number(node.this)
            return Scalar("?", "text" if node.is_string else "number", (value,), literal=True)
        if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
            return Scalar("?", "number", (-_number(node.this.this),), literal=True)
        if isinstance(node, exp.CurrentTimestamp) and not node.this:
            return Scalar("?", "date", (self.now.strftime("%Y-%m-%dT%H:%M:%S"),))
        if isinstance(node, exp.Null):
            return Scalar("NULL", "null")
        raise bad_query(f"{type(node).__name__} is not supported as a value in q.where.")

    def _fitted(self, a: Scalar, b: Scalar) -> tuple[Scalar, Scalar]:
        """Give a literal the type of the other side, as SQL Server converts it, or refuse."""
        if "null" in (a.kind, b.kind) or a.literal == b.literal:
            if a.kind != b.kind and "null" not in (a.kind, b.kind):
                raise bad_query(f"Conversion failed when comparing {a.kind} with {b.kind}.")
            return a, b
        if a.literal:
            return self._converted(a, b.kind), b
        return a, self._converted(b, a.kind)

    def _converted(self, literal: Scalar, kind: str) -> Scalar:
        value = literal.parameters[0]
        try:
            return Scalar("?", kind, (_as_kind(value, kind),))
        except (ValueError, CaspioError) as error:
            raise bad_query(f"Conversion failed when converting a value to {kind}.") from error

    def _joined(self, word: str, conditions: list[Condition]) -> Condition:
        parameters = sum((c.parameters for c in conditions), ())
        return Condition(f"({word.join(c.sql for c in conditions)})", parameters)

    def _wrapped(self, form: str, condition: Condition) -> Condition:
        return Condition(form.format(condition.sql), condition.parameters)


def _as_kind(value: str | float, kind: str) -> str | float:
    if kind == "text":
        if not isinstance(value, str):
            raise ValueError  # SQL Server would try to make numbers of all stored texts, and fail
        return value
    if kind == "date":
        return naive_date(value)
    if kind == "bool" and isinstance(value, str) and value.lower() in ("true", "false"):
        return int(value.lower() == "true")
    return _number(value) if isinstance(value, str) else value


def _number(text: str) -> int | float:
    try:
        number: int | float = int(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError as error:
            raise bad_query("A number was expected in q.where.") from error
    return number if isinstance(number, float) or abs(number) < 2**63 else float(number)
