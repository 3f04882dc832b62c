"""The page of figures."""

from __future__ import annotations

from mailer.metrics.readers import answer
from mailer.web.figures import Requests, page


def test_requests_are_counted() -> None:
    """By endpoint and status, and how long they took."""
    requests = Requests()
    for status in (202, 202, 401):
        requests.count("/send_email", status, 0.25)
    requests.count("other", 404)
    said = answer(page(requests, lambda: [("mailer_api_connections", "Open.", 3)]), b"GET /metrics HTTP/1.1\r\n\r\n").decode()
    assert 'mailer_api_requests_total{endpoint="/send_email",code="202"} 2\n' in said
    assert 'mailer_api_requests_total{endpoint="/send_email",code="401"} 1\n' in said
    assert 'mailer_api_requests_total{endpoint="other",code="404"} 1\n' in said
    assert 'mailer_api_request_seconds_total{endpoint="/send_email"} 0.75\n' in said
    assert "# TYPE mailer_api_connections gauge\nmailer_api_connections 3\n" in said


def test_it_is_only_read() -> None:
    """There is nothing to change."""
    assert b"405" in answer(page(Requests(), list), b"POST /metrics HTTP/1.1\r\n\r\n")
