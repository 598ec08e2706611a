"""JAX: `jax.lax.associative_scan` over projective 2x2 matrices in complex64, under `jit`.

The prefix products of `[[d_i, -k_{i-1}], [1, 0]]` and the suffix products of `[[d_i, -k_i], [1, 0]]` are one
scan of twice as many rows. A product is scaled by the power of two of its largest entry, so no row is too
long for float32. JAX has no delay on the device, so `launch_regression` holds the issue where that is longer.
"""

import os

from bkpeer import Engine, cpu_name, serve


class JaxEngine(Engine):
    def __init__(self):
        # Other engines run on the same GPU: no reservation of three quarters of it.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        global jax, jnp
        import jax
        import jax.numpy as jnp

        self.on = jax.devices()[0]
        self.gpu = self.on.platform in ("gpu", "cuda", "rocm")
        self.compute = jax.jit(resolvent)

    def device(self):
        name = self.on.device_kind if self.gpu else cpu_name()
        return {"name": name, "runtime": f"jax on {self.on.platform}"}

    def versions(self):
        import jaxlib

        return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}

    def prepare(self, inputs, sets):
        self.pending, self.outputs = [], [None] * sets
        self.inputs = [{name: jax.device_put(array.copy(), self.on) for name, array in inputs.items()}
                       for _ in range(sets)]
        jax.block_until_ready(self.inputs)

    def launch(self, index):
        # Kept until the set comes again, so that outputs rotate over memory as inputs do.
        self.outputs[index] = self.result = self.compute(self.inputs[index])
        self.pending.append(self.result)

    def synchronize(self):
        jax.block_until_ready(self.pending)
        self.pending.clear()

    def output(self):
        return jax.device_get(self.result)


def resolvent(inputs):
    """`[(T - zI)^-1]_ii` as `[B, N, 2]`."""
    z = inputs["z"]
    a_im = inputs.get("a_im", jnp.zeros((), jnp.float32))
    d = jax.lax.complex(*jnp.broadcast_arrays(inputs["a_re"] - z[0], a_im - z[1]))
    k = inputs["b"] * inputs["c"]
    rows = d.shape[0]
    k_left = jnp.broadcast_to(jnp.pad(k, ((0, 0), (1, 0))), d.shape)
    k_right = jnp.broadcast_to(jnp.pad(k, ((0, 0), (0, 1))), d.shape)
    top = jnp.concatenate([d, d[:, ::-1]])
    right = -jnp.concatenate([k_left, k_right[:, ::-1]]).astype(jnp.complex64)
    ones = jnp.ones_like(top)
    head, _, tail, _ = jax.lax.associative_scan(product, (top, right, ones, 0 * ones), axis=1)
    left, before = head[:rows], tail[:rows]
    right, after = head[rows:, ::-1], tail[rows:, ::-1]
    both = before * after
    den = left * after + before * right - d * both
    scale = power_of_two(size(den))
    g = both * scale / (den * scale)
    return jnp.stack([g.real, g.imag], axis=-1)


def product(x, y):
    """`y x` for 2x2 matrices in rows, scaled by a power of two: `x` comes first along the chain."""
    (p, q, r, s), (a, b, c, e) = x, y
    out = (a * p + b * r, a * q + b * s, c * p + e * r, c * q + e * s)
    largest = size(out[0])
    for entry in out[1:]:
        largest = jnp.maximum(largest, size(entry))
    scale = power_of_two(largest)
    return tuple(entry * scale for entry in out)


def size(x):
    return jnp.maximum(jnp.abs(x.real), jnp.abs(x.imag))


def power_of_two(x):
    """The power of two that brings positive float32 sizes into [1, 2); something finite for 0, Inf and NaN."""
    exponent = jax.lax.bitcast_convert_type(x, jnp.int32) & 0x7F800000
    return jax.lax.bitcast_convert_type(jnp.maximum(0x7F000000 - exponent, 0x00800000), jnp.float32)


if __name__ == "__main__":
    serve("jax", JaxEngine)
