//! The scans behind [`crate::left_resolvent`] and its gradient, in few and wide tensor operations: a
//! complex 2x2 matrix is a real 4x4 one, and a product of all neighbours is one multiplication and one sum.

use bk_kernels::BkOptions;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::left::zeroes;

/// Bound of `|g|` where nothing else bounds it: squares and products of a few stay finite in float32.
pub(crate) const LAST_RESORT: f32 = 1e9;

/// A complex tensor `[B, N]`.
#[derive(Clone, Debug)]
pub(crate) struct Complex<B: Backend> {
    pub(crate) re: Tensor<B, 2>,
    pub(crate) im: Tensor<B, 2>,
}

impl<B: Backend> Complex<B> {
    /// `[B, N, 2]`.
    pub(crate) fn stacked(&self) -> Tensor<B, 3> {
        Tensor::stack(vec![self.re.clone(), self.im.clone()], 2)
    }

    /// From `[B, N, 2]`.
    pub(crate) fn unstacked(tensor: &Tensor<B, 3>) -> Self {
        let [batch, n, _] = tensor.dims();
        let part = |part: usize| tensor.clone().narrow(2, part, 1).reshape([batch, n]);
        Self { re: part(0), im: part(1) }
    }

    fn times(&self, other: &Self) -> Self {
        Self {
            re: self.re.clone() * other.re.clone() - self.im.clone() * other.im.clone(),
            im: self.re.clone() * other.im.clone() + self.im.clone() * other.re.clone(),
        }
    }

    fn scaled(&self, factor: &Tensor<B, 2>) -> Self {
        Self { re: self.re.clone() * factor.clone(), im: self.im.clone() * factor.clone() }
    }

    fn magnitude(&self) -> Tensor<B, 2> {
        (self.re.clone().square() + self.im.clone().square()).sqrt()
    }
}

/// Pairs `(x, y)` after each site, `[B, N, 4]` as `(Re x, Re y, Im x, Im y)`, up to a scale.
pub(crate) struct Pairs<B: Backend>(pub(crate) Tensor<B, 3>);

impl<B: Backend> Pairs<B> {
    /// The pairs of whole chains by doubling: after round `r` a product holds the last `2^r` steps.
    pub(crate) fn scan(d: Complex<B>, k: Tensor<B, 2>) -> Self {
        let [batch, n] = d.re.dims();
        let mut products = step_matrices(d, k);
        let mut distance = 1;
        while distance < n {
            let later = products.clone().slice([0..batch, distance..n]);
            let earlier = products.clone().slice([0..batch, 0..n - distance]);
            let head = products.slice([0..batch, 0..distance]);
            products = Tensor::cat(vec![head, normalised(neighbours::<B, 4>(later, earlier))], 1);
            distance *= 2;
        }
        // The start is (1, 0): the first column.
        Self(products.narrow(3, 0, 1).reshape([batch, n, 4]))
    }

    /// One step of every pair: `(d x - k y, x)`.
    pub(crate) fn advanced(self, d: &Complex<B>, k: Tensor<B, 2>) -> Self {
        let [batch, n, _] = self.0.dims();
        let part = |part: usize| self.0.clone().narrow(2, part, 1).reshape([batch, n]);
        let x = Complex { re: part(0), im: part(2) };
        let dx = d.times(&x);
        let next = vec![dx.re - part(1) * k.clone(), x.re, dx.im - part(3) * k, x.im];
        let next: Tensor<B, 3> = Tensor::stack(next, 2);
        let scale = reciprocal(next.clone().abs().max_dim(2));
        Self(next * scale)
    }

    /// `y / x`, cut at [`LAST_RESORT`].
    pub(crate) fn ratio(&self) -> Complex<B> {
        let [batch, n, _] = self.0.dims();
        let part = |part: usize| self.0.clone().narrow(2, part, 1).reshape([batch, n]);
        let (x, y) = (Complex { re: part(0), im: part(2) }, Complex { re: part(1), im: part(3) });
        let numerator = y.times(&Complex { re: x.re.clone(), im: -x.im.clone() });
        let square = x.re.square() + x.im.square();
        let least = numerator.magnitude() / LAST_RESORT;
        let denominator = square.max_pair(least);
        // A pole to the last bit, where the direction of y alone is known.
        let pole = denominator.clone().equal_elem(0.0);
        let factor = denominator.mask_fill(pole.clone(), 1.0).recip();
        let ratio = numerator.scaled(&factor);
        let at_pole = y.scaled(&(y.magnitude().recip() * LAST_RESORT));
        Complex {
            re: ratio.re.mask_where(pole.clone(), at_pole.re),
            im: ratio.im.mask_where(pole, at_pole.im),
        }
    }
}

/// The real 4x4 form of `[[d, -k], [1, 0]]` for every site, `[B, N, 4, 4]`.
fn step_matrices<B: Backend>(d: Complex<B>, k: Tensor<B, 2>) -> Tensor<B, 4> {
    let place = (&d.re.device(), d.re.dtype());
    let pattern = |entries: [(usize, usize, f32); 2]| {
        let mut values = [0.0f32; 16];
        for (row, column, value) in entries {
            values[4 * row + column] = value;
        }
        Tensor::<B, 1>::from_data(values, place).reshape([1, 1, 4, 4])
    };
    let spread = |tensor: Tensor<B, 2>| {
        let [rows, n] = tensor.dims();
        tensor.reshape([rows, n, 1, 1])
    };
    spread(d.re) * pattern([(0, 0, 1.0), (2, 2, 1.0)])
        + spread(d.im) * pattern([(0, 2, -1.0), (2, 0, 1.0)])
        + spread(k) * pattern([(0, 1, -1.0), (2, 3, -1.0)])
        + pattern([(1, 0, 1.0), (3, 2, 1.0)])
}

/// `later · earlier` of SxS matrices, site by site.
fn neighbours<B: Backend, const S: usize>(later: Tensor<B, 4>, earlier: Tensor<B, 4>) -> Tensor<B, 4> {
    let [batch, n, _, _] = later.dims();
    let later: Tensor<B, 5> = later.reshape([batch, n, S, S, 1]);
    let earlier: Tensor<B, 5> = earlier.reshape([batch, n, 1, S, S]);
    (later * earlier).sum_dim(3).reshape([batch, n, S, S])
}

/// Every matrix divided by its largest entry.
fn normalised<B: Backend>(matrices: Tensor<B, 4>) -> Tensor<B, 4> {
    let [batch, n, _, _] = matrices.dims();
    let size = matrices.clone().reshape([batch, n, 16]).abs().max_dim(2);
    matrices * reciprocal(size).reshape([batch, n, 1, 1])
}

/// `1 / size`, and 1 where the size is 0.
fn reciprocal<B: Backend>(size: Tensor<B, 3>) -> Tensor<B, 3> {
    let empty = size.clone().equal_elem(0.0);
    size.mask_fill(empty, 1.0).recip()
}

/// What the options make of the raw values.
pub(crate) fn clip<B: Backend>(raw: &Complex<B>, options: &BkOptions) -> Complex<B> {
    let clipped = match options.max_magnitude {
        Some(bound) => raw.scaled(&(raw.magnitude().clamp_min(bound).recip() * bound)),
        None => raw.clone(),
    };
    if !zeroes(options) {
        return clipped;
    }
    let lost = clipped.re.clone().is_finite().bool_and(clipped.im.clone().is_finite()).bool_not();
    Complex { re: clipped.re.mask_fill(lost.clone(), 0.0), im: clipped.im.mask_fill(lost, 0.0) }
}

/// The cotangent (conjugated) in front of [`clip`] from the one behind it: where `|g| > m`,
/// `h <- (m / |g|) (h - Re(h g) conj(g) / |g|^2)`.
pub(crate) fn clip_adjoint<B: Backend>(h: &Complex<B>, raw: &Complex<B>, options: &BkOptions) -> Complex<B> {
    let mut h = h.clone();
    if let Some(bound) = options.max_magnitude {
        let size = raw.magnitude();
        let large = size.clone().greater_elem(bound);
        let safe = size.clamp_min(bound);
        let direction = raw.scaled(&safe.clone().recip());
        let radial = h.re.clone() * direction.re.clone() - h.im.clone() * direction.im.clone();
        let factor = safe.recip() * bound;
        let re = (h.re.clone() - radial.clone() * direction.re) * factor.clone();
        let im = (h.im.clone() + radial * direction.im) * factor;
        h = Complex { re: h.re.mask_where(large.clone(), re), im: h.im.mask_where(large, im) };
    }
    if zeroes(options) {
        let lost = raw.re.clone().is_finite().bool_and(raw.im.clone().is_finite()).bool_not();
        h = Complex { re: h.re.mask_fill(lost.clone(), 0.0), im: h.im.mask_fill(lost, 0.0) };
    }
    h
}

/// Gradients of `d_re`, `d_im` and `k` from `h`, the conjugated cotangent of `g`:
/// `lambda_i = h_i + k_i g_{i+1}^2 lambda_{i+1}`, `dL/dd_i = -lambda_i g_i^2`,
/// `dL/dk_{i-1} = lambda_i g_i^2 g_{i-1}`. Here `k [B or 1, N]` stands left of its site.
pub(crate) fn adjoint<B: Backend>(h: &Complex<B>, g: &Complex<B>, k: Tensor<B, 2>) -> [Tensor<B, 2>; 3] {
    let [batch, n] = g.re.dims();
    let [k_rows, _] = k.dims();
    let square = g.times(g);
    let factors = square.scaled(&k.expand([batch, n]));
    let sums = suffix_sums(h, &factors);
    let slope = sums.times(&square);
    let before = |part: &Tensor<B, 2>| {
        let start = part.clone().slice([0..batch, 0..1]).zeros_like();
        if n == 1 { start } else { Tensor::cat(vec![start, part.clone().slice([0..batch, 0..n - 1])], 1) }
    };
    let d_k = slope.re.clone() * before(&g.re) - slope.im.clone() * before(&g.im);
    let d_k = if k_rows == 1 && batch > 1 { d_k.sum_dim(0) } else { d_k };
    [-slope.re, slope.im, d_k]
}

/// `s_i = h_i + m_{i+1} s_{i+1}` for complex `h` and `m`, by doubling of the affine maps as real 3x3 matrices.
fn suffix_sums<B: Backend>(h: &Complex<B>, m: &Complex<B>) -> Complex<B> {
    let [batch, n] = h.re.dims();
    let place = (&h.re.device(), h.re.dtype());
    let entry = |part: &Tensor<B, 2>, entries: &[(usize, f32)]| {
        let mut values = [0.0f32; 9];
        for (position, value) in entries {
            values[*position] = *value;
        }
        let pattern = Tensor::<B, 1>::from_data(values, place).reshape([1, 1, 3, 3]);
        part.clone().reshape([batch, n, 1, 1]) * pattern
    };
    // The factor of site i + 1 acts in the map of site i; nothing follows the last.
    let next = |part: &Tensor<B, 2>| {
        let end = part.clone().slice([0..batch, 0..1]).zeros_like();
        if n == 1 { end } else { Tensor::cat(vec![part.clone().slice([0..batch, 1..n]), end], 1) }
    };
    let one = h.re.ones_like();
    let mut maps = entry(&next(&m.re), &[(0, 1.0), (4, 1.0)])
        + entry(&next(&m.im), &[(1, -1.0), (3, 1.0)])
        + entry(&h.re, &[(2, 1.0)])
        + entry(&h.im, &[(5, 1.0)])
        + entry(&one, &[(8, 1.0)]);
    let mut distance = 1;
    while distance < n {
        let outer = maps.clone().slice([0..batch, 0..n - distance]);
        let inner = maps.clone().slice([0..batch, distance..n]);
        let tail = maps.slice([0..batch, n - distance..n]);
        maps = Tensor::cat(vec![neighbours::<B, 3>(outer, inner), tail], 1);
        distance *= 2;
    }
    let part = |row: usize| maps.clone().narrow(2, row, 1).narrow(3, 2, 1).reshape([batch, n]);
    Complex { re: part(0), im: part(1) }
}
