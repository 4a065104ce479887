"""A server on this machine that stands for those that files are downloaded from."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LocalServer(ThreadingHTTPServer):
    """Listens on a free port; ``cut``: bytes after which each of the next answers is ended.

    Attributes:
        ranges: whether it answers requests for a range.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler]):
        super().__init__(("127.0.0.1", 0), handler)
        self.cut: list[int] = []
        self.ranges = True

    def handle_error(self, request, client_address):
        """Say nothing: a client that hangs up early is what some tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"
