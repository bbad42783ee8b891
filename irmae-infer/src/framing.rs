//! Packets on a stream of bytes, such as a UART: COBS, consistent overhead byte stuffing.
//!
//! A frame holds no zero but the one that ends it. It is groups of a code byte `n` and `n - 1` bytes that are not zero; each group
//! but the last stands for a zero after its bytes too, unless `n` is 255. That costs two bytes a packet of less than 254 bytes, and
//! whoever has lost the thread finds it again at the next zero.

use crate::code::PacketError;

/// The byte that ends a frame.
pub const DELIMITER: u8 = 0;

/// Bytes of a group besides its code byte, at most.
const GROUP_MAX: usize = 254;

/// Bytes of a packet's frame, delimiter included, at most.
pub const fn frame_len_max(packet_len: usize) -> usize {
    packet_len + packet_len / GROUP_MAX + 2
}

/// Writes a packet as a frame, delimiter included, and returns its length. `frame` must have [`frame_len_max`] bytes.
///
/// # Errors
/// [`PacketError::BufferTooSmall`]
pub fn encode_frame(packet: &[u8], frame: &mut [u8]) -> Result<usize, PacketError> {
    let needed = frame_len_max(packet.len());
    let frame = frame.get_mut(..needed).ok_or(PacketError::BufferTooSmall { needed: needed as u16 })?;
    let mut len = 0;
    let mut put = |group: &[u8]| {
        frame[len] = group.len() as u8 + 1;
        frame[len + 1..][..group.len()].copy_from_slice(group);
        len += 1 + group.len();
    };
    for run in packet.split(|&byte| byte == 0) {
        let groups = run.chunks_exact(GROUP_MAX);
        let rest = groups.remainder();
        groups.for_each(&mut put);
        put(rest);
    }
    frame[len] = DELIMITER;
    Ok(len + 1)
}

/// Takes bytes as they come and gives whole frames. What is damaged, or longer than the buffer, is dropped up to the next delimiter,
/// and counted.
#[derive(Debug)]
pub struct FrameReader<'b> {
    buffer: &'b mut [u8],
    /// Bytes of the packet so far, even those that found no room.
    len: usize,
    /// Bytes left of the group, none before the first one.
    left: Option<u8>,
    ends_in_zero: bool,
    dropped: u32,
}

impl<'b> FrameReader<'b> {
    /// A reader of packets that fit `buffer`; [`MAX_PACKET_LEN`](crate::packet::MAX_PACKET_LEN) bytes are enough for all.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0, left: None, ends_in_zero: false, dropped: 0 }
    }

    /// Takes a byte, and gives the packet whose frame it ends. Whether that is a sound one, its decoder says.
    pub fn push(&mut self, byte: u8) -> Option<&[u8]> {
        if byte == DELIMITER {
            return self.finish();
        }
        match self.left {
            Some(left @ 1..) => {
                self.left = Some(left - 1);
                self.put(byte);
            }
            left => {
                if left.is_some() && self.ends_in_zero {
                    self.put(0);
                }
                self.left = Some(byte - 1);
                self.ends_in_zero = usize::from(byte) <= GROUP_MAX;
            }
        }
        None
    }

    /// Frames that were dropped since the start.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    fn put(&mut self, byte: u8) {
        if let Some(place) = self.buffer.get_mut(self.len) {
            *place = byte;
        }
        self.len = self.len.saturating_add(1);
    }

    /// Delimiters in a row hold no frame.
    fn finish(&mut self) -> Option<&[u8]> {
        let left = self.left.take()?;
        let packet = self.buffer.get(..core::mem::take(&mut self.len)).filter(|_| left == 0);
        self.dropped = self.dropped.saturating_add(u32::from(packet.is_none()));
        packet
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn framed(packet: &[u8]) -> Vec<u8> {
        let mut frame = std::vec![0xaa; frame_len_max(packet.len())];
        let len = encode_frame(packet, &mut frame).unwrap();
        frame.truncate(len);
        frame
    }

    /// The packets in `bytes`, and how many frames were dropped.
    fn read(bytes: &[u8], room: usize) -> (Vec<Vec<u8>>, u32) {
        let mut buffer = std::vec![0; room];
        let mut reader = FrameReader::new(&mut buffer);
        let packets = bytes.iter().filter_map(|&byte| reader.push(byte).map(<[u8]>::to_vec)).collect();
        (packets, reader.dropped())
    }

    #[test]
    fn frames_are_these_bytes() {
        for (packet, frame) in [
            (&[][..], &[1, 0][..]),
            (&[0], &[1, 1, 0]),
            (&[0, 0], &[1, 1, 1, 0]),
            (&[3, 0x81, 0xfe, 0x80], &[5, 3, 0x81, 0xfe, 0x80, 0]),
            (&[1, 0, 2, 3], &[2, 1, 3, 2, 3, 0]),
            (&[1, 0], &[2, 1, 1, 0]),
        ] {
            assert_eq!(framed(packet), frame);
            assert_eq!(read(frame, packet.len()), (std::vec![packet.to_vec()], 0));
        }
        assert_eq!(encode_frame(&[1; 4], &mut [0; 5]), Err(PacketError::BufferTooSmall { needed: 6 }));
    }

    /// All lengths around the largest group, with a zero at every kind of place.
    fn samples() -> impl Iterator<Item = Vec<u8>> {
        (0..20).chain(250..264).chain(505..515).flat_map(|len| {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 255 + 1) as u8).collect();
            let zeros = [None, Some(0), Some(1), Some(253), Some(254), Some(255), Some(len.max(1) - 1)];
            zeros.into_iter().map(move |zero| {
                let mut bytes = bytes.clone();
                if let Some(byte) = zero.and_then(|at| bytes.get_mut(at)) {
                    *byte = 0;
                }
                bytes
            })
        })
    }

    #[test]
    fn what_is_framed_is_read() {
        for packet in samples() {
            let frame = framed(&packet);
            assert!(frame[..frame.len() - 1].iter().all(|&byte| byte != 0) && frame.ends_with(&[0]));
            assert!(frame.len() <= frame_len_max(packet.len()));
            assert_eq!(read(&frame, packet.len()), (std::vec![packet], 0));
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn postcard_frames_alike() {
        for packet in samples() {
            // As a list it has its length before it.
            assert_eq!(framed(&postcard::to_stdvec(&packet).unwrap()), postcard::to_stdvec_cobs(&packet).unwrap());
        }
    }

    #[test]
    fn damage_ends_at_the_next_delimiter_and_is_counted() {
        let sound = framed(&[7, 0, 9]);
        let cut = [5, 1, 2, 0];
        let long = framed(&[8; 4]);
        let stream = [&sound[..], &cut, &sound, &long, &[0, 0], &sound].concat();
        assert_eq!(read(&stream, 3), (std::vec![std::vec![7, 0, 9]; 3], 2));
    }
}
