# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pieces of HTML, from text that may contain anything."""

import base64
from collections.abc import Iterable, Mapping, Sequence
import html
import pathlib
import re

from matplotlib import figure as figure_lib

from hafjax.report import plots

# Pixels an inch in HTML.
_CSS_DPI = 96

# Of a picture's file: systems take 255 bytes.
_LONGEST_NAME = 60


def escape(value: str) -> str:
  """Text that means itself, also as an attribute in double quotes."""
  return html.escape(value)


def text(value: str) -> str:
  """`escape`, where long names may break after underscores."""
  return escape(value).replace('_', '_<wbr>')


def paragraph(*sentences: str, kind: str = '') -> str:
  """HTML sentences as a paragraph of a CSS class; '' of none."""
  content = ' '.join(filter(None, sentences))
  return f'<p class="{kind}">{content}</p>' if content else ''


def code(value: str) -> str:
  return f'<code>{escape(value)}</code>'


def table(
  header: Sequence[str], rows: Iterable[Sequence[str]], kind: str = 'numbers'
) -> str:
  """A table of HTML cells, the first of each row its heading.

  Args:
    header: a cell a column.
    rows: the same.
    kind: 'numbers' stand at the right of their columns, 'words' at the left.
  """
  head = ''.join(f'<th scope="col">{cell}</th>' for cell in header)
  body = ''.join(
    f'<tr><th scope="row">{cells[0]}</th>'
    + ''.join(f'<td>{cell}</td>' for cell in cells[1:])
    + '</tr>\n'
    for cells in rows
  )
  return (
    f'<div class="scroll"><table class="{kind}">'
    f'<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'
  )


def details(summary: str, content: str, is_open: bool = False) -> str:
  """Content that is shown at a click."""
  state = ' open' if is_open else ''
  return f'<details{state}><summary>{summary}</summary>\n{content}</details>\n'


def swatch(look: plots.Style) -> str:
  """A piece of a method's line."""
  dashes = ' '.join(f'{2 * length:g}' for length in look.dashes)
  return (
    '<svg class="swatch" width="26" height="8" aria-hidden="true">'
    f'<line x1="0" y1="4" x2="26" y2="4" stroke="{look.colour}" '
    f'stroke-width="2.5" stroke-dasharray="{dashes}"/></svg>'
  )


def legend(looks: Mapping[str, plots.Style]) -> str:
  items = ''.join(
    f'<li>{swatch(look)}{text(name)}</li>' for name, look in looks.items()
  )
  return f'<ul class="legend">{items}</ul>\n'


def data_uri(content: bytes, kind: str) -> str:
  return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


class Gallery:
  """Puts pictures into the page, and beside it as PNG and PDF."""

  def __init__(self, folder: pathlib.Path):
    """Files go into `folder`, which is made with the first of them."""
    self._folder = folder
    self._names = set()

  def picture(
    self,
    name: str,
    figure: figure_lib.Figure,
    caption: str,
    looks: Mapping[str, plots.Style] | None = None,
    raster_dpi: float | None = None,
  ) -> str:
    """A figure as HTML, with its files.

    Args:
      name: of the files; what a file cannot be called is replaced.
      figure: the picture.
      caption: how to read it, as HTML.
      looks: methods to name in the files. The page has one legend for many.
      raster_dpi: of a PNG in the page; None for an SVG.

    Returns:
      A <figure>, never narrower than its text can be read.
    """
    kind, dpi = ('png', raster_dpi) if raster_dpi else ('svg', 150)
    content = plots.encoded(figure, kind, dpi)
    width = round(_CSS_DPI * figure.get_size_inches()[0])
    files = {} if looks else {kind: content}
    if looks:
      plots.add_legend(figure, looks)
    self._folder.mkdir(parents=True, exist_ok=True)
    stem = self._stem(name)
    for suffix in ('png', 'pdf'):
      file = self._folder / f'{stem}.{suffix}'
      file.write_bytes(files.get(suffix) or plots.encoded(figure, suffix, dpi))
    return (
      f'<figure style="max-width:{width}px"><div class="scroll">'
      f'<img class="picture" src="{data_uri(content, _MIME[kind])}" '
      f'alt="{escape(name)}" style="min-width:{round(0.75 * width)}px">'
      f'</div><figcaption>{caption}</figcaption></figure>\n'
    )

  def _stem(self, name: str) -> str:
    base = stem = re.sub(r'\W+', '_', name).strip('_')[:_LONGEST_NAME]
    number = 1
    while stem in self._names:
      number += 1
      stem = f'{base}_{number}'
    self._names.add(stem)
    return stem


_MIME = {'svg': 'svg+xml', 'png': 'png'}
