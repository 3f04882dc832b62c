"""The text of an HTML body, for those who read no HTML: mail that has none looks like an advertisement, to people and to filters.

Markdown is what people write when they write plain text with headings, lists and links, so that is what comes out. The libraries do
the reading (Beautiful Soup takes any HTML there is) and the writing (markdownify); they are imported when they are needed.
"""

from __future__ import annotations

UNSEEN = ("head", "title", "script", "style", "template", "img", "svg")


def text_of(html: str) -> str:
    """What `html` says, as plain text with short paragraphs of Markdown; any text is some HTML, so nothing fails."""
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(html, "html.parser")
    for tag in soup.find_all(UNSEEN):
        tag.decompose()
    writer = MarkdownConverter(
        heading_style="underlined", bullets="-", escape_asterisks=False, escape_underscores=False, escape_misc=False, autolinks=True
    )
    try:
        text = writer.convert_soup(soup)
    except RecursionError:  # nested deeper than anybody means it
        text = soup.get_text("\n")
    return _tidied(text.replace("\xa0", " "))


def _tidied(text: str) -> str:
    """No blanks at the ends of lines, no more than one empty line at a time, none at the edges."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).strip("\n") + "\n"
