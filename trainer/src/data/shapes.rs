//! The synthetic set of the IRMAE paper: one filled circle or square on black, 32x32 in colour.
//!
//! Colour uniform in [0,1]^3, x and y integers in 8..=24, size an integer in 3..=8, circle or square with probability
//! 1/2: seven degrees of freedom. As in the paper's code (x, y) is a circle's centre but a square's top-left corner,
//! and a square spans size + 1 pixels. Unlike there, colours are rounded to the nearest 1/255, because items are u8.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::arrange::Source;
use super::raw::{RawItems, from_values};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const TRAIN_ITEMS: usize = 50_000;
const TEST_ITEMS: usize = 10_000;
const SEED: u64 = 0;

/// Both parts, the same on every machine: each comes from a ChaCha8 stream of its own.
pub(super) fn generate() -> Source {
    Source { items: part(0, TRAIN_ITEMS), test: Some(part(1, TEST_ITEMS)), one_dimensional: false }
}

/// The class of every item of both parts: see [`Shape::class`].
pub(super) fn classes() -> [Vec<u8>; 2] {
    [(0, TRAIN_ITEMS), (1, TEST_ITEMS)].map(|(stream, count)| shapes(stream).take(count).map(|s| s.class()).collect())
}

/// How many classes there are.
pub(super) const CLASSES: usize = 24;

fn part(stream: u64, count: usize) -> RawItems {
    let mut values = vec![0; count * 3 * PLANE];
    for (item, shape) in values.chunks_exact_mut(3 * PLANE).zip(shapes(stream)) {
        shape.draw(item);
    }
    from_values([count, 3, SIDE, SIDE], values)
}

fn shapes(stream: u64) -> impl Iterator<Item = Shape> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    rng.set_stream(stream);
    std::iter::repeat_with(move || Shape::random(&mut rng))
}

struct Shape {
    colour: [u8; 3],
    x: i32,
    y: i32,
    size: i32,
    is_square: bool,
}

impl Shape {
    /// Draws in the order of the paper's code.
    fn random(rng: &mut impl Rng) -> Shape {
        Shape {
            colour: std::array::from_fn(|_| (rng.random::<f32>() * 255.0).round() as u8),
            x: rng.random_range(8..=24),
            y: rng.random_range(8..=24),
            size: rng.random_range(3..=8),
            is_square: rng.random(),
        }
    }

    /// What it is in coarse steps: circle or square, the strongest of its colours, the quarter of the image that it lies in.
    fn class(&self) -> u8 {
        let middle = |at: i32| u8::from(at > 16);
        let [r, g, b] = self.colour;
        let strongest = if r >= g && r >= b { 0 } else { 1 + u8::from(b > g) };
        (u8::from(self.is_square) * 3 + strongest) * 4 + middle(self.y) * 2 + middle(self.x)
    }

    /// Whether the shape covers pixel (x, y). For these sizes the disc is OpenCV's `circle`, pixel for pixel.
    fn covers(&self, x: i32, y: i32) -> bool {
        let (dx, dy) = (x - self.x, y - self.y);
        if self.is_square {
            (0..=self.size).contains(&dx) && (0..=self.size).contains(&dy)
        } else {
            dx * dx + dy * dy <= self.size * self.size
        }
    }

    /// Paints onto a black item, three planes of 32x32, and clips what reaches beyond.
    fn draw(&self, item: &mut [u8]) {
        let reach = |at: i32| at - self.size..(at + self.size + 1).min(SIDE as i32);
        for (y, x) in reach(self.y).flat_map(|y| reach(self.x).map(move |x| (y, x))) {
            if self.covers(x, y) {
                for (channel, value) in self.colour.into_iter().enumerate() {
                    item[channel * PLANE + y as usize * SIDE + x as usize] = value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(is_square: bool) -> Vec<String> {
        let mut item = vec![0; 3 * PLANE];
        Shape { colour: [1, 2, 3], x: 8, y: 10, size: 3, is_square }.draw(&mut item);
        let lit = |row: usize| (4..13).map(move |x| row * SIDE + x);
        let text = |row| lit(row).map(|index| if item[index] == 1 { '#' } else { '.' }).collect();
        assert!((0..PLANE).all(|i| item[PLANE + i] == 2 * item[i] && item[2 * PLANE + i] == 3 * item[i]));
        (6..15).map(text).collect()
    }

    #[test]
    fn the_centre_of_a_circle_is_the_corner_of_a_square() {
        let circle = [
            ".........",
            "....#....",
            "..#####..",
            "..#####..",
            ".#######.",
            "..#####..",
            "..#####..",
            "....#....",
            ".........",
        ];
        let square = [
            ".........",
            ".........",
            ".........",
            ".........",
            "....####.",
            "....####.",
            "....####.",
            "....####.",
            ".........",
        ];
        assert_eq!(drawing(false), circle);
        assert_eq!(drawing(true), square);
    }

    #[test]
    fn the_same_items_on_every_machine() {
        let sum = |stream| part(stream, 100).to_f32(0..100).iter().map(|&value| f64::from(value)).sum::<f64>();
        assert_eq!([sum(0), sum(1)], [2_668_171.0, 2_474_296.0]);
    }

    #[test]
    fn classes_are_of_the_items_and_about_equally_frequent() {
        let [train, test] = classes();
        assert_eq!((train.len(), test.len()), (TRAIN_ITEMS, TEST_ITEMS));
        let shares: Vec<f64> = (0..CLASSES)
            .map(|class| train.iter().filter(|&&c| usize::from(c) == class).count() as f64 / TRAIN_ITEMS as f64)
            .collect();
        assert!(shares.iter().all(|&share| share > 0.03 && share < 0.06), "{shares:?}");
        // A dark corner, and a red shape in it.
        let shape = Shape { colour: [9, 3, 3], x: 20, y: 8, size: 4, is_square: true };
        assert_eq!(shape.class(), 13);
    }

    #[test]
    fn every_parameter_takes_its_whole_range() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let shapes: Vec<_> = (0..2000).map(|_| Shape::random(&mut rng)).collect();
        let range = |value: fn(&Shape) -> i32| (shapes.iter().map(value).min(), shapes.iter().map(value).max());
        assert_eq!(range(|shape| shape.x), (Some(8), Some(24)));
        assert_eq!(range(|shape| shape.y), (Some(8), Some(24)));
        assert_eq!(range(|shape| shape.size), (Some(3), Some(8)));
        let squares = shapes.iter().filter(|shape| shape.is_square).count();
        assert!((900..1100).contains(&squares), "{squares} squares of 2000");
    }
}
