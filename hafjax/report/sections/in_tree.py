# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Mistakes and accuracy by place in the tree."""

from absl import logging
import numpy as np

from hafjax.metrics import confusion
from hafjax.report import markup
from hafjax.report import plots
from hafjax.report.sections import context as context_lib
from hafjax.runs.find import PREDICTIONS

# Trees of more nodes show their first levels only, until they are unfolded.
_MOST_NODES = 60


def heights(context: context_lib.Context) -> str:
  """Mistakes by the height of the lowest common ancestor."""
  shares = {
    name: confusion.height_shares(
      pooled.labels, pooled.predictions, context.hierarchy
    )
    for name, pooled in context.pooled.items()
  }
  missing = context_lib.note(context_lib.missing(context, PREDICTIONS))
  if not shares:
    return missing
  logging.info('Drawing mistakes by height.')
  relative = {
    name: share / share.sum() if share.any() else share
    for name, share in shares.items()
  }
  parts = [
    context.gallery.picture(
      f'heights_of_{what}', plots.height_picture(values, title), reading
    )
    for what, values, title, reading in (
      (
        'images',
        shares,
        'share of all test images',
        "A bar's whole length is the error rate: shorter is better.",
      ),
      (
        'mistakes',
        relative,
        'share of mistakes',
        'Of the mistakes alone: the more of a bar is light, the milder they '
        'are.',
      ),
    )
  ]
  header = [
    'method',
    *(f'height {i + 1}' for i in range(context.hierarchy.height)),
    'all',
  ]
  rows = [
    [
      context_lib.labelled(context, name),
      *(f'{100 * value:.2f} %' for value in share),
      f'{100 * share.sum():.2f} %',
    ]
    for name, share in shares.items()
  ]
  return (
    context_lib.note(
      'Test images that are wrong, by the height of the lowest common '
      'ancestor of true and predicted class: at height 1 they share a '
      f'parent, at {context.hierarchy.height} only the root. All seeds '
      'that have predictions are pooled.'
    )
    + missing
    + context_lib.grid(parts)
    + markup.details(
      'As numbers: share of all test images', markup.table(header, rows)
    )
  )


def tree(context: context_lib.Context) -> str:
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
