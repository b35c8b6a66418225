# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""From the tensors of a file to the variables of a backbone, all or none."""

import collections
from collections.abc import Iterable, Mapping
import dataclasses
import os
import re

from absl import logging
from flax import linen as nn
from flax import traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from hafjax import models
from hafjax.models.pretrained import files
from hafjax.models.pretrained import layouts
from hafjax.models.pretrained.files import PretrainedError

# How many batches a running mean has seen: PyTorch's BatchNorm counts.
_COUNTER = 'num_batches_tracked'


@dataclasses.dataclass(frozen=True)
class Report:
  """What became of a file's tensors.

  Attributes:
    words: whose layout it has.
    loaded: names in the file of what the backbone was made of.
    skipped: names of the others: a classifier, counters, another encoder.
  """

  words: str
  loaded: tuple[str, ...]
  skipped: tuple[str, ...]

  def __str__(self):
    """For a log; names that differ in their numbers alone are counted."""
    return (
      f'{self.words}; loaded {len(self.loaded)} tensors '
      f'({_patterns(self.loaded)}); skipped {len(self.skipped)} '
      f'({_patterns(self.skipped) or "none"})'
    )


def _patterns(names: Iterable[str]) -> str:
  found = collections.defaultdict(list)
  for name in names:
    found[re.sub(r'\d+', '*', name)].append(name)
  return ', '.join(
    f'{pattern} x {len(alike)}' if len(alike) > 1 else alike[0]
    for pattern, alike in found.items()
  )


def initial_backbone(
  file: str | os.PathLike, model: str, image_shape: tuple[int, int, int]
) -> dict:
  """A backbone's variables from a file; logs what was loaded and what not.

  Args:
    file: see `load`.
    model: the backbone's name, see `models.build`.
    image_shape: (h, w, c) as the network sees it.

  Returns:
    See `convert`.

  Raises:
    PretrainedError: if the file is bad, or of anything but this backbone.
  """
  tensors = files.load(file)
  backbone = models.build(model)
  images = jnp.zeros((1, *image_shape), jnp.float32)
  shapes = jax.eval_shape(
    lambda: backbone.init(jax.random.key(0), images, train=False)
  )
  try:
    variables, report = convert(tensors, backbone, shapes)
  except PretrainedError as error:
    raise PretrainedError(
      f'{file} does not go with the model {model}: {error}'
    ) from error
  logging.info(
    'The backbone %s starts from %s: %s; what is behind the backbone is drawn '
    'by the seed.',
    model,
    file,
    report,
  )
  return variables


def convert(
  tensors: Mapping[str, np.ndarray], backbone: nn.Module, variables: dict
) -> tuple[dict, Report]:
  """A backbone's variables, each of them, from the tensors of a file.

  The weights want images as they were trained on: their size may differ, but
  who normalised them otherwise loses accuracy.

  Args:
    tensors: by name, as `load` gives them.
    backbone: a ResNet, VGG or ViT of `hafjax.models`. Files may be
      torchvision's or timm's, with a head or without, of a checkpoint of MoCo
      (its query encoder), or, for ViT, big_vision's or vit_jax's.
    variables: the backbone's, 'params' and 'batch_stats', or their shapes: a
      ViT's position embeddings are resized to the number of patches.

  Returns:
    Variables of float32 NumPy arrays, in the structure of `variables`; and what
    was loaded and skipped.

  Raises:
    PretrainedError: if a tensor that the backbone needs is missing or of
      another shape or not finite, or the file has tensors of a backbone that
      this one has no place for. Then nothing is converted.
  """
  layout, prefix = _layout(tensors, backbone)
  leaves = traverse_util.flatten_dict(variables)
  sources = {}
  for path, leaf in leaves.items():
    names, function = layout.source(backbone, path, leaf.shape)
    sources[path] = tuple(prefix + name for name in names), function
  names = [name for names, _ in sources.values() for name in names]
  loaded = tuple(dict.fromkeys(names))
  _check_names(tensors, loaded, layout, prefix)
  converted = {
    path: _value(tensors, *sources[path], path, leaf.shape)
    for path, leaf in leaves.items()
  }
  skipped = tuple(name for name in tensors if name not in loaded)
  report = Report(layout.words, loaded, skipped)
  return traverse_util.unflatten_dict(converted), report


def _layout(tensors, backbone) -> tuple[layouts.Layout, str]:
  """The file's layout, and what stands before all names."""
  known = layouts.LAYOUTS.get(type(backbone), ())
  if not known:
    kinds = ', '.join(kind.__name__ for kind in layouts.LAYOUTS)
    raise PretrainedError(
      f'published weights go with backbones of the kinds {kinds}, and this one '
      f'is of the kind {type(backbone).__name__}.'
    )
  for layout in known:
    for prefix in layout.prefixes:
      if prefix + layout.anchor in tensors:
        return layout, prefix
  wanted = ' or '.join(
    f'{layout.anchor!r} ({layout.words})' for layout in known
  )
  raise PretrainedError(
    f'none of its {len(tensors)} tensors is called {wanted}, alone or behind '
    f'{_first(known[0].prefixes[1:])}; there are {_first(tensors) or "none"}.'
  )


def _check_names(tensors, loaded, layout, prefix):
  """Raises PretrainedError if the file is not of just this backbone."""
  missing = [name for name in loaded if name not in tensors]
  own = re.compile(re.escape(prefix) + layout.own)
  strange = [
    name
    for name in tensors
    if name not in loaded and own.match(name) and not name.endswith(_COUNTER)
  ]
  problems = []
  if missing:
    problems.append(f'it lacks {_first(missing)}')
  if strange:
    problems.append(f'the model has no place for {_first(strange)}')
  if problems:
    raise PretrainedError(
      f'{", and ".join(problems)}: it is of another architecture'
      f'{", or incomplete" if missing else ""}.'
    )


def _first(names: Iterable[str], most: int = 4) -> str:
  """Some names for a message."""
  names = [repr(name) for name in names]
  more = f' and {len(names) - most} more' if len(names) > most else ''
  return ', '.join(names[:most]) + more


def _value(tensors, names, function, path, shape) -> np.ndarray:
  """A leaf of ours, float32."""
  arrays = [_single(name, tensors[name]) for name in names]
  try:
    value = function(*arrays)
  except (ValueError, IndexError, TypeError):
    value = None  # Of so wrong a shape that it cannot be laid out as ours.
  if value is None or value.shape != shape:
    found = ', '.join(str(list(array.shape)) for array in arrays)
    laid_out = '' if value is None else f', laid out as {list(value.shape)}'
    tensor = ' and '.join(map(repr, names))
    raise PretrainedError(
      f'the shape of {tensor} is {found}{laid_out}, and the model has '
      f'{list(shape)} there ({"/".join(path[1:])}).'
    )
  return np.ascontiguousarray(value)


def _single(name: str, array: np.ndarray) -> np.ndarray:
  """A tensor of finite float32."""
  if not jnp.issubdtype(array.dtype, jnp.floating):
    raise PretrainedError(
      f'{name!r} is of type {array.dtype}: weights are floating-point numbers, '
      'so convert the file to those.'
    )
  # What is too large is told below.
  with np.errstate(over='ignore', invalid='ignore'):
    array = array.astype(np.float32)
  if not np.isfinite(array).all():
    raise PretrainedError(
      f'{name!r} has values that are not finite in float32: the file is '
      'damaged, or the training that it is of diverged.'
    )
  return array
