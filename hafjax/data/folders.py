# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders of images: the user's own, and the layouts that data sets come in."""

from collections.abc import Iterable, Mapping
import os
import pathlib

from absl import logging
import numpy as np

from hafjax.data import decode
from hafjax.data import splits as splits_lib
from hafjax.data.decode import ImageDecoder
from hafjax.files import jsonl
from hafjax.files.text import describe_error
from hafjax.files.text import quote
from hafjax.files.text import quote_some
from hafjax.files.text import shorten
from hafjax.hierarchy import Hierarchy

SPLITS = ('train', 'val', 'test')

# Files of each split with the names of their classes.
Listing = dict[str, tuple[list[str], list[str]]]


def labelled(
  listing: Listing,
  hierarchy: Hierarchy,
  how: ImageDecoder,
  spellings: Iterable[Mapping[str, str]] = (),
) -> dict[str, decode.Files]:
  """Splits of files with labels in the hierarchy's class order.

  Args:
    listing: by split; only the training split's images are cropped at random.
    hierarchy: whose classes are those of the training split.
    how: images are read.
    spellings: other names that a hierarchy may have for the classes, each by
      the name in the listing.

  Raises:
    DataError: if classes and hierarchy differ.
  """
  class_names = sorted(set(listing['train'][1]))
  for spelling in spellings:
    respelt = {name: spelling.get(name, name) for name in class_names}
    if set(respelt.values()) == set(hierarchy.class_names):
      listing = {
        split: (files, [respelt.get(name, name) for name in names])
        for split, (files, names) in listing.items()
      }
      class_names = [respelt[name] for name in class_names]
      break
  table = splits_lib.class_table(tuple(class_names), hierarchy)
  position = dict(zip(class_names, table.tolist(), strict=True))
  splits = {}
  for split, (files, names) in listing.items():
    strange = sorted(set(names) - position.keys())
    if strange:
      raise splits_lib.DataError(
        f'The {split} split has classes that the training split has not: '
        f'{quote_some(sorted(strange))}.'
      )
    if absent := sorted(position.keys() - set(names)):
      logging.warning(
        'The %s split has no image of %s.', split, quote_some(sorted(absent))
      )
    labels = np.array([position[name] for name in names], np.int32)
    # A byte a character: a million paths as Python strings would be copied to
    # every process.
    paths = np.array([os.fsencode(file) for file in files])
    splits[split] = decode.Files(paths, labels, how)
  return splits


def root_of(config_folder: str, what: str) -> pathlib.Path:
  """The folder that a data set is read from.

  Raises:
    DataError: if there is none.
  """
  folder = pathlib.Path(config_folder)
  if not config_folder or not folder.is_dir():
    raise splits_lib.DataError(
      f'{what} is read from a folder: name one that there is by '
      f'--config.data_dir (got {config_folder!r}).'
    )
  return folder


# --- The user's own -----------------------------------------------------------


def image_folder(config_folder: str) -> Listing:
  """ROOT/{train,val,test}/CLASS/*.{jpg,jpeg,png}; val may be missing.

  Raises:
    DataError: if a split or all images of a class are missing.
  """
  root = root_of(config_folder, 'image_folder')
  listing = {}
  for split in SPLITS:
    folder = root / split
    if folder.is_dir():
      listing[split] = _class_folders(folder)
    elif split != 'val':
      raise splits_lib.DataError(
        f'{root} has no folder {split!r}: images are looked for in '
        f'{folder}/CLASS/*.jpg (or .jpeg, .png).'
      )
  return listing


def _class_folders(folder: pathlib.Path) -> tuple[list[str], list[str]]:
  files, names, others = [], [], 0
  classes = sorted(
    entry.name
    for entry in os.scandir(folder)
    if entry.is_dir() and not entry.name.startswith('.')
  )
  if not classes:
    raise splits_lib.DataError(
      f'{folder} has no folders of classes: images are looked for in '
      f'{folder}/CLASS/*.jpg (or .jpeg, .png).'
    )
  for name in classes:
    inside = [e.name for e in os.scandir(folder / name) if e.is_file()]
    chosen = sorted(n for n in inside if n.lower().endswith(decode.SUFFIXES))
    if not chosen:
      raise splits_lib.DataError(
        f'{folder / name} holds no .jpg, .jpeg or .png file: put images there, '
        'or take the class out of the data and of the hierarchy.'
      )
    others += len(inside) - len(chosen)
    files += [os.path.join(folder, name, file) for file in chosen]
    names += [name] * len(chosen)
  if others:
    logging.warning(
      '%d files below %s are no .jpg, .jpeg or .png: left out.', others, folder
    )
  return files, names


# --- FGVC-Aircraft ------------------------------------------------------------


def fgvc_aircraft(config_folder: str) -> Listing:
  """The official layout: images/ID.jpg, and lists of ID and variant by split.

  The folder is that of the archive, fgvc-aircraft-2013b, or data/ in it.
  """
  root = root_of(config_folder, 'fgvc_aircraft')
  if (root / 'data' / 'images').is_dir():
    root = root / 'data'
  listing = {}
  for split in SPLITS:
    file = root / f'images_variant_{split}.txt'
    lines = _lines(file)
    for number, line in enumerate(lines, 1):
      if ' ' not in line:
        raise splits_lib.DataError(
          f'{file}, line {number}: an image and its variant are wanted, got '
          f'{line!r}.'
        )
    pairs = [line.split(' ', 1) for line in lines]
    files = [os.path.join(root, 'images', f'{name}.jpg') for name, _ in pairs]
    _check_there(files, file)
    listing[split] = files, [variant for _, variant in pairs]
  return listing


def published_variant(name: str) -> str:
  """How the published tree of FGVC-Aircraft spells a variant."""
  return 'v-' + name.replace('/', '-slash-')


def _lines(file: pathlib.Path) -> list[str]:
  try:
    lines = file.read_text(encoding='utf-8').splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise splits_lib.DataError(
      f'{file} cannot be read: {describe_error(error)}.'
    ) from error
  return [line.strip() for line in lines if line.strip()]


def _check_there(files: list[str], file: pathlib.Path):
  missing = [name for name in files if not os.path.exists(name)]
  if missing:
    raise splits_lib.DataError(
      f'{file} lists {len(files):,} images, and {len(missing):,} of them are '
      f'not there, {shorten(missing[0], 300)} for one.'
    )


# --- Published lists of iNaturalist 2019 and tieredImageNet-H -----------------


def tiered_imagenet_h(config_folder: str) -> Listing:
  """ILSVRC 2012's folders, split by the published lists."""
  root = root_of(config_folder, 'tiered_imagenet_h')
  return _listed_images(root, root / 'splits_tieredImageNet-H')


def inaturalist19(config_folder: str) -> Listing:
  """iNaturalist 2019, split by the published lists where they are there.

  Without them, by the official train2019.json and val2019.json, of which the
  latter is to test on.
  """
  root = root_of(config_folder, 'inaturalist19')
  if (root / 'splits_inat19').is_dir():
    return _listed_images(root, root / 'splits_inat19')
  if (root / 'train2019.json').exists():
    logging.warning(
      '%s has no splits_inat19: the official training and validation images '
      'take its place, and results are not those of papers.',
      root,
    )
    return dict(
      train=_annotated(root, root / 'train2019.json'),
      test=_annotated(root, root / 'val2019.json'),
    )
  return _listed_images(root, root / 'splits_inat19')


def _listed_images(root: pathlib.Path, folder: pathlib.Path) -> Listing:
  """Images below a folder, by published lists of the names of their files.

  The lists (Bertinetto et al., CVPR 2020) are LISTS/{train,val,test}/CLASS.txt
  with the name of an image a line. Names are unique, so that images are found
  wherever below the folder they are: in the official layouts, or resized and
  sorted otherwise.

  Args:
    root: folder of the images.
    folder: of the lists.

  Raises:
    DataError: if lists or images are missing.
  """
  if not folder.is_dir():
    raise splits_lib.DataError(
      f'{root} has no folder {folder.name}: unpack there the split lists of '
      'https://github.com/fiveai/making-better-mistakes (dataset_splits).'
    )
  there = _files_below(root)
  listing = {}
  for split in SPLITS:
    lists_of_split = sorted((folder / split).glob('*.txt'))
    if not lists_of_split:
      raise splits_lib.DataError(f'{folder / split} has no lists CLASS.txt.')
    files, names, missing = [], [], []
    for file in lists_of_split:
      for line in _lines(file):
        path = there.get(os.path.basename(line))
        if path is None:
          missing.append(f'{line} of {file.name}')
          continue
        files.append(path)
        names.append(file.stem)
    if missing:
      raise splits_lib.DataError(
        f'{len(missing):,} of {len(missing) + len(files):,} images that '
        f'{folder / split} lists are nowhere below {root}: '
        f'{quote_some(sorted(missing))}.'
      )
    listing[split] = files, names
  return listing


def _files_below(root: pathlib.Path) -> dict[str, str]:
  """Paths of all images by the name of the file."""
  return {
    name: os.path.join(folder, name)
    for folder, _, names in os.walk(root, followlinks=True)
    for name in names
    if name.lower().endswith(decode.SUFFIXES)
  }


def _annotated(root: pathlib.Path, file: pathlib.Path):
  """A split by an official file of annotations, with paths below the root."""
  content = _json(file)
  try:
    paths = {image['id']: image['file_name'] for image in content['images']}
    pairs = [
      (os.path.join(root, paths[a['image_id']]), int(a['category_id']))
      for a in content['annotations']
    ]
  except (KeyError, OverflowError, TypeError, ValueError) as error:
    raise splits_lib.DataError(
      f'{file} is not in the layout of iNaturalist 2019 ({quote(error, 160)}).'
    ) from error
  files = [path for path, _ in pairs]
  _check_there(files, file)
  return files, [f'nat{category:04d}' for _, category in pairs]


def inaturalist19_species(config_folder: str) -> dict[str, str]:
  """Species by the names of the published tree, nat0000 and so on.

  {} where no file has them.
  """
  file = inaturalist19_categories(config_folder)
  if file is None:
    return {}
  found = _json(file)
  try:
    found = found['categories'] if isinstance(found, dict) else found
    return {f'nat{int(c["id"]):04d}': str(c['name']) for c in found}
  except (KeyError, OverflowError, TypeError, ValueError) as error:
    raise splits_lib.DataError(
      f'{file} is not in the layout of iNaturalist 2019 ({quote(error, 160)}).'
    ) from error


def inaturalist19_categories(
  config_folder: str | os.PathLike,
) -> pathlib.Path | None:
  """The file that has species with their names and ranks, if there is one."""
  root = pathlib.Path(config_folder)
  files = (root / 'categories.json', root / 'train2019.json')
  return next((file for file in files if file.exists()), None)


def _json(file: pathlib.Path):
  try:
    return jsonl.read(file)
  except (OSError, jsonl.JsonError) as error:
    raise splits_lib.DataError(
      f'{file} cannot be read: {describe_error(error)}.'
    ) from error
