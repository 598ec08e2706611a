//! The input of one call on the host: a batch of tridiagonal matrices and the spectral parameter, in float32.

use crate::native::{ShapeError, Tridiagonal};

/// A batch of tridiagonal matrices `T` and the spectral parameter `z` of `G_ii = [(T - zI)^-1]_ii`.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// Rows `B`, at least 1.
    pub batch: usize,
    /// Sites `N` a row, at least 1.
    pub n: usize,
    /// Real part of the main diagonal, `[B, N]`.
    pub a_re: Vec<f32>,
    /// Imaginary part of the main diagonal, `[B, N]`; `None` for a real diagonal.
    pub a_im: Option<Vec<f32>>,
    /// Super-diagonal `T[i][i+1]`, `[B, N-1]`, or `[1, N-1]` if `shared`.
    pub b: Vec<f32>,
    /// Sub-diagonal `T[i+1][i]`, of the shape of `b`.
    pub c: Vec<f32>,
    /// Whether one `b` and one `c` serve the whole batch.
    pub shared: bool,
    /// `(Re z, Im z)`, one for the batch.
    pub z: [f32; 2],
}

impl Inputs {
    /// Number of sites in the batch, `B * N`.
    pub fn sites(&self) -> usize {
        self.batch * self.n
    }

    /// Rows of `b` and `c`: 1 if they are shared, else `B`.
    pub fn coupling_rows(&self) -> usize {
        if self.shared { 1 } else { self.batch }
    }

    /// Diagonal of one row, `[N]`, real and imaginary part.
    ///
    /// # Panics
    /// If `row` is not below `batch` or a field is shorter than its shape.
    pub fn row_diagonal(&self, row: usize) -> (&[f32], Option<&[f32]>) {
        let sites = row * self.n..(row + 1) * self.n;
        (&self.a_re[sites.clone()], self.a_im.as_ref().map(|im| &im[sites]))
    }

    /// Super- and sub-diagonal of one row, `[N-1]` each.
    ///
    /// # Panics
    /// If a field is shorter than its shape.
    pub fn row_couplings(&self, row: usize) -> (&[f32], &[f32]) {
        let row = if self.shared { 0 } else { row };
        let links = row * (self.n - 1)..(row + 1) * (self.n - 1);
        (&self.b[links.clone()], &self.c[links])
    }

    /// The same matrices as a borrowed view, with all lengths checked.
    ///
    /// # Errors
    /// If a field does not have the length that `batch`, `n` and `shared` give it.
    pub fn view(&self) -> Result<Tridiagonal<'_, f32>, ShapeError> {
        Tridiagonal::new(self.batch, self.n, &self.a_re, self.a_im.as_deref(), &self.b, &self.c, self.z)
    }
}
