"""Training of the translator, compared with its matrix products."""
import numpy

from benchmarks.registry import benchmark
from benchmarks.step import check_learning
from benchmarks.step import step
from experiments.iwslt.model import CONFIGS
from experiments.iwslt.model import Translator
from experiments.iwslt.train import setup_optimizer


_N_CHARACTERS = 187


@benchmark('iwslt-step')
def iwslt_step(device, config=CONFIGS['qrnn'], lengths=(103, 94)):
    """Training iteration (16 pairs of sentences) and its matrix products.

    ``lengths`` are the mean numbers of characters of sources and of targets in
    IWSLT. The target length includes the end-of-sentence character.
    """
    numpy.random.seed(0)
    model = Translator(config, _N_CHARACTERS)
    model.to_device(device)
    optimizer = setup_optimizer(model, config)
    B = config.batch_size
    source, target = (
        device.send(numpy.random.randint(
            0, _N_CHARACTERS, (B, length)).astype('i'))
        for length in lengths)
    S, T = (numpy.full(B, length, 'i') for length in lengths)

    def loss():
        return model(source, target, S, T)

    yield step(
        {'config': 'qrnn', 'B': B, 'S': lengths[0], 'T': lengths[1]},
        optimizer, loss, _shapes(config, *lengths),
        lambda iteration: check_learning(
            lambda: float(loss().array), iteration,
            numpy.log(_N_CHARACTERS)), device)


def _shapes(config, S, T):
    """Return the argument ``shapes`` of ``matrix_products``."""
    B, m = config.batch_size, config.n_units
    sizes = [config.n_embedding] + (len(config.kernel_sizes) - 1) * [m]
    k = config.decoder_kernel_size
    return ([(B * S, k_s * n, 3 * m) for k_s, n in zip(
                config.kernel_sizes, sizes)]
            + [(B * T, k * n, 3 * m) for n in sizes]
            + len(sizes) * [(B, m, 3 * m)]  # maps the encoder's last outputs
            + [(B, T, m, S), (B, T, S, m)]  # attention: scores, contexts
            + [(B * T, 2 * m, m), (B * T, m, _N_CHARACTERS)])
