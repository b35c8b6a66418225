# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run's setup on devices."""

import functools

from hafjax.data.feed import DeviceFeed
from hafjax.runtime.devices import Devices
from hafjax.runtime.mesh import Layout
from hafjax.train.setup import Setup
from hafjax.train.state import TrainState
from hafjax.train.state import place_initial_state
from hafjax.train.state import state_layout


class Session:
  """A setup on devices: made once, and shared by training and evaluation.

  Attributes:
    setup: the run's, with images decoded.
    devices: all that there are.
    feed: batches of the data set's splits, placed as first used.
  """

  def __init__(self, setup: Setup):
    self.setup = setup
    self.devices = Devices.create(setup.config.mesh)
    self.feed = DeviceFeed(setup.data, self.devices)

  @functools.cached_property
  def layout(self) -> Layout:
    """How states are laid out over the devices."""
    return state_layout(self.setup, self.devices)

  @property
  def abstract_state(self) -> TrainState:
    """Shapes, dtypes and shardings of a state, to restore into."""
    return self.layout.stored

  def initial_state(self, backbone: dict | None = None) -> TrainState:
    """See `state.initial_state`."""
    return place_initial_state(self.setup, self.layout, backbone)
