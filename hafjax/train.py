# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Training: one compiled step, one loop, one working directory."""

from collections.abc import Callable
import dataclasses
import functools
import time

from absl import logging
import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax

from hafjax import checkpoint
from hafjax import collapse
from hafjax import compilation
from hafjax import config as config_lib
from hafjax import data as data_lib
from hafjax import methods
from hafjax import metrics
from hafjax import models
from hafjax import progress as progress_lib
from hafjax import report
from hafjax import rules as rules_lib
from hafjax.data import pipeline
from hafjax.models import network as network_lib
from hafjax.models import tops

# --- The step ----------------------------------------------------------------


@flax.struct.dataclass
class TrainState:
  """What a step changes, and a checkpoint holds.

  Attributes:
    step: updates done, int32[].
    params: what is learned.
    variables: what else the network holds: BatchNorm's running statistics, and
      a fixed frame.
    opt_state: the optimiser's.
  """

  step: jax.Array
  params: dict
  variables: dict
  opt_state: tuple


@dataclasses.dataclass(frozen=True)
class Experiment:
  """What stays fixed during a run.

  Attributes:
    network: images -> outputs of the method's head.
    method: loss and scores.
    optimiser: of all parameters.
    preprocess: (uint8 images, key or None) -> float images.
    distances: int[K, K] between classes, for the metrics.
    ks: ranks for the metrics.
    num_steps: length of training.
    seed: of initial weights and augmentation.
  """

  network: network_lib.Network
  method: methods.Method
  optimiser: optax.GradientTransformation
  preprocess: Callable
  distances: np.ndarray
  ks: tuple[int, ...]
  num_steps: int
  seed: int


def initial_state(experiment: Experiment, image_shape) -> TrainState:
  """Fresh weights from the experiment's seed, float32."""
  key = jax.random.key(experiment.seed)
  images = jnp.zeros((1, *image_shape), jnp.float32)
  variables = experiment.network.init(key, images, train=False)
  params = variables.pop('params')
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    variables=variables,
    opt_state=experiment.optimiser.init(params),
  )


def train_step(
  state: TrainState,
  images: jax.Array,
  labels: jax.Array,
  experiment: Experiment,
) -> tuple[TrainState, dict]:
  """One update by gradient descent.

  Args:
    state: before the update.
    images: uint8[B, h, w, c], not augmented.
    labels: int[B].
    experiment: what stays fixed.

  Returns:
    The state after the update, and sums over the batch: 'loss', 'top1' and
    'count', of the network before the update.
  """
  # A key a step, from the seed: a resumed run draws what it would have drawn.
  key = jax.random.fold_in(jax.random.key(experiment.seed + 1), state.step)
  images = experiment.preprocess(images, key)
  done = state.step / experiment.num_steps

  def mean_loss(params):
    outputs, updated = experiment.network.apply(
      {'params': params, **state.variables},
      images,
      train=True,
      mutable=['batch_stats'],
    )
    loss = experiment.method.loss(outputs, labels, done)
    return loss.mean(), (loss, outputs, updated)

  gradient, (loss, outputs, updated) = jax.grad(mean_loss, has_aux=True)(
    state.params
  )
  variables = {**state.variables, **updated}
  if experiment.method.update is not None:
    variables['frame'] = dict(
      classifier=experiment.method.update(
        variables['frame']['classifier'], outputs, labels, state.step
      )
    )
  updates, opt_state = experiment.optimiser.update(
    gradient, state.opt_state, state.params
  )
  predictions = experiment.method.scores(outputs).argmax(-1)
  sums = dict(
    loss=loss.sum(),
    top1=(predictions == labels).sum().astype(jnp.float32),
    count=jnp.float32(len(labels)),
  )
  new_state = TrainState(
    step=state.step + 1,
    params=optax.apply_updates(state.params, updates),
    variables=variables,
    opt_state=opt_state,
  )
  return new_state, sums


def eval_step(
  state: TrainState,
  images: jax.Array,
  labels: jax.Array,
  mask: jax.Array,
  experiment: Experiment,
) -> dict:
  """Sums of metrics (and of alignment with a frame) over a batch.

  Args:
    state: whose weights and running statistics are used.
    images: uint8[B, h, w, c].
    labels: int[B].
    mask: bool[B], which examples count.
    experiment: what stays fixed.
  """
  method = experiment.method
  outputs = experiment.network.apply(
    {'params': state.params, **state.variables},
    experiment.preprocess(images),
    train=False,
  )
  # The loss as it is at the end of training, comparable between epochs.
  loss = method.loss(outputs, labels, 1.0)
  sums = dict(
    loss=jnp.where(mask, loss, 0.0).sum(),
    count=mask.sum().astype(jnp.float32),
    metrics=metrics.hierarchical_sums(
      method.scores(outputs), labels, experiment.distances, experiment.ks, mask
    ),
  )
  if 'frame' in outputs:
    sums['alignment'] = collapse.alignment_sums(
      outputs['features'], labels, outputs['frame'], mask
    )
  return sums


def probabilities(
  state: TrainState, images: jax.Array, experiment: Experiment
) -> jax.Array:
  """Softmax of the method's scores, float32[B, K], for uint8 images."""
  outputs = experiment.network.apply(
    {'params': state.params, **state.variables},
    experiment.preprocess(images),
    train=False,
  )
  return jax.nn.softmax(experiment.method.scores(outputs))


def rule_step(
  states: dict[str, TrainState],
  images: jax.Array,
  labels: jax.Array,
  mask: jax.Array,
  experiments: dict[str, Experiment],
  rules: tuple[rules_lib.Rule, ...],
) -> dict:
  """Sums of each rule over a batch, by its name.

  Args:
    states: of the run, under '', and of its rules' companions by workdir.
    images: uint8[B, h, w, c].
    labels: int[B].
    mask: bool[B], which examples count.
    experiments: likewise.
    rules: what to measure.
  """
  probs = {
    name: probabilities(state, images, experiments[name])
    for name, state in states.items()
  }
  return {
    rule.name: rule.sums(
      probs[''], probs[rule.workdir] if rule.workdir else None, labels, mask
    )
    for rule in rules
  }


def _frame(state: TrainState):
  """The fixed class vectors as they are now, or None."""
  fixed = state.variables.get('frame', {}).get('classifier', {})
  return fixed.get('frame')


# --- From a config -----------------------------------------------------------


def make_optimiser(config, num_steps: int) -> optax.GradientTransformation:
  """SGD with momentum; a cosine from its own peak rate for each part.

  Parts are the network's top-level parameter groups, as in `config.lr`.
  """

  def sgd(peak):
    return optax.chain(
      optax.add_decayed_weights(config.weight_decay),
      optax.sgd(
        optax.cosine_decay_schedule(peak, num_steps),
        momentum=config.momentum,
      ),
    )

  return optax.partition(
    {part: sgd(peak) for part, peak in config.lr.items()},
    lambda params: {
      part: jax.tree.map(lambda _, part=part: part, group)
      for part, group in params.items()
    },
  )


def make_experiment(config, data: data_lib.DataSet) -> Experiment:
  """Network, method and optimiser for a data set.

  Raises:
    ValueError: of the kind of the part that cannot be built.
  """
  dtype = jnp.dtype(config.dtype)
  backbone = models.build(config.model, dtype=dtype)
  images = jnp.zeros((1, *data.image_shape), jnp.float32)
  (maps, _), _ = jax.eval_shape(
    lambda: backbone.init_with_output(jax.random.key(0), images, train=False)
  )
  wanted = methods.feature_dim(
    data.hierarchy, data.kind, config.top, **config.method
  )
  top, feature_dim = tops.build(
    config.top, config.feature_dim or wanted, maps.shape[-1], dtype=dtype
  )
  method = methods.build(
    methods.Task(
      hierarchy=data.hierarchy,
      distances=data.distances,
      kind=data.kind,
      feature_dim=feature_dim,
      class_counts=np.bincount(
        data.splits['train'].labels, minlength=data.hierarchy.num_classes
      ),
      seed=config.seed,
    ),
    **config.method,
  )
  examples = config.num_epochs * len(data.splits['train'])
  num_steps = max(examples // config.batch_size, 1)
  return Experiment(
    network=network_lib.Network(backbone, top, method.head),
    method=method,
    optimiser=make_optimiser(config, num_steps),
    preprocess=data.preprocess,
    distances=data.distances,
    ks=tuple(config.ks),
    num_steps=num_steps,
    seed=config.seed,
  )


# --- Devices -----------------------------------------------------------------


class Device:
  """Compiled steps over a mesh of all devices, and the data beside them.

  The batch is split over the devices; weights and (small) data sets are whole
  on each. XLA adds the sums over devices, BatchNorm's included, so that the
  number of devices does not change the curve.
  """

  def __init__(self, experiment: Experiment, data: data_lib.DataSet):
    mesh = jax.make_mesh(
      (jax.device_count(),),
      ('data',),
      axis_types=(jax.sharding.AxisType.Auto,),
    )
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec('data'))
    self._split, self._whole = split, whole
    self._experiment, self._data = experiment, data
    self._arrays = {}

    # Data sets are arguments, not constants, so that they are not compiled in.
    def train(state, totals, source, indices):
      state, sums = train_step(
        state, *self._gather(source, indices), experiment
      )
      return state, jax.tree.map(jnp.add, totals, sums)

    def evaluate(state, source, indices, mask):
      return eval_step(state, *self._gather(source, indices), mask, experiment)

    self._train = jax.jit(
      train,
      in_shardings=(whole, whole, whole, split),
      out_shardings=whole,
      donate_argnums=(0, 1),
      compiler_options=compilation.options(),
    )
    self._evaluate = jax.jit(
      evaluate,
      in_shardings=(whole, whole, split, split),
      out_shardings=whole,
      compiler_options=compilation.options(),
    )

  def _gather(self, source, indices):
    batch = (source[0][indices], source[1][indices])
    return jax.lax.with_sharding_constraint(batch, self._split)

  def source(self, split: str):
    """A split's images and labels on the devices."""
    if split not in self._arrays:
      arrays = self._data.splits[split]
      self._arrays[split] = jax.device_put(
        (arrays.images, arrays.labels), self._whole
      )
    return self._arrays[split]

  def initial_state(self) -> TrainState:
    make = functools.partial(
      initial_state, self._experiment, self._data.image_shape
    )
    return jax.jit(make, out_shardings=self._whole)()

  def zero_totals(self) -> dict:
    totals = {name: np.float32(0) for name in ('loss', 'top1', 'count')}
    return jax.device_put(totals, self._whole)

  def train(self, state, totals, indices):
    """A step on the training examples `indices`; both inputs are consumed."""
    indices = jax.device_put(indices.astype(np.int32), self._split)
    return self._train(state, totals, self.source('train'), indices)

  def evaluate(self, state, split: str, batch_size: int) -> dict:
    """Metrics over a whole split, every example counted once.

    Returns:
      'loss' and the names of `metrics.hierarchical_metrics`; also those of
      `collapse.alignment` where the method has a fixed frame.
    """
    total = self._total(self._evaluate, state, split, batch_size)
    found = dict(
      loss=float(total['loss'] / total['count']),
      **metrics.finalise(total['metrics'], self._experiment.ks),
    )
    if 'alignment' in total:
      found |= collapse.alignment(total['alignment'], _frame(state))
    return found

  def _total(self, program, states, split: str, batch_size: int) -> dict:
    """Sums of a compiled step over a split, in float64 on the host."""
    total = None
    size = len(self._data.splits[split])
    for batch in pipeline.evaluation_batches(size, batch_size):
      indices, mask = jax.device_put(batch, self._split)
      sums = program(states, self.source(split), indices, mask)
      # Exact counts, for splits of any size.
      sums = jax.tree.map(lambda x: np.asarray(x, np.float64), sums)
      total = sums if total is None else jax.tree.map(np.add, total, sums)
    return total

  def measure_rules(
    self,
    state: TrainState,
    rules: tuple[rules_lib.Rule, ...],
    companions: dict[str, tuple[Experiment, TrainState]],
    splits: tuple[str, ...],
    batch_size: int,
  ) -> dict:
    """Rule -> split -> metrics.

    Args:
      state: of the run.
      rules: what to measure.
      companions: of the rules that have a workdir, by it.
      splits: names.
      batch_size: examples a step.
    """
    experiments = {'': self._experiment} | {
      workdir: experiment for workdir, (experiment, _) in companions.items()
    }
    states = {'': state} | {
      workdir: jax.device_put(companion, self._whole)
      for workdir, (_, companion) in companions.items()
    }
    program = jax.jit(
      lambda states, source, indices, mask: rule_step(
        states, *self._gather(source, indices), mask, experiments, rules
      ),
      in_shardings=(self._whole, self._whole, self._split, self._split),
      out_shardings=self._whole,
      compiler_options=compilation.options(),
    )
    found = {rule.name: {} for rule in rules}
    for split in splits:
      total = self._total(program, states, split, batch_size)
      for rule in rules:
        found[rule.name][split] = rule.finalise(total[rule.name])
    return found


# --- The run -----------------------------------------------------------------


def train_and_evaluate(config, workdir: str) -> dict:
  """Trains (or continues, or only reports) the run of a config.

  Args:
    config: see `configs/common.py`.
    workdir: the run's own directory; the same config and directory continue
      where a killed run was last saved.

  Returns:
    What `results.json` holds: 'method', 'seed', metrics under 'test' and 'val'
    (of the best checkpoint by validation top-1), and how it was trained.

  Raises:
    ValueError: if config, data, hierarchy, frame or workdir are bad; told
      before training starts.
  """
  config_lib.check(config, jax.device_count())
  data = data_lib.load(config)
  experiment = make_experiment(config, data)
  rules = tuple(_rules(config, data))
  companions = _companions(rules, config, data)
  run = checkpoint.Workdir(
    workdir,
    checkpoint.describe(config, data),
    create=config.mode == 'train',
  )
  try:
    if config.mode == 'eval':
      results = _evaluate_best(config, run, experiment, data)
      splits = ('test',)
    else:
      results = run.results()
      splits = ('val', 'test')
      if results is None:
        results = _train(config, run, experiment, data)
      else:
        logging.info('%s is done: nothing is trained again.', run.folder)
    missing = tuple(r for r in rules if r.name not in results.get('rules', {}))
    if missing:
      device = Device(experiment, data)
      best = run.restore(results['best_step'], device.initial_state())
      found = device.measure_rules(
        best, missing, companions, splits, config.eval_batch_size
      )
      results = results | dict(rules=results.get('rules', {}) | found)
      if config.mode == 'train':
        run.finish(results)
    logging.info('\n%s', report.results_table([results]))
    if table := report.selective_table([results]):
      logging.info('\n%s', table)
    return results
  finally:
    run.close()


def _rules(config, data):
  """The config's rules, parsed."""

  def level_of(workdir):
    level = checkpoint.read_record(workdir)['config'].get('level')
    if level is None:
      raise rules_lib.RuleError(
        f'The run in {workdir} was trained on leaves: a rule hie:WORKDIR needs '
        'one that was trained with --config.level.'
      )
    return level

  setting = rules_lib.Setting(
    data.hierarchy, data.distances, data.kind, tuple(config.ks), level_of
  )
  return [rules_lib.parse(name, setting) for name in config.eval.rules]


def _companions(rules, config, data) -> dict:
  """Experiment and best state of every other run that rules ask for."""
  # The step and the model are used where there are no such configs, too.
  from ml_collections import config_dict

  found = {}
  for workdir in sorted({rule.workdir for rule in rules} - {''}):
    record = checkpoint.read_record(workdir)
    other = config_dict.ConfigDict(
      record['config'] | dict(data_dir=config.data_dir, hierarchy='')
    )
    for field in ('dataset', 'image_size'):
      if other[field] != config[field]:
        raise rules_lib.RuleError(
          f'The run in {workdir} has {field}={other[field]!r} and this one '
          f'{config[field]!r}: hie:WORKDIR needs two that see the same images.'
        )
    coarse = data.at_level(other.level)
    run = checkpoint.Workdir(
      workdir, checkpoint.describe(other, coarse), create=False
    )
    try:
      if run.best_step() is None:
        raise checkpoint.CheckpointError(
          f'{workdir}, of a rule hie:WORKDIR, has no checkpoint yet.'
        )
      experiment = make_experiment(other, coarse)
      state = Device(experiment, coarse).initial_state()
      found[workdir] = (experiment, run.restore(run.best_step(), state))
    finally:
      run.close()
  return found


def _evaluate_best(config, run, experiment, data) -> dict:
  best = run.best_step()
  if best is None:
    raise checkpoint.CheckpointError(
      f'{run.folder} has no checkpoint to evaluate: train first, with '
      '--config.mode=train.'
    )
  device = Device(experiment, data)
  state = run.restore(best, device.initial_state())
  found = device.evaluate(state, 'test', config.eval_batch_size)
  return dict(_identity(config), best_step=best, test=found)


def _identity(config) -> dict:
  return dict(
    method=config.method.name, variant=config.variant, seed=config.seed
  )


def _train(config, run, experiment, data) -> dict:
  device = Device(experiment, data)
  state = device.initial_state()
  start = run.latest_step()
  if start is None:
    start = 0
    progress_lib.log_parameters(state.params)
  else:
    logging.info('Continuing %s at step %d.', run.folder, start)
    state = run.restore(start, state)
  run.rewind_log(start)
  writer = progress_lib.tensorboard(run.folder)
  num_steps, batch_size = experiment.num_steps, config.batch_size
  num_train = len(data.splits['train'])
  order = pipeline.training_order(num_train, batch_size, config.seed)
  progress = progress_lib.Progress(
    start, num_steps, batch_size, config.log_seconds
  )
  # The last step of every so many epochs, and the last of all.
  epochs = range(config.eval_every, config.num_epochs, config.eval_every)
  pauses = {epoch * num_train // batch_size for epoch in epochs} | {num_steps}
  began = time.monotonic()
  totals = device.zero_totals()

  # Nothing may travel to or from the devices unasked inside the loop.
  with jax.transfer_guard('disallow'):
    for step in range(start + 1, num_steps + 1):
      state, totals = device.train(state, totals, order[step - 1])
      progress(step, lambda state=state: jax.block_until_ready(state))
      if step not in pauses:
        continue
      jax.block_until_ready(state)
      with progress.pause(), jax.transfer_guard('allow'):
        found = _measure(device, state, totals, config)
        run.log(
          dict(
            step=step,
            epoch=round(step * batch_size / num_train, 3),
            images_per_second=round(progress.speed(step) * batch_size, 1),
            **found,
          )
        )
        writer.write_scalars(step, found)
        logging.info(
          'epoch %.4g/%d: train loss %.4f, top-1 %.4f; validation top-1 %.4f, '
          'mistake severity %.3f',
          step * batch_size / num_train,
          config.num_epochs,
          found['train_loss'],
          found['train_top1'],
          found['val_top1'],
          found['val_mistake_severity'],
        )
        # Logged first: a kill in between repeats the log's line, and
        # rewinding drops it.
        run.save(step, state, found['val_top1'])
        totals = device.zero_totals()
  writer.flush()
  run.wait()

  results = dict(
    _identity(config),
    num_steps=num_steps,
    num_epochs=config.num_epochs,
    train_seconds=round(time.monotonic() - began, 1),
    images_per_second=round(progress.speed(num_steps) * batch_size, 1),
    best_step=run.best_step(),
  )
  if _frame(state) is not None:
    last = device.evaluate(state, 'train', config.eval_batch_size)
    results['last_train'] = last
  best = run.restore(run.best_step(), state)
  for split in ('val', 'test'):
    results[split] = device.evaluate(best, split, config.eval_batch_size)
  run.finish(results)
  return results


def _measure(device, state, totals, config) -> dict:
  sums = {name: float(value) for name, value in totals.items()}
  found = dict(
    train_loss=sums['loss'] / sums['count'],
    train_top1=sums['top1'] / sums['count'],
  )
  validation = device.evaluate(state, 'val', config.eval_batch_size)
  return found | {f'val_{name}': value for name, value in validation.items()}
