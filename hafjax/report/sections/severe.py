# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The most severe mistakes, with both paths."""

import numpy as np

from hafjax.report import context as context_lib
from hafjax.report import markup
from hafjax.report import plots
from hafjax.report.context import Context
from hafjax.runs.find import PREDICTIONS

TITLE = 'Most severe mistakes'
ORDER = 80

# Tiles of severe mistakes a method.
NUM_TILES = 12


def content(context: Context) -> str:
  """The worst mistakes, as images (where there are any) with both paths."""
  missing = context_lib.note(context_lib.missing(context, PREDICTIONS))
  parts = {
    f'{method}, seed {run.seed}': _tiles(context, arrays)
    for method, run, arrays in context.first_with(
      'severe', 'severe_images', 'confidences'
    )
  }
  if not parts:
    return missing or context_lib.note(context_lib.lacking(context, 'severe'))
  return (
    context_lib.note(
      'Test images whose predicted class is farthest from the true one, '
      'worst first. What both paths share is grey; the confidence is the '
      'softmax probability of the predicted class.'
    )
    + missing
    + ''.join(context_lib.folded(parts))
  )


def _tiles(context, arrays) -> str:
  chosen = arrays['severe']
  # Frozen features have no images to show: paths alone.
  images = arrays.get('severe_images', [None] * len(chosen))
  wrong = int(np.sum(arrays['labels'] != arrays['predictions']))
  if not len(chosen):
    return context_lib.note('There are no mistakes to show.')
  tiles = [
    _tile(context.hierarchy, arrays, index, image)
    for index, image in zip(chosen[:NUM_TILES], images[:NUM_TILES], strict=True)
  ]
  return f'<div class="tiles">{"".join(tiles)}</div>\n' + context_lib.note(
    f'{len(tiles)} of {wrong:,} mistakes; {wrong - len(tiles):,} are left out.'
  )


def _tile(hierarchy, arrays, index, image) -> str:
  label, guess = (int(arrays[key][index]) for key in ('labels', 'predictions'))
  paths = hierarchy.path_table[[label, guess]]
  shared = int(np.sum((paths[0] == paths[1]) & (paths[0] >= 0)))
  lowest = paths[0, shared - 1]
  names = [
    [hierarchy.node_names[node] for node in path if node >= 0] for path in paths
  ]
  facts_ = [f'common ancestor at height {hierarchy.node_heights[lowest]}']
  if 'confidences' in arrays:
    facts_.insert(0, f'confidence {arrays["confidences"][index]:.0%}')
  shown = ''
  if image is not None:
    uri = markup.data_uri(plots.encoded_image(image), 'png')
    shown = f'<img src="{uri}" alt="{markup.escape(names[0][-1])}">'
  return (
    f'<figure class="tile">{shown}<figcaption>'
    f'<p>true: {_path(names[0], shared)}</p>'
    f'<p>predicted: {_path(names[1], shared)}</p>'
    f'<p><small>{", ".join(facts_)}</small></p></figcaption></figure>\n'
  )


def _path(names, shared) -> str:
  """A path whose first names are grey, and whose class is strong."""
  common, own = names[:shared], names[shared:]
  parts = [f'<span class="grey">{markup.text(name)}</span>' for name in common]
  parts += [markup.text(name) for name in own[:-1]]
  return ' › '.join([*parts, f'<strong>{markup.text(names[-1])}</strong>'])
