"""Pages in a browser: what is drawn, what is asked for, what keys do. Debian's Chromium, driven by Playwright, which fetches nothing."""
