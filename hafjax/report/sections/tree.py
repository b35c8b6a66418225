# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Accuracy at each node of the tree."""

import numpy as np

from hafjax.metrics import confusion
from hafjax.report import context as context_lib
from hafjax.report import markup
from hafjax.report.context import Context
from hafjax.runs.find import PREDICTIONS

TITLE = 'Accuracy in the tree'
ORDER = 70

# Trees of more nodes show their first levels only, until they are unfolded.
_MOST_NODES = 60


def content(context: Context) -> str:
  """The tree, with the accuracy at each node of each method."""
  missing = context_lib.note(context_lib.missing(context, PREDICTIONS))
  if not context.pooled:
    return missing
  counts = [
    confusion.node_hits(pooled.labels, pooled.predictions, context.hierarchy)
    for pooled in context.pooled.values()
  ]
  hits, totals = (np.array(part) for part in zip(*counts, strict=True))
  heads = ''.join(f'<b>{markup.text(name)}</b>' for name in context.pooled)
  return (
    context_lib.note(
      'Of the test images below a node, how many are predicted below it, '
      'in percent, all seeds pooled; the stronger the colour, the more '
      'leave it. A node opens at a click.'
    )
    + missing
    + '<p><button type="button" data-open="1">Open all</button> '
    '<button type="button" data-open="">Close all</button></p>\n'
    + '<div class="scroll"><div class="tree" style="min-width:'
    f'{14 + 5 * (1 + len(hits))}rem">'
    f'<div class="row head"><span>node</span><b>images</b>{heads}</div>\n'
    + ''.join(_nodes(context.hierarchy, hits, totals))
    + '</div></div>\n'
  )


def _nodes(hierarchy, hits, totals):
  """Yields HTML, depth first; no recursion, for trees may be deep."""
  children = np.searchsorted(
    hierarchy.parents, np.arange(hierarchy.num_nodes + 1)
  )
  depth = hierarchy.height if hierarchy.num_nodes <= _MOST_NODES else 1
  todo = [0]
  while todo:
    node = todo.pop()
    if node is None:
      yield '</details>\n'
      continue
    cells = _node_cells(
      hierarchy.node_names[node], hits[:, node], totals[:, node]
    )
    below = range(children[node], children[node + 1])
    if not below:
      yield f'<div class="row">{cells}</div>\n'
      continue
    is_open = ' open' if hierarchy.node_depths[node] < depth else ''
    yield f'<details{is_open}><summary class="row">{cells}</summary>\n'
    todo += [None, *reversed(below)]


def _node_cells(name, hits, totals) -> str:
  cells = [f'<span>{markup.text(name)}</span><i>{totals.max():,}</i>']
  for hit, total in zip(hits.tolist(), totals.tolist(), strict=True):
    if not total:
      cells.append('<i>–</i>')
      continue
    wrong = round(10 * (1 - hit / total))
    cells.append(f'<i class="w{wrong}">{100 * hit / total:.1f}</i>')
  return ''.join(cells)
