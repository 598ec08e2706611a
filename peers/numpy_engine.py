"""NumPy on the CPU: the resolvent diagonal as vectorised projective recurrences, in complex64.

Pairs `(D, n)` from the left and `(U, m)` from the right, each known up to a factor, which is kept near 1 by
powers of two: `D_i = d_i D_{i-1} - k_{i-1} n_{i-1}`, `n_i = D_{i-1}`, and mirrored. With `d = a - z`, `k = b c`,

    G_ii = n_i m_i / (D_i m_i + n_i U_i - d_i n_i m_i).

Many rows are swept site by site, all at once (`sweep`); few long rows are scanned in a tree of 2x2 matrix
products (`scan`), which is O(N) as well, but polishes nothing and is less accurate.
"""

from bkpeer import Engine, cpu_name, serve

#: A sweep pays a dozen NumPy calls a site: it has to have this many rows for each 32 sites.
SITES_A_ROW = 32
#: Sites up to which the first launch is also compared with a dense inverse in complex128.
DENSE_SITES = 256


class NumPyEngine(Engine):
    def __init__(self):
        global np
        import numpy as np

    def device(self):
        return {"name": cpu_name(), "runtime": "numpy"}

    def versions(self):
        return {"numpy": np.__version__}

    def prepare(self, inputs, sets):
        self.inputs = inputs
        self.result = None
        if inputs["a_re"].shape[1] <= DENSE_SITES:
            self.launch(0)
            check_against_dense(inputs, self.result)

    def launch(self, index):
        d, k = shifted(self.inputs)
        rows, sites = d.shape
        with np.errstate(all="ignore"):
            self.result = (sweep if sites <= SITES_A_ROW * rows else scan)(d, k)

    def output(self):
        return np.stack([self.result.real, self.result.imag], axis=-1)


def shifted(inputs):
    """`d = a - z`, `[B, N]`, complex64, and `k = b c`, `[B, N-1]` or `[1, N-1]`, float32."""
    a_im = inputs.get("a_im", np.float32(0))
    d = np.empty(inputs["a_re"].shape, np.complex64)
    d.real = inputs["a_re"] - inputs["z"][0]
    d.imag = a_im - inputs["z"][1]
    return d, inputs["b"] * inputs["c"]


def power_of_two(size):
    """The power of two that brings positive float32 sizes into [1, 2); something finite for 0, Inf and NaN."""
    exponent = size.view(np.int32) & 0x7F800000
    return np.maximum(0x7F000000 - exponent, 0x00800000).view(np.float32)


def size(x):
    return np.maximum(np.abs(x.real), np.abs(x.imag))


def sweep(d, k):
    """Both recurrences at once, site by site: the right one runs on the reversed rows."""
    rows, sites = d.shape
    zero = np.zeros((k.shape[0], 1), np.float32)
    k_left = np.broadcast_to(np.concatenate([zero, k], 1), d.shape)
    k_right = np.broadcast_to(np.concatenate([zero, k[:, ::-1]], 1), d.shape)
    # Site first, so that each step reads memory in a row.
    both_d = np.ascontiguousarray(np.concatenate([d, d[:, ::-1]]).T)
    both_k = np.ascontiguousarray(np.concatenate([k_left, k_right]).T)
    states = np.empty((2, sites, 2 * rows), np.complex64)
    head, tail = np.ones(2 * rows, np.complex64), np.zeros(2 * rows, np.complex64)
    for site in range(sites):
        head, tail = both_d[site] * head - both_k[site] * tail, head
        factor = power_of_two(np.maximum(size(head), size(tail)))
        head, tail = head * factor, tail * factor
        states[0, site], states[1, site] = head, tail
    left, right = states[:, :, :rows], states[:, ::-1, rows:]
    return diagonal(d, left[0].T, left[1].T, right[0].T, right[1].T)


def scan(d, k):
    """Prefix and suffix products of the 2x2 matrices `[[d_i, -k], [1, 0]]`, in a tree."""
    rows, _ = d.shape
    zero = np.zeros((k.shape[0], 1), np.float32)
    k_left = np.broadcast_to(np.concatenate([zero, k], 1), d.shape)
    k_right = np.broadcast_to(np.concatenate([zero, k[:, ::-1]], 1), d.shape)
    top = np.concatenate([d, d[:, ::-1]])
    minus_k = -np.concatenate([k_left, k_right]).astype(np.complex64)
    matrices = np.stack([top, minus_k, np.ones_like(top), np.zeros_like(top)])
    head, _, tail, _ = inclusive(matrices)
    return diagonal(d, head[:rows], tail[:rows], head[rows:, ::-1], tail[rows:, ::-1])


def inclusive(x):
    """Inclusive products `x_i ... x_1 x_0` along the last axis of `[4, B, N]`."""
    sites = x.shape[-1]
    if sites == 1:
        return x
    pairs = inclusive(product(x[..., 1::2], x[..., :sites // 2 * 2:2]))
    out = np.empty_like(x)
    out[..., 0] = x[..., 0]
    out[..., 1::2] = pairs
    out[..., 2::2] = product(x[..., 2::2], pairs[..., :(sites - 1) // 2])
    return out


def product(y, x):
    """`y x` for 2x2 matrices in rows, scaled by a power of two."""
    a, b, c, e = y
    p, q, r, s = x
    out = np.stack([a * p + b * r, a * q + b * s, c * p + e * r, c * q + e * s])
    return out * power_of_two(size(out).max(axis=0))


def diagonal(d, left, before, right, after):
    """`G_ii` of the pairs `(left, before)` and `(right, after)`, each of which includes site `i`."""
    both = before * after
    den = left * after + before * right - d * both
    factor = power_of_two(size(den))
    return both * factor / (den * factor)


def check_against_dense(inputs, result):
    """A second opinion on the first row, by another method in another precision."""
    a = inputs["a_re"][0].astype(np.complex128)
    if "a_im" in inputs:
        a += 1j * inputs["a_im"][0]
    matrix = np.diag(a - complex(*inputs["z"].astype(np.float64)))
    matrix += np.diag(inputs["b"][0], 1) + np.diag(inputs["c"][0], -1)
    dense = np.diagonal(np.linalg.inv(matrix))
    distance = np.linalg.norm(result[0] - dense) / np.linalg.norm(dense)
    if not distance < 1e-2:
        raise ArithmeticError(f"the first row differs from a dense inverse by {distance:.1e} of its norm")


if __name__ == "__main__":
    serve("numpy", NumPyEngine)
