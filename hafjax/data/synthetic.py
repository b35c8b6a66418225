# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Synthetic images whose similarities follow a tree."""

import numpy as np

from hafjax.data.splits import Arrays
from hafjax.hierarchy import Hierarchy


def diffusion_templates(
  hierarchy: Hierarchy,
  image_size: int,
  channels: int,
  seed: int,
) -> np.ndarray:
  """Class templates by branching diffusion down the tree.

  Every node's template is its parent's plus an independent smooth random
  field of the same variance, so the covariance of two classes grows with the
  depth of their lowest common ancestor (Saxe, McClelland and Ganguli 2019,
  PNAS 116, in pixels instead of binary features).

  Returns:
    float32[K, image_size, image_size, channels], unit variance over classes'
    pixels on average.
  """
  rng = np.random.default_rng([seed, 0])
  frequencies = np.fft.fftfreq(image_size)[:, None] ** 2
  frequencies = frequencies + np.fft.fftfreq(image_size)[None, :] ** 2
  # Blobs about a sixth of the image wide: large enough to survive a shift.
  lowpass = np.exp(-frequencies * (image_size / 6) ** 2 * 2)[..., None]
  shape = (image_size, image_size, channels)
  templates = np.zeros((hierarchy.num_nodes, *shape), np.float32)
  for node, parent in enumerate(hierarchy.parents):
    if parent < 0:
      continue  # The root's template is common to all classes: left at zero.
    noise = np.fft.fft2(rng.standard_normal(shape), axes=(0, 1))
    field = np.fft.ifft2(noise * lowpass, axes=(0, 1)).real
    templates[node] = templates[parent] + field / field.std()
  leaves = templates[hierarchy.leaves]
  return leaves / leaves.std()


def synthetic_splits(
  hierarchy: Hierarchy,
  *,
  image_size: int,
  channels: int = 3,
  train_per_class: int,
  val_per_class: int,
  test_per_class: int,
  noise: float,
  max_shift: int,
  seed: int = 0,
) -> dict[str, Arrays]:
  """Images whose similarities follow a tree, for any tree and size.

  An image is its class's template (see `diffusion_templates`), cyclically
  shifted by up to `max_shift` pixels each way, plus white noise.

  Args:
    hierarchy: any tree.
    image_size: height and width in pixels.
    channels: colour channels.
    train_per_class: training images of each class, and so on for the others.
    val_per_class: validation images of each class.
    test_per_class: test images of each class.
    noise: standard deviation of the noise; the templates' is 1.
    max_shift: largest shift in pixels, inclusive.
    seed: fixes templates and images; `seed` is the data set, not the run.

  Returns:
    Arrays by split name.
  """
  templates = diffusion_templates(hierarchy, image_size, channels, seed)
  splits = {}
  counts = dict(train=train_per_class, val=val_per_class, test=test_per_class)
  for number, (split, per_class) in enumerate(counts.items()):
    rng = np.random.default_rng([seed, 1 + number])
    labels = np.repeat(np.arange(hierarchy.num_classes), per_class)
    shifts = rng.integers(-max_shift, max_shift + 1, (2, len(labels), 1))
    rows, columns = (np.arange(image_size) + shifts) % image_size
    example = labels[:, None, None]
    images = templates[example, rows[:, :, None], columns[:, None, :]]
    images = images + noise * rng.standard_normal(images.shape, np.float32)
    # Four standard deviations fill the byte range.
    scale = 255 / (8 * np.sqrt(1 + noise**2))
    images = np.clip(np.round(127.5 + scale * images), 0, 255)
    splits[split] = Arrays(images.astype(np.uint8), labels.astype(np.int32))
  return splits
