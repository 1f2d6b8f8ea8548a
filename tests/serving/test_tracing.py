"""Traces reach a collector, and hold no user ids."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.serving.conftest import Serve

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="pip install 'pinnersage[otel]'")


def test_spans_are_sent_without_user_ids(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    collector = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    server = serve("--otel")
    assert server.client.get("/v1/users/very-secret-name/recommendations?k=3").status_code == 200
    assert server.client.get("/v1/users/very-secret-name?k=%ff").status_code == 400
    assert server.stop() == 0
    collector.shutdown()
    collector.server_close()
    sent = b"".join(bodies)
    assert b"/v1/users/{id}/recommendations" in sent
    assert b"very-secret-name" not in sent
