# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a method is, and how a config finds one."""

from collections.abc import Callable, Mapping
import dataclasses
import importlib
import inspect
import pkgutil

from flax import linen as nn
import jax
import numpy as np

from hafjax import collapse
from hafjax.errors import UserError
from hafjax.hierarchy import Hierarchy

# Modules of this folder that are no methods.
_SHARED = ('base', 'fixed')


class MethodError(UserError):
  """A method that does not exist or was given the wrong parameters."""


@dataclasses.dataclass(frozen=True)
class MethodContext:
  """What a method may depend on.

  Attributes:
    hierarchy: the class tree, K classes.
    distances: between classes, [K, K]: the hierarchy's of some kind, or the
      user's own.
    kind: of the hierarchy's distances; None where they are the user's own.
    feature_dim: d, the width of the features that the head receives.
    class_counts: training examples of each class, int[K].
    seed: for anything random that the method fixes for good.
  """

  hierarchy: Hierarchy
  distances: np.ndarray
  kind: str | None
  feature_dim: int
  class_counts: np.ndarray
  seed: int


@dataclasses.dataclass(frozen=True)
class Method:
  """A way to train and to score.

  Attributes:
    head: features float32[B, d] -> outputs, a dict with 'features' and
      'logits' at least; and 'frame', a `frames.Frame`, if class vectors are
      fixed.
    loss: (outputs, labels int[B], progress) -> float[B]; progress is the
      fraction of training done, in [0, 1).
    scores: outputs -> float[B, K], larger for likelier classes.
    update: (the head's own variables of the collection 'frame', features
      float[B, d], labels int[B], step int[]) -> these variables after the step;
      None if they stay.
    predicted: where class means and classifier rows should end up, by the name
      of the layer ('features' for the head's input), where theory knows.
  """

  head: nn.Module
  loss: Callable[[dict, jax.Array, jax.Array], jax.Array]
  scores: Callable[[dict], jax.Array] = lambda outputs: outputs['logits']
  update: Callable[[dict, jax.Array, jax.Array, jax.Array], dict] | None = None
  predicted: Mapping[str, collapse.Prediction] = dataclasses.field(
    default_factory=dict
  )


def names() -> tuple[str, ...]:
  """Names of all methods."""
  folder = importlib.import_module('hafjax.methods').__path__
  modules = (module.name for module in pkgutil.iter_modules(folder))
  return tuple(sorted(name for name in modules if name not in _SHARED))


def _parameters(name: str) -> dict[str, inspect.Parameter]:
  """The method's own parameters, as its file declares them."""
  if name not in names():
    raise MethodError(
      f'There is no method {name!r}; there are {", ".join(names())}.'
    )
  signature = inspect.signature(_module(name).build)
  return {p: v for p, v in signature.parameters.items() if p != 'task'}


def defaults(name: str) -> dict:
  """The parameters that a method has values for, None left out."""
  return {
    parameter: value.default
    for parameter, value in _parameters(name).items()
    if value.default not in (inspect.Parameter.empty, None)
  }


def check(name: str, **parameters):
  """Raises MethodError if `build` would not accept these arguments."""
  accepted = _parameters(name)
  required = [
    parameter
    for parameter, value in accepted.items()
    if value.default is inspect.Parameter.empty
  ]
  problems = []
  for words, wrong in (
    ('has no', [p for p in parameters if p not in accepted]),
    ('needs', [p for p in required if p not in parameters]),
  ):
    if wrong:
      problems.append(f'{words} {", ".join(map(repr, wrong))}')
  if problems:
    raise MethodError(
      f'The method {name!r} {" and ".join(problems)}; its parameters are '
      f'{", ".join(accepted) or "none"}.'
    )


def build(task: MethodContext, *, name: str, **parameters) -> Method:
  """The method of that name for a task.

  Args:
    task: see `MethodContext`.
    name: one of `names()`.
    **parameters: the method's own, as in its file.

  Raises:
    MethodError: if there is no such method, or it has other parameters, or they
      have values that it cannot use (also `losses.LossError`).
  """
  check(name, **parameters)
  method = _module(name).build(task, **parameters)
  _rehearse(name, method, task)
  return method


def _rehearse(name: str, method: Method, task: MethodContext):
  """Traces head, loss and scores: what does not fit is found before work."""

  def all_of_it(features, labels):
    outputs, _ = method.head.init_with_output(jax.random.key(0), features)
    return method.loss(outputs, labels, 0.0), method.scores(outputs)

  try:
    jax.eval_shape(
      all_of_it,
      jax.ShapeDtypeStruct((2, task.feature_dim), np.float32),
      jax.ShapeDtypeStruct((2,), np.int32),
    )
  except ValueError as error:
    raise MethodError(
      f'The method {name!r} cannot be used here: {error}'
    ) from error


def feature_dim(
  hierarchy: Hierarchy,
  kind: str | None,
  top: str,
  *,
  name: str,
  **parameters,
) -> int:
  """How wide a method wants its features: K, unless its file says otherwise.

  Args:
    hierarchy: the class tree.
    kind: of its distances, None where they are the user's own.
    top: of the network, one of `models.tops.NAMES`.
    name: one of `names()`.
    **parameters: the method's own.
  """
  check(name, **parameters)
  wanted = getattr(_module(name), 'feature_dim', None)
  if wanted is None:
    return hierarchy.num_classes
  return wanted(hierarchy, kind, top, **parameters)


def _module(name: str):
  return importlib.import_module(f'hafjax.methods.{name}')
