# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The convolutional part of VGG with BatchNorm."""

from typing import Any

from flax import linen as nn
import jax.numpy as jnp

from hafjax.models.conv import FAN_OUT
from hafjax.models.conv import conv


class VGG(nn.Module):
  """VGG-16 (Simonyan and Zisserman, arXiv 1409.1556), as torchvision's with BN.

  Of that it leaves out the three dense layers, and the convolutions' biases,
  which BatchNorm takes away again. Max-pooling rounds odd sizes up, where
  torchvision's rounds down: so a map never gets empty, and where the image's
  size is a multiple of 32 the two are the same.

  Attributes:
    stage_sizes: convolutions in each stage, which max-pooling ends.
    widths: channels of the stages.
    dtype: of computation; parameters and statistics are float32.
    bn_momentum: decay of BatchNorm's running statistics.
  """

  stage_sizes: tuple[int, ...] = (2, 2, 3, 3, 3)
  widths: tuple[int, ...] = (64, 128, 256, 512, 512)
  dtype: Any = jnp.float32
  bn_momentum: float = 0.9

  @nn.compact
  def __call__(self, images, train: bool):
    """[B, h, w, c] -> (feature map [B, h/32, w/32, 512], intermediates)."""
    x, out = images.astype(self.dtype), {}
    stages = zip(self.stage_sizes, self.widths, strict=True)
    for stage, (num_layers, width) in enumerate(stages, 1):
      for layer in range(1, num_layers + 1):
        x = conv(
          width,
          3,
          kernel_init=FAN_OUT,
          dtype=self.dtype,
          name=f'stage{stage}_conv{layer}',
        )(x)
        x = nn.BatchNorm(
          use_running_average=not train,
          momentum=self.bn_momentum,
          dtype=self.dtype,
          name=f'stage{stage}_norm{layer}',
        )(x)
        x = nn.relu(x)
      x = out[f'stage{stage}'] = nn.max_pool(x, (2, 2), (2, 2), 'SAME')
    return x, out
