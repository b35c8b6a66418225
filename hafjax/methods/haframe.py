# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A classifier fixed to the hierarchy-aware frame (HAFrame).

Liang and Davis, ICCV 2023 (arXiv 2303.05689).
"""

from collections.abc import Mapping

from hafjax import frames
from hafjax.methods import base
from hafjax.methods import fixed

# Classes from which on the tree is the faster frame under a linear top, the
# wider features and all. The four square layers of 'transform' make up more
# than the frame saves, at any size (experiments/benchmarks/frames.py).
_TREE_CLASSES = 300

# The published method; its parts: the frame under cross-entropy alone, or the
# cosine loss alone; similarity falling linearly; a mix that moves to the cosine
# loss; and a frame that turns to the features.
_PUBLISHED = dict(gamma=2.0, alpha=0.4)
VARIANTS = {
  'haframe': _PUBLISHED,
  'haframe_ce': _PUBLISHED | dict(alpha=0.0),
  'haframe_cosine': _PUBLISHED | dict(alpha=1.0),
  'haframe_linear': _PUBLISHED | dict(mapping='linear'),
  'haframe_increase': _PUBLISHED | dict(schedule='linear_increase'),
  'haframe_nearest': _PUBLISHED | dict(rotation=fixed.ROTATION),
}


def build(
  context: base.MethodContext,
  *,
  gamma: float,
  alpha: float,
  mapping: str = 'exponential',
  separation: str = 'exact',
  frame: str = 'auto',
  schedule: str = 'constant',
  period: float = 0.1,
  rotation: Mapping | None = None,
) -> base.Method:
  """HAFrame with cross-entropy and cosine loss.

  Args:
    context: see `base.MethodContext`; features of less than K - 1 dimensions
      get the nearest frame that fits, and a warning.
    gamma: decay of similarity with distance, > 0.
    alpha: weight of the cosine loss; 0 is cross-entropy alone on the frame, 1
      is the cosine loss alone, above 1 it is added to the cross-entropy.
    mapping: 'exponential' or 'linear', see `frames.similarity`.
    separation: 'exact', or 'grid' as in the published code.
    frame: 'dense' for a matrix; 'tree' for sums down the tree, which need
      features of N dimensions, a node each; 'auto' for the faster on CPU.
    schedule: how the mix changes over training, `losses.mixing_schedule`.
    period: of the cosine schedules, as a fraction of training.
    rotation: fields of `fixed.Rotation`, for a frame that turns to the
      features.
  """
  tree, mixture = context.hierarchy, dict(schedule=schedule, period=period)
  if _may_be_tree(context.kind, frame, separation, rotation):
    is_faster = context.neck == 'linear' and tree.num_classes >= _TREE_CLASSES
    width = context.feature_dim
    if width is None and (frame == 'tree' or is_faster):
      width = tree.num_nodes
    if width == tree.num_nodes:
      return fixed.method(
        frames.TreeFrame.create(tree, gamma, mapping, kind=context.kind),
        alpha,
        **mixture,
      )
    if frame == 'tree':
      raise base.MethodError(
        f"frame='tree' needs features of {tree.num_nodes} dimensions, a node "
        f"each, got {width}: use top='transform' or 'linear', and "
        'no feature_dim.'
      )
  similarity = frames.similarity(
    context.distances if context.kind is None else tree,
    gamma,
    mapping,
    separation,
    kind=context.kind or '',
  )
  return fixed.method(
    fixed.vectors(similarity, context), alpha, rotation=rotation, **mixture
  )


def _may_be_tree(kind, frame, separation, rotation) -> bool:
  if frame not in ('auto', 'dense', 'tree'):
    raise base.MethodError(
      f"frame must be 'auto', 'dense' or 'tree', got {frame!r}."
    )
  obstacles = {
    "distances of the user's own": kind is None,
    f'separation={separation!r}': separation != 'exact',
    'a rotation': rotation is not None,
  }
  obstacle = next((words for words, there in obstacles.items() if there), None)
  if frame == 'tree' and obstacle:
    raise base.MethodError(f"frame='tree' does not go with {obstacle}.")
  return frame != 'dense' and not obstacle
