//! The states at the edges of a tile, in shared memory.
//!
//! Either a launch before this one has scanned the tiles of all rows, or, where tiles are few, every cube scans those of its
//! own row: the same work many times over, but side by side, and a launch less to wait for.

use cubecl::prelude::*;

use crate::blueprint::Blueprint;
use crate::complex::Complex;
use crate::halo::Halo;
use crate::operands::Operands;
use crate::place::{Place, lesser};
use crate::projective::{Pair, canonicalise, choose_pair};
use crate::routines::multi_cube::{
    AFTER, ALL_BUT_FIRST, ALL_BUT_LAST, BEFORE, EDGES, LEFT, RIGHT, WHOLE, read_transfer,
};
use crate::scan::scan;
use crate::segment::Segment;
use crate::transfer::{Transfer, carry_left, carry_right, compose};

/// Tiles that a unit takes where each cube scans those of its row.
pub(crate) const TILES_OF_UNIT: usize = 2;

/// States at the edges of a tile, and one chunk beyond them.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Edges {
    states: SharedMemory<f32>,
}

#[cube]
impl Edges {
    /// The states of this cube's tile: `source` has the states of all tiles, or their transfer matrices where the cube is
    /// to scan them. They may be read at once, the halo's after the next barrier of the cube. Every unit of the cube must
    /// call this together.
    pub(crate) fn new(
        source: &Array<f32>,
        operands: &Operands,
        place: Place,
        tiles: usize,
        mail: &mut SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) -> Edges {
        let mut edges = Edges { states: SharedMemory::<f32>::new(comptime!(blueprint.edges() as usize)) };
        if comptime!(blueprint.tiled) {
            if comptime!(blueprint.scans_tiles) {
                edges.scan(source, operands, place, tiles, mail, blueprint);
            } else {
                // A cube may have fewer units than there are words.
                #[unroll]
                for round in 0..comptime!((EDGES as u32).div_ceil(blueprint.units)) {
                    let word = min(UNIT_POS + round * blueprint.units, comptime!(EDGES as u32 - 1)) as usize;
                    edges.states[word] = source[CUBE_POS * comptime!(EDGES) + written(word, tiles)];
                }
            }
            sync_cube();
        }
        edges
    }

    /// The left state at the tile's left edge; at the ends of a row nothing is beyond.
    pub(crate) fn left(&self, #[comptime] blueprint: Blueprint) -> Pair {
        if comptime!(blueprint.tiled) { self.get(LEFT) } else { Pair::start() }
    }

    /// The right state at its right edge.
    pub(crate) fn right(&self, #[comptime] blueprint: Blueprint) -> Pair {
        if comptime!(blueprint.tiled) { self.get(RIGHT) } else { Pair::start() }
    }

    /// The left state at the tile's left edge, swept over the chunk before it.
    pub(crate) fn polished_left(&self, halo: &Halo, tiles: usize, #[comptime] blueprint: Blueprint) -> Pair {
        let mut state = Pair::start();
        if !CUBE_POS.is_multiple_of(tiles) {
            state = halo.sweep_to_left_edge(self.get(BEFORE), blueprint);
        }
        state
    }

    /// The right state at the tile's right edge, swept over the chunk after it.
    pub(crate) fn polished_right(&self, halo: &Halo, tiles: usize, #[comptime] blueprint: Blueprint) -> Pair {
        let mut state = Pair::start();
        if CUBE_POS % tiles + 1 != tiles {
            state = halo.sweep_to_right_edge(self.get(AFTER), blueprint);
        }
        state
    }

    /// Scans the tiles of the row and keeps what belongs to this cube's.
    fn scan(
        &mut self,
        summaries: &Array<f32>,
        operands: &Operands,
        place: Place,
        tiles: usize,
        mail: &mut SharedMemory<f32>,
        #[comptime] blueprint: Blueprint,
    ) {
        let own = CUBE_POS % tiles;
        let two = TwoTiles::read(summaries, operands, place.row, own, tiles, blueprint);
        let (left, right) = two.scan(mail, blueprint);
        let inner_left = canonicalise(carry_right(two.first, two.before, left));
        let inner_right = canonicalise(carry_left(two.second, two.after, right));
        let next = two.index + 1;
        if (two.index == own) | (next == own) {
            self.put(LEFT, choose_pair(next == own, inner_left, left));
            self.put(RIGHT, choose_pair(next == own, right, inner_right));
        }
        if two.precede(own) {
            let k = select(next + 1 == own, two.between, two.before);
            let state = choose_pair(next + 1 == own, inner_left, left);
            self.put(BEFORE, canonicalise(carry_right(two.rest, k, state)));
        }
        if (two.index == own + 1) | (next == own + 1) {
            let k = select(next == own + 1, two.after, two.between);
            let state = choose_pair(next == own + 1, right, inner_right);
            self.put(AFTER, canonicalise(carry_left(two.rest, k, state)));
        }
    }

    fn get(&self, #[comptime] which: usize) -> Pair {
        Pair::new(
            Complex::new(self.states[which], self.states[which + 1]),
            Complex::new(self.states[which + 2], self.states[which + 3]),
        )
    }

    fn put(&mut self, #[comptime] which: usize, state: Pair) {
        self.states[which] = state.x.re;
        self.states[which + 1] = state.x.im;
        self.states[which + 2] = state.y.re;
        self.states[which + 3] = state.y.im;
    }
}

/// The word of a tile's states to read for `word`: nothing is written for what is beyond the ends of a row, nor used.
#[cube]
fn written(word: usize, tiles: usize) -> usize {
    let index = CUBE_POS % tiles;
    let is_after = word >= comptime!(AFTER);
    let is_at_end = (is_after & (index + 1 == tiles)) | (!is_after & (index == 0));
    let is_missing = (word >= comptime!(BEFORE)) & is_at_end;
    select(is_missing, word - comptime!(BEFORE), word)
}

/// Two tiles next to each other in a row, which one unit has in the scan. One that is beyond the last is a decoupled site,
/// which is neutral.
#[derive(CubeType, Clone, Copy)]
struct TwoTiles {
    /// Index of the first in its row.
    index: usize,
    first: Transfer,
    second: Transfer,
    /// Of a neighbour of the cube's own tile, if it is one of the two: all but the chunk next to that tile.
    rest: Transfer,
    /// Couplings on the left of the first, between both, and on the right of the second.
    before: f32,
    between: f32,
    after: f32,
}

#[cube]
impl TwoTiles {
    /// All that the scan reads, at once: later each would be waited for.
    fn read(
        summaries: &Array<f32>,
        operands: &Operands,
        row: usize,
        own: usize,
        tiles: usize,
        #[comptime] blueprint: Blueprint,
    ) -> TwoTiles {
        let tile = comptime!(blueprint.tile() as usize);
        let index = TILES_OF_UNIT * UNIT_POS as usize;
        let begin = row * tiles;
        let places = operands.batch * tiles;
        let last = tiles - 1;
        let mut two = TwoTiles {
            index,
            first: read_transfer(summaries, begin + lesser(index, last), places, WHOLE.runtime()),
            second: read_transfer(summaries, begin + lesser(index + 1, last), places, WHOLE.runtime()),
            rest: Transfer::site(Complex::one()),
            before: operands.coupling_before(row, index * tile),
            between: operands.coupling_before(row, (index + 1) * tile),
            after: operands.coupling_before(row, (index + 2) * tile),
        };
        let precede = two.precede(own);
        let neighbour = select(precede, own - 1, lesser(own + 1, last));
        let rest = select(precede, ALL_BUT_LAST, ALL_BUT_FIRST);
        two.rest = read_transfer(summaries, begin + neighbour, places, rest);
        if index > last {
            two.first = Transfer::site(Complex::one());
        }
        if index + 1 > last {
            two.second = Transfer::site(Complex::one());
        }
        two
    }

    /// Whether one of the two is the tile before `own`.
    fn precede(&self, own: usize) -> bool {
        (self.index + 1 == own) | (self.index + 2 == own)
    }

    /// The left state before the two and the right state after them. Every unit of the cube must call this together.
    fn scan(&self, mail: &mut SharedMemory<f32>, #[comptime] blueprint: Blueprint) -> (Pair, Pair) {
        let mut couplings = SharedMemory::<f32>::new(comptime!(blueprint.units as usize));
        couplings[UNIT_POS as usize] = self.before;
        sync_cube();
        let segment = Segment::of_units(couplings);
        let both = compose(self.first, self.between, self.second);
        let (left, right) = scan(both, &segment, Pair::start(), Pair::start(), mail, blueprint);
        (canonicalise(left), canonicalise(right))
    }
}
