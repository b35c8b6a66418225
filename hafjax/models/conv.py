# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Convolution without bias, with a kernel gradient that is fast on CPUs."""

import functools
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp


class Conv(nn.Module):
  """A square convolution, NHWC, 'SAME' padding as in PyTorch, no bias.

  Attributes:
    channels: of the output.
    size: of the kernel, odd.
    stride: in both directions.
    dtype: of computation; the kernel is float32.
    kernel_init: of the kernel [size, size, in, out].
  """

  channels: int
  size: int
  stride: int = 1
  dtype: Any = jnp.float32
  kernel_init: Any = nn.initializers.he_normal()

  @nn.compact
  def __call__(self, x):
    shape = (self.size, self.size, x.shape[-1], self.channels)
    kernel = self.param('kernel', self.kernel_init, shape, jnp.float32)
    return convolve(
      x.astype(self.dtype), kernel.astype(self.dtype), self.stride
    )


def convolve(x, kernel, stride: int = 1):
  """A convolution whose kernel gradient is fast on the platform at hand.

  Args:
    x: [B, h, w, c].
    kernel: [k, k, c, d], k odd; x is padded by k // 2 zeros on each side.
    stride: in both directions.

  Returns:
    [B, ceil(h / stride), ceil(w / stride), d].
  """
  if jax.default_backend() == 'cpu' and products_win(x.shape, kernel.shape):
    return _convolve_by_products(x, kernel, stride)
  return plain(x, kernel, stride)


def plain(x, kernel, stride: int = 1):
  """As `convolve`, with XLA's own gradients."""
  border = kernel.shape[0] // 2
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    window_strides=(stride, stride),
    padding=((border, border), (border, border)),
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def products_win(x_shape, kernel_shape) -> bool:
  """Where experiments/bench_conv.py found the products faster."""
  size, _, inputs, outputs = kernel_shape
  large_map = x_shape[1] * x_shape[2] > 16 * 16
  return size > 1 and large_map and inputs * outputs >= 16 * 32


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve_by_products(x, kernel, stride):
  return plain(x, kernel, stride)


def _forward(x, kernel, stride):
  return plain(x, kernel, stride), (x, kernel)


def _backward(stride, residuals, gradient):
  x, kernel = residuals
  _, to_input = jax.vjp(lambda x: plain(x, kernel, stride), x)
  return *to_input(gradient), kernel_gradient(x, gradient, kernel, stride)


def kernel_gradient(x, gradient, kernel, stride: int = 1):
  """The gradient with respect to the kernel, a product per kernel row.

  XLA's CPU convolutions are slow where the "kernel" is as large as an image,
  as it is in this gradient; matrix products are not. The columns of a row go
  into one product, which is less skinny than a product per position.

  Args:
    x: input, [B, h, w, c].
    gradient: of the output, [B, h', w', d].
    kernel: gives shape and dtype, [k, k, c, d].
    stride: in both directions.
  """
  size, _, channels, _ = kernel.shape
  border = size // 2
  padded = jnp.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
  rows, columns = (stride * (n - 1) + 1 for n in gradient.shape[1:3])
  shifted = jnp.concatenate(
    [padded[:, :, j : j + columns : stride] for j in range(size)], axis=-1
  )
  products = [
    jnp.einsum(
      'bhwc,bhwd->cd',
      shifted[:, i : i + rows : stride],
      gradient,
      preferred_element_type=jnp.float32,
    )
    for i in range(size)
  ]
  return jnp.stack(products).reshape(kernel.shape).astype(kernel.dtype)


_convolve_by_products.defvjp(_forward, _backward)
