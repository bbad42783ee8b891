//! Reads a header, field by field. Its bytes are postcard's, as serde writes them; read by hand they take a fraction of the
//! code, and layers come one at a time.

use super::{Element, Header, LayerHeader};
use crate::layer::{Activation, Op, Shape, Window};
use crate::sample::RawType;

/// The fields that have not been read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(header: &'a [u8]) -> Self {
        Self { rest: header }
    }

    /// All but the layers.
    pub(crate) fn header(&mut self) -> Option<Header<'a>> {
        Some(Header {
            raw: self.variant(&[RawType::U8, RawType::I16, RawType::U16, RawType::F32])?,
            frame: self.shape()?,
            bits: {
                let len = self.length()?;
                self.bytes(len)?
            },
            input: self.element()?,
            input_clamp: self.pair()?,
        })
    }

    /// A number of things that follow.
    pub(crate) fn length(&mut self) -> Option<usize> {
        self.varint(u32::BITS).map(|length| length as usize)
    }

    /// One layer.
    pub(crate) fn layer(&mut self) -> Option<LayerHeader> {
        Some(LayerHeader {
            op: match self.varint(u32::BITS)? {
                0 => Op::Dense,
                1 => Op::Conv(self.window()?),
                2 => Op::ConvTranspose(self.window()?),
                _ => return None,
            },
            activation: self.variant(&[Activation::None, Activation::Relu, Activation::Tanh, Activation::Sigmoid])?,
            output: self.shape()?,
            element: self.element()?,
            clamp: self.pair()?,
            acc_shift: self.byte()?,
        })
    }

    fn shape(&mut self) -> Option<Shape> {
        let mut dimension = || self.varint(u16::BITS).map(|dimension| dimension as u16);
        Some(Shape::new(dimension()?, dimension()?, dimension()?))
    }

    fn window(&mut self) -> Option<Window> {
        let &[k0, k1, s0, s1, p0, p1] = self.bytes(6)?.first_chunk()?;
        Some(Window { kernel: [k0, k1], stride: [s0, s1], padding: [p0, p1] })
    }

    fn element(&mut self) -> Option<Element> {
        self.variant(&[Element::F32, Element::U8, Element::I16])
    }

    /// One of an enum's variants, which are in order.
    fn variant<T: Copy>(&mut self, variants: &[T]) -> Option<T> {
        variants.get(self.varint(u32::BITS)? as usize).copied()
    }

    fn pair(&mut self) -> Option<[i32; 2]> {
        // 0, -1, 1, -2, ...
        let mut number = || self.varint(u32::BITS).map(|n| (n >> 1) as i32 ^ -((n & 1) as i32));
        Some([number()?, number()?])
    }

    /// A number of up to `width` bits, seven in a byte, the least significant first; the last byte is below 128.
    fn varint(&mut self, width: u32) -> Option<u32> {
        let (mut number, mut shift) = (0, 0);
        while shift < width {
            let byte = u32::from(self.byte()?);
            let digit = byte & 0x7f;
            if shift + 7 > width && digit >> (width - shift) != 0 {
                return None;
            }
            number |= digit << shift;
            if byte == digit {
                return Some(number);
            }
            shift += 7;
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    const HEADER: Header<'_> = Header {
        raw: RawType::F32,
        frame: Shape::new(1, 300, u16::MAX),
        bits: &[7, 15],
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
        let header = fields.header()?;
        let layers = (0..fields.length()?).map(|_| fields.layer()).collect::<Option<_>>()?;
        Some((header, layers))
    }

    #[test]
    fn what_serde_writes_is_read() {
        let bytes = postcard::to_stdvec(&(HEADER, layers())).unwrap();
        assert_eq!(read(&bytes), Some((HEADER, layers())));
        assert!((0..bytes.len()).all(|len| read(&bytes[..len]).is_none()));
    }

    #[test]
    fn numbers_have_a_width() {
        let number = |bytes: &[u8], width| Fields::new(bytes).varint(width);
        assert_eq!(number(&[0xff, 0xff, 0x03], 16), Some(0xffff));
        assert_eq!(number(&[0xff, 0xff, 0x04], 16), None);
        assert_eq!(number(&[0xff, 0xff, 0x83, 0], 16), None);
        assert_eq!(number(&[0xff, 0xff, 0xff, 0xff, 0x0f], 32), Some(u32::MAX));
        assert_eq!(number(&[0xff, 0xff, 0xff, 0xff, 0x1f], 32), None);
        assert_eq!(number(&[0x80, 0], 32), Some(0));
    }
}
