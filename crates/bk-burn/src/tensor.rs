//! The operation in plain tensor operations: any backend, differentiable, and what a custom kernel is
//! compared with.
//!
//! A doubling scan of the 2x2 step matrices `[[d_i, -k], [1, 0]]` over the sites, in `log2 N` rounds and
//! both directions. A coupling of exactly zero starts a new segment, so a NaN or a singular block stays in
//! its own block. Every product is rescaled by its largest entry, a constant to the gradient, since the
//! result does not depend on the scale.
//!
//! A product of many steps is nearly of rank one, and a state that it contracts has lost its digits. As in the
//! kernels, a few sites forget that: each state is computed again from the one some sites before it, over `SPAN`
//! sites by the product of their steps and over `POLISH` more by a sweep. Errors may still reach 128 of the units
//! that the other implementations keep to 16 of.

use bk_kernels::{BkOptions, NonFinite};
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Tensor};

use crate::operation::{BkInputs, OperationError, in_float32};

/// `G_ii = [(T - zI)^-1]_ii` as `[B, N, 2]`, `(Re, Im)`.
///
/// # Errors
/// [`OperationError`] for operands that do not fit each other.
pub fn tensor_bk_core<B: Backend>(
    inputs: BkInputs<B>,
    options: &BkOptions,
) -> Result<Tensor<B, 3>, OperationError> {
    inputs.check()?;
    options.check()?;
    in_float32(inputs, options, |inputs| Ok(scanned(inputs, options)))
}

fn scanned<B: Backend>(inputs: BkInputs<B>, options: &BkOptions) -> Tensor<B, 3> {
    let chain = Chain::new(inputs);
    let reversed = chain.reversed();
    let left = chain.states();
    // A right state is the left state of the reversed chain, before the site rather than after it.
    let right = reversed.states().flipped().before_last(&chain);
    resolve(&left, &right, &chain.couplings, options)
}

/// Sites that the product of their steps carries a state over, a power of two: the scan has that product.
const SPAN: usize = 16;
/// Sites over which a state is swept again: see `METHODOLOGY.md` for what fewer would cost.
const POLISH: usize = 16;
/// Sites between two rescalings of a state that is swept, as in the kernels.
const RESCALE: usize = 4;

/// A complex tensor `[B, N]`.
#[derive(Clone)]
struct Complex<B: Backend> {
    re: Tensor<B, 2>,
    im: Tensor<B, 2>,
}

impl<B: Backend> Complex<B> {
    fn times(&self, other: &Self) -> Self {
        Self {
            re: self.re.clone() * other.re.clone() - self.im.clone() * other.im.clone(),
            im: self.re.clone() * other.im.clone() + self.im.clone() * other.re.clone(),
        }
    }

    fn minus(&self, other: &Self) -> Self {
        Self { re: self.re.clone() - other.re.clone(), im: self.im.clone() - other.im.clone() }
    }

    fn scaled(&self, factor: &Tensor<B, 2>) -> Self {
        Self { re: self.re.clone() * factor.clone(), im: self.im.clone() * factor.clone() }
    }

    fn flipped(&self) -> Self {
        Self { re: self.re.clone().flip([1]), im: self.im.clone().flip([1]) }
    }

    /// Larger magnitude of the two parts, without a gradient.
    fn size(&self) -> Tensor<B, 2> {
        self.re.clone().detach().abs().max_pair(self.im.clone().detach().abs())
    }

    fn where_mask(self, mask: &Tensor<B, 2, Bool>, other: &Self) -> Self {
        Self {
            re: self.re.mask_where(mask.clone(), other.re.clone()),
            im: self.im.mask_where(mask.clone(), other.im.clone()),
        }
    }

    /// Shifted right by `distance` sites; `fill` comes in on the left.
    fn shifted(&self, distance: usize, fill: f32) -> Self {
        Self { re: shift(&self.re, distance, fill), im: shift(&self.im, distance, 0.0) }
    }
}

/// `[B, N]` moved right by `distance` sites, `fill` on the left.
fn shift<B: Backend>(tensor: &Tensor<B, 2>, distance: usize, fill: f32) -> Tensor<B, 2> {
    if distance == 0 {
        return tensor.clone();
    }
    let [batch, n] = tensor.dims();
    let front = Tensor::full([batch, distance], fill, (&tensor.device(), tensor.dtype()));
    Tensor::cat(vec![front, tensor.clone().slice([0..batch, 0..n - distance])], 1)
}

/// The matrix entries of a batch: `d [B, N]`, and `k [B, N]` on the right of each site, 0 at the end.
struct Chain<B: Backend> {
    diagonal: Complex<B>,
    couplings: Tensor<B, 2>,
}

impl<B: Backend> Chain<B> {
    fn new(inputs: BkInputs<B>) -> Self {
        let BkInputs { a_re, a_im, b, c, z } = inputs;
        let [batch, n] = a_re.dims();
        let z_part = |part: usize| z.clone().narrow(0, part, 1).reshape([1, 1]);
        let zeros = a_re.zeros_like();
        let diagonal =
            Complex { re: a_re - z_part(0), im: a_im.unwrap_or_else(|| zeros.clone()) - z_part(1) };
        let couplings = if n == 1 {
            zeros
        } else {
            let products = (b * c).expand([batch, n - 1]);
            let end = zeros.slice([0..batch, 0..1]);
            Tensor::cat(vec![products, end], 1)
        };
        Self { diagonal, couplings }
    }

    /// The chain read from its other end.
    fn reversed(&self) -> Self {
        let [_, n] = self.couplings.dims();
        let before = if n == 1 { self.couplings.clone() } else { shift(&self.couplings, 1, 0.0) };
        Self { diagonal: self.diagonal.flipped(), couplings: before.flip([1]) }
    }

    /// The left state after each site: the first column of the product of all steps of its segment.
    fn states(&self) -> States<B> {
        let [_, n] = self.couplings.dims();
        let before = if n == 1 { self.couplings.clone() } else { shift(&self.couplings, 1, 0.0) };
        let zero = before.zeros_like();
        let mut segment_starts = before.clone().equal_elem(0.0);
        let mut product = Product {
            a: self.diagonal.clone(),
            b: Complex { re: -before.clone(), im: zero.clone() },
            c: Complex { re: zero.ones_like(), im: zero.clone() },
            e: Complex { re: zero.clone(), im: zero },
        };
        let mut span = None;
        let mut distance = 1;
        while distance < n {
            if distance == SPAN {
                span = Some((product.clone(), segment_starts.clone()));
            }
            let earlier = product.shifted(distance);
            product = product.after(&earlier, &segment_starts);
            let started = shift(&segment_starts.clone().float(), distance, 1.0).greater_elem(0.5);
            segment_starts = segment_starts.bool_or(started);
            distance *= 2;
        }
        let mut states = States { x: product.a, y: product.c };
        if let Some((span, begun)) = span {
            states = span.carry(&states.shifted(SPAN).restarted(&begun));
        }
        self.polished(&states, &before)
    }

    /// The left state after each site, swept there from `POLISH` sites before; `before` are the couplings on the
    /// left of the sites. The first of a row has none, so what is before it starts anew there.
    fn polished(&self, states: &States<B>, before: &Tensor<B, 2>) -> States<B> {
        let [_, n] = before.dims();
        let steps = POLISH.min(n - 1);
        let mut state = states.shifted(steps).normalised();
        for distance in (0..steps).rev() {
            let d = self.diagonal.shifted(distance, 1.0);
            let k = shift(before, distance, 0.0);
            let start = state.restarted(&k.clone().equal_elem(0.0));
            let x = d.times(&start.x).minus(&start.y.scaled(&k));
            state = States { x, y: start.x };
            if distance % RESCALE == 0 && distance != 0 {
                state = state.normalised();
            }
        }
        state
    }
}

/// Products of step matrices `[[a, b], [c, e]]`, each `[B, N]`.
#[derive(Clone)]
struct Product<B: Backend> {
    a: Complex<B>,
    b: Complex<B>,
    c: Complex<B>,
    e: Complex<B>,
}

impl<B: Backend> Product<B> {
    fn shifted(&self, distance: usize) -> Self {
        Self {
            a: self.a.shifted(distance, 1.0),
            b: self.b.shifted(distance, 0.0),
            c: self.c.shifted(distance, 0.0),
            e: self.e.shifted(distance, 1.0),
        }
    }

    /// `self * state`.
    fn carry(&self, state: &States<B>) -> States<B> {
        let column = (&state.x, &state.y);
        States { x: dot((&self.a, &self.b), column), y: dot((&self.c, &self.e), column) }
    }

    /// `self * earlier`, rescaled, or `self` where its segment has begun within it.
    fn after(self, earlier: &Self, begun: &Tensor<B, 2, Bool>) -> Self {
        let product = Self {
            a: dot((&self.a, &self.b), (&earlier.a, &earlier.c)),
            b: dot((&self.a, &self.b), (&earlier.b, &earlier.e)),
            c: dot((&self.c, &self.e), (&earlier.a, &earlier.c)),
            e: dot((&self.c, &self.e), (&earlier.b, &earlier.e)),
        };
        let size = product.a.size().max_pair(product.b.size());
        let factor = reciprocal(size.max_pair(product.c.size()).max_pair(product.e.size()));
        Self {
            a: product.a.scaled(&factor).where_mask(begun, &self.a),
            b: product.b.scaled(&factor).where_mask(begun, &self.b),
            c: product.c.scaled(&factor).where_mask(begun, &self.c),
            e: product.e.scaled(&factor).where_mask(begun, &self.e),
        }
    }
}

/// An entry of a product of 2x2 matrices, from a row and a column.
fn dot<B: Backend>(row: (&Complex<B>, &Complex<B>), column: (&Complex<B>, &Complex<B>)) -> Complex<B> {
    let (first, second) = (row.0.times(column.0), row.1.times(column.1));
    Complex { re: first.re + second.re, im: first.im + second.im }
}

/// `1 / size`, and 1 where the size is 0.
fn reciprocal<B: Backend>(size: Tensor<B, 2>) -> Tensor<B, 2> {
    let empty = size.clone().equal_elem(0.0);
    size.mask_fill(empty, 1.0).recip()
}

/// Projective pairs `(x, y)`, each `[B, N]`.
struct States<B: Backend> {
    x: Complex<B>,
    y: Complex<B>,
}

impl<B: Backend> States<B> {
    fn flipped(&self) -> Self {
        Self { x: self.x.flipped(), y: self.y.flipped() }
    }

    /// Shifted right by `distance` sites; the state `(1, 0)` comes in on the left.
    fn shifted(&self, distance: usize) -> Self {
        Self { x: self.x.shifted(distance, 1.0), y: self.y.shifted(distance, 0.0) }
    }

    /// `(1, 0)` where `cut`.
    fn restarted(&self, cut: &Tensor<B, 2, Bool>) -> Self {
        let (one, zero) = (self.x.re.ones_like(), self.x.re.zeros_like());
        Self {
            x: self.x.clone().where_mask(cut, &Complex { re: one, im: zero.clone() }),
            y: self.y.clone().where_mask(cut, &Complex { re: zero.clone(), im: zero }),
        }
    }

    /// From right states that include their site to those of the site after: `(1, 0)` at the end of a block.
    fn before_last(&self, chain: &Chain<B>) -> Self {
        let [batch, n] = chain.couplings.dims();
        let next = |part: &Tensor<B, 2>, fill: f32| {
            let end = Tensor::full([batch, 1], fill, (&part.device(), part.dtype()));
            Tensor::cat(vec![part.clone().slice([0..batch, 1..n]), end], 1)
        };
        let (x, y) = if n == 1 {
            (self.x.clone(), self.y.clone())
        } else {
            (
                Complex { re: next(&self.x.re, 1.0), im: next(&self.x.im, 0.0) },
                Complex { re: next(&self.y.re, 0.0), im: next(&self.y.im, 0.0) },
            )
        };
        // The last site of a row has no coupling on its right.
        Self { x, y }.restarted(&chain.couplings.clone().equal_elem(0.0))
    }

    fn normalised(&self) -> Self {
        let factor = reciprocal(self.x.size().max_pair(self.y.size()));
        Self { x: self.x.scaled(&factor), y: self.y.scaled(&factor) }
    }
}

/// `G = num / den` from the states on both sides of each site.
fn resolve<B: Backend>(
    left: &States<B>,
    right: &States<B>,
    couplings: &Tensor<B, 2>,
    options: &BkOptions,
) -> Tensor<B, 3> {
    let (left, right) = (left.normalised(), right.normalised());
    let numerator = left.y.times(&right.x);
    let denominator = left.x.times(&right.x).minus(&left.y.times(&right.y).scaled(couplings));
    let factor = reciprocal(denominator.size());
    let scaled = denominator.scaled(&factor);
    let norm = scaled.re.clone().square() + scaled.im.clone().square();
    let conjugate = Complex { re: scaled.re, im: -scaled.im };
    let quotient = numerator.times(&conjugate).scaled(&norm.recip());
    let singular = denominator.size().equal_elem(0.0);
    let mut entry = quotient.scaled(&factor);
    match options.max_magnitude {
        Some(bound) => {
            let at_pole = at_magnitude(&numerator, bound);
            let clipped = at_magnitude(&quotient, bound);
            // Compared before the last scaling, which may overflow.
            let limit = factor.recip() * bound;
            let large = magnitude(&quotient).greater(limit);
            entry = entry.where_mask(&large, &clipped).where_mask(&singular, &at_pole);
        }
        None => {
            let nan = Complex { re: couplings.full_like(f32::NAN), im: couplings.full_like(f32::NAN) };
            entry = entry.where_mask(&singular, &nan);
        }
    }
    if options.non_finite == NonFinite::Zero {
        let zero = Complex { re: couplings.zeros_like(), im: couplings.zeros_like() };
        let finite = entry.re.clone().is_finite().bool_and(entry.im.clone().is_finite());
        entry = entry.where_mask(&finite.bool_not(), &zero);
    }
    Tensor::stack(vec![entry.re, entry.im], 2)
}

fn magnitude<B: Backend>(value: &Complex<B>) -> Tensor<B, 2> {
    (value.re.clone().square() + value.im.clone().square()).sqrt()
}

/// `value` with its magnitude set to `bound`; 0 stays 0.
fn at_magnitude<B: Backend>(value: &Complex<B>, bound: f32) -> Complex<B> {
    let factor = reciprocal(value.size());
    let scaled = value.scaled(&factor);
    let length = magnitude(&scaled);
    let empty = length.clone().equal_elem(0.0);
    scaled.scaled(&(length.mask_fill(empty, 1.0).recip() * bound))
}
