//! `NdArray` and `Flex`: the serial scan, threads over rows.

#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "ndarray")]
mod ndarray;

#[cfg(any(feature = "flex", feature = "ndarray"))]
mod scan {
    use bk_kernels::BkOptions;
    use bk_kernels::native::{Entry, Real, Tridiagonal, resolvent};

    use crate::operation::OperationError;

    /// Contiguous operands, in the order of `BkPrimitives`.
    pub(super) struct Slices<'a, E> {
        pub(super) a_re: &'a [E],
        pub(super) a_im: Option<&'a [E]>,
        pub(super) b: &'a [E],
        pub(super) c: &'a [E],
        pub(super) z: &'a [E],
    }

    /// `[B, N, 2]` by the scan of `bk-kernels`.
    pub(super) fn scan<E: Real + Entry<E>>(
        [batch, n]: [usize; 2],
        slices: Slices<'_, E>,
        options: &BkOptions,
    ) -> Result<Vec<E>, OperationError> {
        let Slices { a_re, a_im, b, c, z } = slices;
        // A matrix of one site has no couplings; what stands for them is not read.
        let (b, c) = if n == 1 { (&b[..0], &c[..0]) } else { (b, c) };
        let matrices = Tridiagonal::new(batch, n, a_re, a_im, b, c, [z[0], z[1]])?;
        let mut output = vec![num_traits::Zero::zero(); 2 * batch * n];
        resolvent(&matrices, options, &mut output)?;
        Ok(output)
    }
}
