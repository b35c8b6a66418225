# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The report's page: one HTML file that holds all it needs."""

from collections.abc import Sequence
import os
import pathlib

from absl import logging

from hafjax.report import markup
from hafjax.report import overview
from hafjax.report import sections
from hafjax.report.context import Context
from hafjax.runs.find import Run
from hafjax.runs.find import check_files
from hafjax.runs.find import hierarchy_of
from hafjax.runs.find import runs_by_name


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
  context = Context(
    methods=runs_by_name(runs),
    hierarchy=hierarchy_of(runs[0]),
    gallery=markup.Gallery(output / 'pictures'),
    split=split,
    baseline=baseline,
  )
  # Pictures take minutes: what is damaged is told before.
  for run in runs:
    check_files(run, context.hierarchy.num_classes)
  parts, found = [], sections.all_sections()
  for number, section in enumerate(found, 1):
    logging.info('Section %d of %d: %s.', number, len(found), section.title)
    parts.append(
      f'<section id="{section.anchor}"><h2>{number}. {section.title}</h2>\n'
      f'{section.content(context)}</section>\n'
    )
  output.mkdir(parents=True, exist_ok=True)
  file = output / 'report.html'
  part = file.with_name(f'{file.name}.part')
  part.write_text(_page(context, found, ''.join(parts)), encoding='utf-8')
  os.replace(part, file)
  return file


def _page(context, found, content) -> str:
  links = ''.join(
    f'<li><a href="#{section.anchor}">{section.title}</a></li>'
    for section in found
  )
  return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>hafjax report</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>Mistakes, and how bad they are</h1>
{overview.facts(context)}
<nav><ol>{links}</ol></nav>
</header>
<main>
{content}</main>
<footer>Made by <code>python -m hafjax.report</code>; the pictures are beside
this file as PNG and PDF, in <code>pictures/</code>.</footer>
<script>{_SCRIPT}</script>
</body>
</html>
"""


# The browser is told to ask no one for anything.
_POLICY = (
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
  "script-src 'unsafe-inline'"
)

_SCRIPT = """
for (const button of document.querySelectorAll('button[data-open]')) {
  button.addEventListener('click', () => {
    const nodes = document.querySelectorAll('.tree details');
    for (const node of nodes) node.open = Boolean(button.dataset.open);
  });
}
"""

# Tints of w0 to w10 are those of pictures' second colour: what is wrong.
_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem 1.25rem 4rem;
  font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 1rem 0; font-weight: 600; }
h2 { font-size: 1.3rem; margin: 3rem 0 .5rem; font-weight: 600;
  border-bottom: 1px solid #ddd; padding-bottom: .25rem; }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; font-weight: 600; }
p.note { max-width: 46rem; margin: .5rem 0 1rem; }
p:empty { display: none; }
code { font-size: .88em; background: #f4f4f4; padding: .05em .3em;
  border-radius: 3px; overflow-wrap: anywhere; }
small { color: #555; font-size: .8rem; }
a { color: #00527f; }
nav ol { margin: 1.5rem 0 0; padding: 0; list-style-position: inside;
  display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; }
dl.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 0 0 1rem; }
dl dt { color: #555; font-size: .8rem; }
dl dd { margin: 0; }
dl.glossary { display: grid; grid-template-columns: max-content 1fr;
  gap: .1rem 1rem; max-width: 46rem; font-size: .9rem; }
dl.glossary dt { font-size: inherit; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  font-size: .9rem; margin: .5rem 0; }
th, td { padding: .25rem .7rem; text-align: right; vertical-align: top;
  border-bottom: 1px solid #e6e6e6; white-space: nowrap; font-weight: 400; }
thead th { border-bottom: 1px solid #888; color: #555; vertical-align: bottom; }
th:first-child, .words th, .words td { text-align: left; }
th:first-child { padding-left: 0; }
.words td { white-space: normal; min-width: 16rem; }
td strong { font-weight: 700; }
table td b { font-weight: 600; }
b.good { color: #00664b; } b.bad { color: #a34700; }
.swatch { margin-right: .5rem; vertical-align: middle; }
ul.legend { list-style: none; display: flex; flex-wrap: wrap; padding: 0;
  gap: .15rem 1.4rem; font-size: .9rem; margin: .5rem 0; }
.grid { display: grid; gap: 1rem 1.5rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.grid > * { min-width: 0; }
figure { margin: .5rem 0 1rem; min-width: 0; }
figcaption { font-size: .88rem; color: #444; max-width: 46rem; }
img.picture { width: 100%; height: auto; display: block; }
details { margin: .25rem 0; }
summary { cursor: pointer; }
section > details > summary { padding: .25rem 0; }
button { font: inherit; font-size: .88rem; padding: .15rem .7rem;
  border: 1px solid #bbb; border-radius: 4px; background: #fafafa; }
.tree { font-size: .9rem; }
.tree details { margin: 0; }
.tree details > details, .tree details > div { margin-left: 1rem; }
.tree .row { display: flex; border-bottom: 1px solid #f0f0f0;
  list-style: none; }
.tree .row > span { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.tree summary::-webkit-details-marker { display: none; }
.tree summary > span::before { content: '▸'; display: inline-block;
  width: 1rem; color: #777; }
.tree details[open] > summary > span::before { content: '▾'; }
.tree div.row:not(.head) > span { padding-left: 1rem; }
.tree .row > b, .tree .row > i { width: 5rem; padding: .1rem .4rem;
  text-align: right; font-style: normal; font-weight: 400;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.tree .head { color: #555; border-bottom: 1px solid #888;
  align-items: flex-end; }
.tiles { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); }
.tile { display: flex; gap: .75rem; margin: 0; border: 1px solid #e6e6e6;
  border-radius: 6px; padding: .6rem; break-inside: avoid; }
.tile img { width: 5.5rem; height: 5.5rem; object-fit: contain; flex: none;
  image-rendering: pixelated; }
.tile p { margin: 0 0 .3rem; line-height: 1.35; overflow-wrap: anywhere; }
.grey { color: #767676; }
footer { margin-top: 4rem; color: #555; font-size: .88rem; }
@media (max-width: 30rem) {
  body { padding: .5rem .75rem 3rem; }
  dl.glossary { grid-template-columns: 1fr; }
  .tree details > details, .tree details > div { margin-left: .5rem; }
}
@media print {
  body { max-width: none; font-size: 10pt; padding: 0; }
  button, nav { display: none; }
  figure, tr, .tile { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
  img.picture { min-width: 0 !important; }
}
""" + ''.join(
  f'.tree .w{tenths} {{ background: rgb(213 94 0 / {6 * tenths}%); }}\n'
  for tenths in range(11)
)
