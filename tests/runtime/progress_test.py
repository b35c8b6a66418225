# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Curves for TensorBoard, or a warning."""

from hafjax.runtime import progress


def test_curves_that_cannot_be_written_are_told_once(tmp_path, caplog):
  file = tmp_path / 'file'
  file.write_text('in the way')
  curves = progress.Curves(file)
  for step in range(3):
    curves.write(step, dict(loss=1.0))
  curves.flush()
  told = [r for r in caplog.records if 'cannot be written' in r.getMessage()]
  assert len(told) == 1
  assert str(file) in told[0].getMessage()


def test_curves_are_there_after_a_flush(tmp_path):
  from tensorboard.backend.event_processing import event_accumulator

  curves = progress.Curves(tmp_path)
  for step in range(3):
    curves.write(step, dict(loss=step / 2))
  curves.flush()
  events = event_accumulator.EventAccumulator(
    str(tmp_path), size_guidance=dict(tensors=0)
  )
  events.Reload()
  assert [event.step for event in events.Tensors('loss')] == [0, 1, 2]
