# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a method is, and how a config finds one."""

from collections.abc import Callable, Mapping
import dataclasses
import inspect
from typing import Any, NamedTuple

from flax import linen as nn
import jax
import numpy as np

from hafjax import collapse
from hafjax import plugins
from hafjax.errors import UserError
from hafjax.hierarchy import Hierarchy
from hafjax.models.outputs import HeadOutputs

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
    feature_dim: d, the width of the features that the head receives, where it
      is fixed; None where the method may choose it.
    class_counts: training examples of each class, int[K].
    seed: for anything random that the method fixes for good.
    neck: name of the network's neck, see `models.necks`.
  """

  hierarchy: Hierarchy
  distances: np.ndarray
  kind: str | None
  feature_dim: int | None
  class_counts: np.ndarray
  seed: int
  neck: str = 'transform'

  @property
  def width(self) -> int:
    """Width of the features: K where it may be chosen."""
    return self.feature_dim or self.hierarchy.num_classes


@dataclasses.dataclass(frozen=True)
class Method:
  """A way to train and to score.

  Attributes:
    head: features float32[B, d] -> `HeadOutputs`.
    loss: (outputs, labels int[B], progress) -> float[B]; progress is the
      fraction of training done, in [0, 1).
    scores: outputs -> float[B, K], larger for likelier classes; the logits
      unless the method says otherwise.
    update: (the head's own variables of the collection 'frame', features
      float[B, d], labels int[B], step int[]) -> these variables after the step;
      None if they stay.
    predicted: where class means and classifier rows should end up, by the name
      of the layer ('features' for the head's input), where theory knows.
    feature_dim: d, the width of the features that the head wants; None for
      `MethodContext.width`.
  """

  head: nn.Module
  loss: Callable[[HeadOutputs, jax.Array, jax.Array], jax.Array]
  scores: Callable[[HeadOutputs], jax.Array] = lambda outputs: outputs.logits
  update: Callable[[dict, jax.Array, jax.Array, jax.Array], dict] | None = None
  predicted: Mapping[str, collapse.Prediction] = dataclasses.field(
    default_factory=dict
  )
  feature_dim: int | None = None


def names() -> tuple[str, ...]:
  """Names of the methods that come with hafjax."""
  return plugins.plugin_names('hafjax.methods', _SHARED)


class Variant(NamedTuple):
  """A method with some settings, as the colon in --config=FILE:VARIANT names.

  Attributes:
    method: name of the method.
    parameters: of the method, other than its defaults.
    fields: of the config, other than their defaults.
    is_compared: whether `hafjax.compare --methods=all` includes it.
  """

  method: str
  parameters: Mapping[str, Any]
  fields: Mapping[str, Any]
  is_compared: bool


def variants() -> dict[str, Variant]:
  """All variants of the methods that come with hafjax, by name.

  A method's file may list them as `VARIANTS`, name -> parameters (by default
  one with the method's name and its defaults), fields of the config for some as
  `FIELDS`, and that they are no methods to be compared as `COMPARED = False`.
  """
  result = {}
  for name in names():
    module = _module(name)
    fields = getattr(module, 'FIELDS', {})
    is_compared = getattr(module, 'COMPARED', True)
    for variant, parameters in getattr(module, 'VARIANTS', {name: {}}).items():
      result[variant] = Variant(
        name, parameters, fields.get(variant, {}), is_compared
      )
  return result


def _parameters(name: str) -> dict[str, inspect.Parameter]:
  """The method's own parameters, as its file declares them."""
  signature = inspect.signature(_module(name).build)
  return {p: v for p, v in signature.parameters.items() if p != 'context'}


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


def build(context: MethodContext, *, name: str, **parameters) -> Method:
  """The method of that name for a context.

  Args:
    context: see `MethodContext`.
    name: one of `names()`.
    **parameters: the method's own, as in its file.

  Raises:
    MethodError: if there is no such method, or it has other parameters, or they
      have values that it cannot use (also `losses.LossError`).
  """
  check(name, **parameters)
  method = _module(name).build(context, **parameters)
  if method.feature_dim is None:
    method = dataclasses.replace(method, feature_dim=context.width)
  _rehearse(name, method)
  return method


def _rehearse(name: str, method: Method):
  """Traces head, loss and scores: what does not fit is found before work."""

  def all_of_it(features, labels):
    outputs, _ = method.head.init_with_output(jax.random.key(0), features)
    return method.loss(outputs, labels, 0.0), method.scores(outputs)

  try:
    jax.eval_shape(
      all_of_it,
      jax.ShapeDtypeStruct((2, method.feature_dim), np.float32),
      jax.ShapeDtypeStruct((2,), np.int32),
    )
  except ValueError as error:
    raise MethodError(
      f'The method {name!r} cannot be used here: {error}'
    ) from error


def _module(name: str):
  try:
    return plugins.plugin('hafjax.methods', name, 'method', _SHARED)
  except plugins.PluginError as error:
    raise MethodError(str(error)) from error
