"""Select a small number of test cases that cover pairs of values."""
import collections
import itertools

import numpy
import pytest


def parametrize(factors, *full, most=60000):
    """Parametrize a test with the cases of :func:`cover`."""
    return pytest.mark.parametrize(
        'case', list(cover(factors, full, most)), ids=lambda case: '-'.join(
            f'{n}={v}' for n, v in case._asdict().items()))


def cover(factors, full=('dtype', 'regime'), most=60000):
    """Yield cases in which nearly all pairs of values of two factors occur.

    Args:
        factors (dict): Maps the name of each factor to a list of its values.
        full (tuple of str): Names of factors. All combinations of the values
            of these factors occur.
        most (int): Largest number of elements of a case, B * T * C.

    """
    # These cases cover 99 % of the pairs. The same number of cases drawn by
    # Hypothesis covers 30 % of the pairs of STRNN and 20 % of the pairs of
    # POOLING. With twelve times as many cases, Hypothesis covers 84 % of the
    # pairs of STRNN and 78 % of the pairs of POOLING.
    random = numpy.random.RandomState(0)
    names = list(factors)
    Case = collections.namedtuple('Case', names)
    open_pairs = {
        frozenset([(m, v), (n, w)])
        for m, n in itertools.combinations(names, 2)
        for v in factors[m] for w in factors[n]}
    open_fulls = list(itertools.product(*(factors[n] for n in full)))
    while open_pairs or open_fulls:
        start = dict(zip(full, open_fulls.pop(0))) if (
            open_fulls) else dict(min(open_pairs, key=_name))
        tries = []
        for _ in range(30 if open_pairs else 1):
            chosen = dict(start)
            for n in random.permutation(names):
                if n in chosen:
                    continue
                gains = [sum(
                    frozenset([(n, v), pair]) in open_pairs
                    for pair in chosen.items()) for v in factors[n]]
                best = [v for v, g in zip(factors[n], gains)
                        if g == max(gains)]
                chosen[n] = best[random.randint(len(best))]
            pairs = {frozenset(p) for p in itertools.combinations(
                chosen.items(), 2)}
            tries.append((len(pairs & open_pairs), len(tries), chosen, pairs))
        _, _, chosen, pairs = max(tries, key=lambda t: t[:2])
        open_pairs -= pairs
        combination = tuple(chosen[n] for n in full)
        if combination in open_fulls:
            open_fulls.remove(combination)
        if 'B' not in chosen or (
                chosen['B'] * chosen['T'] * chosen['C'] <= most):
            yield Case(**chosen)
        else:  # reduce a case that is too large
            chosen['B'] = min(factors['B'])
            if chosen['T'] * chosen['C'] > most:
                chosen['C'] = 33
            yield Case(**chosen)


def _name(pair):
    return str(sorted(map(str, pair)))
