//! Reads a header, field by field. Its bytes are postcard's, as serde writes them; read by hand they take a fraction of the
//! code, and layers come one at a time.

use super::{Element, Header, LayerHeader};
use crate::layer::{Activation, Op, Shape, Window};
use crate::sample::RawType;

/// The fields that have not been read, and whether what has been was sound. Asked once, at the end, that takes a third less code than
/// an answer for every field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    is_sound: bool,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(header: &'a [u8]) -> Self {
        Self { rest: header, is_sound: true }
    }

    /// Whether all fields were there, and of values that they can have. Those that were not are 0.
    pub(crate) fn is_sound(&self) -> bool {
        self.is_sound
    }

    /// All but the layers.
    pub(crate) fn header(&mut self) -> Header<'a> {
        Header {
            raw: match self.index(4) {
                0 => RawType::U8,
                1 => RawType::I16,
                2 => RawType::U16,
                _ => RawType::F32,
            },
            frame: self.shape(),
            bits: self.list(),
            max_len: self.byte(),
            deadzones: self.list(),
            steps: self.list(),
            spreads: self.list(),
            blur: self.byte(),
            input: self.element(),
            input_clamp: self.pair(),
        }
    }

    /// A number of things that follow.
    pub(crate) fn length(&mut self) -> usize {
        self.varint(u32::BITS) as usize
    }

    /// One layer.
    pub(crate) fn layer(&mut self) -> LayerHeader {
        LayerHeader {
            op: match self.index(3) {
                0 => Op::Dense,
                1 => Op::Conv(self.window()),
                _ => Op::ConvTranspose(self.window()),
            },
            activation: match self.index(4) {
                0 => Activation::None,
                1 => Activation::Relu,
                2 => Activation::Tanh,
                _ => Activation::Sigmoid,
            },
            output: self.shape(),
            element: self.element(),
            clamp: self.pair(),
            acc_shift: self.byte(),
        }
    }

    fn shape(&mut self) -> Shape {
        let mut dimension = || self.varint(u16::BITS) as u16;
        Shape::new(dimension(), dimension(), dimension())
    }

    fn window(&mut self) -> Window {
        let [k0, k1, s0, s1, p0, p1] = self.bytes(6).first_chunk().copied().unwrap_or_default();
        Window { kernel: [k0, k1], stride: [s0, s1], padding: [p0, p1] }
    }

    #[inline(never)]
    fn element(&mut self) -> Element {
        match self.index(3) {
            0 => Element::F32,
            1 => Element::U8,
            _ => Element::I16,
        }
    }

    /// The index of one of `count` variants.
    #[inline(never)]
    fn index(&mut self, count: u32) -> u32 {
        let index = self.varint(u32::BITS);
        self.is_sound &= index < count;
        index
    }

    fn pair(&mut self) -> [i32; 2] {
        // 0, -1, 1, -2, ...
        let mut number = || {
            let n = self.varint(u32::BITS);
            (n >> 1) as i32 ^ -((n & 1) as i32)
        };
        [number(), number()]
    }

    /// Groups of seven bits, the lowest first, the last of them marked by a clear highest bit.
    fn varint(&mut self, width: u32) -> u32 {
        let (mut number, mut shift) = (0, 0);
        while shift < width {
            let byte = u32::from(self.byte());
            let digit = byte & 0x7f;
            if shift + 7 > width && digit >> (width - shift) != 0 {
                break;
            }
            number |= digit << shift;
            if byte == digit {
                return number;
            }
            shift += 7;
        }
        self.is_sound = false;
        0
    }

    #[inline(never)]
    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    #[inline(never)]
    fn list(&mut self) -> &'a [u8] {
        let len = self.length();
        self.bytes(len)
    }

    /// `len` bytes, or none.
    #[inline(never)]
    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.rest.split_at_checked(len).unwrap_or_default();
        self.is_sound &= bytes.len() == len;
        self.rest = rest;
        bytes
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    const HEADER: Header<'_> = Header {
        raw: RawType::F32,
        frame: Shape::new(1, 300, u16::MAX),
        bits: &[7, 15],
        max_len: 31,
        deadzones: &[128],
        steps: &[16, 127],
        spreads: &[7, 14, 6, 15],
        blur: 3,
        input: Element::I16,
        input_clamp: [i32::MIN, i32::MAX],
    };

    fn layers() -> std::vec::Vec<LayerHeader> {
        let window = Window { kernel: [4, 255], stride: [2, 1], padding: [1, 0] };
        [
            (Op::Dense, Activation::Relu),
            (Op::Conv(window), Activation::Tanh),
            (Op::ConvTranspose(window), Activation::None),
        ]
        .map(|(op, activation)| LayerHeader {
            op,
            activation,
            output: Shape::new(128, 127, 16_384),
            element: Element::U8,
            clamp: [-64, 63],
            acc_shift: 200,
        })
        .to_vec()
    }

    /// Everything, if it can be read.
    fn read(bytes: &[u8]) -> Option<(Header<'_>, std::vec::Vec<LayerHeader>)> {
        let mut fields = Fields::new(bytes);
        let header = fields.header();
        let layers = (0..fields.length()).map(|_| fields.layer()).collect();
        fields.is_sound().then_some((header, layers))
    }

    #[test]
    fn what_serde_writes_is_read() {
        let bytes = postcard::to_stdvec(&(HEADER, layers())).unwrap();
        assert_eq!(read(&bytes), Some((HEADER, layers())));
        assert!((0..bytes.len()).all(|len| read(&bytes[..len]).is_none()));
    }

    #[test]
    fn numbers_have_a_width() {
        let number = |bytes: &[u8], width| {
            let mut fields = Fields::new(bytes);
            let number = fields.varint(width);
            fields.is_sound().then_some(number)
        };
        assert_eq!(number(&[0xff, 0xff, 0x03], 16), Some(0xffff));
        assert_eq!(number(&[0xff, 0xff, 0x04], 16), None);
        assert_eq!(number(&[0xff, 0xff, 0x83, 0], 16), None);
        assert_eq!(number(&[0xff, 0xff, 0xff, 0xff, 0x0f], 32), Some(u32::MAX));
        assert_eq!(number(&[0xff, 0xff, 0xff, 0xff, 0x1f], 32), None);
        assert_eq!(number(&[0x80, 0], 32), Some(0));
    }
}
