# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One file per method: which head, which loss, and how scores are read off.

This folder is the only place where a method has a name. A module here offers

    build(context, *, ...) -> Method

and its file name is what `config.method.name` selects; its keyword arguments
are the fields of `config.method`.
"""

from hafjax.methods.base import Method
from hafjax.methods.base import MethodContext
from hafjax.methods.base import MethodError
from hafjax.methods.base import Variant
from hafjax.methods.base import build
from hafjax.methods.base import check
from hafjax.methods.base import defaults
from hafjax.methods.base import names
from hafjax.methods.base import variants

__all__ = [
  'Method',
  'MethodError',
  'MethodContext',
  'build',
  'check',
  'defaults',
  'Variant',
  'names',
  'variants',
]
