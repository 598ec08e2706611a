//! `NdArray` and `Flex`: the serial scan, threads over rows.

#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "ndarray")]
mod ndarray;

#[cfg(any(feature = "flex", feature = "ndarray"))]
mod scan {
    use bk_kernels::BkOptions;
    use bk_kernels::native::{Entry, Gradients, Real, Tridiagonal, gradients, resolvent};

    use crate::operation::OperationError;

    /// Contiguous operands, in the order of `BkPrimitives`.
    pub(super) struct Slices<'a, E> {
        pub(super) a_re: &'a [E],
        pub(super) a_im: Option<&'a [E]>,
        pub(super) b: &'a [E],
        pub(super) c: &'a [E],
        pub(super) z: &'a [E],
    }

    impl<'a, E: Copy> Slices<'a, E> {
        fn matrices(&self, [batch, n]: [usize; 2]) -> Result<Tridiagonal<'a, E>, OperationError> {
            let Slices { a_re, a_im, b, c, z } = *self;
            // A matrix of one site has no couplings; what stands for them is not read.
            let (b, c) = if n == 1 { (&b[..0], &c[..0]) } else { (b, c) };
            Ok(Tridiagonal::new(batch, n, a_re, a_im, b, c, [z[0], z[1]])?)
        }
    }

    /// Gradients by the scan of `bk-kernels`, each of the length of its operand.
    pub(super) fn scan_gradients<E: Real + Entry<E>>(
        sizes: [usize; 2],
        slices: &Slices<'_, E>,
        cotangent: &[E],
        options: &BkOptions,
    ) -> Result<Gradients<E>, OperationError> {
        let mut found = gradients(&slices.matrices(sizes)?, cotangent, options)?;
        // What stands for the couplings of one site has no influence.
        found.b.resize(slices.b.len(), num_traits::Zero::zero());
        found.c.resize(slices.c.len(), num_traits::Zero::zero());
        Ok(found)
    }

    /// `[B, N, 2]` by the scan of `bk-kernels`.
    pub(super) fn scan<E: Real + Entry<E>>(
        [batch, n]: [usize; 2],
        slices: &Slices<'_, E>,
        options: &BkOptions,
    ) -> Result<Vec<E>, OperationError> {
        let matrices = slices.matrices([batch, n])?;
        let mut output = vec![num_traits::Zero::zero(); 2 * batch * n];
        resolvent(&matrices, options, &mut output)?;
        Ok(output)
    }
}
