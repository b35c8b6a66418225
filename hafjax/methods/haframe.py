# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A classifier fixed to the hierarchy-aware frame (HAFrame).

Liang and Davis, ICCV 2023 (arXiv 2303.05689).
"""

from collections.abc import Mapping

from hafjax import frames
from hafjax.hierarchy import Hierarchy
from hafjax.methods import base
from hafjax.methods import fixed

# Classes from which on the tree is the faster frame under a linear top, the
# wider features and all. The four square layers of 'transform' make up more
# than the frame saves, at any size (experiments/benchmarks/frames.py).
_TREE_CLASSES = 300


def build(
  task: base.MethodContext,
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
    task: see `base.Task`; features of less than K - 1 dimensions get the
      nearest frame there is, and a warning.
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
  tree, mixture = task.hierarchy, dict(schedule=schedule, period=period)
  if _may_be_tree(task.kind, frame, separation, rotation):
    if task.feature_dim == tree.num_nodes:
      return fixed.method(
        frames.TreeFrame.create(tree, gamma, mapping, kind=task.kind),
        alpha,
        **mixture,
      )
    if frame == 'tree':
      raise base.MethodError(
        f"frame='tree' needs features of {tree.num_nodes} dimensions, a node "
        f"each, got {task.feature_dim}: use top='transform' or 'linear', and "
        'no feature_dim.'
      )
  similarity = frames.similarity(
    task.distances if task.kind is None else tree,
    gamma,
    mapping,
    separation,
    kind=task.kind or '',
  )
  return fixed.method(
    fixed.vectors(similarity, task), alpha, rotation=rotation, **mixture
  )


def feature_dim(
  tree: Hierarchy,
  kind: str | None,
  top: str,
  frame: str = 'auto',
  separation: str = 'exact',
  rotation: Mapping | None = None,
  **unused,
) -> int:
  """N for a tree frame, else K."""
  if _may_be_tree(kind, frame, separation, rotation):
    faster = top == 'linear' and tree.num_classes >= _TREE_CLASSES
    if frame == 'tree' or faster:
      return tree.num_nodes
  return tree.num_classes


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
