# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Flax's convolution with the padding and initialisation of our networks."""

from flax import linen as nn

_HE_NORMAL = nn.initializers.he_normal()
# Of residual networks and VGG: the variance of gradients is kept.
FAN_OUT = nn.initializers.variance_scaling(2.0, 'fan_out', 'normal')


def conv(
  channels: int,
  size: int,
  stride: int = 1,
  kernel_init=_HE_NORMAL,
  **options,
) -> nn.Conv:
  """A square convolution, NHWC, padding as in PyTorch, no bias.

  Flax's 'SAME' would put a stride of 2 on even maps at other places, and
  weights converted from PyTorch would see images shifted by a pixel.

  Args:
    channels: of the output.
    size: of the kernel, odd.
    stride: in both directions.
    kernel_init: of the kernel [size, size, in, out].
    **options: of `nn.Conv`, such as dtype and name.
  """
  return nn.Conv(
    channels,
    (size, size),
    stride,
    padding=size // 2,
    use_bias=False,
    kernel_init=kernel_init,
    **options,
  )
