"""What the tests of the client share: certificates, and letters that are short to write."""

from __future__ import annotations

from tests.net.conftest import certificates

__all__ = ["certificates"]
