# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Linear layers on a backbone, with the decays of the theory of collapse.

Dang et al., ICML 2023 (arXiv 2301.00437).
"""

from absl import logging
import jax.numpy as jnp

from hafjax import ufm
from hafjax.methods import base
from hafjax.models import heads
from hafjax.ufm import model

# Linear layers on free features: only features and layers decay, in the loss.
# For theory, at rates of its own: not compared with the other methods.
FIELDS = {'deep_linear': dict(top='pool', weight_decay=0.0)}
COMPARED = False


def build(
  context: base.MethodContext,
  *,
  depth: int = 1,
  width: int | None = None,
  loss: str = 'mse',
  bias: bool = False,
  weight_decay: float = 5e-4,
  feature_decay: float = 1e-6,
) -> base.Method:
  """The objective of `hafjax.ufm`, with features that a network has to find.

  Features and linear layers decay in the loss, each at a rate of its own, as
  the theory has it; the network below should not (`config.weight_decay=0`), for
  it stands for features that are free. Where the minimum is known, measures of
  collapse are also taken against its geometry (`Method.predicted`).

  Args:
    context: see `base.MethodContext`.
    depth: how many linear layers there are, M.
    width: of all between the features and the logits; None for the features'.
    loss: 'mse' (half the squared error to one-hot labels, summed over classes)
      or 'ce'.
    bias: whether the last layer has one, which does not decay.
    weight_decay: of each layer, in the objective: half of it times the squared
      norm.
    feature_decay: likewise of the features, of all examples together: the
      theory's, which falls with the number of examples.
  """
  if depth < 1:
    raise base.MethodError(f'depth must be at least 1, got {depth}.')
  dims = (context.width,) + (width or context.width,) * (depth - 1)
  settings = dict(
    class_counts=context.class_counts.tolist(),
    dims=dims,
    weight_decays=(weight_decay,) * depth,
    feature_decay=feature_decay,
    bias=bias,
    loss=loss,
  )
  try:
    predicted = ufm.predictions(**settings)
  except ufm.NoClosedForm as error:
    logging.info('Collapse is not compared with a minimum: %s', error)
    predicted = []
  except ValueError as error:
    raise base.MethodError(f'The method deep_linear: {error}') from error
  names = ['features', *(f'linear{layer}' for layer in range(1, depth))]
  num_examples = int(context.class_counts.sum())

  def objective(outputs, labels, progress):
    del progress
    lengths = jnp.sum(outputs.features**2, axis=1)
    decay = weight_decay * sum(jnp.sum(w**2) for w in outputs.extras['kernels'])
    # The mean over examples of this is the sum over all of them.
    decay += num_examples * feature_decay * lengths
    return model.logit_losses(outputs.logits, labels, loss) + decay / 2

  return base.Method(
    head=heads.LinearLayers((*dims[1:], context.hierarchy.num_classes), bias),
    loss=objective,
    predicted=dict(zip(names, predicted, strict=False)),
  )
