//! The Hebbian recurrence token by token, in float64: what the chunks are compared with.

/// `W [B][H][E][E]` flat, and what it is asked.
pub(crate) struct Sequential {
    pub(crate) batch: usize,
    pub(crate) n: usize,
    pub(crate) heads: usize,
    pub(crate) width: usize,
    /// `[B, N, 3, H, E]`.
    pub(crate) qkv: Vec<f64>,
    /// `[B, N]`.
    pub(crate) decay: Vec<f64>,
    pub(crate) eta: f64,
    /// `[B, H, E, E]`.
    pub(crate) initial: Vec<f64>,
}

impl Sequential {
    /// `y [B, N, H, E]` and the last `W [B, H, E, E]`.
    pub(crate) fn run(&self) -> (Vec<f64>, Vec<f64>) {
        let Self { batch, n, heads, width, .. } = *self;
        let mut w = self.initial.clone();
        let mut output = vec![0.0; batch * n * heads * width];
        for b in 0..batch {
            for t in 0..n {
                for h in 0..heads {
                    let part =
                        |part: usize| &self.qkv[(((b * n + t) * 3 + part) * heads + h) * width..][..width];
                    let (q, k, v) = (part(0), part(1), part(2));
                    let cells = &mut w[(b * heads + h) * width * width..][..width * width];
                    let kept = (-self.decay[b * n + t]).exp();
                    let y = &mut output[((b * n + t) * heads + h) * width..][..width];
                    for i in 0..width {
                        for j in 0..width {
                            let cell = &mut cells[i * width + j];
                            *cell = kept * *cell + self.eta * k[i] * v[j];
                            y[i] += *cell * q[j];
                        }
                    }
                }
            }
        }
        (output, w)
    }
}
