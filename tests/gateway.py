"""A place between a client and a service, where requests can be changed or the client ended."""

import http.client
import http.server
import ssl
import threading
from collections.abc import Callable
from pathlib import Path


class Gateway:
    """Passes requests on to a service, without a header if so told, or taken over TLS with a certificate (file and key).
    `at` is asked before and after each, which it gets as
    "PUT /bucket/key" or as the name of DynamoDB's operation; where it says so the client gets no answer, and before, the
    service no request."""

    def __init__(
        self,
        url: str,
        *,
        without: str | None = None,
        at: Callable[[str, str], bool] = lambda when, name: False,
        certificate: tuple[Path, Path] | None = None,
    ):
        host = url.split("//")[1]

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                name = self.headers.get("X-Amz-Target", "").rpartition(".")[2] or f"{self.command} {self.path}"
                if at("before", name):
                    self.close_connection = True
                    return
                inner = http.client.HTTPConnection(host)
                kept = {header: value for header, value in self.headers.items() if header.lower() != without}
                inner.request(self.command, self.path, body, kept)
                answer = inner.getresponse()
                content = answer.read()
                inner.close()
                if at("after", name):
                    self.close_connection = True
                    return
                self.send_response_only(answer.status)
                for header, value in answer.getheaders():
                    if header.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(header, value)
                self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")

    def __enter__(self) -> "Gateway":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()
