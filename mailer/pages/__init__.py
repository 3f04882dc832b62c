"""The components of all our web pages: one layout, one style, one place that says what a page may load.

A page is a template below ``templates/`` that extends ``base.html``; `page` draws it. Everything that is put into one is escaped.
What comes with a page is in ``static/``: one style file with the colours as tokens (light, dark, forced colours), and a script for
each program. Nothing is loaded from elsewhere, ever: the content security policy in its headers (W3C CSP 3) says so to the browser.

It needs the extra ``web``.
"""

from __future__ import annotations
