# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Small image files that several test files write."""

import pathlib

import numpy as np
import PIL.Image


def write_image(file, pixels, **options):
  """Writes uint8[h, w, c] (or [h, w]) in the format of the file's name."""
  file = pathlib.Path(file)
  file.parent.mkdir(parents=True, exist_ok=True)
  PIL.Image.fromarray(np.asarray(pixels, np.uint8)).save(file, **options)


def class_image(label, rng, height=24, width=30):
  """A colour for each class and some noise: easy to learn."""
  hue = np.random.default_rng(label).integers(40, 216, 3)
  return np.clip(rng.normal(hue, 12, (height, width, 3)), 0, 255)


def write_folder(root, class_names, counts, seed=0, suffix='jpg'):
  """ROOT/SPLIT/CLASS/*.jpg, so many of each class by split."""
  rng = np.random.default_rng(seed)
  for split, count in counts.items():
    for label, name in enumerate(class_names):
      for number in range(count):
        file = pathlib.Path(root) / split / name / f'{number}.{suffix}'
        write_image(file, class_image(label, rng))


def write_tree(file, class_names, groups=4):
  """A hierarchy of height 2 over the classes."""
  file.write_text(
    ''.join(
      f'root/group {label % groups}/{name}\n'
      for label, name in enumerate(class_names)
    )
  )
  return str(file)
