//! One row: gradients and their units, block by block between the cuts.

use num_complex::Complex;

use super::{Bounded, Cotangent, FORWARD_UNITS, Reference};
use crate::reference::UNIT_ROUNDOFF;
use crate::reference::block::Side;

/// A row of the batch; `first` is its first site there.
pub(super) struct Row<'a> {
    pub(super) d: &'a [Complex<f64>],
    pub(super) k: &'a [f64],
    pub(super) h: &'a [Cotangent],
    pub(super) forward: &'a Reference,
    pub(super) first: usize,
}

impl Row<'_> {
    /// `S` `[N]` and `kappa` `[N-1]`.
    pub(super) fn gradients(&self) -> (Vec<Bounded>, Vec<Bounded>) {
        let n = self.d.len();
        let (mut s, mut kappa) = (Vec::with_capacity(n), Vec::with_capacity(n - 1));
        let mut first = 0;
        for end in 1..=n {
            if end < n && self.k[end - 1] != 0.0 {
                continue;
            }
            if first > 0 {
                kappa.push(Bounded::ZERO);
            }
            self.append_block(first, end, &mut s, &mut kappa);
            first = end;
        }
        for cut in (0..n - 1).filter(|&link| self.k[link] == 0.0) {
            kappa[cut] = self.at_cut(cut, &s);
        }
        (s, kappa)
    }

    fn append_block(&self, first: usize, end: usize, s: &mut Vec<Bounded>, kappa: &mut Vec<Bounded>) {
        let sites = self.first + first..self.first + end;
        let everywhere = if self.forward.unit[sites.clone()].iter().any(|unit| unit.is_nan()) {
            Bounded::POISONED
        } else if sites.clone().any(|site| self.is_unresolved(site)) {
            Bounded::UNRESOLVED
        } else {
            let block = Block { d: &self.d[first..end], k: &self.k[first..end - 1], h: &self.h[first..end] };
            return block.append(s, kappa);
        };
        s.extend(std::iter::repeat_n(everywhere, end - first));
        kappa.extend(std::iter::repeat_n(everywhere, end - first - 1));
    }

    /// Whether a pole is so near that the relative error of `G` may reach a half: gradients are its squares.
    fn is_unresolved(&self, site: usize) -> bool {
        let [re, im] = self.forward.g[site];
        let unit = self.forward.unit[site];
        unit == f64::INFINITY || (self.forward.near_pole[site] && 2.0 * FORWARD_UNITS * unit >= re.hypot(im))
    }

    /// Between two blocks, `dG_ii/dk` is `-G_ii^2` of the last site of one times `-G_jj` of the first of the other.
    fn at_cut(&self, link: usize, s: &[Bounded]) -> Bounded {
        let g = |site: usize| {
            let [re, im] = self.forward.g[self.first + site];
            Bounded { value: Complex::new(re, im), unit: self.forward.unit[self.first + site] }
        };
        let product = |x: Bounded, y: Bounded| {
            if x.unit.is_nan() || y.unit.is_nan() {
                return Bounded::POISONED;
            }
            if x.unit == f64::INFINITY || y.unit == f64::INFINITY {
                return Bounded::UNRESOLVED;
            }
            let unit = x.value.norm() * y.unit + y.value.norm() * x.unit;
            Bounded { value: x.value * y.value, unit }
        };
        product(s[link], g(link + 1)).plus(product(s[link + 1], g(link)))
    }
}

struct Block<'a> {
    d: &'a [Complex<f64>],
    k: &'a [f64],
    h: &'a [Cotangent],
}

/// What the sites on one side of a site contribute, in the scale of the square of that side's determinant.
#[derive(Clone, Copy)]
struct Carried {
    sum: Complex<f64>,
    /// Sum of the magnitudes.
    size: f64,
    /// Sum of the magnitudes, each times what relative changes do to it.
    spread: f64,
}

impl Carried {
    const NOTHING: Self = Self { sum: Complex::ZERO, size: 0.0, spread: 0.0 };

    /// With site `j` itself: `change` is `2 |d_j G_jj|`, what a change of its own diagonal does to every term.
    fn including(self, h: Cotangent, side: &Side, change: f64, g: f64) -> Self {
        let square = side.whole.norm_sqr();
        let size = self.size + h.value.norm() * square;
        Self {
            sum: self.sum + h.value * (side.whole * side.whole),
            size,
            spread: self.spread + size * change + h.spread * square + 2.0 * h.value.norm() * side.error * g,
        }
    }

    /// Over coupling `k`, whose own change does `1 + 2 e` to every term, to the next site, where the scale is another.
    fn over(self, k: f64, e: f64, scale: f64) -> Self {
        let factor = k.abs() * scale * scale;
        Self {
            sum: self.sum * (k * scale * scale),
            size: self.size * factor,
            spread: (self.spread + self.size * (1.0 + 2.0 * e)) * factor,
        }
    }
}

/// A site with both its sides.
struct Site {
    left: Side,
    right: Side,
    /// Factors of the sides' scales towards the next site.
    left_scale: f64,
    right_scale: f64,
    den: Complex<f64>,
    d: f64,
    g: f64,
}

impl Site {
    /// `e` of the coupling on the right.
    fn e(&self) -> f64 {
        self.right.k.abs() * self.left.whole.norm() * self.right.shorter.norm() / self.den.norm()
    }

    fn change(&self) -> f64 {
        2.0 * self.d * self.g
    }
}

impl Block<'_> {
    fn append(&self, s: &mut Vec<Bounded>, kappa: &mut Vec<Bounded>) {
        let sites = self.sites();
        let (lefts, rights) = (self.before(&sites), self.after(&sites));
        for (j, site) in sites.iter().enumerate() {
            s.push(diagonal(site, &lefts[j], &rights[j], self.h[j]));
            if let Some(next) = sites.get(j + 1) {
                let before = lefts[j].including(self.h[j], &site.left, site.change(), site.g);
                let after = rights[j + 1].including(self.h[j + 1], &next.right, next.change(), next.g);
                kappa.push(coupling(site, next, &before, &after));
            }
        }
    }

    fn sites(&self) -> Vec<Site> {
        let n = self.d.len();
        let mut rights = Vec::with_capacity(n);
        let mut right = (Side::EMPTY, 1.0);
        for j in (0..n).rev() {
            rights.push(right);
            let k = if j == 0 { 0.0 } else { self.k[j - 1] };
            right = right.0.extended_and_scale(self.d[j], k);
        }
        rights.reverse();
        let mut left = (Side::EMPTY, 1.0);
        let mut sites: Vec<Site> = Vec::with_capacity(n);
        for (j, &(right, _)) in rights.iter().enumerate() {
            let (side, d) = (left.0, self.d[j]);
            let both = side.whole * right.whole;
            let den = d * both - side.shorter * right.whole * side.k - side.whole * right.shorter * right.k;
            let g = both.norm() / den.norm();
            left = side.extended_and_scale(d, self.k.get(j).copied().unwrap_or(0.0));
            let (left_scale, right_scale) = (left.1, if j == 0 { 1.0 } else { rights[j - 1].1 });
            sites.push(Site { left: side, right, left_scale, right_scale, den, d: d.norm(), g });
        }
        sites
    }

    /// What the sites before each site contribute.
    fn before(&self, sites: &[Site]) -> Vec<Carried> {
        let mut carried = Carried::NOTHING;
        let step = |(j, site): (usize, &Site)| {
            let before = carried;
            let including = carried.including(self.h[j], &site.left, site.change(), site.g);
            carried = including.over(site.right.k, site.e(), site.left_scale);
            before
        };
        sites.iter().enumerate().map(step).collect()
    }

    /// What the sites after each site contribute.
    fn after(&self, sites: &[Site]) -> Vec<Carried> {
        let mut all = vec![Carried::NOTHING; sites.len()];
        for j in (1..sites.len()).rev() {
            let site = &sites[j];
            let including = all[j].including(self.h[j], &site.right, site.change(), site.g);
            all[j - 1] = including.over(site.left.k, sites[j - 1].e(), site.right_scale);
        }
        all
    }
}

/// `S_j`: the sites up to `j` and those after it.
fn diagonal(site: &Site, before: &Carried, after: &Carried, h: Cotangent) -> Bounded {
    let size = site.den.norm();
    let (left, right) = (site.left.whole / site.den, site.right.whole / site.den);
    let including = before.including(h, &site.left, site.change(), site.g);
    let value = including.sum * right * right + after.sum * left * left;
    let outer = 2.0 * site.g / (size * size);
    let spread = including.spread * right.norm_sqr()
        + including.size * outer * site.right.error
        + (after.spread + after.size * site.change()) * left.norm_sqr()
        + after.size * outer * site.left.error;
    Bounded { value, unit: UNIT_ROUNDOFF * spread }
}

/// `kappa_j` from what the sites up to `j` and those from `j + 1` on contribute.
fn coupling(site: &Site, next: &Site, before: &Carried, after: &Carried) -> Bounded {
    let own = 2.0 * site.e();
    let (here, there) = (site.den.norm(), next.den.norm());
    let from_left = (site.right.whole / site.den) * (site.right.shorter / site.den);
    let from_right = (next.left.whole / next.den) * (next.left.shorter / next.den);
    let left_spread = from_left.norm() * (before.spread + before.size * (own + next.change() / 2.0))
        + before.size
            * (site.right.error * site.left.whole.norm() * site.right.shorter.norm() / here.powi(3)
                + next.right.error * next.left.whole.norm() * site.right.whole.norm() * next.right_scale
                    / (there * here * here));
    let right_spread = from_right.norm() * (after.spread + after.size * (own + site.change() / 2.0))
        + after.size
            * (next.left.error * next.right.whole.norm() * next.left.shorter.norm() / there.powi(3)
                + site.left.error * site.right.whole.norm() * next.left.whole.norm() * site.left_scale
                    / (here * there * there));
    Bounded {
        value: before.sum * from_left + after.sum * from_right,
        unit: UNIT_ROUNDOFF * (left_spread + right_spread),
    }
}
