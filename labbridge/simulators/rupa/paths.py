"""Which spellings of an API path exist: kebab or snake case, with or without the slash (rupa-api.md 2.1)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from werkzeug.wrappers import Response

from labbridge.simulators.rupa.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

API = (
    *("patients", "practitioners", "clinics", "lab-companies", "lab-tests", "order-intents", "orders"),
    "publishable-keys",
)
SPELLED = "rupa.path"  # the path as the caller spelled it, for the links of a page
CATALOGUE = ("lab-companies", "lab-tests")


class PathForms:
    """WSGI middleware: brings the spellings that the options allow to one, and turns the others away."""

    def __init__(self, app: "WSGIApplication", world: World) -> None:
        self.app = app
        self.world = world

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        first, *rest = path.lstrip("/").split("/", 1)
        name = first.replace("_", "-")
        if name not in API or (name not in CATALOGUE and first != name):
            return self.app(environ, start_response)
        if name in CATALOGUE and not self._is_spelled_right(first):
            return Response("Not Found", 404)(environ, start_response)
        if (turned := self._other_slash(environ, path)) is not None:
            return turned(environ, start_response)
        environ[SPELLED] = path
        environ["PATH_INFO"] = "/" + "/".join([name, *rest]).rstrip("/")
        return self.app(environ, start_response)

    def _is_spelled_right(self, first: str) -> bool:
        style = self.world.options.catalogue_paths
        return style == "both" or ("_" in first) == (style == "snake")

    def _other_slash(self, environ: "WSGIEnvironment", path: str) -> Response | None:
        options = self.world.options
        wanted = {"required": True, "forbidden": False}.get(options.slash, path.endswith("/"))
        if wanted == path.endswith("/") or environ["REQUEST_METHOD"] == "OPTIONS":
            return None
        if options.other_slash == "404":
            return Response("Not Found", 404)
        query = environ.get("QUERY_STRING", "")
        other = quote(path.rstrip("/") + ("/" if wanted else ""))
        return Response("", 301, {"Location": f"{other}?{query}" if query else other})
