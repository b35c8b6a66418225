# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses of one classifier per level of the tree.

Levels are the depths 1 to the tree's height H, coarse to fine; level l has n_l
labels, those of `hierarchy.level_labels(l)`. In a ragged tree, a class that is
less deep than a level stands for itself there: that is our padding, where the
published code knows trees of even depth alone. The labels of the finest level
are the classes in their order.
"""

from collections.abc import Sequence
import functools
import operator

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer
import optax

from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy.levels import LevelMaps
from hafjax.hierarchy.levels import level_maps
from hafjax.losses import arguments
from hafjax.losses.errors import LossError
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.numbers import is_int
from hafjax.numerics.vectors import unit

# The published code's floor on the probabilities of a mixture.
_MIN_PROB = 1e-7


def _checked_levels(
  level_logits: Sequence[ArrayLike], labels: ArrayLike, hierarchy: Hierarchy
) -> tuple[LevelMaps, list[Float[Array, 'b _']], arguments.Batch]:
  """The levels' maps and logits; a batch of the finest level's logits."""
  maps = level_maps(hierarchy)
  logits = [arrays.as_jax(level) for level in level_logits]
  sizes = tuple(level.shape[-1] for level in logits)
  if sizes != maps.sizes:
    raise LossError(
      'level_logits must be one array per level of the tree, coarse to fine, '
      f'with {maps.sizes} columns, got {sizes}.'
    )
  batch = arguments.batch(
    logits[-1], labels, num_classes=hierarchy.num_classes, name='level_logits'
  )
  rows = [len(level) for level in logits]
  if len(set(rows)) > 1:
    raise LossError(
      f'level_logits must all be of {rows[-1]} examples, got {rows}.'
    )
  return maps, logits, batch


def flamingo_loss(
  level_logits: Sequence[Float[ArrayLike, 'b _']],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
) -> Float[Array, 'b']:
  """Sum of the cross-entropies of all levels.

  Args:
    level_logits: for levels 1 to H, coarse to fine, [B, n_l] each.
    labels: class indices, int[B].
    hierarchy: K classes; a class less deep than a level stands for itself
      there.

  Returns:
    float[B], all levels weighed alike. Chang et al., "Your 'Flamingo' is My
    'Bird'", CVPR 2021 (arXiv 2011.09040).

  Raises:
    LossError: if the logits are not those of the tree's levels, or a label is
      no class. Where labels are traced, such a label has the loss NaN.
  """
  maps, level_logits, batch = _checked_levels(level_logits, labels, hierarchy)
  losses = [
    _cross_entropy(logits, jnp.asarray(of_class)[batch.labels])
    for logits, of_class in zip(level_logits, maps.labels, strict=True)
  ]
  return batch.loss(functools.reduce(operator.add, losses))


_cross_entropy = optax.losses.softmax_cross_entropy_with_integer_labels


def hafeature_loss(
  level_logits: Sequence[Float[ArrayLike, 'b _']],
  level_weights: Sequence[Float[ArrayLike, '_ d']],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
  permutations: Integer[ArrayLike, 'l b'] | None = None,
  num_pairs: int = 256,
  margin: float = 3.0,
) -> Float[Array, 'b']:
  """Cross-entropy of the classes, and three terms that tie levels to the tree.

  With p_l the prediction of level l and KL(. || m) the divergence from the
  mixture of two predictions, the sum of

    - the cross-entropy of the finest level;
    - for each two neighbouring levels, the Jensen-Shannon divergence of the
      coarser prediction and the finer one, summed over children;
    - minus, for each two neighbouring levels, the mean over the coarser labels
      of the cosine of their unit weights and their children's summed ones;
    - for each level but the finest, the mean of max(margin - KL, 0) over pairs
      of examples whose labels differ there, both KL of a pair counted by half.

  Pairs are neighbours in an order of the batch, as many times around as needed
  (`pair_counts`). KL is at most log 2, so a margin above it never switches off.

  Args:
    level_logits: for levels 1 to H, coarse to fine, [B, n_l] each.
    level_weights: of the same classifiers, [n_l, d] each; only the directions
      of rows matter.
    labels: class indices, int[B].
    hierarchy: K classes; a class less deep than a level stands for itself
      there.
    permutations: for levels 1 to H - 1, the order in which the published code
      walks the batch, int[H - 1, B]. None is the batch's own order at every
      level: training batches are shuffled already, and the loss needs no key.
      Where a batch is sorted by class, as it may be in evaluation, pairs are
      other ones than in training.
    num_pairs: slots for pairs, per level. An empty one counts as a pair with KL
      = 0, so that it adds the margin, as published.
    margin: of the last term, >= 0.

  Returns:
    float[B]. Its mean is the published loss: the third and fourth term belong
    to the batch and are added to every example. Garg, Sani and Anand, ECCV 2022
    (arXiv 2207.12646), whose code weighs all terms alike.

  Raises:
    LossError: if logits or weights are not those of the tree's levels, a label
      is no class, or `num_pairs` or `margin` are out of range. Where labels are
      traced, a label that is no class has the loss NaN.
  """
  maps, level_logits, batch = _checked_levels(level_logits, labels, hierarchy)
  labels = batch.labels
  _check_pairs(num_pairs, margin)
  level_weights = [arrays.as_jax(weights) for weights in level_weights]
  rows = tuple(len(weights) for weights in level_weights)
  if rows != maps.sizes:
    raise LossError(
      'level_weights must be one matrix per level of the tree, coarse to fine, '
      f'with {maps.sizes} rows, got {rows}.'
    )
  log_probs = [jax.nn.log_softmax(logits) for logits in level_logits]
  units = [unit(weights) for weights in level_weights]
  total = _cross_entropy(level_logits[-1], labels)
  for i, parents in enumerate(maps.parents):
    size = maps.sizes[i]
    summed = _log_sum_children(log_probs[i + 1], parents, size)
    total += sum(_divergences(log_probs[i], summed)) / 2
    below = jax.ops.segment_sum(units[i + 1], jnp.asarray(parents), size)
    total -= jnp.mean(jnp.sum(units[i] * unit(below), axis=-1))
    predictions, found = log_probs[i], jnp.asarray(maps.labels[i])[labels]
    if permutations is not None:
      order = arrays.as_jax(permutations)[i]
      predictions, found = predictions[order], found[order]
    total += _similarity_of_pairs(predictions, found, num_pairs, margin)
  return batch.loss(total)


def _check_pairs(num_pairs, margin):
  if not is_int(num_pairs) or num_pairs < 1:
    raise LossError(f'num_pairs must be at least 1, got {num_pairs!r}.')
  checks.check_not_negative('margin', margin, LossError)


def _log_sum_children(log_probs, parents, num_parents):
  """Logarithms of probabilities summed over the children of each label."""
  parents = jnp.asarray(parents)
  # Not sums of probabilities: the logarithm of one that underflows, and its
  # gradient, are not finite.
  largest = jax.ops.segment_max(
    jax.lax.stop_gradient(log_probs).T, parents, num_parents
  )
  shifted = log_probs.T - largest[parents]
  sums = jax.ops.segment_sum(jnp.exp(shifted), parents, num_parents)
  return (jnp.log(sums) + largest).T


def _divergences(log_p, log_q):
  """KL divergences from the mixture of two distributions, [B] and [B]."""
  p, q = jnp.exp(log_p), jnp.exp(log_q)
  log_mixture = jnp.log(jnp.clip((p + q) / 2, _MIN_PROB, 1.0))
  return (
    jnp.sum(p * (log_p - log_mixture), axis=-1),
    jnp.sum(q * (log_q - log_mixture), axis=-1),
  )


def pair_counts(labels: Int[ArrayLike, 'b'], num_pairs: int) -> Int[Array, '_']:
  """How many of the slots for pairs each pair of neighbours gets.

  The batch is walked along (j, j + 1), pairs of the same label left out, until
  all slots are taken or it has been walked B times.

  Args:
    labels: in the order of the walk, int[B].
    num_pairs: slots.

  Returns:
    int[B - 1]; slots that stay empty are missing from the sum. As in the code
    of arXiv 2207.12646.
  """
  labels = arrays.as_jax(labels)
  keep = labels[:-1] != labels[1:]
  each_walk = keep.sum()
  filled = jnp.minimum(num_pairs, len(labels) * each_walk)
  # The pair that is kept as number r gets the slots r, r + each_walk, ...
  rank = jnp.cumsum(keep) - 1
  counts = (filled - rank + each_walk - 1) // jnp.maximum(each_walk, 1)
  return jnp.where(keep, counts, 0)


def _similarity_of_pairs(log_probs, labels, num_pairs, margin):
  """Mean over slots of how far below the margin the divergence is, []."""
  counts = pair_counts(labels, num_pairs)
  first, second = _divergences(log_probs[:-1], log_probs[1:])
  missing = jax.nn.relu(margin - first) + jax.nn.relu(margin - second)
  empty = (num_pairs - counts.sum()) * margin
  return (jnp.sum(counts * missing) / 2 + empty) / num_pairs
