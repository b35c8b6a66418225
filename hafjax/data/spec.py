# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Spec of a data set: how it is read, preprocessed, and labelled."""

from collections.abc import Callable, Mapping
import dataclasses

from hafjax.data.decode import ImageDecoder
from hafjax.data.splits import Split
from hafjax.data.splits import hold_out_share
from hafjax.hierarchy import Hierarchy
from hafjax.plugins import fields as f
from hafjax.plugins.fields import Field

Splits = dict[str, Split]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class Spec:
  """A data set.

  Attributes:
    read: (hierarchy, config) -> splits 'train', 'test' and perhaps 'val', with
      labels in the hierarchy's class order; config is the run's.
    mean: per channel, of pixels in [0, 1].
    std: per channel, likewise.
    hierarchy: built-in tree that `config.hierarchy = ''` stands for; '' where
      there is none.
    build_hierarchy: config -> the tree that the data's own annotations give,
      where there is no built-in one.
    distance: kind of class distances (`Hierarchy.distances`) that published
      results on this data set use.
    val_per_class: images of each class, the last ones of the training split,
      that validate where there is no validation split.
    crop_padding: pixels of reflected border that the random crop moves in.
    crop_border: of that border, 'reflect' or 'zero' (black).
    flip: whether half of the training images are mirrored.
    group: name of the data set's own group of config fields; '' for none.
    fields: of that group.
  """

  read: Callable[..., Splits]
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


def image_decoder(config, random_crop: str = '', **options) -> ImageDecoder:
  """How images in files are read, of a run.

  Args:
    config: the run's.
    random_crop: where the config leaves it to the data set.
    **options: other fields of `ImageDecoder`.
  """
  chosen = config.get('random_crop')
  return ImageDecoder(
    size=config.image_size or 224,
    random_crop=random_crop if chosen is None else chosen,
    **options,
  )


# Fields of data sets that may lack a validation split.
VALIDATION_FIELDS = dict(
  val_share=Field(
    0.1,
    f.SHARE,
    'Where there is no validation split: the share of each class that '
    'validates.',
  ),
  val_seed=Field(
    0, f.at_least(0), 'Seed by which the validation share is drawn.'
  ),
)


def with_validation(splits: Splits, share: float, seed: int) -> Splits:
  """Splits with a share of each training class held out, where 'val' lacks."""
  if 'val' in splits:
    return splits
  train, val = hold_out_share(splits['train'], share, seed)
  return splits | dict(train=train, val=val)
