"""A registry and project server as 0.1.0 expects it, on this machine, for one run."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NODES = {
    "active": (200, {"status": "active", "institution_id": "hospital"}),
    "inactive": (200, {"status": "revoked", "institution_id": "hospital"}),
    "refused": (401, {"detail": "no"}),
    "unknown": (404, {"detail": "no"}),
    "broken": (500, {"detail": "no"}),
    "forbidden": (403, {"detail": "no"}),
    "homeless": (200, {"status": "active"}),
    "redirected": (302, {"detail": "elsewhere"}),
}


class Server:
    """Answers by the path alone; `requests` is what arrived."""

    def __init__(self):
        self.requests = []
        self.answers = {f"/registry/nodes/{node}": answer for node, answer in NODES.items()}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                outer.requests.append((self.command, self.path, self.headers["X-API-Key"],
                                       self.headers["Content-Type"], body))
                status, document = outer.answers.get(
                    f"{self.command} {self.path}",
                    outer.answers.get(self.path, (404, {"detail": "nothing here"})))
                content = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Content-Type", "application/json")
                if status == 302:
                    self.send_header("Location", "/registry/nodes/active")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
