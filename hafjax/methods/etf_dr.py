# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A fixed simplex ETF under dot regression.

Yang et al., NeurIPS 2022 (arXiv 2203.09081).
"""

import jax.numpy as jnp

from hafjax import frames
from hafjax import losses
from hafjax.methods import base
from hafjax.methods import fixed
from hafjax.models import heads

# What class vectors are scaled by, from (labels, the training split's counts).
_COUNTS = {
  'batch': lambda labels, counts: jnp.bincount(labels, length=len(counts)),
  'train': lambda labels, counts: counts,
}


def build(
  context: base.MethodContext, *, lengths: str = 'batch'
) -> base.Method:
  """Unit features drawn to their class vector, with no push from the others.

  Args:
    context: see `base.MethodContext`.
    lengths: whose class counts make rare classes' vectors longer
      (`losses.class_lengths`): the 'batch', as released, or all of 'train'.
  """
  if lengths not in _COUNTS:
    raise base.MethodError(
      f'lengths must be one of {", ".join(_COUNTS)}, got {lengths!r}.'
    )
  similarity = frames.etf_similarity(context.hierarchy.num_classes)

  def loss(outputs, labels, progress):
    del progress
    counts = _COUNTS[lengths](labels, jnp.asarray(context.class_counts))
    scale = losses.class_lengths(counts)
    return losses.dot_regression_loss(
      losses.unit(outputs.features),
      scale[:, None] * outputs.frame.vectors,
      labels,
      lengths=1.0,
    )

  return base.Method(
    heads.Fixed(fixed.vectors(similarity, context)), loss, fixed.cosines
  )
