# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""From features to logits, learned or fixed."""

from collections.abc import Callable
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from hafjax import frames
from hafjax.models.outputs import Classifier
from hafjax.models.outputs import HeadOutputs
from hafjax.runtime import mesh


class Linear(nn.Module):
  """A learned linear classifier with bias.

  Attributes:
    num_classes: K.
  """

  num_classes: int

  @nn.compact
  def __call__(self, features) -> HeadOutputs:
    """[B, d] -> logits [B, K], float32, and the classifier of 'features'."""
    features = features.astype(jnp.float32)
    dense = nn.Dense(self.num_classes, name='dense')
    logits = dense(features)
    params = dense.variables['params']
    classifier = Classifier(params['kernel'].T, params['bias'])
    return HeadOutputs(features, logits, classifiers={'features': classifier})


class NodeLinear(nn.Module):
  """A learned linear classifier of all nodes of a tree.

  Attributes:
    num_nodes: N.
    class_scores: logits of nodes [B, N] -> scores of classes [B, K].
  """

  num_nodes: int
  class_scores: Callable

  @nn.compact
  def __call__(self, features) -> HeadOutputs:
    """[B, d] -> logits [B, K] and extra 'node_logits' [B, N], float32."""
    features = features.astype(jnp.float32)
    node_logits = nn.Dense(self.num_nodes, name='dense')(features)
    return HeadOutputs(
      features,
      self.class_scores(node_logits),
      extras=dict(node_logits=node_logits),
    )


class LinearLayers(nn.Module):
  """Linear layers on top of each other, as theory has them.

  Attributes:
    widths: of the layers' outputs; the last is K.
    bias: whether the last has one.
  """

  widths: tuple[int, ...]
  bias: bool = False

  @nn.compact
  def __call__(self, features) -> HeadOutputs:
    """[B, d] -> logits [B, K], float32.

    'kernels' of the layers, [d_l, d_(l - 1)] each, are extras; what goes into
    the second layer and on, 'linear1' and so on, are intermediates; classifiers
    are, for each of these and for the features, the product of the layers above
    and the last layer's bias (zeros for none).
    """
    x = features = features.astype(jnp.float32)
    inputs, kernels, bias = [], [], jnp.zeros(self.widths[-1])
    for layer, width in enumerate(self.widths, 1):
      last = layer == len(self.widths)
      dense = nn.Dense(
        width, use_bias=self.bias and last, name=f'linear{layer}'
      )
      inputs.append(x)
      x = dense(x)
      params = dense.variables['params']
      kernels.append(params['kernel'].T)
      bias = params.get('bias', bias)
    above = [kernels[-1]]
    for kernel in kernels[-2::-1]:
      above.append(
        jnp.matmul(above[-1], kernel, precision=jax.lax.Precision.HIGHEST)
      )
    layers = ['features', *(f'linear{n}' for n in range(1, len(kernels)))]
    return HeadOutputs(
      features,
      x,
      classifiers={
        layer: Classifier(weights, bias)
        for layer, weights in zip(layers, above[::-1], strict=True)
      },
      extras=dict(kernels=tuple(kernels)),
      intermediates=dict(zip(layers[1:], inputs[1:], strict=True)),
    )


class Fixed(nn.Module):
  """A classifier whose rows are given and stay.

  The frame is a variable of the collection 'frame', not a parameter: it has no
  gradient, no weight decay and no optimizer state, but a place in checkpoints,
  so that a run can be read where rounding would make another frame.

  Attributes:
    frame: class vectors, float[K, d], or an operator of `hafjax.frames`.
  """

  frame: Any

  @nn.compact
  def __call__(self, features) -> HeadOutputs:
    """[B, d] -> logits [B, K], float32, and the frame.

    Raises:
      ValueError: if the features are not as wide as the frame.
    """
    initial = frames.as_frame(self.frame)
    if features.shape[-1] != initial.dim:
      raise ValueError(
        f'The frame has {initial.dim} dimensions and the features '
        f'have {features.shape[-1]}: they must be the same.'
      )
    features = features.astype(jnp.float32)
    if not isinstance(initial, frames.DenseFrame):
      # No rows to split over devices.
      features = mesh.over_all(features)
    frame = self.variable('frame', 'frame', to_float32, initial).value
    return HeadOutputs(features, frame.logits(features), frame=frame)


def to_float32(frame):
  """A pytree with its floating arrays in float32."""

  def cast(leaf):
    floating = jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    return jnp.asarray(leaf, jnp.float32 if floating else None)

  return jax.tree.map(cast, frame)


class Turning(Fixed):
  """A fixed classifier that keeps what turning its frame needs.

  The frame is `coordinates @ rotation.T`, coordinates [K, r] of full rank;
  'sums' and 'counts' hold moving averages of the features of each class. What
  changes them is a method's `update`.
  """

  @nn.compact
  def __call__(self, features) -> HeadOutputs:
    """As `Fixed`."""
    outputs = super().__call__(features)
    rows = np.asarray(self.frame, np.float64)
    left, values, right = np.linalg.svd(rows, full_matrices=False)
    rank = int((values > 1e-6 * values[0]).sum())
    for name, initial in (
      ('coordinates', left[:, :rank] * values[:rank]),
      ('rotation', right[:rank].T),
      ('sums', np.zeros_like(rows)),
      ('counts', np.zeros(len(rows))),
    ):
      self.variable('frame', name, to_float32, initial)
    return outputs
