"""Triton: associative scans of projective 2x2 complex matrices in registers, both directions in one kernel.

Rows of up to 4096 sites: one program scans a row, or several short ones. Longer rows are cut into tiles, in three
kernels: the product of each tile; a scan over the tiles of a row; each tile again, with the states at its edges.
The matrices are `[[d_i, -k], [1, 0]]`; a product is scaled by the power of two of its largest part.

With TRITON_INTERPRET=1 it runs on the CPU, to check its logic; those times mean nothing.
"""

import os

from bkpeer import Skip, serve
from torch_cuda import TorchEngine

try:
    import torch
    import triton
    import triton.language as tl
except ModuleNotFoundError as missing:
    # Told as `unavailable`, once there is somebody to tell.
    MISSING = missing
else:
    MISSING = None

#: Sites of the longest row that one program holds, of a tile of a longer one, and of a program for short rows.
ROW_SITES, TILE_SITES, PROGRAM_SITES = 4096, 2048, 2048
#: Tiles of a row that one program can scan.
MOST_TILES = 8192
#: Sites a thread, of which the faster is found out for each size.
SITES_A_THREAD = (8, 4)


class TritonEngine(TorchEngine):
    def __init__(self):
        if MISSING is not None:
            raise MISSING
        self.interpreted = os.environ.get("TRITON_INTERPRET") == "1"
        super().__init__(need_cuda=not self.interpreted)
        self.warps = {}

    def device(self):
        interpreted = {"runtime": "triton interpreter"} if self.interpreted else {}
        return {**super().device(), **interpreted}

    def versions(self):
        return {**super().versions(), "triton": triton.__version__}

    def prepare(self, inputs, sets):
        rows, sites = inputs["a_re"].shape
        if triton.cdiv(sites, TILE_SITES) > MOST_TILES:
            raise Skip(f"rows of more than {MOST_TILES * TILE_SITES} sites would need a scan of scans")
        super().prepare(inputs, sets)

    def compute(self, tensors):
        a_re, b = tensors["a_re"], tensors["b"]
        rows, sites = a_re.shape
        out = torch.empty((rows, sites, 2), device=a_re.device)
        link_stride = 0 if b.shape[0] != rows else sites - 1
        given = (a_re, tensors.get("a_im", a_re), b, tensors["c"], tensors["z"])
        sizes = (rows, sites, link_stride)
        complex_diagonal = "a_im" in tensors
        if sites <= ROW_SITES:
            self.whole_rows(given, out, sizes, complex_diagonal)
        else:
            self.tiles(given, out, sizes, complex_diagonal)
        return out

    def whole_rows(self, given, out, sizes, complex_diagonal):
        rows, sites, _ = sizes
        padded = max(triton.next_power_of_2(sites), 16)
        together = min(max(PROGRAM_SITES // padded, 1), triton.next_power_of_2(rows))
        grid = (triton.cdiv(rows, together),)

        def run(warps):
            row_kernel[grid](*given, out, *sizes, complex_diagonal, together, padded, num_warps=warps)

        run(self.fastest(("rows", together, padded, complex_diagonal), together * padded, run))

    def tiles(self, given, out, sizes, complex_diagonal):
        rows, sites, _ = sizes
        count = triton.cdiv(sites, TILE_SITES)
        products = torch.empty((rows, count, 16), device=out.device)
        states = torch.empty((rows, count, 8), device=out.device)
        padded = max(triton.next_power_of_2(count), 16)

        def reduce(warps):
            product_kernel[(count, rows)](
                *given, products, *sizes, count, complex_diagonal, TILE_SITES, num_warps=warps)

        def scan(warps):
            state_kernel[(rows,)](products, states, count, padded, num_warps=warps)

        def apply(warps):
            tile_kernel[(count, rows)](
                *given, states, out, *sizes, count, complex_diagonal, TILE_SITES, num_warps=warps)

        for name, sites, run in (("reduce", TILE_SITES, reduce), ("scan", padded, scan), ("apply", TILE_SITES, apply)):
            run(self.fastest((name, sites, complex_diagonal), sites, run))

    def fastest(self, key, sites, run):
        """The number of warps with which a program of `sites` takes the least time, found out once a key."""
        if key not in self.warps:
            tried = sorted({min(max(sites // (32 * each), 1), 32) for each in SITES_A_THREAD})
            only = self.interpreted or len(tried) == 1
            self.warps[key] = tried[0] if only else min(tried, key=lambda warps: seconds(run, warps))
        return self.warps[key]


def seconds(run, warps):
    """Shortest of some launches, after one that compiles."""
    run(warps)
    times = []
    for _ in range(10):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(200_000)
        start.record()
        run(warps)
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return min(times)


if MISSING is None:

    @triton.jit
    def power_of_two(size):
        """Brings positive sizes into [1, 2); something finite for 0, Inf and NaN."""
        exponent = size.to(tl.int32, bitcast=True) & 0x7F800000
        return tl.maximum(0x7F000000 - exponent, 0x00800000).to(tl.float32, bitcast=True)

    @triton.jit
    def product(pr, pi, qr, qi, rr, ri, sr, si, ar, ai, br, bi, cr, ci, er, ei):
        """`[[a, b], [c, e]] [[p, q], [r, s]]`, scaled: the second operand is further along the scan."""
        wr = ar * pr - ai * pi + br * rr - bi * ri
        wi = ar * pi + ai * pr + br * ri + bi * rr
        xr = ar * qr - ai * qi + br * sr - bi * si
        xi = ar * qi + ai * qr + br * si + bi * sr
        yr = cr * pr - ci * pi + er * rr - ei * ri
        yi = cr * pi + ci * pr + er * ri + ei * rr
        vr = cr * qr - ci * qi + er * sr - ei * si
        vi = cr * qi + ci * qr + er * si + ei * sr
        upper = tl.maximum(tl.maximum(tl.abs(wr), tl.abs(wi)), tl.maximum(tl.abs(xr), tl.abs(xi)))
        lower = tl.maximum(tl.maximum(tl.abs(yr), tl.abs(yi)), tl.maximum(tl.abs(vr), tl.abs(vi)))
        f = power_of_two(tl.maximum(upper, lower))
        return wr * f, wi * f, xr * f, xi * f, yr * f, yi * f, vr * f, vi * f

    @triton.jit
    def load_sites(a_re, a_im, b, c, z, row, site, valid, sites, link_stride, COMPLEX: tl.constexpr):
        """`d = a - z`, and `k = b c` to the left and to the right of each site; 0 at the ends."""
        at = row.to(tl.int64) * sites + site
        d_re = tl.load(a_re + at, mask=valid, other=0.0) - tl.load(z)
        d_im = -tl.load(z + 1) + tl.zeros_like(d_re)
        if COMPLEX:
            d_im += tl.load(a_im + at, mask=valid, other=0.0)
        link = row.to(tl.int64) * link_stride + site
        has_left = valid & (site > 0)
        has_right = valid & (site < sites - 1)
        left = tl.load(b + link - 1, mask=has_left, other=0.0) * tl.load(c + link - 1, mask=has_left, other=0.0)
        right = tl.load(b + link, mask=has_right, other=0.0) * tl.load(c + link, mask=has_right, other=0.0)
        return d_re, d_im, left, right

    @triton.jit
    def scan_sites(d_re, d_im, k, valid, AXIS: tl.constexpr, REVERSE: tl.constexpr):
        """Inclusive products of `[[d, -k], [1, 0]]`; the identity where there is no site."""
        zero = tl.zeros_like(d_re)
        one = tl.where(valid, 1.0, zero)
        top_re, top_im = tl.where(valid, d_re, 1.0), tl.where(valid, d_im, zero)
        corner = tl.where(valid, zero, 1.0)
        return tl.associative_scan(
            (top_re, top_im, -k, zero, one, zero, corner, zero), AXIS, product, reverse=REVERSE)

    @triton.jit
    def entry(d_re, d_im, hr, hi, nr, ni, ur, ui, mr, mi):
        """`n m / (D m + n U - d n m)` of the pairs `(D, n)` and `(U, m)` that include the site."""
        br = nr * mr - ni * mi
        bi = nr * mi + ni * mr
        er = hr * mr - hi * mi + nr * ur - ni * ui - (d_re * br - d_im * bi)
        ei = hr * mi + hi * mr + nr * ui + ni * ur - (d_re * bi + d_im * br)
        f = power_of_two(tl.maximum(tl.abs(er), tl.abs(ei)))
        er = er * f
        ei = ei * f
        weight = f / (er * er + ei * ei)
        return (br * er + bi * ei) * weight, (bi * er - br * ei) * weight

    @triton.jit(do_not_specialize=["rows", "sites", "link_stride"])
    def row_kernel(a_re, a_im, b, c, z, out, rows, sites, link_stride,
                   COMPLEX: tl.constexpr, ROWS: tl.constexpr, SITES: tl.constexpr):
        """`ROWS` rows a program, each of at most `SITES` sites."""
        row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
        site = tl.arange(0, SITES)[None, :]
        valid = (row < rows) & (site < sites)
        d_re, d_im, left, right = load_sites(
            a_re, a_im, b, c, z, row, site, valid, sites, link_stride, COMPLEX)
        hr, hi, _a, _b, nr, ni, _c, _d = scan_sites(d_re, d_im, left, valid, 1, False)
        ur, ui, _e, _f, mr, mi, _g, _h = scan_sites(d_re, d_im, right, valid, 1, True)
        g_re, g_im = entry(d_re, d_im, hr, hi, nr, ni, ur, ui, mr, mi)
        at = out + 2 * (row.to(tl.int64) * sites + site)
        tl.store(at, g_re, mask=valid)
        tl.store(at + 1, g_im, mask=valid)

    @triton.jit
    def store_at(pointer, index, x, where):
        """Stores the one value of `x` that `where` picks."""
        tl.store(pointer + index, tl.sum(tl.where(where, x, 0.0)))

    @triton.jit(do_not_specialize=["rows", "sites", "link_stride", "count"])
    def product_kernel(a_re, a_im, b, c, z, products, rows, sites, link_stride, count,
                       COMPLEX: tl.constexpr, SITES: tl.constexpr):
        """The products of a tile from the left and from the right, `[B, tiles, 16]`."""
        tile, row = tl.program_id(0), tl.program_id(1)
        lane = tl.arange(0, SITES)
        site = tile * SITES + lane
        valid = site < sites
        d_re, d_im, left, right = load_sites(
            a_re, a_im, b, c, z, row, site, valid, sites, link_stride, COMPLEX)
        at = products + 16 * (row.to(tl.int64) * count + tile)
        ar, ai, br, bi, cr, ci, er, ei = scan_sites(d_re, d_im, left, valid, 0, False)
        last = lane == SITES - 1
        store_at(at, 0, ar, last)
        store_at(at, 1, ai, last)
        store_at(at, 2, br, last)
        store_at(at, 3, bi, last)
        store_at(at, 4, cr, last)
        store_at(at, 5, ci, last)
        store_at(at, 6, er, last)
        store_at(at, 7, ei, last)
        ar, ai, br, bi, cr, ci, er, ei = scan_sites(d_re, d_im, right, valid, 0, True)
        first = lane == 0
        store_at(at, 8, ar, first)
        store_at(at, 9, ai, first)
        store_at(at, 10, br, first)
        store_at(at, 11, bi, first)
        store_at(at, 12, cr, first)
        store_at(at, 13, ci, first)
        store_at(at, 14, er, first)
        store_at(at, 15, ei, first)

    @triton.jit
    def load_matrix(at, valid):
        return (tl.load(at, mask=valid, other=1.0), tl.load(at + 1, mask=valid, other=0.0),
                tl.load(at + 2, mask=valid, other=0.0), tl.load(at + 3, mask=valid, other=0.0),
                tl.load(at + 4, mask=valid, other=0.0), tl.load(at + 5, mask=valid, other=0.0),
                tl.load(at + 6, mask=valid, other=1.0), tl.load(at + 7, mask=valid, other=0.0))

    @triton.jit
    def store_state(at, hr, hi, nr, ni, where):
        tl.store(at, hr, mask=where)
        tl.store(at + 1, hi, mask=where)
        tl.store(at + 2, nr, mask=where)
        tl.store(at + 3, ni, mask=where)

    @triton.jit(do_not_specialize=["count"])
    def state_kernel(products, states, count, TILES: tl.constexpr):
        """The states that enter each tile, `[B, tiles, 8]`: from the left, then from the right."""
        row = tl.program_id(0).to(tl.int64)
        tile = tl.arange(0, TILES)
        valid = tile < count
        at = products + 16 * (row * count + tile)
        state = states + 8 * (row * count + tile)
        one = tl.full((TILES,), 1.0, tl.float32)
        hr, hi, _a, _b, nr, ni, _c, _d = tl.associative_scan(load_matrix(at, valid), 0, product)
        store_state(state + 8, hr, hi, nr, ni, tile < count - 1)
        store_state(state, one, 0 * one, 0 * one, 0 * one, tile == 0)
        ur, ui, _e, _f, mr, mi, _g, _h = tl.associative_scan(load_matrix(at + 8, valid), 0, product, reverse=True)
        store_state(state - 4, ur, ui, mr, mi, valid & (tile > 0))
        store_state(state + 4, one, 0 * one, 0 * one, 0 * one, tile == count - 1)

    @triton.jit
    def advanced(ar, ai, br, bi, cr, ci, er, ei, at):
        """The state behind a tile's product, of the one before it."""
        hr, hi = tl.load(at), tl.load(at + 1)
        nr, ni = tl.load(at + 2), tl.load(at + 3)
        return (ar * hr - ai * hi + br * nr - bi * ni, ar * hi + ai * hr + br * ni + bi * nr,
                cr * hr - ci * hi + er * nr - ei * ni, cr * hi + ci * hr + er * ni + ei * nr)

    @triton.jit(do_not_specialize=["rows", "sites", "link_stride", "count"])
    def tile_kernel(a_re, a_im, b, c, z, states, out, rows, sites, link_stride, count,
                    COMPLEX: tl.constexpr, SITES: tl.constexpr):
        """The entries of a tile, with the states at its edges."""
        tile, row = tl.program_id(0), tl.program_id(1)
        site = tile * SITES + tl.arange(0, SITES)
        valid = site < sites
        d_re, d_im, left, right = load_sites(
            a_re, a_im, b, c, z, row, site, valid, sites, link_stride, COMPLEX)
        at = states + 8 * (row.to(tl.int64) * count + tile)
        ar, ai, br, bi, cr, ci, er, ei = scan_sites(d_re, d_im, left, valid, 0, False)
        hr, hi, nr, ni = advanced(ar, ai, br, bi, cr, ci, er, ei, at)
        ar, ai, br, bi, cr, ci, er, ei = scan_sites(d_re, d_im, right, valid, 0, True)
        ur, ui, mr, mi = advanced(ar, ai, br, bi, cr, ci, er, ei, at + 4)
        g_re, g_im = entry(d_re, d_im, hr, hi, nr, ni, ur, ui, mr, mi)
        to = out + 2 * (row.to(tl.int64) * sites + site)
        tl.store(to, g_re, mask=valid)
        tl.store(to + 1, g_im, mask=valid)


if __name__ == "__main__":
    serve("triton", TritonEngine)
