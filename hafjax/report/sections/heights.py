# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Mistakes by the height of the lowest common ancestor."""

from absl import logging

from hafjax.metrics import confusion
from hafjax.report import context as context_lib
from hafjax.report import markup
from hafjax.report import plots
from hafjax.report.context import Context
from hafjax.runs.find import PREDICTIONS

TITLE = 'Mistakes by height'
ORDER = 50


def content(context: Context) -> str:
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
