"""Reports as hosts write and mail them."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from collections.abc import Sequence

BEGIN = 1_800_057_600  # the beginning of a day
END = BEGIN + 86399

NAMESPACE = ' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"'


def row(
    source: str = "192.0.2.1",
    count: object = 1,
    *,
    dkim: str = "pass",
    spf: str = "pass",
    disposition: str = "none",
    author: str = "example.com",
    results: str = "",
    reason: str = "",
) -> str:
    """A record; `results` are the elements of auth_results, `reason` those of policy_evaluated behind its own."""
    return (
        f"<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated><disposition>{disposition}</disposition>"
        f"<dkim>{dkim}</dkim><spf>{spf}</spf>{reason}</policy_evaluated></row><identifiers><header_from>{author}</header_from>"
        f"</identifiers><auth_results>{results}</auth_results></record>"
    )


def dmarc(
    *rows: str, domain: str = "example.com", reporter: str = "receiver.example", id: str = "1", begin: int = BEGIN, more: str = ""
) -> bytes:
    """The document of a report by RFC 7489, with elements `more` in its metadata."""
    return (
        f'<?xml version="1.0" encoding="UTF-8" ?>\n<feedback><report_metadata><org_name>{reporter}</org_name>'
        f"<email>dmarc@{reporter}</email><report_id>{id}</report_id><date_range><begin>{begin}</begin><end>{begin + 86399}</end>"
        f"</date_range>{more}</report_metadata><policy_published><domain>{domain}</domain><p>none</p></policy_published>"
        f"{''.join(rows or [row()])}</feedback>"
    ).encode()


DAY = {"start-datetime": "2027-01-16T00:00:00Z", "end-datetime": "2027-01-16T23:59:59Z"}


def tlsrpt(
    *failures: dict[str, object], good: object = 10, bad: object = 0, domain: str = "example.com", times: object = DAY, **more: object
) -> bytes:
    """The document of a report by RFC 8460, with `more` members in place of its own."""
    policy = {
        "policy": {"policy-type": "sts", "policy-string": ["version: STSv1", "mode: testing"], "policy-domain": domain},
        "summary": {"total-successful-session-count": good, "total-failure-session-count": bad},
        "failure-details": failures,
    }
    whole = {
        "organization-name": "Receiver",
        "date-range": times,
        "contact-info": "tls@receiver.example",
        "report-id": "5065427c",
        "policies": [policy],
    }
    return json.dumps(whole | more).encode()


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return made.getvalue()


def attached(data: bytes, kind: str = "application/gzip", *more: bytes, head: str = "Subject: Report domain: example.com") -> bytes:
    """A message with a text and this attachment, and `more` of its kind."""
    begin = f'From: dmarc@receiver.example\r\n{head}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="=b"\r\n\r\n--=b\r\n'
    part = f"--=b\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    inner = (part + base64.encodebytes(each).replace(b"\n", b"\r\n") for each in (data, *more))
    return begin.encode() + b"Content-Type: text/plain\r\n\r\nA report.\r\n" + b"".join(inner) + b"--=b--\r\n"


def alone(data: bytes, kind: str = "application/gzip") -> bytes:
    """A message that is the attachment, with line ends as a mailbox on disk has them."""
    return (
        f"Subject: Report domain: example.com\nContent-Type: {kind}\nContent-Transfer-Encoding: base64\n\n".encode()
        + base64.encodebytes(data)
    )


def wrappings(document: bytes) -> Sequence[bytes]:
    """The same report as different hosts send it."""
    return (
        attached(gzip.compress(document), 'application/gzip; name="receiver.example!example.com!1!2.xml.gz"'),
        attached(gzip.compress(document), "application/octet-stream"),
        attached(zipped(("receiver.example!example.com!1!2.xml", document)), "application/zip"),
        attached(zipped(("a.xml", document), method=zipfile.ZIP_STORED), "application/x-zip-compressed"),
        attached(document, "text/xml; charset=utf-8"),
        alone(zipped(("a.xml", document)), "application/zip"),
        alone(gzip.compress(document)),
        b"Content-Type: text/xml\r\n\r\n" + document,
    )
