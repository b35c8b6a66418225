# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One spec per data set: what it is called, looks like, and hangs under."""

from collections.abc import Callable
import dataclasses

from hafjax import hierarchy as hierarchy_lib
from hafjax.data import decode
from hafjax.data import features
from hafjax.data import folders
from hafjax.data import records
from hafjax.data import splits as splits_lib
from hafjax.data.decode import ImageDecoder
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy

Splits = dict[str, splits_lib.Split]

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


def _cifar(name: str) -> Callable[..., Splits]:
  def read(hierarchy, config):
    names = load_hierarchy(name).class_names
    splits = splits_lib.tfds_splits(name, config.data_dir, names)
    return splits_lib.relabel(splits, names, hierarchy)

  return read


def _read_fashion_mnist(hierarchy, config) -> Splits:
  names = load_hierarchy('fashion_mnist').class_names
  folder = config.data_dir or splits_lib.DEBIAN_FASHION_MNIST
  if splits_lib.has_idx(folder):
    splits = splits_lib.idx_splits(folder, len(names))
  else:
    splits = splits_lib.tfds_splits('fashion_mnist', config.data_dir)
  return splits_lib.relabel(splits, names, hierarchy)


def _read_synthetic(hierarchy, config) -> Splits:
  return splits_lib.synthetic_splits(hierarchy, **config.synthetic)


def _reading(config, random_crop: str = '', **options) -> ImageDecoder:
  """How a data set of files is read; evaluation stretches to a square."""
  chosen = config.get('random_crop')
  return ImageDecoder(
    size=config.image_size or 224,
    random_crop=random_crop if chosen is None else chosen,
    **options,
  )


def _read_fgvc_aircraft(hierarchy, config) -> Splits:
  listing = folders.fgvc_aircraft(config.data_dir)
  # The last 20 rows of every image are a banner with its photographer's name.
  how = _reading(config, cut_bottom=20)
  names = {
    name: folders.published_variant(name) for name in listing['train'][1]
  }
  return folders.labelled(listing, hierarchy, how, [names])


def _aircraft_tree(config) -> Hierarchy:
  root = folders.root_of(config.data_dir, 'fgvc_aircraft')
  return hierarchy_lib.builders.from_fgvc_aircraft(root)


def _read_inaturalist19(hierarchy, config) -> Splits:
  listing = folders.inaturalist19(config.data_dir)
  species = folders.inaturalist19_species(config.data_dir)
  # The published images were stretched to squares when they were stored.
  how = _reading(config, 'stretched')
  return folders.labelled(listing, hierarchy, how, [species])


def _inaturalist19_tree(config) -> Hierarchy:
  root = folders.root_of(config.data_dir, 'inaturalist19')
  file = folders.inaturalist19_categories(root)
  if file is None:
    raise splits_lib.DataError(
      f'{root} has neither categories.json nor train2019.json, from which the '
      'hierarchy would be built: put one there, or name a file of the '
      'hierarchy by --config.hierarchy.'
    )
  return hierarchy_lib.builders.from_inaturalist19(file)


def _read_tiered_imagenet_h(hierarchy, config) -> Splits:
  listing = folders.tiered_imagenet_h(config.data_dir)
  return folders.labelled(listing, hierarchy, _reading(config, 'stretched'))


def _large_tfds(name: str, test: str) -> Callable[..., Splits]:
  def read(hierarchy, config):
    splits, names = records.tfds_files(
      name,
      config.data_dir,
      dict(train='train', test=test),
      _reading(config, 'resized'),
      decode.cache_folder(config.input.cache_dir),
    )
    return splits_lib.relabel(splits, names, hierarchy)

  return read


def _read_image_folder(hierarchy, config) -> Splits:
  own = config.folder
  listing = folders.image_folder(config.data_dir)
  how = _reading(config, channels=own.channels)
  splits = folders.labelled(listing, hierarchy, how)
  return _with_validation(splits, own.val_share, own.val_seed)


def _read_features(hierarchy, config) -> Splits:
  splits = features.read(config.data_dir, hierarchy)
  own = config.features
  return _with_validation(splits, own.val_share, own.val_seed)


def _with_validation(splits, share, seed) -> Splits:
  if 'val' in splits:
    return splits
  train, val = splits_lib.hold_out_share(splits['train'], share, seed)
  return splits | dict(train=train, val=val)


SPECS = {
  'cifar10': Spec(
    read=_cifar('cifar10'),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    hierarchy='cifar10',
    val_per_class=500,
    crop_padding=4,
    flip=True,
  ),
  'cifar100': Spec(
    read=_cifar('cifar100'),
    mean=(0.5071, 0.4867, 0.4408),
    std=(0.2675, 0.2565, 0.2761),
    hierarchy='cifar100',
    val_per_class=50,
    crop_padding=4,
    flip=True,
  ),
  'fashion_mnist': Spec(
    read=_read_fashion_mnist,
    mean=(0.2860,),
    std=(0.3530,),
    hierarchy='fashion_mnist',
    val_per_class=500,
    crop_padding=2,
    flip=True,
  ),
  'synthetic': Spec(
    read=_read_synthetic,
    mean=(0.5,) * 3,
    std=(0.125,) * 3,
    hierarchy='quickstart',
  ),
  'fgvc_aircraft': Spec(
    read=_read_fgvc_aircraft,
    build_hierarchy=_aircraft_tree,
    mean=(0.4881, 0.5192, 0.5438),
    std=(0.2148, 0.2068, 0.2394),
    crop_padding=4,
    crop_border='zero',
    flip=True,
  ),
  'inaturalist19': Spec(
    read=_read_inaturalist19,
    build_hierarchy=_inaturalist19_tree,
    mean=(0.454, 0.474, 0.367),
    std=(0.237, 0.230, 0.249),
    # Without the published lists: their share of the official ones.
    val_per_class=3,
    flip=True,
  ),
  'tiered_imagenet_h': Spec(
    read=_read_tiered_imagenet_h, distance='lca_depth', flip=True
  ),
  'i_naturalist2021': Spec(
    read=_large_tfds('i_naturalist2021', test='val'),
    val_per_class=10,
    flip=True,
  ),
  'imagenet2012': Spec(
    read=_large_tfds('imagenet2012', test='validation'),
    val_per_class=50,
    flip=True,
  ),
  'image_folder': Spec(read=_read_image_folder, crop_padding=4, flip=True),
  'features': Spec(read=_read_features),
}
