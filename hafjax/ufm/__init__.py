# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The unconstrained-features model: linear layers on top of free features.

What neural collapse looks like when the network below can give any features
(Dang et al., ICML 2023, arXiv 2301.00437): global minima in closed form where
they are known, and direct optimisation, to check them and for all the rest.

>>> from hafjax import ufm
>>> settings = dict(
...   class_counts=(20, 10, 5, 3),
...   dims=(8, 8),
...   weight_decays=(0.0236, 0.0236),
...   feature_decay=0.0236,
... )
>>> exact = ufm.minimum(**settings)
>>> exact.collapsed
array([False, False, False,  True])
>>> exact.singular_values.round(6)
array([3.902522, 2.501656, 1.442337, 0.      ])

`ufm.optimise(**settings, starts=30)` searches for the same minimum.
"""

from hafjax.ufm.closed_form import Minimum
from hafjax.ufm.closed_form import minimum
from hafjax.ufm.cross_entropy import two_class_threshold
from hafjax.ufm.fixed import fixed_classifier
from hafjax.ufm.layers import collapse_by_layer
from hafjax.ufm.layers import predictions
from hafjax.ufm.model import objective
from hafjax.ufm.modes import NoClosedForm
from hafjax.ufm.modes import collapse_threshold
from hafjax.ufm.search import SearchResult
from hafjax.ufm.search import optimise

__all__ = [
  'SearchResult',
  'Minimum',
  'NoClosedForm',
  'collapse_by_layer',
  'collapse_threshold',
  'fixed_classifier',
  'minimum',
  'objective',
  'optimise',
  'predictions',
  'two_class_threshold',
]
