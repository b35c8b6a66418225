# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A fixed hierarchy embedding under the cosine loss.

Barz and Denzler, WACV 2019 (arXiv 1809.09924).
"""

from hafjax import frames
from hafjax import losses
from hafjax.methods import base
from hafjax.methods import fixed
from hafjax.models import heads

VARIANTS = {
  'barz_denzler': {},
  'barz_denzler_ce': dict(cross_entropy_weight=0.1),
}


def build(
  context: base.MethodContext, *, cross_entropy_weight: float = 0.0
) -> base.Method:
  """Class vectors with cosines 1 - D / max D.

  Args:
    context: see `base.MethodContext`.
    cross_entropy_weight: of a cross-entropy that takes the features themselves
      for logits, so that they are as many as classes (published: 0.1).
  """
  width, num_classes = context.width, context.hierarchy.num_classes
  if cross_entropy_weight and width != num_classes:
    raise base.MethodError(
      'cross_entropy_weight takes features for logits: it needs features of '
      f'{num_classes} dimensions, a class each, got {width}.'
    )

  def loss(outputs, labels, progress):
    del progress
    return losses.embedding_cosine_loss(
      outputs.features,
      outputs.frame.vectors,
      labels,
      cross_entropy_weight,
    )

  vectors = fixed.vectors(
    frames.barz_denzler_similarity(context.distances), context
  )
  return base.Method(heads.Fixed(vectors), loss, fixed.cosines)
