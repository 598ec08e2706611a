"""PyTorch: a work-efficient scan of projective 2x2 matrices in tensor operations, compiled by `torch.compile`.

What is compiled is a level of the tree, with dynamic sizes, so it is compiled once and not once a shape. On a
GPU the launches of a whole scan are recorded in a CUDA graph for each input set: replayed, they cost one call.
"""

import time

from bkpeer import serve
from torch_cuda import TorchEngine

#: Sites below which a level of the tree is not worth its launches.
TOP = 8


class CompiledEngine(TorchEngine):
    def __init__(self):
        super().__init__(need_cuda=False)
        global torch
        import torch

        # One function is compiled for every row length that is left at the top of a tree, and for no other.
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 4 * TOP)
        compiled = [torch.compile(part, dynamic=True) for part in (elements, halve, spread, diagonal)]
        self.elements, self.halve, self.spread, self.diagonal = compiled
        self.top = torch.compile(scan_top)
        self.graphs = None

    def prepare(self, inputs, sets):
        self.graphs = None
        super().prepare(inputs, sets)
        start = time.perf_counter()
        # Compiled outside the graphs: nothing may be compiled while one is recorded.
        self.compute(self.inputs[0])
        if self.gpu:
            self.record()
        return time.perf_counter() - start

    def record(self):
        torch.cuda.synchronize()
        self.graphs, pool = [], torch.cuda.graph_pool_handle()
        for index, tensors in enumerate(self.inputs):
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=pool):
                self.outputs[index] = self.compute(tensors)
            self.graphs.append(graph)

    def launch(self, index):
        if self.graphs is None:
            return super().launch(index)
        self.graphs[index].replay()
        self.result = self.outputs[index]

    def compute(self, tensors):
        zero = torch.zeros((), device=self.on)
        d_re, d_im, matrices = self.elements(
            tensors["a_re"], tensors.get("a_im", zero), tensors["b"], tensors["c"], tensors["z"])
        return self.diagonal(d_re, d_im, self.scan(matrices))

    def scan(self, x):
        """Inclusive products along the last axis of `[8, 2B, N]`."""
        if x.shape[-1] < TOP:
            return self.top(x)
        return self.spread(x, self.scan(self.halve(x)))


def scan_top(x):
    """The same for a few sites: site after site, in one function."""
    sites = [x[..., 0]]
    for site in range(1, x.shape[-1]):
        sites.append(product(x[..., site], sites[-1]))
    return torch.stack(sites, -1)


def elements(a_re, a_im, b, c, z):
    """`d = a - z` and the matrices `[[d, -k], [1, 0]]`: first the rows, then the reversed rows."""
    d_re, d_im = a_re - z[0], (a_im - z[1]).expand_as(a_re)
    k = b * c
    k_left = torch.nn.functional.pad(k, (1, 0)).expand_as(a_re)
    k_right = torch.nn.functional.pad(k, (0, 1)).expand_as(a_re)
    both = [torch.cat([left, right.flip(1)]) for left, right in
            ((d_re, d_re), (d_im, d_im), (-k_left, -k_right))]
    one, zero = torch.ones_like(both[0]), torch.zeros_like(both[0])
    return d_re, d_im, torch.stack([both[0], both[1], both[2], zero, one, zero, zero, zero])


def product(y, x):
    """`y x` for complex 2x2 matrices `[8, ...]`, scaled by the power of two of the largest part."""
    (ar, ai, br, bi, cr, ci, er, ei), (pr, pi, qr, qi, rr, ri, sr, si) = y.unbind(0), x.unbind(0)
    parts = [
        ar * pr - ai * pi + br * rr - bi * ri, ar * pi + ai * pr + br * ri + bi * rr,
        ar * qr - ai * qi + br * sr - bi * si, ar * qi + ai * qr + br * si + bi * sr,
        cr * pr - ci * pi + er * rr - ei * ri, cr * pi + ci * pr + er * ri + ei * rr,
        cr * qr - ci * qi + er * sr - ei * si, cr * qi + ci * qr + er * si + ei * sr,
    ]
    largest = parts[0].abs()
    for part in parts[1:]:
        largest = torch.maximum(largest, part.abs())
    return torch.stack([part * power_of_two(largest) for part in parts])


def power_of_two(size):
    """The power of two that brings positive float32 sizes into [1, 2); something finite for 0, Inf and NaN."""
    exponent = size.view(torch.int32) & 0x7F800000
    return torch.clamp(0x7F000000 - exponent, min=0x00800000).view(torch.float32)


def halve(x):
    """Products of neighbours; a last one without a neighbour is left out."""
    sites = x.shape[-1] // 2 * 2
    return product(x[..., 1:sites:2], x[..., 0:sites:2])


def spread(x, pairs):
    """Inclusive products of `x` from those of its pairs."""
    even = product(x[..., 2::2], pairs[..., :(x.shape[-1] - 1) // 2])
    even = torch.cat([x[..., :1], even], -1)
    woven = torch.stack([even[..., :pairs.shape[-1]], pairs], -1).flatten(-2)
    return torch.cat([woven, even[..., pairs.shape[-1]:]], -1)


def diagonal(d_re, d_im, scanned):
    """`G_ii = n m / (D m + n U - d n m)` of the pairs `(D, n)`, `(U, m)` that include site `i`."""
    rows = d_re.shape[0]
    left, right = scanned[:, :rows], scanned[:, rows:].flip(2)
    (dr, di), (nr, ni) = left[0:2].unbind(0), left[4:6].unbind(0)
    (ur, ui), (mr, mi) = right[0:2].unbind(0), right[4:6].unbind(0)
    br, bi = nr * mr - ni * mi, nr * mi + ni * mr
    er = dr * mr - di * mi + nr * ur - ni * ui - (d_re * br - d_im * bi)
    ei = dr * mi + di * mr + nr * ui + ni * ur - (d_re * bi + d_im * br)
    scale = power_of_two(torch.maximum(er.abs(), ei.abs()))
    er, ei = er * scale, ei * scale
    weight = scale / (er * er + ei * ei)
    return torch.stack([(br * er + bi * ei) * weight, (bi * er - br * ei) * weight], -1)


if __name__ == "__main__":
    serve("torch", CompiledEngine)
