//! What sources hand to the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;

/// Events that may wait for the gateway. Subscriptions limit what they have under way to less, so that only streams and datagrams
/// ever wait.
pub(crate) const QUEUE_LEN: usize = 2048;

/// Where sources put their events; the queue ends when all of them have ended.
pub(crate) type Intake = SyncSender<Event>;

/// What a source has seen.
pub(crate) enum Event {
    /// A message that is a packet.
    Packet(Packet),
    /// Packets that were marked off in a stream, and how many frames or messages hold none.
    Frames { node: Arc<str>, packets: Vec<Vec<u8>>, damaged: u32 },
    /// The next bytes of a stream that nothing marks off.
    Bytes { node: Arc<str>, bytes: Vec<u8> },
    /// A node's stream has ended.
    Ended { node: Arc<str> },
    /// A source cannot go on.
    Failed(anyhow::Error),
}

/// A packet with what its link says of it.
pub(crate) struct Packet {
    /// Who sent it, as the link tells.
    pub(crate) node: Arc<str>,
    pub(crate) bytes: Vec<u8>,
    /// The network's own number, which serves for packets that have none.
    pub(crate) frame_counter: Option<u32>,
    /// To be signed when its window is safe.
    pub(crate) receipt: Option<Receipt>,
}

/// Owed to a broker, which keeps the packet until all who took it over have signed. A receipt that is dropped counts as not signed.
#[derive(Clone)]
pub(crate) struct Receipt(Arc<Debt>);

struct Debt {
    holders: AtomicUsize,
    acknowledge: Box<dyn Fn() + Send + Sync>,
}

impl Receipt {
    /// A receipt with one holder.
    pub(crate) fn new(acknowledge: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Debt { holders: AtomicUsize::new(1), acknowledge: Box::new(acknowledge) }))
    }

    /// For one more holder, who must sign too.
    pub(crate) fn share(&self) -> Self {
        self.0.holders.fetch_add(1, Ordering::Relaxed);
        self.clone()
    }

    /// The holder has made the window safe.
    pub(crate) fn sign(self) {
        if self.0.holders.fetch_sub(1, Ordering::AcqRel) == 1 {
            (self.0.acknowledge)();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn a_receipt_is_good_when_every_holder_has_signed() {
        let is_acknowledged = Arc::new(AtomicBool::new(false));
        let flag = is_acknowledged.clone();
        let receipt = Receipt::new(move || flag.store(true, Ordering::Relaxed));
        let [written, dropped] = [receipt.share(), receipt.share()];
        receipt.sign();
        written.sign();
        drop(dropped);
        assert!(!is_acknowledged.load(Ordering::Relaxed), "one holder never signed");
    }
}
