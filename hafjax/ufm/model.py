# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The model itself: its settings, and the objective that is minimised."""

from collections.abc import Callable, Sequence
import dataclasses
import functools
import math
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer
import numpy as np
import optax

from hafjax.numerics import arrays
from hafjax.numerics.arrays import ArrayLike

# Class sizes or widths; decays of layers.
Counts: TypeAlias = Sequence[int] | Integer[ArrayLike, '_']
Decays: TypeAlias = Sequence[float] | Float[ArrayLike, '_']

LOSSES = ('mse', 'ce')
# Of features [N, d] and labels [N], one value per sample, [N].
FeatureLoss = Callable[[Array, Array], Array]
Loss = str | FeatureLoss


@dataclasses.dataclass(frozen=True)
class Problem:
  """Checked settings. Symbols as in the papers: M layers, K classes, N samples.

  Attributes:
    counts: class sizes, K of them.
    dims: d_0 (of the features) to d_{M-1}.
    weight_decays: of W_1 (next to the features) to W_M.
    feature_decay: of the features.
    bias: whether there is one.
    bias_decay: its decay; 0 leaves it free.
    loss: 'mse' or 'ce'.
  """

  counts: tuple[int, ...]
  dims: tuple[int, ...]
  weight_decays: tuple[float, ...]
  feature_decay: float
  bias: bool
  bias_decay: float
  loss: str

  def __post_init__(self):
    check_counts(self.counts)
    check_loss(self.loss)
    if not self.dims or min(self.dims) < 1:
      raise ValueError(
        f'dims must be one or more widths of at least 1, got {self.dims}.'
      )
    if len(self.dims) != len(self.weight_decays):
      raise ValueError(
        f'dims and weight_decays must have an entry per layer, got {self.dims} '
        f'and {self.weight_decays}.'
      )
    decays = (*self.weight_decays, self.feature_decay)
    if not all(0 < decay < math.inf for decay in decays):
      raise ValueError(
        'Without a positive decay of every layer and of the features there is '
        f'no minimum, got weight_decays={self.weight_decays} and '
        f'feature_decay={self.feature_decay}.'
      )
    if not 0 <= self.bias_decay < math.inf:
      raise ValueError(
        f'bias_decay must be at least 0 and finite, got {self.bias_decay}.'
      )
    if self.bias_decay and not self.bias:
      raise ValueError(
        f'bias_decay={self.bias_decay} needs a bias: set bias=True.'
      )

  @classmethod
  def of(
    cls,
    class_counts: Counts,
    dims: Counts,
    weight_decays: Decays,
    feature_decay: float | Float[ArrayLike, ''],
    bias: bool = False,
    bias_decay: float | Float[ArrayLike, ''] = 0.0,
    loss: str = 'mse',
  ) -> 'Problem':
    """From the arguments of `minimum`.

    Raises:
      ValueError: if they are inconsistent.
    """
    return cls(
      tuple(class_counts),
      tuple(dims),
      tuple(weight_decays),
      float(feature_decay),
      bias,
      float(bias_decay),
      loss,
    )

  @property
  def depth(self) -> int:
    """M, how many linear layers there are."""
    return len(self.dims)

  @property
  def num_classes(self) -> int:
    return len(self.counts)

  @property
  def num_samples(self) -> int:
    return sum(self.counts)

  @property
  def sizes(self) -> Float[np.ndarray, 'k']:
    """Class sizes as float64[K]."""
    return np.asarray(self.counts, np.float64)

  @property
  def balanced(self) -> bool:
    return len(set(self.counts)) == 1

  @property
  def max_rank(self) -> int:
    """The largest rank that the widths leave to the logits."""
    return min(self.num_classes, *self.dims)

  @property
  def log_product(self) -> float:
    """Logarithm of Lambda, the product of all decays but the bias's.

    Lambda alone decides about the logits; in logarithms it cannot underflow.
    """
    decays = (*self.weight_decays, self.feature_decay)
    return sum(math.log(decay) for decay in decays)


def check_counts(counts: Counts):
  """Raises a ValueError unless these are the sizes of two or more classes."""
  if len(counts) < 2 or any(n < 1 or n != int(n) for n in counts):
    raise ValueError(
      'class_counts must be whole numbers of at least 1, of two or more '
      f'classes, got {list(counts)}.'
    )


def check_loss(loss: Loss):
  """Raises a ValueError unless there is such a loss."""
  if not callable(loss) and loss not in LOSSES:
    raise ValueError(f'loss must be one of {LOSSES}, got {loss!r}.')


def labels_of(class_counts: Counts) -> Int[np.ndarray, 'n']:
  """Labels of samples that are grouped by class."""
  check_counts(class_counts)
  return np.repeat(np.arange(len(class_counts)), np.asarray(class_counts, int))


def objective(
  weights: Sequence[Float[ArrayLike, '_ _']],
  features: Float[ArrayLike, 'd n'],
  bias: Float[ArrayLike, 'k'] | None,
  class_counts: Counts,
  weight_decays: Decays,
  feature_decay: float | Float[ArrayLike, ''],
  bias_decay: float | Float[ArrayLike, ''] = 0.0,
  loss: Loss = 'mse',
) -> Float[Array, '']:
  """The regularised loss of weights and free features.

  The mean over samples of half the squared error to the one-hot label ('mse')
  or of the cross-entropy ('ce') of the logits W_M ... W_1 h + b, plus half of
  every decay times the squared norm. Differentiable, and jit-able in all but
  class_counts and loss.

  Args:
    weights: W_1 (which acts on the features) to W_M, [d_l, d_{l-1}], d_M = K.
    features: a column per sample, grouped by class, [d_0, N].
    bias: [K], or None.
    class_counts: class sizes, K integers.
    weight_decays: of W_1 to W_M.
    feature_decay: of the features.
    bias_decay: of the bias.
    loss: 'mse', 'ce', or a function of the last layer's outputs [N, d_M] and
      labels [N] that gives [N] (see `fixed_classifier`).

  Returns:
    float[]. Dang et al., ICML 2023 (arXiv 2301.00437), with the factors of
    equation (1.1) there: sum over classes, mean over samples, half.

  Raises:
    ValueError: if shapes do not fit, or there is no such loss.
  """
  labels = labels_of(class_counts)
  check_loss(loss)
  weights = tuple(arrays.as_array(matrix) for matrix in weights)
  features = arrays.as_array(features)
  bias = None if bias is None else arrays.as_array(bias)
  check_shapes(weights, features, bias, class_counts, loss)
  if len(weights) != len(weight_decays):
    raise ValueError(
      f'There must be a decay per layer, got {len(weights)} weights and '
      f'{len(weight_decays)} decays.'
    )
  decays = (tuple(weight_decays), feature_decay, bias_decay)
  return regularised_loss((weights, features, bias), labels, decays, loss)


def check_shapes(weights, features, bias, class_counts, loss):
  """Raises a ValueError that shows the shapes if they do not fit."""
  shapes = [jnp.shape(array) for array in (features, *weights)]
  fit = all(
    len(above) == 2 and above[1] == below[0]
    for below, above in zip(shapes, shapes[1:], strict=False)
  )
  fit &= shapes[0][1:] == (sum(class_counts),)
  if not callable(loss):
    fit &= len(shapes) > 1 and shapes[-1][0] == len(class_counts)
  if bias is not None:
    fit &= not callable(loss) and jnp.shape(bias) == (len(class_counts),)
  if not fit:
    raise ValueError(
      f'For class sizes {list(class_counts)}, features [d_0, N], weights '
      '[d_l, d_(l-1)] up to d_M = K and a bias [K] must follow each other, got '
      f'features {shapes[0]}, weights {shapes[1:]} and '
      f'{"no bias" if bias is None else f"bias {jnp.shape(bias)}"}.'
    )


def regularised_loss(point, labels, decays, loss: Loss) -> Float[Array, '']:
  """`objective` of a point (weights, features, bias) and labels, unchecked."""
  weights, features, bias = point
  weight_decays, feature_decay, bias_decay = decays
  data = jnp.mean(sample_losses(point, labels, loss))
  penalty = feature_decay * jnp.sum(features**2)
  for matrix, decay in zip(weights, weight_decays, strict=True):
    penalty += decay * jnp.sum(matrix**2)
  if bias is not None:
    penalty += bias_decay * jnp.sum(bias**2)
  return data + penalty / 2


def sample_losses(point, labels, loss: Loss) -> Float[Array, 'n']:
  """The unregularised loss of every sample."""
  weights, features, bias = point
  # Accelerators' short products would hide the differences that matter here.
  product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
  outputs = functools.reduce(lambda x, w: product(w, x), weights, features).T
  if callable(loss):
    return loss(outputs, labels)
  logits = outputs if bias is None else outputs + bias[None]
  return logit_losses(logits, labels, loss)


def logit_losses(logits, labels, loss: str) -> Float[Array, 'n']:
  """Half the squared error to one-hot labels ('mse'), or cross-entropy."""
  if loss == 'ce':
    return optax.losses.softmax_cross_entropy_with_integer_labels(
      logits, labels
    )
  wanted = jax.nn.one_hot(labels, logits.shape[1], dtype=logits.dtype)
  return jnp.sum((logits - wanted) ** 2, axis=1) / 2
