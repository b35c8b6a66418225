# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchical cross-entropy (HXE).

Bertinetto et al., CVPR 2020 (arXiv 1912.09393).
"""

from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


def build(context: base.MethodContext, *, alpha: float = 0.1) -> base.Method:
  """A linear classifier, each step of the path to the label weighed.

  Weights are not divided by their sum over all nodes as published: that scales
  the gradient by 1 / N or so, of which Adam (published) sees nothing and SGD
  (here) makes a learning rate too small to learn.

  Args:
    context: see `base.MethodContext`.
    alpha: decay of the weights with depth, see
      `losses.hierarchical_cross_entropy`; published results range over 0.1 to
      0.6.
  """

  def loss(outputs, labels, progress):
    del progress
    return losses.hierarchical_cross_entropy(
      outputs.logits, labels, context.hierarchy, alpha, normalise=False
    )

  return base.Method(
    head=heads.Linear(context.hierarchy.num_classes), loss=loss
  )
