# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Vision transformers."""

import functools
from typing import Any

from flax import linen as nn
import jax.numpy as jnp

from hafjax.errors import UserError

# Width, depth and heads; the hidden layer of a block is four times as wide.
SIZES = {
  'ti': dict(width=192, depth=12, num_heads=3),
  's': dict(width=384, depth=12, num_heads=6),
  'b': dict(width=768, depth=12, num_heads=12),
  'l': dict(width=1024, depth=24, num_heads=16),
}


class ViTError(UserError):
  """Images that cannot be cut into patches; says which can."""


class Block(nn.Module):
  """Attention among tokens, then a hidden layer for each, both residual."""

  num_heads: int
  dtype: Any

  @nn.compact
  def __call__(self, x):
    width, dtype = x.shape[-1], self.dtype
    dense = functools.partial(
      nn.Dense, kernel_init=nn.initializers.xavier_uniform(), dtype=dtype
    )
    y = nn.LayerNorm(dtype=dtype, name='norm1')(x)
    x += nn.MultiHeadDotProductAttention(
      self.num_heads,
      kernel_init=nn.initializers.xavier_uniform(),
      force_fp32_for_softmax=True,
      dtype=dtype,
      name='attention',
    )(y, y)
    y = nn.LayerNorm(dtype=dtype, name='norm2')(x)
    y = dense(4 * width, name='dense1')(y)
    # Exact, as in timm; big_vision's is approximate, which its weights hardly
    # notice: features of a ViT-S of random ones differ by 1e-4 of the largest.
    return x + dense(width, name='dense2')(nn.gelu(y, approximate=False))


class ViT(nn.Module):
  """Vision transformer with a class token (arXiv 2010.11929).

  What it returns is the class token and not the mean of all: the published
  weights that people start from (AugReg, DeiT, DINO, timm's) were trained so.
  No dropout.

  Attributes:
    patch_size: pixels on each side of a patch.
    width: of the tokens.
    depth: blocks.
    num_heads: of attention, a divisor of the width.
    dtype: of computation; parameters are float32.
  """

  patch_size: int
  width: int = 384
  depth: int = 12
  num_heads: int = 6
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, train: bool):
    """[B, h, w, c] -> (feature map [B, 1, 1, width], intermediates).

    Intermediates are all tokens, [B, 1 + h w / patch_size**2, width], the class
    token first.

    Raises:
      ViTError: if the image is not made of whole patches.
    """
    del train  # Nothing here depends on the batch.
    patch_size, (height, width) = self.patch_size, images.shape[1:3]
    if height % patch_size or width % patch_size:
      raise ViTError(
        f'Images of {height} x {width} pixels cannot be cut into patches of '
        f'{patch_size} x {patch_size}: give config.image_size a multiple of '
        f'{patch_size}, or the model another patch size.'
      )
    x = nn.Conv(
      self.width,
      (patch_size, patch_size),
      patch_size,
      padding='VALID',
      dtype=self.dtype,
      name='embedding',
    )(images.astype(self.dtype))
    x = x.reshape(len(x), -1, self.width)
    token = self.param('class_token', nn.initializers.zeros, (1, 1, self.width))
    token = jnp.broadcast_to(token, (len(x), 1, self.width)).astype(x.dtype)
    x = jnp.concatenate([token, x], axis=1)
    positions = self.param(
      'positions', nn.initializers.normal(0.02), (1, *x.shape[1:])
    )
    x += positions.astype(x.dtype)
    out = {'embedding': x}
    for number in range(1, self.depth + 1):
      block = Block(self.num_heads, self.dtype, name=f'block{number}')
      x = out[f'block{number}'] = block(x)
    x = nn.LayerNorm(dtype=self.dtype, name='norm')(x[:, :1])
    return x[:, None], out
