//! What a node says of its work.

/// What has come of all windows so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tally {
    /// Windows that became packets.
    pub windows: u32,
    /// Bytes that the link took.
    pub sent_bytes: u32,
    /// Frames for which the outbox had no room.
    pub dropped_frames: u32,
    /// Errors of the link; each costs the frame that was on its way.
    pub link_errors: u32,
    /// Errors of the sensor; each costs the window that was on its way.
    pub sensor_errors: u32,
}

/// A window that became a packet.
#[cfg_attr(not(feature = "defmt"), expect(dead_code, reason = "only logs read it"))]
pub(crate) struct WindowReport {
    /// Windows before it.
    pub(crate) index: u32,
    /// Bytes of its packet.
    pub(crate) packet_len: usize,
    /// Time spent on all its rows.
    pub(crate) encode_us: u32,
    /// Time spent on the row that took longest.
    pub(crate) longest_row_us: u32,
    /// Bytes that wait for the link, those of this window among them.
    pub(crate) waiting: usize,
}

#[cfg(feature = "defmt")]
impl defmt::Format for WindowReport {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "window {=u32}: packet of {=usize} bytes, encoded in {=u32} us, at most {=u32} us a row, {=usize} bytes wait",
            self.index,
            self.packet_len,
            self.encode_us,
            self.longest_row_us,
            self.waiting
        );
    }
}
