# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy with a learned linear classifier: the baseline."""

import jax
import optax

from hafjax.methods import base
from hafjax.models import heads

# On the network of the fixed frames (type II) and on the plain one (type I).
VARIANTS = {
  'cross_entropy': {},
  'cross_entropy_type1': {},
  'label_smoothing': dict(label_smoothing=0.1),
}
FIELDS = {'cross_entropy_type1': dict(top='pool')}


def build(
  context: base.MethodContext, *, label_smoothing: float = 0.0
) -> base.Method:
  """All mistakes are equal.

  Args:
    context: see `base.MethodContext`.
    label_smoothing: part of the target that is spread over all classes evenly,
      in [0, 1) (Szegedy et al., CVPR 2016, arXiv 1512.00567).
  """
  if not 0 <= label_smoothing < 1:
    raise base.MethodError(
      f'label_smoothing must be in [0, 1), got {label_smoothing}.'
    )
  num_classes = context.hierarchy.num_classes

  def loss(outputs, labels, progress):
    del progress
    logits = outputs.logits
    if not label_smoothing:
      return optax.losses.softmax_cross_entropy_with_integer_labels(
        logits, labels
      )
    targets = optax.losses.smooth_labels(
      jax.nn.one_hot(labels, num_classes), label_smoothing
    )
    return optax.losses.softmax_cross_entropy(logits, targets)

  return base.Method(head=heads.Linear(num_classes), loss=loss)
