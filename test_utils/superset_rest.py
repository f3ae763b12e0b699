"""The stand-in for Superset's REST API that provisioning uses: roles, accounts, lists, imports, embedding, row rules.

Answers as a running Superset 6.1: 100 rows a page, 403 without a reason, HTML for whatever it did not expect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from email import message_from_bytes
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from test_utils.superset_objects import MASK, ImportFailed, Objects, Right, next_number

PAGE_SIZE = 100
#: The longest request line that gunicorn takes.
MOST_LINE = 4094
HTML_500 = '<!doctype html><html lang="en"><head><title>500: Internal server error</title></head></html>'
Answer = tuple[int, Any]
FATAL: Answer = (500, {"message": "Fatal error"})
FORBIDDEN: Answer = (403, {"message": "Forbidden"})
NOT_FOUND: Answer = (404, {"message": "Not found"})
VIEWS = {"dataset": "Dataset", "chart": "Chart", "dashboard": "Dashboard", "database": "Database"}


def is_rest(target: str) -> bool:
    """Whether `Rest` answers this."""
    words = urlsplit(target).path.removeprefix("/api/v1/").split("/")
    lists = ("roles", "permissions-resources", "users")
    return words[0] in (*VIEWS, "assets", "rowlevelsecurity") or (words[0] == "security" and words[1] in lists)


class Rest:
    """Answers requests below ``api/v1/`` for a user. ``None``: Superset has no such path."""

    def __init__(self, objects: Objects):
        self.objects = objects

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes, user: int) -> Answer | None:
        parts = urlsplit(target)
        words = parts.path.removeprefix("/api/v1/").strip("/").split("/")
        query = parse_rison(parse_qs(parts.query).get("q", ["()"])[0])
        if words == ["assets", "import"]:
            return self._import(headers, body, user)
        content = json.loads(body) if body else None
        admins: dict[str, Callable[..., Answer | None]] = {"security": self._security, "rowlevelsecurity": self._rules}
        if words[0] in admins:
            return admins[words[0]](method, words[1:], query, content) if self.objects.is_admin(user) else FORBIDDEN
        if words == ["database", "test_connection"]:
            return self._test_connection(content) if self._may(user, "can_write", "Database") else FORBIDDEN
        if words[0] in VIEWS:
            embedding = words[-1] == "embedded"
            right = ("can_read" if method == "GET" else "can_write", VIEWS[words[0]])
            if embedding:
                right = ("can_get_embedded" if method == "GET" else "can_set_embedded", "Dashboard")
            if not self._may(user, *right):
                return FORBIDDEN
            if words[0] == "database":
                return self._databases(words[1:], query, user)
            return self._objects(method, words, query, content, user)
        return None

    def _may(self, user: int, *right: str) -> bool:
        return right in self.objects.rights_of(user)

    # Security

    def _security(self, method: str, words: list[str], query: Any, body: Any) -> Answer | None:
        objects = self.objects
        match method, words:
            case "GET", ["roles"]:
                return page(objects.roles.values(), query, hidden=("rights",))
            case "POST", ["roles"]:
                if any(role["name"] == body["name"] for role in objects.roles.values()):
                    return FATAL
                number = next_number(objects.roles)
                objects.roles[number] = {"id": number, "name": body["name"], "rights": set()}
                return 201, {"id": number, "result": body}
            case "GET", ["roles", number, "permissions"]:
                rights = objects.roles[int(number)]["rights"]
                rows = [
                    {"id": self._id(right), "permission_name": right[0], "view_menu_name": right[1]} for right in rights
                ]
                return 200, {"result": rows}
            case "POST", ["roles", number, "permissions"]:
                # The list replaces the former one, and numbers that nothing has are passed over.
                ids = set(body["permission_view_menu_ids"])
                objects.roles[int(number)]["rights"] = {right for right in objects.rights if self._id(right) in ids}
                return 200, {"result": body}
            case "GET", ["permissions-resources"]:
                rows = [
                    {"id": self._id(right), "permission": {"name": right[0]}, "view_menu": {"name": right[1]}}
                    for right in objects.rights
                ]
                return page(rows, query)
            case "GET", ["users"]:
                return page([self._account(user) for user in objects.users.values()], query)
            case "POST", ["users"]:
                taken = any(
                    body[name] == user[name] for user in objects.users.values() for name in ("username", "email")
                )
                if taken:
                    return 422, {"message": "UNIQUE constraint failed: ab_user.username"}
                more = {"email": body["email"], "active": body["active"]}
                return 201, {"id": objects.add_user(body["username"], body["password"], body["roles"], **more)}
            case "PUT", ["users", number]:
                changed = {**body, "roles": set(body["roles"])} if "roles" in body else body
                objects.users[int(number)] |= changed
                return 200, {"result": body}
        return None

    def _id(self, right: Right) -> int:
        return self.objects.rights.index(right) + 1

    def _account(self, user: Mapping[str, Any]) -> dict[str, Any]:
        roles = [{"id": role, "name": self.objects.roles[role]["name"]} for role in sorted(user["roles"])]
        return {name: user[name] for name in ("id", "username", "email", "active")} | {"roles": roles}

    def _rules(self, method: str, words: list[str], query: Any, body: Any) -> Answer | None:
        rules = self.objects.rules
        match method, words:
            case "GET", []:
                return page(rules.values(), query, hidden=("tables", "roles"))
            case "POST", []:
                if any(rule["name"] == body["name"] for rule in rules.values()):
                    return 422, {"message": "()"}
                number = next_number(rules)
                rules[number] = {"id": number, **body, "tables": set(body["tables"]), "roles": set(body["roles"])}
                return 201, {"id": number, "result": body}
            case "GET", [number]:
                rule = rules[int(number)]
                tables = [{"id": table} for table in sorted(rule["tables"])]
                roles = [{"id": role, "name": self.objects.roles[role]["name"]} for role in sorted(rule["roles"])]
                return 200, {"id": rule["id"], "result": {**rule, "tables": tables, "roles": roles}}
            case "PUT", [number]:
                # Roles and tables that a change does not name are gone.
                lists = {name: set(body.get(name, ())) for name in ("tables", "roles")}
                rules[int(number)] |= {**body, **lists}
                return 200, {"id": int(number), "result": body}
        return None

    # Content

    def _databases(self, words: list[str], query: Any, user: int) -> Answer | None:
        rows = [row for row in self.objects.databases.values() if self.objects.has_access(row, user)]
        hidden = ("password", "uri")
        if not words or not words[0]:
            return page(rows, query, hidden)
        row = next((row for row in rows if str(row["id"]) == words[0]), None)
        return (200, {"result": without(row, hidden)}) if row else NOT_FOUND

    def _test_connection(self, body: Any) -> Answer:
        uri = body["sqlalchemy_uri"]
        for row in self.objects.databases.values():
            if row["database_name"] == body.get("database_name") and row["uri"] == uri:
                uri = uri.replace(MASK, quote(row["password"] or "", safe=""))
        fault = self.objects.clickhouse.fault(uri)
        if not fault:
            return 200, {"message": "OK"}
        error = {"message": fault, "error_type": "GENERIC_DB_ENGINE_ERROR", "level": "error", "extra": {}}
        return 400, {"errors": [error]}

    def chart_data(self, body: Any, user: int) -> Answer:
        """The rows of a dataset that somebody sees."""
        rows = self.objects.rows(body["datasource"]["id"], user) if self._may(user, "can_read", "Chart") else None
        return FORBIDDEN if rows is None else (200, {"result": [{"data": rows, "status": "success"}]})

    def _objects(self, method: str, words: list[str], query: Any, body: Any, user: int) -> Answer | None:
        objects, kind = self.objects, words[0]
        rows = objects.of(kind)
        match method, words[1:]:
            case "GET", []:
                return page([self._row(row) for row in objects.visible(kind, user)], query)
            case "DELETE", []:
                if any(number not in rows for number in query):
                    return NOT_FOUND
                if not all(objects.owns(rows[number], user) for number in query):
                    return FORBIDDEN
                for number in query:
                    objects.delete(kind, number)
                return 200, {"message": f"Deleted {len(query)} {kind}s"}
        number = int(words[1])
        if number not in rows:
            return NOT_FOUND
        match method, words[2:]:
            case "GET", []:
                return 200, {"result": self._row(rows[number])}
            case "PUT", []:
                rows[number] |= {**body, "owners": set(body["owners"])}
                return 200, {"id": number, "result": body}
            case "GET", ["embedded"]:
                found = objects.embedded.get(number)
                return (200, {"result": found}) if found else (404, {})
            case "POST", ["embedded"]:
                return 200, {"result": objects.embed(number, body["allowed_domains"])}
            case "GET", ["related_objects"]:
                charts = [{"id": row["id"]} for row in objects.chart.values() if row["dataset"] == number]
                return 200, {
                    "charts": {"count": len(charts), "result": charts},
                    "dashboards": {"count": 0, "result": []},
                }
        return None

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """An object of a list: with its owners, and its connection by name."""
        shown = {**row, "owners": [{"id": owner} for owner in sorted(row["owners"])]}
        if "database" in row:
            name = self.objects.databases[row["database"]]["database_name"]
            shown["database"] = {"id": row["database"], "database_name": name}
        return shown

    def _import(self, headers: Mapping[str, str], body: bytes, user: int) -> Answer:
        if "X-CSRFToken" not in headers:
            return 302, "<!doctype html><title>Redirecting...</title>"
        if not self._may(user, "can_import_", "ImportExportRestApi"):
            return FORBIDDEN
        fields = form(headers["Content-Type"], body)
        passwords = json.loads(fields.get("passwords", b"{}"))
        try:
            self.objects.import_assets(fields["bundle"], passwords, fields.get("sparse") == b"true", user)
        except ImportFailed:
            return int(HTTPStatus.INTERNAL_SERVER_ERROR), HTML_500
        return 200, {"message": "OK"}


def page(rows: Iterable[Mapping[str, Any]], query: Mapping[str, Any], hidden: Iterable[str] = ()) -> Answer:
    """A page of a list, as Superset answers it. Filters: eq, in, rel_m_m."""
    found = list(rows)
    for wanted in query.get("filters", []):
        column, operator, value = wanted["col"], wanted["opr"], wanted["value"]
        found = [row for row in found if _meets(row, column, operator, value)]
    size = min(query.get("page_size", 20), PAGE_SIZE)
    shown = found[query.get("page", 0) * size :][:size]
    return 200, {
        "count": len(found),
        "ids": [row["id"] for row in shown],
        "result": [without(row, hidden) for row in shown],
    }


def _meets(row: Mapping[str, Any], column: str, operator: str, value: Any) -> bool:
    if operator == "rel_m_m":
        return value in [member["id"] for member in row[column]]
    return row[column] in value if operator == "in" else bool(row[column] == value)


def without(row: Mapping[str, Any], hidden: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in set(hidden)}


def form(kind: str, body: bytes) -> dict[str, bytes]:
    """The fields of a multipart form."""
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)  # type: ignore[misc]
        for part in message.get_payload()
    }


def parse_rison(text: str) -> Any:
    """The value of Rison: objects, lists, quoted texts and whole numbers."""
    value, rest = _value(text)
    assert not rest, f"{text!r} is not Rison"
    return value


def _value(text: str) -> tuple[Any, str]:
    if text.startswith("!("):
        return _members(text[2:], lambda rest: _value(rest), [])
    if text.startswith("("):
        members, rest = _members(text[1:], _pair, [])
        return dict(members), rest
    if text.startswith("'"):
        read, rest = "", text[1:]
        while not rest.startswith("'"):
            read, rest = (read + rest[1], rest[2:]) if rest[0] == "!" else (read + rest[0], rest[1:])
        return read, rest[1:]
    end = next((place for place, character in enumerate(text) if character in ",)"), len(text))
    word = text[:end]
    return int(word) if word.lstrip("-").isdigit() else word, text[end:]


def _pair(text: str) -> tuple[Any, str]:
    key, _, rest = text.partition(":")
    value, rest = _value(rest)
    return (key, value), rest


def _members(text: str, read: Callable[[str], tuple[Any, str]], members: list[Any]) -> tuple[list[Any], str]:
    while not text.startswith(")"):
        member, text = read(text.removeprefix(","))
        members.append(member)
    return members, text[1:]
