# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the compiled step does to images (pad, crop, flip, scale), features."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8


def zero_pad(images, image_size: int):
  """Centers images in a black square of `image_size` pixels."""
  before = (image_size - images.shape[1]) // 2
  after = image_size - images.shape[1] - before
  return jnp.pad(images, ((0, 0), (before, after), (before, after), (0, 0)))


def normalize(
  images: UInt8[Array, 'b h w c'],
  mean: tuple[float, ...],
  std: tuple[float, ...],
) -> Float[Array, 'b h w c']:
  """Bytes to floats of mean 0 and variance 1: (x / 255 - mean) / std."""
  scale = 1 / (255 * jnp.asarray(std, jnp.float32))
  shift = jnp.asarray(mean, jnp.float32) / jnp.asarray(std, jnp.float32)
  expand = (None, None, None, slice(None))
  return images.astype(jnp.float32) * scale[expand] - shift[expand]


def crop_and_flip(
  images: UInt8[Array, 'b h w c'],
  key: jax.Array,
  padding: int,
  flip: bool,
  border: str = 'reflect',
) -> UInt8[Array, 'b h w c']:
  """Random crops of the padded images, half of them mirrored.

  Args:
    images: uint8[B, h, w, c].
    key: one JAX key for the whole batch; example i draws from its i-th part,
      so that the result does not depend on how the batch is sharded.
    padding: border on each side that the crop moves in, in pixels.
    flip: whether to mirror left and right with probability one half.
    border: 'reflect' (the image goes on, mirrored) or 'zero' (black).

  Returns:
    uint8[B, h, w, c].
  """
  count, height, width, _ = images.shape
  row_key, column_key, flip_key = jax.random.split(key, 3)
  if padding:
    widths = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    mode = dict(reflect='reflect', zero='constant')[border]
    padded = jnp.pad(images, widths, mode=mode)
    span = 2 * padding + 1
    top = jax.random.randint(row_key, (count,), 0, span)
    left = jax.random.randint(column_key, (count,), 0, span)
    rows = top[:, None] + jnp.arange(height)[None]
    columns = left[:, None] + jnp.arange(width)[None]
    example = jnp.arange(count)[:, None, None]
    images = padded[example, rows[:, :, None], columns[:, None, :]]
  if flip:
    mirrored = jax.random.bernoulli(flip_key, 0.5, (count, 1, 1, 1))
    images = jnp.where(mirrored, images[:, :, ::-1], images)
  return images


def standardize(
  features: Float[Array, 'b d'],
  mean: Float[Array, 'd'],
  std: Float[Array, 'd'],
) -> Float[Array, 'b d']:
  """Features of any floating type to float32, (x - mean) / std."""
  return (features.astype(jnp.float32) - mean[None]) / std[None]
