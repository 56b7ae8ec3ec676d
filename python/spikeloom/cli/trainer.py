# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The loop: which samples, which rate and which program a step has depends on its number alone, so that a killed run can
# be continued bit for bit.
"""The training loop of `spikeloom train`."""

from __future__ import annotations

import argparse
import math
import signal
import time
from typing import NoReturn

import numpy as np

from ..arrays import epoch_order
from ..checkpoints import Checkpoint, Snapshot
from ..errors import UserError
from ..progress import Progress
from ..session import Program, Session
from .data import check_answers, data_set, read_ahead, take_answers
from .evaluate import Tester
from .log import Log
from .options import check_batch, remark, say_defaults
from .position import Position
from .run import load_weights
from .setup import Setup, read_answers
from .summary import machine_text, overflow_text, tiles_text, write_profile
from .training_options import training
from .watch import LastGood, broken_update, find_failure


class Trainer:
    """A training: sessions, data, and where it is."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Read the data's shape, compile, and check everything against the program."""
        self.options = options
        say_defaults(options, machine=True, engine=True, surrogate=True)
        targets = training(options).has_target
        labels = read_answers(options.labels, options.inputs, "--labels", "--inputs", targets=targets)
        test_labels = None
        if options.test_inputs:
            test = (options.test_labels, options.test_inputs, "--test-labels", "--test-inputs")
            test_labels = read_answers(*test, targets=targets)
        resumed = Checkpoint.read(options.resume) if options.resume else None
        self.setup = Setup(options, resumed)
        calibrated = self._calibrate() if self.setup.needs_calibration and not resumed else None
        self.session = self._open(self.setup.program(resumed.training["epoch"] if resumed else 1))
        info = self.session.info
        self.data = data_set(options.inputs, info, options, "--inputs")
        self.labels = check_answers(labels, self.data.count, info, "--labels")
        self.tester = Tester(self.setup.test_program(), options, test_labels) if options.test_inputs else None
        self.samples = options.batch * options.gradient_accumulation  # of a step
        self.batches = math.ceil(self.data.count / self.samples)
        whole = options.epochs * self.batches
        self.total = min(whole, options.max_steps or whole)
        self.interrupted = False
        self.good = LastGood()
        self.log = Log(options.log)
        self.position = Position()
        if resumed:
            resumed.restore(self.session, options.resume)
            self.position = Position.from_json(resumed.training)
            done = "; nothing is left to do" if self.position.epoch > options.epochs else ""
            remark(options, f"continuing {options.resume} after step {self.position.step}{done}")
        elif calibrated is not None:
            self.session.weights = calibrated
        else:
            self._initialize(self.session)

    def _open(self, program: Program) -> Session:
        session = program.session(self.options.engine, self.options.threads)
        check_batch(self.options, session)
        return session

    def _initialize(self, session: Session) -> None:
        """Set the first parameters of a session."""
        options = self.options
        if options.weights:
            load_weights(session, options)
        elif options.random_weights is not None:
            drawn = session.randomize(options.random_weights, options.seed)
            remark(options, f"random weights (seed {options.seed}): {', '.join(drawn)}")

    def _calibrate(self) -> dict[str, np.ndarray]:
        """Choose list lengths and scale the first parameters on the first batch; return the parameters."""
        options = self.options
        with self.setup.calibration_session() as session:
            self._initialize(session)
            data = data_set(options.inputs, session.info, options, "--inputs")
            first = epoch_order(data.count, options.seed, 1)[: options.batch]
            self.setup.calibrate(session, data.take(np.sort(first), 1))
            return session.weights

    def train(self) -> bool:
        """Run all epochs and save; return whether the training came to its end."""
        position = self.position
        self.log.begin(position.step - position.pending)
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            while position.epoch <= self.options.epochs and not self.interrupted:
                if not self._epoch():
                    break
        finally:
            signal.signal(signal.SIGINT, before)
        if broken_update(self.session.weights, position.step):
            self._fail(self._find_failure(position.step + 1))
        self.session.save(self.options.save)
        if self.interrupted:
            self._say_interrupted()
        elif self.options.checkpoint:
            self._checkpoint()
        return not self.interrupted

    def _interrupt(self, *_: object) -> None:
        """Stop after this step; at the second Ctrl-C at once."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def _say_interrupted(self) -> None:
        text = f"interrupted after step {self.position.step}; parameters saved in {self.options.save}"
        if self.options.checkpoint:
            self._checkpoint()
            text += f"; continue with --resume={self.options.checkpoint}"
        print(text)

    def _epoch(self) -> bool:
        """Train what is left of an epoch; return whether there is more to do."""
        options, position = self.options, self.position
        self._switch_program()
        order = self._order(position.epoch)
        position.begin()
        if position.pending and position.batch < self.batches and position.step < self.total:
            self._log()
        progress = Progress(f"epoch {position.epoch}/{options.epochs}", self.data.count, quiet=options.quiet)
        left = min(self.batches - position.batch, self.total - position.step)
        starts = range(position.batch * self.samples, len(order), self.samples)[: max(0, left)]
        batches = [order[start : start + self.samples] for start in starts]
        for indices, x in read_ahead(lambda chosen: self.data.take(chosen, position.epoch), batches):
            self._step(indices, x)
            progress.update(position.samples, position.progress())
            if self._due():
                self._checkpoint()
            # After the checkpoint, so that no step that the log knows is lost; the line of an epoch's last step waits
            # for the test accuracy.
            if position.batch < self.batches and position.step < self.total:
                self._log()
            if self.interrupted and position.batch < self.batches:
                return False
        self._finish_epoch()
        return position.step < self.total

    def _order(self, epoch: int) -> np.ndarray:
        """Return the samples ``[N]`` of an epoch in their order."""
        if self.options.no_shuffle:
            return np.arange(self.data.count)
        return epoch_order(self.data.count, self.options.seed, epoch)

    def _switch_program(self) -> None:
        """Compile anew where the schedule of second thresholds says so; the training goes on with the same values."""
        program = self.setup.program(self.position.epoch)
        if program is not self.session.program:
            snapshot = Snapshot.of(self.session)
            self.session.close()
            self.session = self._open(program)
            snapshot.restore(self.session)

    def _set_rate(self, step: int) -> float:
        """Set and return the learning rate of a step, counted from 0."""
        rate = self.setup.rate * self.options.lr_schedule.at(step, self.batches, self.total)
        self.session.learning_rate = rate
        return rate

    def _step(self, indices: np.ndarray, x: np.ndarray) -> None:
        """Train on the samples ``x [T, b, ...]`` and count it."""
        position = self.position
        if not self.good.keep(self.session):
            self._fail(self._find_failure(position.step + 1))
        start = time.perf_counter()
        rate = self._set_rate(position.step)
        result = self.session.step(x, self._answers(indices))
        events = self.session.events()
        if not math.isfinite(result.loss):
            step = position.step + 1
            self._fail(f"the loss is {result.loss} at step {step}: {self._find_failure(step)}")
        position.count(result, events, len(indices), time.perf_counter() - start, rate)
        if position.step == 1 and self.setup.calibration:
            position.entry["calibration"] = self.setup.calibration
        for warning in position.watch.add(events, position.batch == self.batches):
            remark(self.options, f"warning: {warning}")

    def _answers(self, indices: np.ndarray) -> np.ndarray:
        """Return what the samples should give: labels, or targets."""
        return take_answers(self.labels, indices, self.session.info)

    def _log(self) -> None:
        self.log.write(self.position.entry)
        self.position.pending = False

    def _due(self) -> bool:
        every = self.options.checkpoint_every
        if not self.options.checkpoint:
            return False
        return self.position.step % every == 0 if every else self.position.batch == self.batches

    def _finish_epoch(self) -> None:
        """Test, log, tell, keep the best, and go on to the next epoch."""
        position = self.position
        text = position.summary()
        score = -position.mean_loss
        if self.tester is not None:
            found = self.tester.measure(self.session)
            position.entry[f"test_{self.tester.measured}"] = found
            text += f", test {self.tester.measured} {found:.4f}"
            score = found if self.tester.measured == "accuracy" else -found
        self._log()
        print(f"epoch {position.epoch}: {text}", flush=True)
        if position.batch < self.batches:
            return
        better = position.best is None or score > position.best
        position.best = score if better else position.best
        position.next_epoch()
        if self.options.checkpoint and better:
            self._checkpoint(f"{self.options.checkpoint}.best")

    def _checkpoint(self, path: str | None = None) -> None:
        training = {"options": self.setup.described(), "capacity": self.setup.capacity, **self.position.to_json()}
        snapshot = Snapshot.of(self.session)
        if broken_update(snapshot.parameters, snapshot.step):
            self._fail(self._find_failure(self.position.step + 1))
        Checkpoint(snapshot, self.session.learning_rate, training).write(path or self.options.checkpoint)

    def _fail(self, found: str) -> NoReturn:
        """Stop because values are not finite any more."""
        options = self.options
        kept = f"the last good checkpoint is {options.checkpoint}" if options.checkpoint else "nothing was saved"
        raise UserError(
            f"{found} (epoch {self.position.epoch}); {kept}. Use a smaller --lr "
            f"than {self.session.learning_rate:g}, or look for bad values in the weights"
        )

    def _find_failure(self, step: int) -> str:
        def batch(number: int) -> tuple[int, np.ndarray]:
            epoch, at = divmod(number - 1, self.batches)
            return epoch + 1, self._order(epoch + 1)[at * self.samples :][: self.samples]

        def again(number: int) -> None:
            self._set_rate(number - 1)
            epoch, indices = batch(number)
            self.session.step(self.data.take(indices, epoch), self._answers(indices))

        def look(number: int) -> dict[str, np.ndarray]:
            epoch, indices = batch(number)
            with self.setup.inference().session(self.options.engine, self.options.threads) as session:
                session.weights = self.session.weights
                micro_batches = range(0, len(indices), session.info.batch)
                chosen = [indices[start : start + session.info.batch] for start in micro_batches]
                runs = [session.run(self.data.take(part, epoch)) for part in chosen]
                states = [port.name for port in session.info.results if port.pair]
                names = [*states, *(name for name in runs[0] if name not in states)]
                return {name: np.concatenate([run[name].reshape(-1) for run in runs]) for name in names}

        return find_failure(self.session, self.good.snapshot, step, again, look)

    def report(self) -> None:
        """Tell what the training took, and write what was asked for."""
        options, info = self.options, self.session.info
        if self.session.cycles:
            print(f"machine: {machine_text(info, self.session.cycles, 'step')}")
        print(f"tiles: {tiles_text(info)}")
        print(f"events: {overflow_text(self.position.last_events)} (last epoch)")
        if options.profile:
            write_profile(self.session, options.profile)
            print(f"profile of the last step: {options.profile}")
        print(f"parameters: {options.save}")
        if options.save_gradients:
            self.session.save_gradients(options.save_gradients)
            print(f"gradients of the last step: {options.save_gradients}")

    def close(self) -> None:
        """Free the sessions and close the log."""
        self.log.close()
        self.session.close()
        if self.tester is not None:
            self.tester.close()
