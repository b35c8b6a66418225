# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What plug-ins share: finding them by name, and declaring config fields.

Methods, models, data sets, optimizers and the like are modules of a package
each, found by name; a name with a dot is a module of the user's own.
"""

from hafjax.plugins.resolve import PluginError
from hafjax.plugins.resolve import plugin
from hafjax.plugins.resolve import plugin_names

__all__ = ['PluginError', 'plugin', 'plugin_names']
