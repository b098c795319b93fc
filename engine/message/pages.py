"""Markdown as the HTML of an email: calm, one column, readable in every mail program.

Mail programs drop style sheets, so each element carries its own style; Outlook knows tables only; what follows the dark
mode of the reader is the one thing that needs a style sheet. No script, no picture, nothing that is fetched.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import lru_cache

from markdown_it.token import Token

from forestall.engine.message.markdown import lone_link, reader, tokens
from forestall.engine.message.slots import AROUND, Pieces, filled, pieces, slot
from forestall.engine.message.story import Rendered
from forestall.engine.message.telling import CHART

_FONT = "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO = "Menlo,Consolas,'DejaVu Sans Mono',monospace"
_STYLES = {
    "paragraph_open": "margin:0 0 16px",
    "heading_open": "margin:24px 0 8px;font-size:17px;line-height:1.3",
    "bullet_list_open": "margin:0 0 16px;padding-left:22px",
    "ordered_list_open": "margin:0 0 16px;padding-left:22px",
    "list_item_open": "margin:0 0 6px",
    "hr": "border:0;border-top:1px solid #d9dee3;margin:24px 0",
}
# Classes name what changes in dark mode: a line, quiet words, a link, a ground.
_CLASSES = {"hr": "l"}
_CELL = "padding:7px 0 7px 16px;border-bottom:1px solid #e3e7eb;text-align:right;white-space:nowrap"
_FIRST = "padding:7px 0;border-bottom:1px solid #e3e7eb;text-align:left;word-break:break-word"
_LAST = ";font-weight:600"
_PRE = (f"margin:0 0 18px;padding:12px 14px;background:#f4f6f8;border-radius:6px;font:15px/1.15 {_MONO};color:#1f2933;"
        "white-space:pre-wrap;word-break:break-all")
_HEAD = ";font-weight:normal;color:#65717c;font-size:14px"

_PAGE = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">'
    "<title>{title}</title><style>:root{{color-scheme:light dark}}"
    "@media(prefers-color-scheme:dark){{.g,.c{{background:#15191d!important}}"
    ".c,.c td,.c th,.c .n{{color:#e4e8eb!important}}"
    ".q,.c .q{{color:#9aa5ae!important}}.l,.c .l{{border-color:#343c44!important}}a.a{{color:#8ab8ff!important}}"
    ".k{{background:#20262c!important;color:#e4e8eb!important}}.k .b{{color:#8ab8ff!important}}}}</style></head>\n"
    '<body class="g" style="margin:0;padding:0;background:#ffffff">'
    '<table role="presentation" class="g" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>'
    '<td align="center" style="padding:24px 16px">'
    '<!--[if mso]><table role="presentation" width="600"><tr><td><![endif]-->'
    '<table role="presentation" class="c" width="100%" cellpadding="0" cellspacing="0" border="0" '
    'style="max-width:600px;background:#ffffff">{head}'
    f'<tr><td style="font:16px/1.55 {_FONT};color:#1f2933;text-align:left;word-break:break-word">\n'
    "{body}</td></tr></table><!--[if mso]></td></tr></table><![endif]--></td></tr></table></body></html>\n"
)
_HEADER = (
    f'<tr><td class="l" style="font:14px/1.4 {_FONT};color:#65717c;padding:0 0 12px;border-bottom:1px solid #e3e7eb;'
    'text-align:left"><strong class="n" style="color:#1f2933;font-size:{size}">{name}</strong>{more}</td></tr>'
    '<tr><td height="20" style="font-size:0;line-height:20px">&nbsp;</td></tr>'
)
_BUTTON = (
    '<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:4px 0 20px"><tr>'
    '<td bgcolor="#1d5bbf" style="border-radius:6px;background:#1d5bbf"><a href="{url}" style="display:inline-block;'
    f"padding:11px 22px;font:600 16px/1.2 {_FONT};color:#ffffff;text-decoration:none\">"
    "{words}</a></td></tr></table>\n"
)


def page(title: str, rendered: Rendered, name: str = "", more: str = "", *, large: bool = False) -> str:
    """The message as a page; HTML in it stays text. `name` and `more` stand in a line above it."""
    around = (_safe(title), _safe(name), _safe(more))
    return filled(_cut(rendered.body, bool(name), bool(more), large), rendered.values, _safe, around=around)


@lru_cache(maxsize=65_536)
def _safe(text: str) -> str:
    return html.escape(text)


@lru_cache(maxsize=4096)
def _cut(body: str, named: bool, told: bool, large: bool) -> Pieces:
    title, name, more = (slot(AROUND + number) for number in range(3))
    said = f'<br><span class="q">{more}</span>' if told else ""
    head = _HEADER.format(name=name, more=said, size="20px" if large else "14px") if named else ""
    return pieces(_PAGE.format(title=title, head=head, body=_html(tokens(body))))


def _html(found: list[Token]) -> str:
    """The body of the page: each token with its style, links that stand alone as buttons."""
    md = reader()
    made: list[str] = []
    begin = 0
    for index, token in enumerate(found):
        _dress(token, found, index)
        link = lone_link(token) if token.type == "inline" and token.level == 1 \
            and found[index - 1].type == "paragraph_open" else None
        if link is not None:
            made.append(md.renderer.render(found[begin:index - 1], md.options, {}))
            made.append(_BUTTON.format(url=html.escape(link[0]), words=html.escape(link[1])))
            begin = index + 2
    made.append(md.renderer.render(found[begin:], md.options, {}))
    return "".join(made)


def _chart(lines: list[str]) -> str:
    """The lines of a chart: names small, bars in colour, the days quiet."""
    *some, days = lines
    made = [f'<span class="b" style="color:#3f7fdc">{line}</span>' if number % 2
            else f'<span style="font:14px/2 {_FONT}">{line}</span>' for number, line in enumerate(some)]
    made.append(f'<span class="q" style="color:#65717c;font-size:12px;letter-spacing:1.8px">{days}</span>')
    return "\n".join(made)


def _dress(token: Token, found: Sequence[Token], index: int) -> None:
    """Give a token its style."""
    match token.type:
        case "table_open":
            token.attrs |= {"role": "table", "width": "100%", "cellpadding": "0", "cellspacing": "0", "border": "0",
                            "style": "margin:0 0 18px;border-collapse:collapse;font-size:16px;line-height:1.4"}
        case "th_open" | "td_open":
            first, head = found[index - 1].type == "tr_open", token.type == "th_open"
            last = not head and not first and found[index + 3].type == "tr_close"
            token.attrs |= {"class": "l q" if head else "l",
                            "style": (_FIRST if first else _CELL) + (_HEAD if head else _LAST if last else "")}
        case "fence" | "code_block":
            lines = html.escape(token.content.rstrip()).split("\n")
            said = _chart(lines) if token.info == CHART else "\n".join(lines)
            token.type = "html_block"
            token.content = f'<pre class="k" style="{_PRE}">{said}</pre>\n'
        case "blockquote_open":
            token.tag = "div"
            token.attrs |= {"class": "l q", "style": "margin:22px 0 0;padding:12px 0 0;border-top:1px solid #e3e7eb;"
                                                     "font-size:13px;line-height:1.5;color:#65717c"}
        case "blockquote_close":
            token.tag = "div"
        case "inline":
            for child in token.children or []:
                if child.type == "link_open":
                    child.attrs |= {"class": "a", "style": "color:#1d5bbf"}
        case _ if token.type in _STYLES:
            token.attrs["style"] = _STYLES[token.type]
            if token.type in _CLASSES:
                token.attrs["class"] = _CLASSES[token.type]
