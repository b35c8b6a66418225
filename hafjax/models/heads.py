# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""From features to logits, learned or fixed."""

from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from hafjax import frames
from hafjax.runtime import mesh


class Linear(nn.Module):
  """A learned linear classifier with bias.

  Attributes:
    num_outputs: K, or as many as a method wants.
  """

  num_outputs: int

  @nn.compact
  def __call__(self, features):
    """[B, d] -> features and logits [B, outputs], float32.

    Also its own 'weights' [outputs, d] and 'bias' [outputs].
    """
    features = features.astype(jnp.float32)
    dense = nn.Dense(self.num_outputs, name='dense')
    logits = dense(features)
    params = dense.variables['params']
    return dict(
      features=features,
      logits=logits,
      weights=params['kernel'].T,
      bias=params['bias'],
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
  def __call__(self, features):
    """[B, d] -> features and logits [B, K], float32.

    Also the 'kernels' of the layers, [d_l, d_{l-1}] each; their product, the
    classifier's 'weights' [K, d]; 'bias' [K] (zeros for none); 'intermediates',
    what goes into the second layer and on, 'linear1' and so on; and
    'layer_weights', [K, width] of each of these, what the layers above make of
    it.
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
    weights, *above = above[::-1]
    names = [f'linear{layer}' for layer in range(1, len(kernels))]
    return dict(
      features=features,
      logits=x,
      kernels=tuple(kernels),
      weights=weights,
      bias=bias,
      intermediates=dict(zip(names, inputs[1:], strict=True)),
      layer_weights=dict(zip(names, above, strict=True)),
    )


class Fixed(nn.Module):
  """A classifier whose rows are given and stay.

  The frame is a variable of the collection 'frame', not a parameter: it has no
  gradient, no weight decay and no optimiser state, but a place in checkpoints,
  so that a run can be read where rounding would make another frame.

  Attributes:
    frame: class vectors, float[K, d], or an operator of `hafjax.frames`.
  """

  frame: Any

  @nn.compact
  def __call__(self, features):
    """[B, d] -> features and logits [B, K], float32, and the 'frame'.

    Raises:
      ValueError: if the features are not as wide as the frame.
    """
    given = frames.as_frame(self.frame)
    if features.shape[-1] != given.dim:
      raise ValueError(
        f'The frame has {given.dim} dimensions and the features '
        f'have {features.shape[-1]}: they must be the same.'
      )
    features = features.astype(jnp.float32)
    if not isinstance(given, frames.DenseFrame):
      # No rows to split over devices.
      features = mesh.over_all(features)
    frame = self.variable('frame', 'frame', single, given).value
    return dict(features=features, logits=frame.logits(features), frame=frame)


def single(frame):
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
  def __call__(self, features):
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
      self.variable('frame', name, single, initial)
    return outputs
