# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The report's page: one HTML file that holds all it needs."""

from collections.abc import Callable, Sequence
from importlib import resources
import os
import pathlib
from typing import NamedTuple

from absl import logging

from hafjax.report import markup
from hafjax.report import sections
from hafjax.runs.find import Run
from hafjax.runs.find import check_files
from hafjax.runs.find import hierarchy_of
from hafjax.runs.find import runs_by_name


class _Section(NamedTuple):
  """A part of the page."""

  anchor: str
  title: str
  content: Callable[[sections.Context], str]


_SECTIONS = (
  _Section('comparison', 'Comparison', sections.comparison),
  _Section('training', 'Training', sections.training),
  _Section('collapse', 'Collapse', sections.collapse),
  _Section('similarity', 'Similarity of classes', sections.similarities),
  _Section('heights', 'Mistakes by height', sections.heights),
  _Section('confusion', 'Confusion', sections.confusions),
  _Section('tree', 'Accuracy in the tree', sections.tree),
  _Section('severe', 'Most severe mistakes', sections.severe),
)


def write(
  runs: Sequence[Run],
  output: pathlib.Path,
  baseline: str = 'cross_entropy',
  split: str = 'test',
) -> pathlib.Path:
  """Writes OUTPUT/report.html, and its pictures into OUTPUT/pictures.

  Args:
    runs: from `runs.find`, one at least.
    output: a folder; made if it does not exist.
    baseline: variant, or name of a row, that others are compared with.
    split: of the tables, 'test' or 'val'. Everything else that is measured on
      images is of the test split.

  Returns:
    The HTML file. It appears at once and whole, or not at all.

  Raises:
    ReportError: if a file of the runs is damaged.
  """
  context = sections.Context(
    methods=runs_by_name(runs),
    hierarchy=hierarchy_of(runs[0]),
    gallery=markup.Gallery(output / 'pictures'),
    split=split,
    baseline=baseline,
  )
  # Pictures take minutes: what is damaged is told before.
  for run in runs:
    check_files(run, context.hierarchy.num_classes)
  parts = []
  for number, section in enumerate(_SECTIONS, 1):
    logging.info('Section %d of %d: %s.', number, len(_SECTIONS), section.title)
    parts.append(
      f'<section id="{section.anchor}"><h2>{number}. {section.title}</h2>\n'
      f'{section.content(context)}</section>\n'
    )
  output.mkdir(parents=True, exist_ok=True)
  file = output / 'report.html'
  part = file.with_name(f'{file.name}.part')
  part.write_text(_page(context, ''.join(parts)), encoding='utf-8')
  os.replace(part, file)
  return file


def _page(context, content) -> str:
  links = ''.join(
    f'<li><a href="#{section.anchor}">{section.title}</a></li>'
    for section in _SECTIONS
  )
  return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>hafjax report</title>
<style>{_asset('style.css')}</style>
</head>
<body>
<header><h1>Mistakes, and how bad they are</h1>
{sections.facts(context)}
<nav><ol>{links}</ol></nav>
</header>
<main>
{content}</main>
<footer>Made by <code>python -m hafjax.report</code>; the pictures are beside
this file as PNG and PDF, in <code>pictures/</code>.</footer>
<script>{_asset('script.js')}</script>
</body>
</html>
"""


# The browser is told to ask no one for anything.
_POLICY = (
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
  "script-src 'unsafe-inline'"
)


def _asset(name: str) -> str:
  """The text of a file of this package."""
  return resources.files('hafjax.report').joinpath(name).read_text('utf-8')
