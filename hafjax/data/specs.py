# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data sets by name: what each is, looks like, and which hierarchy it has."""

from collections.abc import Callable, Mapping
import dataclasses

from hafjax.data.errors import DataError
from hafjax.data.splits import Split
from hafjax.hierarchy import Hierarchy
from hafjax.plugins import plugin
from hafjax.plugins import plugin_names
from hafjax.plugins.fields import Field

_PACKAGE = 'hafjax.data.sets'

# Of the pixels of ImageNet, in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class Spec:
  """A data set; the `SPEC` of a module in `hafjax.data.sets`, or of your own.

  Attributes:
    read: (hierarchy, config) -> splits 'train', 'test' and perhaps 'val', with
      labels in the hierarchy's class order; config is the run's.
    mean: per channel, of pixels in [0, 1].
    std: standard deviation per channel, likewise.
    hierarchy: built-in tree that `config.hierarchy = ''` stands for; '' where
      there is none.
    build_hierarchy: config -> the tree that the data's own annotations give,
      where there is no built-in one.
    distance: which class distances (`Hierarchy.distances`) published results
      on this data set use.
    val_per_class: images of each class, the last ones of the training split,
      that validate where there is no validation split.
    crop_padding: pixels of border that the random crop moves in.
    crop_border: of that border, 'reflect' or 'zero' (black).
    flip: whether half of the training images are mirrored.
    group: name of the config's group for the data set's own fields; '' where it
      has none.
    fields: those fields, by name within the group.
  """

  read: Callable[..., dict[str, Split]]
  mean: tuple[float, ...] = IMAGENET_MEAN
  std: tuple[float, ...] = IMAGENET_STD
  hierarchy: str = ''
  build_hierarchy: Callable[..., Hierarchy] | None = None
  distance: str = 'lca_height'
  val_per_class: int = 0
  crop_padding: int = 0
  crop_border: str = 'reflect'
  flip: bool = False
  group: str = ''
  fields: Mapping[str, Field] = dataclasses.field(default_factory=dict)

  def options(self, config) -> dict:
    """The data set's own fields in a config, with defaults for missing ones."""
    chosen = config.get(self.group) or {} if self.group else {}
    defaults = {name: field.default for name, field in self.fields.items()}
    return defaults | dict(chosen)


def names() -> tuple[str, ...]:
  """Names of the data sets that come with hafjax, sorted."""
  return plugin_names(_PACKAGE)


def spec(name: str) -> Spec:
  """The data set of a name.

  Args:
    name: of a module in `hafjax.data.sets`; with a dot, of a module of your own
      that has a `SPEC`.

  Raises:
    PluginError: if there is no such module.
    DataError: if it has no `SPEC`.
  """
  module = plugin(_PACKAGE, name, 'data set')
  found = getattr(module, 'SPEC', None)
  if not isinstance(found, Spec):
    raise DataError(
      f'The module {name} of a data set has no SPEC: it must be a '
      'hafjax.data.Spec.'
    )
  return found
